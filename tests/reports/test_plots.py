"""Charts as SVG: well-formed, escaped, legible at any range of values."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.plots import Bar, bars, histogram, svg
from trainhealth.charts import Bars, Chart, Histogram, Line, Rule

NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: float(f"{number:.6g}"))


def _chart(values: list[float], steps: list[float] | None = None, **more: Any) -> Chart:
    at = tuple(steps if steps is not None else map(float, range(len(values))))
    line = Line(name="kl", steps=at, values=tuple(values))
    return Chart(**{"title": "KL", "lines": (line,), "points": len(values), **more})


def _parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def test_points_lie_where_their_values_are() -> None:
    drawn = _parsed(svg(_chart([0.0, 1.0, 0.5])))
    line = drawn.find(".//polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 > y2 > y1  # up is more
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.1)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20), st.lists(NUMBERS, max_size=2))
def test_every_chart_can_be_drawn_inside_its_frame(points: list[tuple[float, float]], limits: list[float]) -> None:
    rules = tuple(Rule(verdict="FAIL", sign=">", number=limit) for limit in limits)
    steps, values = map(list, zip(*sorted(points), strict=True))
    drawn = svg(_chart(values, steps, rules=rules, window=(steps[0], steps[-1])))
    assert "nan" not in drawn.lower()
    assert "inf" not in drawn.lower().replace("infinite", "")
    picture = _parsed(drawn).find("svg")
    assert picture is not None
    for shape in picture.iter("polyline"):
        for point in shape.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 720
            assert 0 <= y <= 250


def test_a_spike_of_392000_does_not_flatten_the_rest() -> None:
    drawn = svg(_chart([0.02] * 50 + [392_000.0] + [0.03] * 50, spikes=((50.0, 392_000.0),)))
    assert "logarithmic" in drawn
    assert "3.9e+05 at 50" in drawn


def test_limits_within_reach_are_drawn_and_others_are_only_said() -> None:
    near, far = Rule(verdict="WARN", sign=">", number=0.1), Rule(verdict="FAIL", sign=">", number=50.0)
    drawn = svg(_chart([0.01, 0.05], rules=(near, far)))
    assert re.findall(r"rule (\w+)\" x1", drawn) == ["warn"]
    assert "FAIL &gt; 50" in drawn


def test_names_from_a_run_are_text() -> None:
    name = "</title><script>alert(1)</script>\u202e"
    line = Line(name=name, steps=(0, 1), values=(1, 2), lost=(0.5,))
    drawn = svg(Chart(title=name, unit=name, axis=name, lines=(line,), points=2))
    assert "<script" not in drawn
    assert "\u202e" not in drawn
    assert _parsed(drawn).find(".//path") is not None  # the cross of the lost point


def test_of_many_checkpoints_the_legend_names_the_oldest_the_best_and_the_newest() -> None:
    ratings = [1000.0, 1010, 1020, 1090, 1030, 1020, 1010, 1005]
    lines = tuple(
        Line(name=f"grpo-1_adapter_v{10 * i}", role="checkpoint", steps=(0, 1), values=(1000, end))
        for i, end in enumerate(ratings)
    )
    drawn = svg(Chart(title="Elo", lines=lines, points=16))
    legend = drawn[drawn.index("<ul>") :]
    assert re.findall(r"adapter_v\d+ <b>\d+", legend) == [
        "adapter_v0 <b>1000",
        "adapter_v30 <b>1090",
        "adapter_v70 <b>1005",
    ]
    assert "8 checkpoints" in legend


def test_nothing_is_drawn_of_nothing() -> None:
    assert svg(Chart(title="KL", lines=(), points=0)) == ""


def test_an_interval_lies_on_both_sides_of_its_line() -> None:
    line = Line(name="base_model", role="base model", steps=(0, 1), values=(1000, 1010), spread=(20, 40))
    drawn = _parsed(svg(Chart(title="Elo", lines=(line,), points=2)))
    band, middle = drawn.find(".//polygon"), drawn.find(".//polyline")
    assert band is not None
    assert middle is not None
    above, far, further, below = (float(point.split(",")[1]) for point in band.attrib["points"].split())
    first, last = (float(point.split(",")[1]) for point in middle.attrib["points"].split())
    assert first - above == pytest.approx(below - first, abs=0.2)
    assert last - far == pytest.approx(2 * (first - above), abs=0.3)
    assert last - far == pytest.approx(further - last, abs=0.2)
    assert "95 % interval" in "".join(drawn.itertext())


def test_a_thinner_chart_keeps_its_extremes() -> None:
    values = [float(at % 7) for at in range(400)]
    values[123], values[321] = 99.0, -99.0
    thin = _chart(values).thinned(16).lines[0]
    assert len(thin.steps) == len(thin.values) <= 34
    assert dict(zip(thin.steps, thin.values, strict=True)).items() >= {123.0: 99.0, 321.0: -99.0}.items()


def test_bars_are_as_long_as_their_values() -> None:
    drawn = _parsed(bars("Rollouts", "s", [Bar("<b>", 10.0), Bar("long", 40.0), Bar("lost", float("nan"))]))
    short, long = (float(bar.attrib["width"]) for bar in drawn.iter("rect"))
    assert long == pytest.approx(4 * short)
    assert "<b> 10, long 40" in "".join(drawn.itertext())
    assert bars("Rollouts", "s", [Bar("lost", float("inf"))]) == ""


def _histogram(counts: tuple[int, ...] = (0, 3, 1), **more: Any) -> Histogram:
    bars = (Bars(name="errors", role="FAIL", counts=counts), Bars(name="warnings", role="WARN", counts=counts))
    return Histogram(
        **{"title": "Errors over time", "unit": "time", "start": 1767225600.0, "width": 60.0, "bars": bars} | more
    )


def test_counts_stand_on_each_other_and_are_told() -> None:
    figure = _parsed(histogram(_histogram()))
    errors, warnings = (one.attrib["d"] for one in figure.iter("path"))
    tops = [[float(number) for number in re.findall(r"V([\d.]+)", path)] for path in (errors, warnings)]
    floors = [[float(number) for number in re.findall(r"M[\d.]+ ([\d.]+)", path)] for path in (errors, warnings)]
    assert floors[1] == tops[0]  # warnings begin where errors end
    assert floors[0][0] - tops[0][0] == pytest.approx(3 * (floors[0][1] - tops[0][1]), abs=0.3)
    said = figure.findtext(".//title")
    assert said == "Errors over time: 4 errors, 4 warnings; most, 6, from 2026-01-01 00:01:00Z to 2026-01-01 00:02:00Z"
    assert "per 1 min, UTC, from 2026-01-01 00:00" in "".join(figure.itertext())


def test_limits_of_durations_stand_upright_where_they_are_in_sight() -> None:
    rules = tuple(Rule(verdict="FAIL", sign=">", number=number) for number in (15.0, 1e6))
    drawn = _parsed(histogram(_histogram(unit="s", start=0.0, width=10.0, rules=rules)))
    [upright] = (line for line in drawn.iter("line") if "rule" in line.attrib["class"])
    assert upright.attrib["x1"] == upright.attrib["x2"]
    assert "p95 fail > 15" in "".join(drawn.itertext())


def test_of_nothing_there_is_no_histogram() -> None:
    assert histogram(_histogram((0, 0))) == ""
    assert histogram(_histogram(bars=())) == ""


def test_a_histogram_cannot_inject() -> None:
    evil = "<script>alert(1)</script>\"'</svg>\x1b[31m"
    bars = (Bars(name=evil, role=evil, counts=(1, 2)),)
    rules = (Rule(verdict=evil, sign=evil, number=15.0),)
    drawn = histogram(_histogram(title=evil, unit=evil, start=0.0, width=10.0, bars=bars, rules=rules))
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    assert "alert" in "".join(_parsed(drawn).itertext())


@given(st.floats(0, 2e11), st.floats(1e-9, 1e9), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_every_histogram_can_be_drawn(start: float, width: float, counts: list[int]) -> None:
    bars = (Bars(name="n", counts=tuple(counts)),)
    for unit in ("time", "s"):
        drawn = histogram(_histogram(unit=unit, start=start, width=width, bars=bars))
        assert "nan" not in drawn
        assert bool(drawn) == any(counts)
        if drawn:
            _parsed(drawn)
