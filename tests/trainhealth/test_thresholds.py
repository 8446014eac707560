"""What a good thresholds file says."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from trainhealth.errors import ThresholdsError
from trainhealth.limits import Bound, Kind, Word
from trainhealth.thresholds import (
    AgentPatterns,
    Alias,
    Criterion,
    EventFields,
    FieldAlias,
    MetricDefinition,
    OffPattern,
    Thresholds,
    Waiver,
    Window,
    load,
)

TODAY = date(2026, 11, 23)

# The line numbers asserted below are counted by hand in this text.
GOOD = """\
schema: 1
metrics:
  kl:
    any_of:
      - kl/mean
      - {key: kl/percent, scale: 0.01}
    default_value: 0.0
    unless: {kl_beta: 0}
    unit: nats
  reward: {any_of: [train/reward]}
config: {kl_beta: [beta, kl_beta]}
agents:
  rating: ["elo/{agent}"]
  sigma: [{key: "trueskill/{agent}_sigma", scale: 40}]
  base: base_model
  references: [chaos_bot]
  checkpoints: "*adapter_v{step}"
  not_agents: [step, "vs_*"]
events:
  required: true
  rollout_duration_s: {any_of: [duration_s, {field: total_duration_ms, scale: 1e-3}]}
windows:
  warm: {skip_steps: 20}
  tail: {last_steps: 50, min_points: 30}
defaults: {window: tail, missing: inconclusive, required: true}
criteria:
  stability.kl_level: {warn: "> 0.1", fail: "> 0.2", action: "Raise beta", source: "five good runs"}
  stability.kl_spikes:
    window: warm
    required: false
    missing: fail
    warn: ["> 2x",
           "> 10"]
    fail:
      - "> 3x"
      - "> 20"
  integrity.state: {fail: [crashed, failed]}
  custom.value_loss: {metric: critic/vf_loss, statistic: p95, fail: "< -5%", missing: not_applicable}
off: ["integrity.*"]
waivers:
  - {criterion: stability.*, run: "fob*", until: 2026-12-31, reason: "beta = 0 on purpose"}
  - criterion: integrity.state
    until: 2026-11-23
    reason: "known"
"""


def write(folder: Path, text: str, name: str = "thresholds.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def good(folder: Path) -> Thresholds:
    return load(write(folder, GOOD), today=TODAY)


def test_metrics_config_agents_and_events(good: Thresholds) -> None:
    aliases = (Alias("kl/mean", 1.0), Alias("kl/percent", 0.01))
    assert good.metrics == {
        "kl": MetricDefinition("kl", aliases, 0.0, {"kl_beta": 0}, "nats"),
        "reward": MetricDefinition("reward", (Alias("train/reward"),), None, {}, ""),
    }
    assert good.config == {"kl_beta": ("beta", "kl_beta")}
    assert good.agents == AgentPatterns(
        rating=(Alias("elo/{agent}"),),
        sigma=(Alias("trueskill/{agent}_sigma", 40.0),),
        base="base_model",
        references=("chaos_bot",),
        checkpoints=("*adapter_v{step}",),
        not_agents=("step", "vs_*"),
    )
    fields = {"rollout_duration_s": (FieldAlias("duration_s"), FieldAlias("total_duration_ms", 0.001))}
    assert good.events == EventFields(fields, required=True)


def test_criteria_take_their_own_values_before_the_defaults(good: Thresholds) -> None:
    tail = Window("tail", last_steps=50, min_points=30)
    assert good.criteria["stability.kl_level"] == Criterion(
        id="stability.kl_level",
        warn=(Bound(">", 0.1, Kind.NUMBER, "thresholds.yaml:27"),),
        fail=(Bound(">", 0.2, Kind.NUMBER, "thresholds.yaml:27"),),
        window=tail,
        action="Raise beta",
        source="five good runs",
        required=True,
        missing="inconclusive",
        metric=None,
        statistic=None,
        origin="thresholds.yaml:27",
    )
    spikes = good.criteria["stability.kl_spikes"]
    assert (spikes.window, spikes.required, spikes.missing) == (Window("warm", skip_steps=20), False, "fail")
    custom = good.criteria["custom.value_loss"]
    assert (custom.metric, custom.statistic, custom.missing) == ("critic/vf_loss", "p95", "not_applicable")
    assert custom.fail == (Bound("<", -5.0, Kind.PERCENT, "thresholds.yaml:38"),)


def test_every_limit_knows_the_line_it_is_written_on(good: Thresholds) -> None:
    spikes = good.criteria["stability.kl_spikes"]
    assert spikes.origin == "thresholds.yaml:28"
    assert [(str(limit), limit.origin) for limit in (*spikes.warn, *spikes.fail)] == [
        ("> 2x", "thresholds.yaml:32"),
        ("> 10", "thresholds.yaml:33"),
        ("> 3x", "thresholds.yaml:35"),
        ("> 20", "thresholds.yaml:36"),
    ]
    assert good.criteria["integrity.state"].fail == (
        Word("crashed", "thresholds.yaml:37"),
        Word("failed", "thresholds.yaml:37"),
    )
    assert good.off == (OffPattern("integrity.*", "thresholds.yaml:39"),)
    assert [waiver.origin for waiver in good.waivers] == ["thresholds.yaml:41", "thresholds.yaml:42"]


def test_a_file_outside_the_working_directory_is_named_as_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder, GOOD, "far/t.yaml")
    assert load(path, today=TODAY).criteria["stability.kl_level"].origin == "far/t.yaml:27"
    monkeypatch.chdir(write(folder, "", "near/x").parent)
    assert load(path, today=TODAY).criteria["stability.kl_level"].origin == f"{path}:27"
    assert load(Path("../far/t.yaml"), today=TODAY).criteria["stability.kl_level"].origin == "../far/t.yaml:27"


def test_the_least_file_has_safe_defaults(folder: Path) -> None:
    thresholds = load(write(folder, "schema: 1\ncriteria: {a.b: {fail: '> 1'}}\n"))
    criterion = thresholds.criteria["a.b"]
    assert (criterion.window, criterion.required, criterion.missing) == (Window("whole"), True, "inconclusive")
    assert (thresholds.agents, thresholds.events, thresholds.waivers) == (None, EventFields({}, required=False), ())
    assert (thresholds.profile, thresholds.files) == (None, (folder / "thresholds.yaml",))


def test_values_follow_yaml_1_2(folder: Path) -> None:
    text = """\
