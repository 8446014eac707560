"""The word on a whole sweep, and its tables as text that the terminal and the HTML report share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from reports.text import cut, plain
from trainhealth.ratings import Z
from trainhealth.sweeps import Comparison, Race, Ranking, Row, few
from trainhealth.verdicts import Judgement, Verdict

AREA = "sweep"
WINNER = "sweep.clear_winner"
LONGEST_VALUE = 60


class SweepVerdict(BaseModel):
    """The gate's word on a sweep. Its runs have verdicts of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    name: str
    verdict: Verdict
    reason: str
    call: str
    """Who won, in a sentence: a clear winner or a close race."""
    comparison: Comparison | None
    """None where the checks of the sweep did not come to it."""
    judgements: tuple[Judgement, ...]


def call(comparison: Comparison | None, judgements: Iterable[Judgement]) -> str:
    """``Clear winner: lr-3 leads lr-1 by 35 Elo [12 … 58] at step 196; surely ahead of 7 of 7``, if that was found."""
    if comparison is None:
        return "The runs were not compared."
    race = comparison.race
    if race is None:
        return "No winner is told: no run is rated beside the base model."
    titles = titles_of(comparison)
    clear = any(one.criterion == WINNER and one.verdict is Verdict.PASS for one in judgements)
    sentence = f"{'Clear winner' if clear else 'Close race'}: {_lead(race, titles)}"
    unstable = [titles[row.run] for row in comparison.rows if row.unstable and row.run == race.winner]
    return sentence + (". The winner is unstable" if unstable else "")


def _lead(race: Race, titles: dict[str, str]) -> str:
    place = f"at step {race.step:.15g}"
    if race.runner_up is None:
        return f"{titles[race.winner]} alone has a gap, {race.gap:+z.0f} Elo, {place}"
    sure = "how sure is not known" if race.interval is None else "{:z.0f} … {:z.0f}".format(*race.interval)
    ahead = f"surely ahead of {race.runs - 1 - len(race.undecided)} of {race.runs - 1}"
    return f"{titles[race.winner]} leads {titles[race.runner_up]} by {race.margin:z.0f} Elo [{sure}] {place}; {ahead}"


def titles_of(comparison: Comparison) -> dict[str, str]:
    """Label -> what people call the run."""
    return {row.run: plain(row.title) for row in comparison.rows}


Table = tuple[list[str], list[list[str]]]
"""Heads and lines; the first column names the run, the others hold numbers."""


@dataclass(frozen=True)
class _Column:
    head: str
    cell: Callable[[Row], str]


def ratings_table(comparison: Comparison) -> Table:
    """Steps, Elo of the fixed references and of the best checkpoint, gap with its 95 % interval."""
    bots = sorted({bot for row in comparison.rows for bot in row.standing.bots})
    columns = [
        _Column("step", lambda row: f"{row.standing.step:.15g}"),
        _Column("base", lambda row: _number(row.standing.base_model, 0)),
        *(_Column(bot.removesuffix("_bot"), partial(_bot, bot)) for bot in bots),
        _Column("best checkpoint", lambda row: _number(row.standing.best_elo, 0)),
        _Column("gap", _gap),
        _Column("state", lambda row: plain(row.state) + (" (apart)" if row.apart else "")),
    ]
    return _table(comparison, columns)


def training_table(comparison: Comparison) -> Table:
    """KL, gradients, and what games and rewards say."""
    columns = [
        _Column("KL mean", lambda row: _number(row.standing.kl_mean, 3)),
        _Column("KL max", lambda row: _short(row.standing.kl_max) + (" unstable" if row.unstable else "")),
        _Column("grad norm", lambda row: _number(row.standing.grad_norm, 1)),
        _Column("supply centres", lambda row: _number(row.standing.supply_centres, 2)),
        _Column("win", lambda row: _percent(row.standing.win_rate)),
        _Column("top 3", lambda row: _percent(row.standing.top3_rate)),
        _Column("reward", lambda row: _number(row.standing.reward, 2)),
    ]
    return _table(comparison, columns)


def _table(comparison: Comparison, columns: Sequence[_Column]) -> Table:
    titles = titles_of(comparison)
    kept = [column for column in columns if any(column.cell(row) != "-" for row in comparison.rows)]
    lines = [[titles[row.run], *(column.cell(row) for column in kept)] for row in comparison.rows]
    return ["run", *(column.head for column in kept)], lines


def _bot(name: str, row: Row) -> str:
    return _number(row.standing.bots.get(name), 0)


def _gap(row: Row) -> str:
    if row.standing.gap is None:
        return "-"
    reach = "" if row.standing.gap_error is None else f" ± {Z * row.standing.gap_error:.0f}"
    return f"{row.standing.gap:+z.0f}{reach}"


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:z.{decimals}f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}%"


def ranked(ranking: Ranking, comparison: Comparison, most: int) -> str:
    """``gap, highest first: 1. lr-3 +257, 2. lr-1 +222``"""
    titles = titles_of(comparison)
    form = "+z.0f" if ranking.best == "highest" else "z.0f"
    places = [f"{place}. {titles[run]} {value:{form}}" for place, (run, value) in enumerate(ranking.runs, start=1)]
    return f"{plain(ranking.title)}, {ranking.best} first: {few(places, most)}"


def differences(comparison: Comparison, most: int) -> list[tuple[str, str]]:
    """(config key, ``0.04 (lr-1, lr-2), 0.1 (lr-3)``) of the keys that are not alike in all runs."""
    titles = titles_of(comparison)
    found = []
    for key, by_run in comparison.differing.items():
        runs_of: defaultdict[str, list[str]] = defaultdict(list)
        for run, value in by_run.items():
            runs_of[_value(value)].append(titles[run])
        found.append((plain(key), few([f"{value} ({few(runs, 3)})" for value, runs in runs_of.items()], most)))
    return found


def _value(value: Any) -> str:
    return "not set" if value is None else cut(plain(value), LONGEST_VALUE)
