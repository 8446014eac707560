"""Limits that good runs suggest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import verdict
from grpo_runs import STEPS, grpo_run, ramp
from synthetic import ROOT

from trainhealth.errors import UsageError
from trainhealth.suggestions import suggest
from trainhealth.thresholds import load
from trainhealth.verdicts import Judgement, RunSummary, RunVerdict, Verdict


def good(name: str, **values: float) -> RunVerdict:
    """A run that passed, with one judgement for each of `values`: criterion -> value, limits > 10 and > 20."""
    judgements = tuple(
        Judgement(
            run=name, criterion=f"custom.{id_}", verdict=Verdict.PASS, reason="", value=value, warn=("> 10",),
            fail=("> 20",),
        )
        for id_, value in values.items()
    )  # fmt: skip
    return RunVerdict(summary=RunSummary(run=name), verdict=Verdict.PASS, reason="", judgements=judgements)


def test_the_limit_lies_beyond_the_worst_by_what_the_runs_differ() -> None:
    text = suggest([good("a", x=1.0), good("b", x=2.0), good("c", x=1.5)])
    assert 'warn: ["> 3"]' in text
    assert 'fail: ["> 5"]' in text
    assert "learned: a 1, b 2, c 1.5; instead of > 10 and > 20" in text


def test_runs_that_agree_leave_a_quarter() -> None:
    text = suggest([good(name, x=4.0) for name in "abc"])
    assert 'warn: ["> 5"]' in text
    assert 'fail: ["> 7"]' in text


def test_nothing_is_learned_from_zeros() -> None:
    assert "custom.x" not in suggest([good(name, x=0.0) for name in "abc"])


def test_only_good_runs_teach() -> None:
    bad = replace_verdict(good("z", x=1000.0), Verdict.FAIL)
    text = suggest([good("a", x=4.0), good("b", x=4.0), good("c", x=4.0), bad])
    assert "# Not used: z FAIL." in text
    assert "1000" not in text
    with pytest.raises(UsageError, match=r"3 or more runs that pass or warn; there are 2 that do \(z FAIL\)"):
        suggest([good("a", x=4.0), good("b", x=4.0), bad])


def replace_verdict(found: RunVerdict, word: Verdict) -> RunVerdict:
    return found.model_copy(update={"verdict": word})


def grpo(name: str, seed: int, changes: dict[str, Any] | None = None) -> RunVerdict:
    return verdict(replace(grpo_run("verl", changes, seed=seed), label=name))


def test_learned_limits_pass_their_own_runs_and_find_what_differs(tmp_path: Path) -> None:
    text = suggest([grpo(name, seed) for seed, name in enumerate(("a\nb", 'c"d', "e: f"))])
    file = tmp_path / "learned.yaml"
    file.write_text(text, encoding="utf-8")
    learned = load(file, default=ROOT / "thresholds.yaml")
    shipped = load(ROOT / "thresholds.yaml")
    changed = [id_ for id_ in learned.criteria if learned.criteria[id_].warn != shipped.criteria[id_].warn]
    assert "stability.kl_level" in changed
    assert "stability.clip_fraction" in changed
    assert not [id_ for id_ in changed if not id_.startswith("stability.")]
    for seed in range(3):
        own = replace(grpo_run("verl", seed=seed), thresholds=learned)
        assert {str(one.verdict) for one in verdict(own).judgements if one.criterion in changed} <= {
            "PASS", "NOT_APPLICABLE",
        }  # fmt: skip
    odd = replace(grpo_run("verl", {"kl": ramp(0.02, 0.08)}), thresholds=learned)
    level = next(one for one in verdict(odd).judgements if one.criterion == "stability.kl_level")
    assert level.verdict == "FAIL"  # inside the shipped 0.1, far outside what these runs do
    assert next(
        one for one in verdict(grpo_run("verl", {"kl": ramp(0.02, 0.08)})).judgements
        if one.criterion == "stability.kl_level"
    ).verdict == "PASS"  # fmt: skip


def test_limits_of_other_kinds_are_kept() -> None:
    text = suggest([grpo(name, seed) for seed, name in enumerate("abc")])
    entry = text[text.index("  stability.grad_norm_level:") :].splitlines()
    assert entry[2].startswith('    fail: ["> 50", "> ')
    assert entry[2].endswith('x"]')


def test_multiples_come_from_the_runs_own_references() -> None:
    doubled = {"completion_length": np.linspace(300, 600, STEPS), "reward": None}
    found = {
        one.criterion: one for one in verdict(grpo_run("verl", {**doubled, "reward": np.full(STEPS, 0.4)})).judgements
    }
    length = found["stability.length_growth"]
    assert isinstance(length.value, float)
    assert length.times_reference == pytest.approx(562.3 / 314.3, rel=0.01)