schema: 1
config: {on: [yes], no: [a]}
metrics:
  kl: {any_of: [off, y], default_value: 1e-3, unless: {on: false, no: 12:30}}
off: [on, NO, 0x10, 1_000, 2026-12-31]
"""
    thresholds = load(write(folder, text))
    assert thresholds.config == {"on": ("yes",), "no": ("a",)}
    assert thresholds.metrics["kl"] == MetricDefinition(
        "kl", (Alias("off"), Alias("y")), 0.001, {"on": False, "no": "12:30"}, ""
    )
    assert [off.pattern for off in thresholds.off] == ["on", "NO", "0x10", "1_000", "2026-12-31"]


def test_anchors_may_be_used_and_a_byte_order_mark_is_skipped(folder: Path) -> None:
    criteria = "  a.b: {fail: &limit '> 1', action: &todo x}\n  a.c: {fail: *limit, action: *todo}\n"
    text = f"\ufeffschema: 1\ncriteria:\n{criteria}"
    criterion = load(write(folder, text)).criteria["a.c"]
    assert (criterion.fail[0], criterion.action) == (Bound(">", 1.0, Kind.NUMBER, "thresholds.yaml:4"), "x")


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (Window("whole"), "whole run"),
        (Window("tail", last_steps=50), "last 50 steps"),
        (Window("tail", last_steps=1), "last 1 step"),
        (Window("early", first_steps=20), "first 20 steps"),
        (Window("warm", skip_steps=20), "steps after the first 20"),
        (Window("warm_tail", skip_steps=20, last_steps=50), "last 50 steps after the first 20"),
    ],
)
def test_a_window_reads_like_a_phrase(window: Window, text: str) -> None:
    assert str(window) == text


def test_off_and_waivers_match_by_pattern(good: Thresholds) -> None:
    assert good.is_off("integrity.state") == OffPattern("integrity.*", "thresholds.yaml:39")
    assert good.is_off("stability.kl_level") is None
    pattern = Waiver("stability.*", "fob*", date(2026, 12, 31), "beta = 0 on purpose", "thresholds.yaml:41")
    assert good.waiver_for("stability.kl_level", ["name", "fobg1kbv"]) == pattern
    assert good.waiver_for("stability.kl_level", ["name", "xfob"]) is None
    assert good.waiver_for("learning.reward", ["fobg1kbv"]) is None
    everywhere = good.waiver_for("integrity.state", ["any"])
    assert everywhere is not None
    assert everywhere.reason == "known"


def test_a_waiver_lives_to_the_end_of_its_day(folder: Path) -> None:
    path = write(folder, GOOD)
    assert len(load(path, today=date(2026, 11, 23)).waivers) == 2
    with pytest.raises(ThresholdsError) as caught:
        load(path, today=date(2026, 11, 24))
    assert str(caught.value) == (
        "thresholds.yaml:42: the waiver of integrity.state expired on 2026-11-23; "
        "remove it, or renew it with a new date"
    )


CHECKS = ("stability.kl_level", "stability.kl_spikes", "integrity.state")


def test_checks_and_criteria_that_fit_give_no_warning(good: Thresholds) -> None:
    assert good.match_checks(CHECKS) == ()
    assert good.match_checks([*CHECKS, "custom.anything"]) == ()


def test_a_criterion_without_check_names_the_nearest(good: Thresholds) -> None:
    with pytest.raises(ThresholdsError) as caught:
        good.match_checks(["stability.kl_levels", "stability.kl_spikes", "integrity.state"])
    assert str(caught.value) == (
        "thresholds.yaml:27: there is no check for the criterion stability.kl_level; the nearest is "
        "stability.kl_levels. thresholds.yaml: the check stability.kl_levels has no entry under criteria; the "
        "nearest is stability.kl_level (thresholds.yaml:27)"
    )


def test_a_check_without_criterion_is_an_error_even_when_nothing_is_near(good: Thresholds) -> None:
    with pytest.raises(ThresholdsError) as caught:
        good.match_checks([*CHECKS, "zzz.qqq"])
    assert str(caught.value) == "thresholds.yaml: the check zzz.qqq has no entry under criteria"


def test_patterns_that_match_nothing_are_warned_of(folder: Path) -> None:
    text = """\
