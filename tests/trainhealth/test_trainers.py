"""Which trainer wrote a run, and what its metrics are called there."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grpo_runs import NAMES, STEPS, THRESHOLDS, grpo_run, signals
from synthetic import ROOT, column, run

from trainhealth.errors import ThresholdsError
from trainhealth.run import wanted_keys
from trainhealth.thresholds import Trainer, load
from trainhealth.trainers import recognise
from trainhealth.verdicts import Inconclusive, NotApplicable


@pytest.mark.parametrize("trainer", NAMES)
def test_every_name_of_a_trainer_is_known(trainer: str) -> None:
    one = grpo_run(trainer)
    recognised = one.summary().recognised
    reward_parts = {"task_reward", "format_reward"}
    for concept, key in NAMES[trainer].items():
        if concept not in reward_parts:
            assert key in recognised[concept], concept
    wanted = wanted_keys(THRESHOLDS)
    assert all(wanted(key) for key in NAMES[trainer].values())


@pytest.mark.parametrize("trainer", NAMES)
def test_units_are_those_of_the_limits(trainer: str) -> None:
    """Percent, complements and sums come out as the fractions they stand for."""
    if "zero_variance_groups" in NAMES[trainer]:
        share = grpo_run(trainer).metric("zero_variance_groups").values
        np.testing.assert_allclose(share, signals(0)["zero_variance_groups"], atol=1e-12)


@pytest.mark.parametrize("trainer", NAMES)
def test_a_trainer_is_recognised_by_its_names(trainer: str) -> None:
    one = grpo_run(trainer)
    assert one.recognition.trainer.name == trainer
    assert len(one.recognition.evidence) >= 2
    assert set(one.recognition.evidence) <= set(one.record.history.counts)
    summary = one.summary()
    assert summary.trainer == trainer
    assert any(note.startswith(f"trainer {trainer}, recognised by ") for note in summary.notes)


def test_an_unknown_run_gets_the_generic_profile_and_a_list_of_what_was_recognised() -> None:
    one = run({"_step": column(range(9)), "my/thing": column([1.0] * 9), "grad_norm": column([1.0] * 9)}, THRESHOLDS)
    summary = one.summary()
    assert summary.trainer == "generic"
    assert summary.recognised == {"grad_norm": "grad_norm"}
    assert any("not recognised" in note for note in summary.notes)


def test_one_name_is_no_evidence_and_a_tie_is_not_guessed() -> None:
    trainers = {name: Trainer(name, keys) for name, keys in {"a": ("x", "y"), "b": ("x", "z*")}.items()}
    assert recognise(["x"], trainers).trainer.name == "generic"
    assert recognise(["x", "y"], trainers).trainer.name == "a"
    assert recognise(["x", "y", "zz"], trainers).trainer.name == "generic"
    assert recognise(["x", "zz"], trainers).evidence == ("x", "zz")


def test_a_trainer_can_be_named() -> None:
    chosen = load(ROOT / "thresholds.yaml", trainer="verl")
    one = replace(grpo_run("trl"), thresholds=chosen)
    assert one.recognition.trainer.name == "verl"
    assert one.recognition.chosen
    generic = replace(grpo_run("trl"), thresholds=load(ROOT / "thresholds.yaml", trainer="generic"))
    assert generic.recognition.trainer.name == "generic"
    assert load(ROOT / "thresholds.yaml", overrides=["trainer=slime"]).trainer == "slime"
    with pytest.raises(ThresholdsError, match=r"--trainer varl: .*did you mean 'verl'"):
        load(ROOT / "thresholds.yaml", trainer="varl")
    with pytest.raises(ThresholdsError, match="did you mean 'verl'"):
        load(ROOT / "thresholds.yaml", overrides=["trainer=varl"])


def test_clip_ratio_is_clipping_in_trl_and_truncation_in_verl() -> None:
    trl = grpo_run("trl", {"clip_fraction": None})
    columns = {**trl.record.history.columns, "train/clip_ratio": column(np.full(STEPS, 0.3))}
    older = run(columns, THRESHOLDS)
    assert older.metric("clip_fraction").key == "train/clip_ratio"
    verl = grpo_run("verl")
    assert verl.metric("truncation").key == "response_length/clip_ratio"
    assert verl.metric("clip_fraction").key == "actor/pg_clipfrac"


def test_kl_to_the_reference_is_not_that_of_an_update() -> None:
    verl = grpo_run("verl")
    assert (verl.metric("kl").key, verl.metric("policy_kl").key) == ("actor/kl_loss", "actor/ppo_kl")


def test_the_advantage_of_slime_is_not_its_reward() -> None:
    slime = grpo_run("slime")
    columns = {**slime.record.history.columns, "rollout/rewards": column(np.zeros(STEPS))}
    assert run(columns, THRESHOLDS).metric("reward").key == "rollout/raw_reward"


def test_groups_that_are_all_right_and_all_wrong_are_added_up() -> None:
    nemo = grpo_run("nemo-rl", {"zero_variance_groups": np.full(STEPS, 0.25)})
    columns = {**nemo.record.history.columns, "train/baseline_reward/pct_1": column(np.full(STEPS, 30.0))}
    assert run(columns, THRESHOLDS).metric("zero_variance_groups").values == pytest.approx(0.55)


def test_a_sum_takes_the_rows_that_hold_all_of_it() -> None:
    columns = {
        "_step": column(range(6)),
        "solve_none": column([0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3]),
        "solve_all": column([0.5, 0.4, 0.3], [1, 2, 5]),
    }
    series = run(columns, THRESHOLDS).metric("zero_variance_groups")
    assert series.steps.tolist() == [1, 2]
    assert series.values == pytest.approx([0.7, 0.7])
    assert series.key == "solve_none + solve_all"


def test_zero_is_a_measurement_where_the_profile_says_so() -> None:
    dead = np.zeros(STEPS)
    assert len(grpo_run("verl", {"grad_norm": dead}).metric("grad_norm")) == STEPS
    with pytest.raises(Inconclusive, match="never measured"):
        grpo_run("openrlhf", {"grad_norm": dead}).metric("grad_norm")


def test_a_name_in_a_users_file_comes_before_the_trainers(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("own") / "own.yaml"
    file.write_text("schema: 1\nextends: default\nmetrics: {clip_fraction: {any_of: [my/clip]}}\n", encoding="utf-8")
    thresholds = load(file, default=ROOT / "thresholds.yaml")
    columns = {**grpo_run("trl").record.history.columns, "my/clip": column(np.full(STEPS, 0.1))}
    assert run(columns, thresholds).metric("clip_fraction").key == "my/clip"


def test_the_profile_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "trainers.md").read_text(encoding="utf-8")
    file = tmp_path / "own.yaml"
    file.write_text(textwrap.dedent(page[page.index("    schema: 1") :]), encoding="utf-8")
    thresholds = load(file, default=ROOT / "thresholds.yaml")
    steps = np.arange(100)
    values = {
        "_step": steps, "ours/policy_loss": 0 * steps, "ours/groups/solved": steps / 100, "ours/return": steps,
        "ours/groups/mixed": 0.75 + 0 * steps, "ours/cut_percent": 20 + 0 * steps,
        "ours/time/rollout": 10 + 0 * steps, "ours/time/update": 5 + 0 * steps,
    }  # fmt: skip
    one = run({key: column(found) for key, found in values.items()}, thresholds)
    assert one.recognition.evidence == ("ours/policy_loss", "ours/groups/solved")
    assert one.metric("zero_variance_groups").values[0] == 0.25
    assert one.metric("truncation").values[0] == 0.2
    assert one.metric("step_time").values[0] == 15
    assert one.criterion(thresholds.criteria["stability.entropy_drop"]).required
    with pytest.raises(NotApplicable, match="kl is not logged: we train without a reference"):
        one.metric("kl")


def test_the_page_of_failure_signatures_names_every_criterion() -> None:
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    rated = ("elo", "baseline", "checkpoint", "reward_trend")  # about ratings, or the milder twin of a named one
    for id_ in THRESHOLDS.criteria:
        area, _, name = id_.partition(".")
        if area in ("learning", "stability", "integrity") and not any(word in name for word in rated):
            assert name in page or f"_{name.rpartition('_')[2]}" in page, id_
    for id_ in re.findall(r"\b(?:learning|stability|integrity)\.(?!md)\w+", page):
        assert id_ in THRESHOLDS.criteria


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: {metrics: {klm: [x]}}}", "there is no metric 'klm'; did you mean 'kl'"),
        ("{a: {absent: {klm: never}}}", "there is no metric 'klm'"),
        ("{a: {measured: [klm]}}", "there is no metric 'klm'"),
        ("{a: {requires: [stability.kl_levle]}}", "there is no criterion 'stability.kl_levle'; did you mean"),
        ("{a: {requires: ['stabilty.*']}}", "there is no criterion"),
        ("{a: {metrics: {kl: [{key: a, one_minus: b}]}}}", "must have one of 'key', 'sum_of' and 'one_minus'"),
        ("{a: {metrics: {kl: [{scale: 2}]}}}", "must have one of 'key', 'sum_of' and 'one_minus'"),
        ("{a: {metrics: {kl: [{sum_of: [a]}]}}}", "sum_of"),
        ("{a: {metrics: {kl: [{sum_of: [a, 'b/*']}]}}}", "must name the keys of 'sum_of' in full"),
        ("{a: {metrics: {kl: ['2 * a', {expression: a + b}]}}}", "unknown key 'expression'"),
    ],
)
def test_a_mistake_in_a_profile_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"schema: 1\nextends: default\ntrainers: {text}\n", encoding="utf-8")
    with pytest.raises(ThresholdsError) as error:
        load(file, default=ROOT / "thresholds.yaml")
    assert message in str(error.value)
    assert "own.yaml:3: " in str(error.value)
