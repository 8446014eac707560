"""Limits learned from good runs, as a fragment of thresholds.yaml that says what each was derived from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trainhealth.errors import UsageError
from trainhealth.limits import Bound, Kind, parse_limit
from trainhealth.verdicts import Judgement, RunVerdict, Verdict

RUNS = 3
"""Fewest good runs: of two, nobody can say how far a third may lie from them."""

AREAS = ("stability", "performance", "custom")
"""Areas whose limits differ from task to task; whether a run learned, and its record is whole, does not."""

LEAST = 0.25
"""The margin beyond the worst good run is what these runs differ by, and at least this share of the worst value."""

FAIL_MARGINS = 3.0
"""Margins between the worst good run and the fail limit; to the warn limit it is one."""


@dataclass(frozen=True, slots=True)
class _Learned:
    """What the good runs say of one criterion, in the unit of limits of `kind`."""

    sign: str
    kind: Kind
    values: dict[str, float]

    @property
    def worst(self) -> str:
        """The run that comes nearest to the limit."""
        return (max if self.sign == ">" else min)(self.values, key=lambda run: self.values[run])

    def bound(self, margins: float) -> str | None:
        """The limit so many margins beyond the worst run; None where there is none that means something."""
        worst = self.values[self.worst]
        spread = max(self.values.values()) - min(self.values.values())
        away = margins * max(spread, LEAST * abs(worst))
        limit = float(f"{worst + away if self.sign == '>' else worst - away:.2g}")
        possible = 0 < limit < 100 if self.kind is Kind.PERCENT else limit > 0
        beyond = limit > worst if self.sign == ">" else limit < worst
        return f"{self.sign} {limit:.12g}{self.kind.value}" if possible and beyond else None


def require_runs(number: int, which: str) -> None:
    """Raise UsageError where fewer than `RUNS` runs, those `which`, are there to learn from."""
    if number < RUNS:
        are = "is" if number == 1 else "are"
        raise UsageError(
            f"limits are learned from {RUNS} or more runs that pass or warn; there {are} {number} {which}: "
            "name more good runs"
        )


def suggest(verdicts: Sequence[RunVerdict]) -> str:
    """A thresholds file that starts from the shipped one, with the limits that the runs among `verdicts` suggest.

    Only runs that pass or warn teach anything: a baseline that failed itself would excuse the next one.

    Raises:
        UsageError: fewer than `RUNS` of them are good.
    """
    good = [one for one in verdicts if one.verdict in (Verdict.PASS, Verdict.WARN)]
    others = [f"{one.summary.run} {one.verdict}" for one in verdicts if one not in good]
    require_runs(len(good), f"that do ({', '.join(others)})" if others else "that do")
    names = ", ".join(one.summary.run for one in good)
    lines = [
        f"# Limits learned from {_printable(names)}.",
        "# Warn: the worst of them, and as much beyond it as they differ (at least 25 %); fail: three times as much.",
        *([f"# Not used: {_printable(', '.join(others))}."] if others else []),
        "schema: 1",
        "extends: default",
        "criteria:",
    ]
    entries = [line for id_ in _criteria(good) for line in _entry(id_, good)]
    return "\n".join([*lines, *entries]) + "\n" if entries else "\n".join(lines[:-1]) + "\n"


def _criteria(runs: Iterable[RunVerdict]) -> list[str]:
    ids = dict.fromkeys(judgement.criterion for run in runs for judgement in run.judgements)
    return sorted(id_ for id_ in ids if id_.startswith(AREAS))


def _entry(id_: str, runs: Sequence[RunVerdict]) -> Iterator[str]:
    """The lines of one criterion; none where the runs do not suggest any limit."""
    said = {run.summary.run: one for run in runs for one in run.judgements if one.criterion == id_}
    example = next(iter(said.values()))
    limits = [_bound(text) for text in (*example.warn, *example.fail)]
    first = next((limit for limit in limits if limit is not None), None)
    if first is None:
        return
    found = {run: value for run, one in said.items() if (value := _value(one, first.kind)) is not None}
    if len(found) < RUNS:
        return
    learned = _Learned(first.sign, first.kind, found)
    new = {
        "warn": _replaced(example.warn, first.kind, learned.bound(1.0)),
        "fail": _replaced(example.fail, first.kind, learned.bound(FAIL_MARGINS)),
    }
    if None in new.values() or not all(_ordered(new["warn"] or (), new["fail"] or (), first.kind)):
        return
    values = ", ".join(f"{run} {value:.3g}" for run, value in found.items())
    was = " and ".join(", ".join(texts) for texts in (example.warn, example.fail) if texts)
    yield f"  {id_}:"
    for key, texts in new.items():
        if texts:
            yield f"    {key}: [{', '.join(map(json.dumps, texts))}]"
    yield f"    source: {json.dumps(f'learned: {values}; instead of {was}')}"


def _value(judgement: Judgement, kind: Kind) -> float | None:
    """What was measured, as limits of `kind` see it; None where nothing was, or no number."""
    if not judgement.verdict.evaluated:
        return None
    value = judgement.times_reference if kind is Kind.TIMES else judgement.value
    if isinstance(value, str) or value is None or not math.isfinite(value):
        return None
    return 100 * value if kind is Kind.PERCENT else value


def _replaced(texts: Sequence[str], kind: Kind, new: str | None) -> tuple[str, ...] | None:
    """`texts` with `new` for the limit of that kind; None where there is one and no new one."""
    ours = [text for text in texts if (bound := _bound(text)) is not None and bound.kind is kind]
    if ours and new is None:
        return None
    return tuple(new if text in ours and new is not None else text for text in texts)


def _ordered(warn: Sequence[str], fail: Sequence[str], kind: Kind) -> Iterator[bool]:
    """Whether a run is warned of before it fails."""
    for one in filter(None, map(_bound, warn)):
        for other in filter(None, map(_bound, fail)):
            if one.kind is other.kind is kind:
                yield one.weaker_than(other)


def _bound(text: str) -> Bound | None:
    limit = parse_limit(text, "")
    return limit if isinstance(limit, Bound) else None


def _printable(text: str) -> str:
    """`text` for a comment of one line."""
    return json.dumps(text)[1:-1]
