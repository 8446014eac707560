"""How files, profiles and options are laid on one another: extends < file < profile < options."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainhealth.errors import ThresholdsError
from trainhealth.limits import Limit
from trainhealth.thresholds import Alias, Thresholds, Window, load

BASE = """\
schema: 1
metrics: {kl: {any_of: [kl/mean, kl], unit: nats}}
windows: {tail: {last_steps: 50, min_points: 30}}
defaults: {window: tail}
criteria:
  stability.kl_level: {warn: "> 0.1", fail: "> 0.2", action: "Raise beta"}
  custom.loss: {metric: loss, statistic: last, fail: "> 5"}
events: {length: {any_of: [length]}}
off: ["learning.*"]
profiles:
  smoke:
    windows: {tail: {last_steps: 10}}
    criteria:
      stability.kl_level: {fail: "> 0.5"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return tmp_path


def write(folder: Path, text: str, name: str = "own.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def limits(limits: tuple[Limit, ...]) -> list[tuple[str, str]]:
    return [(str(limit), limit.origin) for limit in limits]


def problem(path: Path, *overrides: str, profile: str | None = None, default: Path | None = None) -> str:
    with pytest.raises(ThresholdsError) as caught:
        load(path, overrides=overrides, profile=profile, default=default)
    return str(caught.value)


def settings(thresholds: Thresholds) -> tuple[list[tuple[str, str]], list[tuple[str, str]], int | None]:
    criterion = thresholds.criteria["stability.kl_level"]
    return limits(criterion.warn), limits(criterion.fail), criterion.window.last_steps


def test_each_layer_wins_over_the_one_before_and_keeps_the_rest(folder: Path) -> None:
    own = write(folder, 'schema: 1\nextends: base.yaml\ncriteria:\n  stability.kl_level:\n    fail: "> 0.3"\n')
    warn = [("> 0.1", "base.yaml:6")]
    assert settings(load(folder / "base.yaml")) == (warn, [("> 0.2", "base.yaml:6")], 50)
    assert settings(load(own)) == (warn, [("> 0.3", "own.yaml:5")], 50)
    smoke = load(own, profile="smoke")
    assert settings(smoke) == (warn, [("> 0.5", "profile smoke (base.yaml:14)")], 10)
    assert smoke.windows["tail"] == Window("tail", last_steps=10, min_points=30)
    assert smoke.profile == "smoke"
    options = ("stability.kl_level.fail=> 0.6", "windows.tail.last_steps=20", "stability.kl_level.fail='> 0.7'")
    assert settings(load(own, profile="smoke", overrides=options)) == (
        warn,
        [("> 0.7", "--set on the command line")],
        20,
    )


def test_the_criterion_keeps_what_no_layer_changes(folder: Path) -> None:
    own = write(folder, 'schema: 1\nextends: base.yaml\ncriteria: {stability.kl_level: {fail: "> 0.3"}}\n')
    criterion = load(own).criteria["stability.kl_level"]
    assert (criterion.action, criterion.origin) == ("Raise beta", "base.yaml:6")


def test_files_are_laid_in_the_order_of_extends(folder: Path) -> None:
    write(folder, "schema: 1\nwindows: {tail: {last_steps: 1, min_points: 2}}\n", "one.yaml")
    write(folder, "schema: 1\nwindows: {tail: {last_steps: 3}}\n", "two.yaml")
    own = write(folder, "schema: 1\nextends: [one.yaml, two.yaml]\n")
    thresholds = load(own)
    assert thresholds.windows["tail"] == Window("tail", last_steps=3, min_points=2)
    assert thresholds.files == (folder / "one.yaml", folder / "two.yaml", own)


def test_a_file_extended_twice_lies_below_both(folder: Path) -> None:
    write(folder, "schema: 1\nextends: base.yaml\nwindows: {tail: {last_steps: 7}}\n", "left.yaml")
    write(folder, "schema: 1\nextends: base.yaml\n", "right.yaml")
    own = write(folder, "schema: 1\nextends: [left.yaml, right.yaml]\n")
    assert load(own).windows["tail"].last_steps == 7


def test_extends_is_relative_to_the_file_and_default_is_given_by_the_caller(folder: Path) -> None:
    below = write(folder, "schema: 1\nextends: ../base.yaml\n", "sub/own.yaml")
    assert load(below).criteria["stability.kl_level"].origin == "base.yaml:6"
    own = write(folder, "schema: 1\nextends: default\n")
    assert load(own, default=folder / "base.yaml").files == (folder / "base.yaml", own)


def test_lists_replace_and_mappings_merge(folder: Path) -> None:
    own = write(
        folder,
        """\
schema: 1
extends: base.yaml
metrics: {kl: {any_of: [my/kl]}, reward: {any_of: [r]}}
off: ["performance.*"]
profiles: {smoke: {off: []}}
""",
    )
    thresholds = load(own)
    assert thresholds.metrics["kl"].aliases == (Alias("my/kl"),)
    assert thresholds.metrics["kl"].unit == "nats"
    assert set(thresholds.metrics) == {"kl", "reward"}
    assert [off.pattern for off in thresholds.off] == ["performance.*"]
    smoke = load(own, profile="smoke")
    assert (smoke.off, smoke.windows["tail"].last_steps) == ((), 10)


def test_null_removes_a_value_but_an_empty_section_says_nothing(folder: Path) -> None:
    own = write(
        folder,
        """\
schema: 1
extends: base.yaml
windows:
off:
metrics: {kl: {unit: null}}
criteria: {stability.kl_level: {fail: null}}
profiles: {smoke: {windows: }, empty: {criteria: , defaults: {window: null}}}
""",
    )
    thresholds = load(own)
    assert settings(thresholds) == ([("> 0.1", "base.yaml:6")], [], 50)
    assert thresholds.metrics["kl"].unit == ""
    assert [off.pattern for off in thresholds.off] == ["learning.*"]
    assert load(own, profile="smoke").windows["tail"].last_steps == 10
    assert load(own, profile="empty").criteria["custom.loss"].window == Window("whole")


@pytest.mark.parametrize(
    "option",
    [
        "stability.kl_level.fail=> 0.3",
        "stability.kl_level.fail = >0.3",
        "stability.kl_level.fail='> 0.3'",
        'criteria.stability.kl_level.fail="> 0.3"',
        "stability.kl_level.fail=['> 0.3']",
        "stability.kl_level={fail: '> 0.3'}",
        "criteria={stability.kl_level: {fail: '> 0.3'}}",
    ],
)
def test_an_option_may_be_written_in_many_ways(folder: Path, option: str) -> None:
    thresholds = load(folder / "base.yaml", overrides=[option])
    assert settings(thresholds)[:2] == ([("> 0.1", "base.yaml:6")], [("> 0.3", "--set on the command line")])


def test_options_reach_every_section(folder: Path) -> None:
    overrides = (
        "defaults.required=false",
        "defaults.missing=fail",
        "events.required=true",
        "events.length.any_of=[size]",
        "metrics.kl.any_of=my/kl",
        "off=[custom.*]",
        "agents.rating=elo/{agent}",
        "custom.loss.statistic=p99",
        "stability.kl_level.warn=null",
    )
    thresholds = load(folder / "base.yaml", overrides=overrides)
    criterion = thresholds.criteria["stability.kl_level"]
    assert (criterion.required, criterion.missing, criterion.warn) == (False, "fail", ())
    assert thresholds.events.required
    assert [alias.field for alias in thresholds.events.fields["length"]] == ["size"]
    assert thresholds.metrics["kl"].aliases == (Alias("my/kl"),)
    assert [(off.pattern, off.origin) for off in thresholds.off] == [("custom.*", "--set on the command line")]
    assert thresholds.agents is not None
    assert thresholds.agents.rating == (Alias("elo/{agent}"),)
    assert thresholds.criteria["custom.loss"].statistic == "p99"


CRITERION_KEYS = "known: warn, fail, window, action, source, required, missing, metric, statistic"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("kl", "has no value; write it as --set stability.kl_level.fail='> 0.3' (null removes a value)"),
        (
            "stability.kl_level.fail=",
            "has no value; write it as --set stability.kl_level.fail='> 0.3' (null removes a value)",
        ),
        (
            "stability.kl_level.fial=> 1",
            f"unknown key 'fial' in criteria.stability.kl_level; did you mean 'fail'? ({CRITERION_KEYS})",
        ),
        ("stability.kl_levle.fail=> 1", "there is no 'stability.kl_levle' to set; did you mean 'stability.kl_level'?"),
        ("window.tail.last_steps=1", "there is no 'window.tail' to set; did you mean 'windows.tail'?"),
        ("windows.tial.last_steps=1", "there is no 'windows.tial' to set; did you mean 'windows.tail'?"),
        ("qqq=1", "there is no 'qqq' to set"),
        ("profiles.smoke.off=[]", "there is no 'profiles.smoke' to set"),
        ("windows.tail.last_steps=fifty", "windows.tail.last_steps must be a whole number, found 'fifty'"),
        ("windows.tail.last_steps=0", "windows.tail.last_steps must be at least 1, found 0"),
        ("windows.tail=3", "windows.tail must be a mapping, found 3"),
        ("windows.tail=null", "windows.tail must be a mapping, found nothing"),
        ("off=null", "'off' cannot be removed as a whole"),
        ("off=# nothing", "has no value; write it as --set stability.kl_level.fail='> 0.3' (null removes a value)"),
        ("defaults.required=yes", "defaults.required must be true or false, found 'yes'"),
        (
            "off=[a",
            "is not valid YAML at column 1: what is opened here is not closed: a quote, '[' or '{'",
        ),
        (
            "stability.kl_level.fail=>= 3",
            "criteria.stability.kl_level.fail: '>= 3' is not a limit; write a comparison such as '> 0.1', '< 95%', "
            "'> 3x' or '< -5%', or a state such as 'crashed'",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_named(folder: Path, option: str, message: str) -> None:
    assert problem(folder / "base.yaml", option) == f"--set {option!r}: {message}"


def test_limits_that_contradict_name_both_places(folder: Path) -> None:
    base = folder / "base.yaml"
    assert problem(base, "stability.kl_level.warn=> 0.2") == (
        "base.yaml:6: criteria.stability.kl_level must warn before it fails, "
        "but warn is '> 0.2' (--set on the command line) and fail is '> 0.2' (base.yaml:6)"
    )
    assert problem(base, "stability.kl_level.fail=< 0.05") == (
        "--set 'stability.kl_level.fail=< 0.05': criteria.stability.kl_level has limits of both directions: "
        "'> 0.1' (base.yaml:6) and '< 0.05' (--set on the command line); limits are one-sided"
    )
    assert problem(base, "stability.kl_level.warn=> 9", profile="smoke") == (
        "base.yaml:14: criteria.stability.kl_level must warn before it fails, "
        "but warn is '> 9' (--set on the command line) and fail is '> 0.5' (profile smoke (base.yaml:14))"
    )


def test_an_unknown_profile_lists_those_there_are(folder: Path) -> None:
    assert problem(folder / "base.yaml", profile="smok") == (
        "--profile smok: base.yaml has no such profile; did you mean 'smoke'? (it has smoke)"
    )
    own = write(folder, "schema: 1\n")
    assert problem(own, profile="smoke") == "--profile smoke: own.yaml has no such profile (it has none)"


def test_a_missing_base_names_the_line_that_asks_for_it(folder: Path) -> None:
    own = write(folder, "schema: 1\nextends:\n  - base.yaml\n  - bas.yaml\n")
    assert problem(own) == "own.yaml:4: extends 'bas.yaml', but there is no file bas.yaml"
    own = write(folder, "schema: 1\nextends: default\n")
    assert problem(own) == "own.yaml:2: extends 'default', but there is no default file here; name a file"


def test_a_base_that_is_wrong_is_named_itself(folder: Path) -> None:
    write(folder, "schema: 1\noff: [1]\n", "wrong.yaml")
    own = write(folder, "schema: 1\nextends: wrong.yaml\n")
    assert problem(own) == "wrong.yaml:2: off[0] must be text, found 1; put it in quotes"


def test_circles_are_errors(folder: Path) -> None:
    own = write(folder, "schema: 1\nextends: own.yaml\n")
    assert problem(own) == "own.yaml:2: extends 'own.yaml' goes round in a circle: own.yaml is, or extends, this file"
    write(folder, "schema: 1\nextends: c.yaml\n", "b.yaml")
    write(folder, "schema: 1\nextends: sub/../own.yaml\n", "c.yaml")
    (folder / "sub").mkdir()
    own = write(folder, "schema: 1\nextends: b.yaml\n")
    assert problem(own) == (
        "c.yaml:2: extends 'sub/../own.yaml' goes round in a circle: own.yaml is, or extends, this file"
    )
    default = write(folder, "schema: 1\nextends: default\n")
    assert "goes round in a circle" in problem(default, default=default)


def test_an_endless_chain_ends_in_an_error(folder: Path) -> None:
    for n in range(30):
        write(folder, f"schema: 1\nextends: f{n + 1}.yaml\n", f"f{n}.yaml")
    assert problem(folder / "f0.yaml") == "f19.yaml:2: extends 'f20.yaml', but a chain of files may be at most 20 long"


def test_bases_that_fan_out_are_read_once(folder: Path) -> None:
    for n in range(18):
        write(folder, f"schema: 1\nextends: [f{n + 1}.yaml, f{n + 1}.yaml]\n", f"f{n}.yaml")
    write(folder, "schema: 1\n", "f18.yaml")
    assert len(load(folder / "f0.yaml").files) == 19
