"""A chart as inline SVG: no script, no image file; colours come from the style sheet, so it prints and dims well.

Drawn here and not by a plotting library: a picture follows the reader's dark mode, is legible at phone width and weighs
a few kilobytes; a library costs half a second of import and twenty times the bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from reports.text import cut, plain
from trainhealth.attribution import moment
from trainhealth.charts import Bars, Chart, Histogram, Line

_WIDTH, _WIDE, _HEIGHT = 720.0, 1440.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 14.0, 12.0, 26.0
_TICKS = 5

LOG_FROM = 100.0
"""Values that are all positive and span this factor are drawn on a logarithmic scale."""

RULE_REACH = 4.0
"""A limit farther than this many spans of the data from it is named, not drawn: it would flatten the data."""

_LEGEND = 6
"""More checkpoints than this are not all named below the picture; the table of ratings has them."""

_BAR, _BARS = 19, 24
_NAMES, _REACH = 130.0, 320.0
"""Of bars: the height of one, how many at most, the room for their names, and the length of the longest."""

Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where steps and values lie in a picture that is `width` units wide."""

    width: float
    x: Scale
    y: Scale
    steps: tuple[float, float]
    values: tuple[float, float]
    logarithmic: bool

    @property
    def right(self) -> float:
        return self.width - _RIGHT

    def point(self, step: float, value: float) -> str:
        """``54.2,60.1``; in a wide picture, whose units are smaller than pixels, without decimals."""
        places = 0 if self.width == _WIDE else 1
        return f"{self.x(step):.{places}f},{self.y(value):.{places}f}"


def svg(chart: Chart) -> str:
    """The picture of `chart` with a sentence for those who cannot see it; nothing for a chart without a point."""
    chart = _drawable(chart)
    values = [value for line in chart.lines for value in line.values]
    spread = [bound for line in chart.lines for bound in (*_bounds(line, -1), *_bounds(line, 1))]
    steps = [step for line in chart.lines for step in (*line.steps, *line.lost)]
    if not steps:
        return ""
    frame = _frame(chart, steps, [*values, *spread])
    parts = [
        *_window(chart, frame),
        *_grid(chart, frame),
        *_rules(chart, frame),
        *(_band(line, frame) for line in chart.lines if line.spread),
        *(_line(line, frame, style) for line, style in zip(chart.lines, _styles(chart.lines), strict=True)),
        *_spikes(chart, frame),
        *_lost(chart, frame),
    ]
    remarks = [chart.unit, "logarithmic" if frame.logarithmic else ""]
    caption = escape(plain(chart.title)) + "".join(f" <small>{escape(plain(one))}</small>" for one in remarks if one)
    said = escape(_sentence(chart, values))
    return (
        f'<figure class="chart{" wide" if frame.width == _WIDE else ""}"><figcaption>{caption}</figcaption>'
        f'<svg viewBox="0 0 {frame.width:g} {_HEIGHT:g}" role="img"><title>{said}</title>'
        f"{''.join(parts)}</svg>{_legend(chart)}</figure>"
    )


def _drawable(chart: Chart) -> Chart:
    """The same, with numbers beyond 1e100 as 1e100, and below 1e-100 as 0: no picture tells them apart."""

    def tame(number: float) -> float:
        return max(-1e100, min(number, 1e100)) if abs(number) > 1e-100 else 0.0

    def line(one: Line) -> Line:
        return one.model_copy(
            update={name: tuple(map(tame, getattr(one, name))) for name in ("steps", "values", "lost", "spread")}
        )

    return chart.model_copy(
        update={
            "lines": tuple(map(line, chart.lines)),
            "rules": tuple(rule.model_copy(update={"number": tame(rule.number)}) for rule in chart.rules),
            "window": chart.window and (tame(chart.window[0]), tame(chart.window[1])),
            "spikes": tuple((tame(step), tame(value)) for step, value in chart.spikes),
        }
    )


