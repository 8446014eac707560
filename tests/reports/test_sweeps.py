"""Tables and sentences of a sweep, and that nothing in them can steer a terminal or a page."""

from __future__ import annotations

import re
from typing import Any

from reports.html import _dossier, _evidence, _Pictures, _sweep
from reports.sweeps import SweepVerdict, call, differences, ranked, ratings_table, training_table
from trainhealth.sweeps import RunSheet, Standing, Sweep
from trainhealth.verdicts import Change, Compared, Judgement, RunSummary, RunVerdict, Verdict

EVIL = "<script>alert(1)</script>\x1b[31m\u202e\n::error::x"


def sheet(run: str, gap: float | None, **fields: Any) -> RunSheet:
    of_sheet = {name: fields.pop(name) for name in ("name", "config", "state") if name in fields}
    standing = Standing(step=100, gap=gap, base_model=1000 - (gap or 0), best_elo=1000, gap_error=5, **fields)
    of_sheet.setdefault("state", "finished")
    return RunSheet(run=run, axis="step", last_step=100, standings=(standing,), **of_sheet)


def said(verdict: Verdict) -> list[Judgement]:
    return [Judgement(run="s", criterion="sweep.clear_winner", verdict=verdict, reason="why")]


def test_the_call() -> None:
    sweep = Sweep("s", (sheet("a", 50), sheet("b", 20, kl_max=11.0), sheet("c", None)))
    compared = sweep.compare()
    lead = "a leads b by 30 Elo [16 … 44] at step 100; surely ahead of 1 of 1"
    assert call(compared, said(Verdict.PASS)) == f"Clear winner: {lead}"
    for verdict in (Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.ERROR):
        assert call(compared, said(verdict)) == f"Close race: {lead}"
    assert call(compared, []) == f"Close race: {lead}"
    assert call(None, []) == "The runs were not compared."
    assert call(Sweep("s", (sheet("c", None),)).compare(), []).startswith("No winner")
    wild = Sweep("s", (sheet("a", 50, kl_max=12.0), sheet("b", 20))).compare()
    assert call(wild, said(Verdict.PASS)).endswith("The winner is unstable")


def test_the_tables() -> None:
    compared = Sweep(
        "s",
        (
            sheet("a", 50, bots={"chaos_bot": 812.4}, kl_mean=0.0234, kl_max=11.0, win_rate=0.204, reward=7.126),
            sheet("b", 60, name="second", bots={}),
        ),
    ).compare()
    heads, lines = ratings_table(compared)
    assert heads == ["run", "step", "base", "chaos", "best checkpoint", "gap", "state"]
    assert lines == [
        ["second", "100", "940", "-", "1000", "+60 ± 10", "finished"],
        ["a", "100", "950", "812", "1000", "+50 ± 10", "finished"],
    ]
    heads, lines = training_table(compared)
    assert heads == ["run", "KL mean", "KL max", "win", "reward"]
    assert lines[1] == ["a", "0.023", "11 unstable", "20%", "7.13"]


def test_rankings_and_differences() -> None:
    sheets = tuple(sheet(f"r{at}", 10.0 * at, config={"lr": at // 2, "beta": 1}) for at in range(4))
    compared = Sweep("s", sheets).compare()
    by_gap = ranked(compared.rankings[0], compared, 2)
    assert by_gap.endswith("highest first: 1. r3 +30, 2. r2 +20 and 2 more")
    assert ranked(compared.rankings[1], compared, 4).endswith(
        "lowest first: 1. r3 970, 2. r2 980, 3. r1 990, 4. r0 1000"
    )
    assert differences(compared, 5) == [("lr", "0 (r0, r1), 1 (r2, r3)")]


def test_nothing_is_minus_zero() -> None:
    compared = Sweep(
        "s", (sheet("a", -0.3, kl_mean=-0.0001, lost={"x": -0.2}), sheet("b", -0.4, lost={"x": -0.1}))
    ).compare()
    texts = [
        text for heads, lines in (ratings_table(compared), training_table(compared)) for line in lines for text in line
    ]
    texts += [ranked(ranking, compared, 4) for ranking in compared.rankings] + [call(compared, [])]
    assert not re.search(r"-0(?![.0-9]*[1-9])", " ".join(texts))
    assert "1. a +0, 2. b +0" in " ".join(texts)


def test_nothing_of_a_run_is_markup() -> None:
    sheets = (
        sheet("a", 50, name=EVIL, bots={EVIL: 1.0}, lost={EVIL: 1.0}, config={EVIL: EVIL}, state=EVIL, unrated=EVIL),
        sheet("b", None, unrated=EVIL),
    )
    compared = Sweep(EVIL, sheets, (EVIL,)).compare()
    verdict = SweepVerdict(
        name=EVIL, verdict=Verdict.WARN, reason=EVIL, call=call(compared, []), comparison=compared, judgements=()
    )
    against = Compared(baseline=EVIL, extent=EVIL, value=EVIL, baseline_value=EVIL, change=Change.WORSE)
    judgement = Judgement(run=EVIL, criterion=EVIL, verdict=Verdict.PASS, reason=EVIL, compared=against)
    run = RunVerdict(summary=RunSummary(run=EVIL), verdict=Verdict.PASS, reason=EVIL, judgements=(judgement,))
    alone = verdict.model_copy(update={"comparison": None})
    assert "Against" in _dossier(run, _Pictures(), 1)
    for page in (_sweep(verdict), _sweep(alone), _dossier(run, _Pictures(), 1), _evidence(judgement)):
        assert "<script" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
