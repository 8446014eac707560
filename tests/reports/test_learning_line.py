"""Whether the model learns, in a sentence: for the tracker always, in other reports where nothing else would say it."""

from __future__ import annotations

import pytest

from reports.github import summary
from reports.markdown import safe
from reports.text import good_news_of, learning_of
from trainhealth.verdicts import Judgement, RunSummary, RunVerdict, Verdict, judge_run

GAIN = "newest checkpoint +255 Elo [+208 … +309] over base_model"


def _run(*judgements: Judgement) -> RunVerdict:
    return judge_run(RunSummary(run="r", name="r"), judgements)


def _said(criterion: str, verdict: Verdict, value: str = "", detail: str = "", reason: str = "why") -> Judgement:
    return Judgement(run="r", criterion=criterion, verdict=verdict, reason=reason, value_text=value, detail=detail)


@pytest.mark.parametrize(
    ("judgements", "told", "news"),
    [
        ([_said("learning.diagnosis", Verdict.PASS, "learning", GAIN)], f"learning. {GAIN}", True),
        ([_said("learning.diagnosis", Verdict.FAIL, "regression", GAIN)], f"regression. {GAIN}", False),
        ([_said("learning.diagnosis", Verdict.INCONCLUSIVE, reason="too few")], "undecided: too few", False),
        (
            [_said("learning.diagnosis", Verdict.NOT_APPLICABLE), _said("learning.reward_gain", Verdict.PASS, "2 sd")],
            "by the reward, 2 sd from its first fifth to its last (PASS)", True,
        ),
        (
            [_said("learning.diagnosis", Verdict.PASS, "learning", GAIN), _said("learning.reward_gain", Verdict.FAIL)],
            f"learning. {GAIN}", True,
        ),
        ([_said("learning.reward_gain", Verdict.INCONCLUSIVE, reason="short")], "undecided: short", False),
        ([], "not judged", False),
    ],
)  # fmt: skip
def test_learning(judgements: list[Judgement], told: str, news: bool) -> None:
    run = _run(*judgements)
    assert learning_of(run) == told
    assert good_news_of(run) == (told if news else "")
    assert (f"- {safe(told)}" in summary([run])) == news


def test_it_is_the_judgement_that_steers_nothing() -> None:
    run = _run(_said("learning.diagnosis", Verdict.PASS, "learning\x1b[2J", "best: <b>a</b>"))
    assert "\x1b" not in learning_of(run)
    assert not any("<b>" in line for line in summary([run]))