def _frame(chart: Chart, steps: Sequence[float], values: Sequence[float]) -> _Frame:
    width = _WIDE if len(chart.lines) > _LEGEND else _WIDTH
    low, high, logarithmic = _range(chart, values)
    x = _linear(min(steps), max(steps), _LEFT, width - _RIGHT)
    y = _logarithmic(low, high) if logarithmic else _linear(low, high, _HEIGHT - _BOTTOM, _TOP)
    return _Frame(width, x, y, (min(steps), max(steps)), (low, high), logarithmic)


def _range(chart: Chart, values: Sequence[float]) -> tuple[float, float, bool]:
    """(lowest, highest value shown, whether the scale is logarithmic); limits within reach are shown too."""
    if not values:
        return 0.0, 1.0, False
    low, high = min(values), max(values)
    positive = [value for value in values if value > 0]
    logarithmic = low >= 0 and bool(positive) and high > LOG_FROM * sorted(positive)[len(positive) // 2]
    if logarithmic:
        low = max(min(positive), high / 1e9)
        near = [rule.number for rule in chart.rules if low / 10 < rule.number < high * 10]
        return min(low, *near) if near else low, max(high, *near) if near else high, True
    span = high - low or abs(high) or 1.0
    near = [rule.number for rule in chart.rules if low - RULE_REACH * span < rule.number < high + RULE_REACH * span]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.06 * (high - low or abs(high) or 1.0)
    return low - margin, high + margin, False


def _linear(low: float, high: float, start: float, end: float) -> Scale:
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _logarithmic(low: float, high: float) -> Scale:
    on = _linear(math.log10(low), math.log10(high), _HEIGHT - _BOTTOM, _TOP)
    return lambda value: on(math.log10(max(value, low)))


def _ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """About `count` round numbers from `low` to `high`."""
    raw = (high - low or abs(high) or 1.0) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((power * factor for factor in (1, 2, 5) if power * factor >= raw), power * 10)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    exponents = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    every = max(1, -(-len(exponents) // _TICKS))
    return [10.0**exponent for exponent in exponents if exponent % every == 0] or [low, high]


def _grid(chart: Chart, frame: _Frame) -> Iterator[str]:
    for value in _decades(*frame.values) if frame.logarithmic else _ticks(*frame.values):
        at = frame.y(value)
        yield f'<line class="grid" x1="{_LEFT:g}" x2="{frame.right:g}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="tick" x="{_LEFT - 6:g}" y="{at + 3.5:.1f}" text-anchor="end">{_number(value)}</text>'
    axis = escape(cut(plain(chart.axis), 40))
    for step in _ticks(*frame.steps, 6):
        at = frame.x(step)
        if at < frame.right - 11 * len(axis):  # there stands the name of the axis
            yield f'<text class="tick" x="{at:.1f}" y="{_HEIGHT - 9:g}" text-anchor="middle">{_number(step)}</text>'
    yield f'<text class="tick" x="{frame.right:g}" y="{_HEIGHT - 9:g}" text-anchor="end">{axis}</text>'


def _window(chart: Chart, frame: _Frame) -> Iterator[str]:
    if chart.window:
        first, last = (min(max(frame.x(step), _LEFT), frame.right) for step in chart.window)
        yield (
            f'<rect class="window" x="{first:.1f}" y="{_TOP:g}" width="{max(last - first, 1):.1f}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM:g}"/>'
        )


def _rules(chart: Chart, frame: _Frame) -> Iterator[str]:
    below = _HEIGHT
    for rule in sorted(chart.rules, key=lambda rule: -rule.number):
        if not frame.values[0] <= rule.number <= frame.values[1]:
            continue
        at = frame.y(rule.number)
        kind = escape(plain(rule.verdict.lower()))
        yield f'<line class="rule {kind}" x1="{_LEFT:g}" x2="{frame.right:g}" y1="{at:.1f}" y2="{at:.1f}"/>'
        beside = 90.0 if abs(at - below) < 12 else 0.0  # two names in one place could not be read
        below = at
        yield (
            f'<text class="tick rule {kind}" x="{_LEFT + 4 + beside:g}" y="{at - 3:.1f}">'
            f"{kind} {escape(plain(rule.sign))} {_number(rule.number)}</text>"
        )


def _styles(lines: Sequence[Line]) -> list[str]:
    """The look of each line: checkpoints from faint (oldest) to strong (newest), references dashed."""
    checkpoints = [line for line in lines if line.role == "checkpoint"]
    styles, references, others = [], 0, 0
    for line in lines:
        if line.role == "checkpoint":
            share = (checkpoints.index(line) + 1) / len(checkpoints)
            styles.append(f'class="checkpoint" opacity="{0.25 + 0.75 * share:.2f}"')
        elif line.role == "reference":
            styles.append(f'class="reference c{references % 6}"')
            references += 1
        elif line.role:
            styles.append('class="base"')
        else:
            styles.append(f'class="metric c{others % 6}"')
            others += 1
    return styles


def _line(line: Line, frame: _Frame, style: str) -> str:
    points = [frame.point(step, value) for step, value in zip(line.steps, line.values, strict=True)]
    if len(points) == 1:
        at_x, at_y = points[0].split(",")
        return f'<circle {style} cx="{at_x}" cy="{at_y}" r="2.5"/>'
    return f'<polyline {style} points="{" ".join(points)}"><title>{escape(plain(line.name))}</title></polyline>'


def _bounds(line: Line, side: int) -> list[float]:
    return [value + side * half for value, half in zip(line.values, line.spread, strict=False)]


def _band(line: Line, frame: _Frame) -> str:
    """The 95 % interval around a line."""
    above, below = (
        [frame.point(step, bound) for step, bound in zip(line.steps, _bounds(line, side), strict=True)]
        for side in (1, -1)
    )
    kind = "checkpoint" if line.role == "checkpoint" else "base"
    return f'<polygon class="band {kind}" points="{" ".join([*above, *reversed(below)])}"/>'


def _spikes(chart: Chart, frame: _Frame) -> Iterator[str]:
    for step, value in chart.spikes:
        said = f"{_number(value)} at {_number(step)}"
        at = f'cx="{frame.x(step):.1f}" cy="{frame.y(value):.1f}"'
        yield f'<circle class="spike" {at} r="4"><title>{said}</title></circle>'


def _lost(chart: Chart, frame: _Frame) -> Iterator[str]:
    """Where a value is NaN or infinite there is no point to draw: a cross at the upper edge says so."""
    for step in sorted({step for line in chart.lines for step in line.lost}):
        at = frame.x(step)
        yield (
            f'<path class="lost" d="M{at - 4:.1f} {_TOP:g}l8 8m0 -8l-8 8"><title>not finite at {_number(step)}</title>'
            "</path>"
        )


def _legend(chart: Chart) -> str:
    """What each line is, with where it ends; of many checkpoints the oldest, the best and the newest."""
    named = _named(chart.lines)
    checkpoints = [line for line in chart.lines if line.role == "checkpoint"]
    telling = (
        [checkpoints[0], max(checkpoints, key=lambda line: line.values[-1:]), checkpoints[-1]] if checkpoints else []
    )
    hidden = len(checkpoints) > _LEGEND
    items = [
        f'<li><svg viewBox="0 0 22 8" aria-hidden="true"><line {style} x1="1" x2="21" y1="4" y2="4"/></svg>'
        f"{escape(name)}{f' <b>{_number(line.values[-1])}</b>' if line.values else ''}</li>"
        for line, name, style in zip(chart.lines, named, _styles(chart.lines), strict=True)
        if not hidden or line.role != "checkpoint" or any(line is one for one in telling)
    ]
    items += [f"<li>{len(checkpoints)} checkpoints, the newest darkest</li>"] if hidden else []
    items += ["<li><i class='spike'></i>spike</li>"] if chart.spikes else []
    items += ["<li>shaded: 95 % interval</li>"] if any(line.spread for line in chart.lines) else []
    items += ["<li><i class='window'></i>judged window</li>"] if chart.window else []
    items += ["<li class='fail'>✕ not finite</li>"] if any(line.lost for line in chart.lines) else []
    return f"<ul>{''.join(items)}</ul>"


def _named(lines: Sequence[Line]) -> list[str]:
    """Names as short as they can be told: checkpoints without what all of them begin with."""
    checkpoints = [line.name for line in lines if line.role == "checkpoint"]
    shared = os.path.commonprefix(checkpoints) if len(checkpoints) > 1 else ""  # noqa: RUF071 - of letters, not folders
    shared = shared[: max(shared.rfind("adapter"), 0)]
    return [
        cut(plain(line.name.removeprefix(shared) if line.role == "checkpoint" else line.name), 60) for line in lines
    ]


def _sentence(chart: Chart, values: Sequence[float]) -> str:
    lines = ", ".join(
        f"{plain(line.name)} from {_number(line.values[0])} to {_number(line.values[-1])}"
        for line in chart.lines[:12]
        if line.values
    )
    extent = f"; lowest {_number(min(values))}, highest {_number(max(values))}" if values else ""
    limits = "".join(f"; {rule.verdict} {rule.sign} {_number(rule.number)}" for rule in chart.rules)
    lost = sum(len(line.lost) for line in chart.lines)
    spikes = f"; {len(chart.spikes)} spikes" if chart.spikes else ""
    return f"{plain(chart.title)}: {lines}{extent}{limits}{spikes}{f'; not finite at {lost} steps' if lost else ''}"


def _number(value: float) -> str:
    """Short: 1200, 0.05, 3.9e5."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return f"{value:.2g}"


def histogram(chart: Histogram) -> str:
    """The picture of `chart`, the kinds on top of each other, with a sentence for those who cannot see it."""
    bins = max((len(bars.counts) for bars in chart.bars), default=0)
    heights = [sum(bars.counts[at] for bars in chart.bars) for at in range(bins)]
    if not any(heights):
        return ""
    end = chart.start + bins * chart.width
    most = max(heights)
    x = _linear(chart.start, end, _LEFT, _WIDTH - _RIGHT)
    y = _linear(0.0, most * 1.06, _HEIGHT - _BOTTOM, _TOP)
    frame = _Frame(_WIDTH, x, y, (chart.start, end), (0.0, most), False)
    drawn, floor = [], [0] * bins
    for bars in chart.bars:
        drawn.append(_stacked(bars, floor, chart, frame))
        floor = [below + count for below, count in zip(floor, bars.counts, strict=True)]
    remark = f"per {_duration(chart.width)}, UTC, from {moment(chart.start)[:16]}" if chart.timed else chart.unit
    legend = "".join(
        f"<li><i class='{_hue(bars)}'></i>{escape(plain(bars.name))} <b>{sum(bars.counts):,}</b></li>"
        for bars in chart.bars
    )
    return (
        f'<figure class="chart"><figcaption>{escape(plain(chart.title))} <small>{escape(plain(remark))}</small>'
        f'</figcaption><svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img">'
        f"<title>{escape(plain(_told(chart, heights)))}</title>{''.join(_counts_grid(chart, frame))}{''.join(drawn)}"
        f"{''.join(_uprights(chart, frame))}</svg><ul>{legend}</ul></figure>"
    )


def _hue(bars: Bars) -> str:
    """The class of its colour; what has no verdict is drawn like any bar."""
    return bars.role.lower() if bars.role in ("FAIL", "WARN") else "bar"


def _stacked(bars: Bars, floor: Sequence[int], chart: Histogram, frame: _Frame) -> str:
    """All bars of one kind in a single path, which is a tenth of as many rectangles."""
    wide = frame.x(chart.start + chart.width) - frame.x(chart.start)
    path = "".join(
        f"M{frame.x(chart.start + at * chart.width) + 0.5:.1f} {frame.y(below):.1f}h{max(wide - 1, 0.5):.1f}"
        f"V{frame.y(below + count):.1f}h{-max(wide - 1, 0.5):.1f}z"
        for at, (below, count) in enumerate(zip(floor, bars.counts, strict=True))
        if count
    )
    return f'<path class="stack {_hue(bars)}" d="{path}"/>'


def _counts_grid(chart: Histogram, frame: _Frame) -> Iterator[str]:
    for value in _ticks(*frame.values, 4):
        if value == int(value):
            at = frame.y(value)
            yield f'<line class="grid" x1="{_LEFT:g}" x2="{frame.right:g}" y1="{at:.1f}" y2="{at:.1f}"/>'
            yield f'<text class="tick" x="{_LEFT - 6:g}" y="{at + 3.5:.1f}" text-anchor="end">{_number(value)}</text>'
    bins = max(len(bars.counts) for bars in chart.bars)
    every = -(-bins // 6)
    for at in range(0, bins + 1, every):
        edge = chart.start + at * chart.width
        text = _clock(edge, chart) if chart.timed else _number(edge)
        yield (
            f'<text class="tick" x="{frame.x(edge):.1f}" y="{_HEIGHT - 9:g}" text-anchor="middle">{escape(text)}</text>'
        )


def _uprights(chart: Histogram, frame: _Frame) -> Iterator[str]:
    """Limits within the picture."""
    for rule in chart.rules:
        if frame.steps[0] <= rule.number <= frame.steps[1]:
            at, kind, sign = frame.x(rule.number), *(escape(plain(one)) for one in (rule.verdict.lower(), rule.sign))
            yield f'<line class="rule {kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP:g}" y2="{_HEIGHT - _BOTTOM:g}"/>'
            yield (
                f'<text class="tick rule {kind}" x="{at + 4:.1f}" y="{_TOP + 10:g}">p95 {kind} {sign} '
                f"{_number(rule.number)}</text>"
            )


def _clock(seconds: float, chart: Histogram) -> str:
    """Day and month for bins of many hours, else the hour."""
    told = moment(seconds)
    return told[5:10] if chart.width >= 21600 else told[11:16] if chart.width >= 30 else told[11:19]


def _duration(seconds: float) -> str:
    for length, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"


def _told(chart: Histogram, heights: Sequence[int]) -> str:
    peak = heights.index(max(heights))
    low, high = (chart.start + at * chart.width for at in (peak, peak + 1))
    place = f"{moment(low)} to {moment(high)}" if chart.timed else f"{_number(low)} to {_number(high)} {chart.unit}"
    sums = ", ".join(f"{sum(bars.counts):,} {plain(bars.name)}" for bars in chart.bars)
    limits = "".join(f"; {rule.verdict} {rule.sign} {_number(rule.number)}" for rule in chart.rules)
    return f"{plain(chart.title)}: {sums}; most, {max(heights):,}, from {plain(place)}{limits}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a picture of them."""

    name: str
    value: float


def bars(title: str, unit: str, entries: Sequence[Bar], most: float | None = None) -> str:
    """Bars with their figures; the longest is `most` long where that is given. Nothing for nothing that is finite."""
    finite = [bar for bar in entries if math.isfinite(bar.value) and bar.value >= 0][:_BARS]
    if not finite:
        return ""
    longest = most or max(bar.value for bar in finite) or 1.0
    height = _BAR * len(finite) + 4
    drawn = "".join(_bar(bar, at * _BAR, min(bar.value / longest, 1) * _REACH) for at, bar in enumerate(finite))
    said = escape(f"{plain(title)}: " + ", ".join(f"{plain(bar.name)} {_number(bar.value)}" for bar in finite))
    return (
        f'<figure class="chart bars"><figcaption>{escape(plain(title))} <small>{escape(plain(unit))}</small>'
        f'</figcaption><svg viewBox="0 0 520 {height:g}" role="img"><title>{said}</title>{drawn}</svg></figure>'
    )


def _bar(bar: Bar, top: int, length: float) -> str:
    return (
        f'<text x="{_NAMES - 8:g}" y="{top + 13}" text-anchor="end">{escape(cut(plain(bar.name), 18))}</text>'
        f'<rect class="bar" x="{_NAMES:g}" y="{top + 2}" width="{length:.1f}" height="13"/>'
        f'<text x="{_NAMES + length + 6:.1f}" y="{top + 13}">{_number(bar.value)}</text>'
    )
