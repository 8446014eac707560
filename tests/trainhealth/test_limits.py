"""Limits: what is accepted, and which values lie beyond."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.limits import Bound, Kind, Word, parse_limit
from trainhealth.measurement import Measurement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> 0.1", Bound(">", 0.1, Kind.NUMBER, "f:1")),
        ("<95%", Bound("<", 95.0, Kind.PERCENT, "f:1")),
        (" > 3x ", Bound(">", 3.0, Kind.TIMES, "f:1")),
        ("< -5 %", Bound("<", -5.0, Kind.PERCENT, "f:1")),
        ("> +1e-3", Bound(">", 0.001, Kind.NUMBER, "f:1")),
        ("> .5", Bound(">", 0.5, Kind.NUMBER, "f:1")),
        ("> 5.", Bound(">", 5.0, Kind.NUMBER, "f:1")),
        ("crashed", Word("crashed", "f:1")),
        ("out_of_memory", Word("out_of_memory", "f:1")),
    ],
)
def test_parse_limit_reads_every_form(text: str, expected: Bound | Word) -> None:
    assert parse_limit(text, "f:1") == expected


@pytest.mark.parametrize(
    "text",
    ["", ">", "0.1", ">= 1", "> 1 < 2", "> nan", "> inf", "> 1e999", "= 1", "> 1,5", "> 0x10", "> 1y", "Crashed", "a b",
     "__import__('os')", 0.1, 1, True, None, ["> 1"]],
)  # fmt: skip
def test_parse_limit_refuses_anything_else(text: object) -> None:
    expected = (
        f"{text!r} is not a limit; write a comparison such as '> 0.1', '< 95%', '> 3x' or '< -5%', "
        "or a state such as 'crashed'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        parse_limit(text, "f:1")


@given(st.sampled_from("<>"), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(list(Kind)))
def test_a_bound_is_read_back_from_what_it_says(sign: str, number: float, kind: Kind) -> None:
    bound = parse_limit(f"{sign} {number!r}{kind.value}", "f:1")
    assert bound == Bound(sign, number, kind, "f:1")
    again = parse_limit(str(bound), "f:1")
    assert isinstance(again, Bound)
    assert again.number == pytest.approx(number, rel=1e-11)


@given(st.text())
def test_any_text_is_a_limit_or_a_value_error(text: str) -> None:
    try:
        limit = parse_limit(text, "f:1")
    except ValueError:
        return
    assert isinstance(limit, Word) or math.isfinite(limit.number)


@pytest.mark.parametrize(
    ("limit", "value", "exceeded"),
    [
        ("> 0.2", 0.3, True),
        ("> 0.2", 0.2, False),
        ("> 0.2", 0.1, False),
        ("< 0.2", 0.1, True),
        ("< 0.2", 0.2, False),
        ("< 0.2", 0.3, False),
        ("> 0.2", math.inf, True),
        ("< 0.2", math.inf, False),
        ("> 0.2", math.nan, True),
        ("< 0.2", math.nan, True),
    ],
)
def test_plain_bounds_compare_the_value_itself(limit: str, value: float, exceeded: bool) -> None:
    assert parse_limit(limit, "f:1").exceeded_by(Measurement(value)) is exceeded


@pytest.mark.parametrize(
    ("limit", "measurement", "exceeded"),
    [
        ("< 95%", Measurement(0.94, unit="fraction"), True),
        ("< 95%", Measurement(0.96, unit="fraction"), False),
        ("< -5%", Measurement(94.0, reference=100.0), True),
        ("< -5%", Measurement(96.0, reference=100.0), False),
        ("> 5%", Measurement(-94.0, reference=-100.0), True),  # up by 6 % of the reference's size
        ("> 3x", Measurement(31.0, reference=10.0), True),
        ("> 3x", Measurement(29.0, reference=10.0), False),
        ("> 3x", Measurement(0.0, reference=0.0), False),
        ("> 3x", Measurement(1.0, reference=0.0), True),
        ("> 3x", Measurement(math.nan, reference=0.0), True),
        ("> 3x", Measurement(1.0, reference=math.nan), True),
    ],
)
def test_relative_bounds_compare_with_the_reference(limit: str, measurement: Measurement, exceeded: bool) -> None:
    assert parse_limit(limit, "f:1").exceeded_by(measurement) is exceeded


@pytest.mark.parametrize("limit", ["> 3x", "< -5%"])
def test_a_relative_bound_without_reference_cannot_be_judged(limit: str) -> None:
    with pytest.raises(ValueError, match=r"nothing for a '[x%]' limit to be relative to"):
        parse_limit(limit, "f:1").exceeded_by(Measurement(1.0))


def test_a_limit_out_of_a_fractions_reach_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="the measured value is a fraction; write '> 5%'"):
        parse_limit("> 5", "f:1").exceeded_by(Measurement(0.5, unit="fraction"))
    assert parse_limit("> 0", "f:1").exceeded_by(Measurement(0.5, unit="fraction"))


def test_words_compare_with_words_only() -> None:
    crashed = parse_limit("crashed", "f:1")
    states = ("finished", "crashed")
    assert crashed.exceeded_by(Measurement("crashed", vocabulary=states))
    assert not crashed.exceeded_by(Measurement("finished", vocabulary=states))
    with pytest.raises(ValueError, match=re.escape("'crashd' is no state it can be in (known: finished, crashed)")):
        parse_limit("crashd", "f:1").exceeded_by(Measurement("crashed", vocabulary=states))
    with pytest.raises(
        ValueError, match="the measured value is a number, so its limits must be numbers, not 'crashed'"
    ):
        crashed.exceeded_by(Measurement(1.0))
    with pytest.raises(ValueError, match=re.escape("the measured value is a state ('crashed')")):
        parse_limit("> 1", "f:1").exceeded_by(Measurement("crashed"))


@pytest.mark.parametrize(
    ("early", "late", "weaker"),
    [
        ("> 1", "> 2", True),
        ("> 2", "> 1", False),
        ("> 1", "> 1", False),
        ("< 2", "< 1", True),
        ("< -5%", "< -10%", True),
        ("< -10%", "< -5%", False),
    ],
)
def test_the_weaker_bound_is_reached_first(early: str, late: str, weaker: bool) -> None:
    one, other = parse_limit(early, "f:1"), parse_limit(late, "f:2")
    assert isinstance(one, Bound)
    assert isinstance(other, Bound)
    assert one.weaker_than(other) is weaker


@pytest.mark.parametrize("text", ["> 0.1", "< 95%", "> 3x", "< -5%", "> 1e-05", "crashed"])
def test_a_limit_is_shown_as_it_is_written(text: str) -> None:
    assert str(parse_limit(text, "f:1")) == text