schema: 1
criteria: {stability.kl_level: {fail: "> 1"}, stability.kl: {fail: "> 1"}}
off: ["stabilty.*", "stability.kl"]
waivers: [{criterion: stability.kl_lvel*, until: 2026-12-31, reason: x}]
"""
    warnings = load(write(folder, text), today=TODAY).match_checks(["stability.kl_level", "stability.kl"])
    assert warnings == (
        "thresholds.yaml:3: off 'stabilty.*' matches no criterion; did you mean 'stability.*'?",
        "thresholds.yaml:4: the waiver 'stability.kl_lvel*' matches no criterion; did you mean 'stability.kl_level'?",
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('off: ["stability.kl_lvel"]', "off 'stability.kl_lvel'"),
        (
            "waivers: [{criterion: stability.kl_lvel, until: 2026-12-31, reason: x}]",
            "the waiver 'stability.kl_lvel'",
        ),
    ],
    ids=["off", "waiver"],
)
def test_a_name_that_is_no_criterion_is_refused(folder: Path, section: str, said: str) -> None:
    text = f'schema: 1\ncriteria: {{stability.kl_level: {{fail: "> 1"}}}}\n{section}\n'
    with pytest.raises(ThresholdsError) as caught:
        load(write(folder, text), today=TODAY).match_checks(["stability.kl_level"])
    assert str(caught.value) == (f"thresholds.yaml:3: {said} matches no criterion; did you mean 'stability.kl_level'?")


def test_loading_takes_time_in_proportion_to_the_file(folder: Path) -> None:
    def seconds(entries: int) -> float:
        lines = (f"  area{n}.name:\n    warn: '> 1'\n    fail: '> 2'\n    action: do {n}\n" for n in range(entries))
        path = write(folder, "schema: 1\ncriteria:\n" + "".join(lines))
        start = time.process_time()
        load(path)
        return time.process_time() - start

    shorter, longer = (min(seconds(entries) for _ in range(3)) for entries in (100, 1000))
    assert longer < 40 * shorter


def test_powers_stand_in_the_names_of_fields(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "schema: 1\nevents:\n  powers: [A, B]\n"
        '  final_score: {any_of: ["s.{power}", {field: "{power}_ms", scale: 0.5}]}\n'
        "  axiom: {dataset: d, edge: e}\n"
    )
    events = load(file).events
    assert events.powers == ("A", "B")
    assert {name: [(one.field, one.scale) for one in aliases] for name, aliases in events.fields.items()} == {
        "final_score.A": [("s.A", 1), ("A_ms", 0.5)],
        "final_score.B": [("s.B", 1), ("B_ms", 0.5)],
    }
    assert (events.axiom.dataset, events.axiom.url, events.axiom.edge) == ("d", "", "e")
    assert load(file, overrides=["events.powers=[C]"]).events.powers == ("C",)
