"""The JSON Schema for editors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import trainhealth.thresholds
from trainhealth.errors import ThresholdsError
from trainhealth.limits import parse_limit
from trainhealth.thresholds import form, load
from trainhealth.thresholds.document import parse
from trainhealth.thresholds.form import json_schema, read_form
from trainhealth.thresholds.origin import Origin

SHIPPED = Path(trainhealth.thresholds.__file__).with_name("schema.json")
REPOSITORY = Path(trainhealth.thresholds.__file__).parents[2]


VALIDATOR = Draft202012Validator(json.loads(SHIPPED.read_text()))


def as_json(text: str) -> Any:
    """The document as an editor sees it: by YAML 1.2, where `off` is a word and a date is text."""
    node = parse(text, lambda line: Origin("t.yaml", line))
    assert node is not None
    return json.loads(json.dumps(node.plain()))


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(as_json(text))


def test_the_shipped_schema_is_the_one_the_command_prints() -> None:
    command = [sys.executable, "-m", "trainhealth.thresholds"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert SHIPPED.read_text() == printed


def test_it_is_a_valid_schema_of_the_stated_draft() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


GOOD = """\
schema: 1
extends: [default]
metrics: {kl: {any_of: [kl/mean, {key: x, scale: 0.01}], default_value: 0.0, unless: {kl_beta: 0}, unit: nats}}
config: {kl_beta: [beta], steps: max_steps}
agents: {rating: ["elo/{agent}"], sigma: {key: s, scale: 40}, base: b, checkpoints: "*v{step}", not_agents: []}
events: {required: true, duration: {any_of: [duration_s, {field: ms, scale: 0.001}]}}
windows: {tail: {last_steps: 50, min_points: 30, skip_steps: 0}, early: {first_steps: null}}
defaults: {window: tail, missing: fail, required: false}
criteria:
  stability.kl_level: {warn: "> 0.1", fail: ["> 0.2", "> 3x"], window: tail, action: a, source: s, missing: fail}
  integrity.state: {warn: null, fail: [crashed, failed]}
  custom.value_loss: {metric: critic/vf_loss, statistic: p95, fail: "< -5%"}
profiles: {smoke: {windows: {tail: {last_steps: 10}}, off: ["learning.*"]}}
off: performance.*
waivers: [{criterion: a.b, run: "r*", until: 2026-12-31, reason: x}]
"""


def test_it_accepts_a_good_file() -> None:
    assert accepts(GOOD)


def test_it_accepts_the_default_thresholds() -> None:
    default = as_json((REPOSITORY / "thresholds.yaml").read_text())
    assert [error.message for error in VALIDATOR.iter_errors(default)] == []


@pytest.mark.parametrize(
    "text",
    [
        "criteria: {}",
        "schema: 2",
        "schema: 1\nwindos: {}",
        "schema: 1\nwindows: {tail: {last_steps: fifty}}",
        "schema: 1\nwindows: {tail: {last_steps: 0}}",
        "schema: 1\nwindows: {tail: {skip_steps: -1}}",
        "schema: 1\nwindows: {tail: {steps: 3}}",
        "schema: 1\nwindows: [tail]",
        "schema: 1\nmetrics: {kl: {any_of: []}}",
        "schema: 1\nmetrics: {kl: {any_of: [{kye: a}]}}",
        "schema: 1\nmetrics: {kl: {any_of: [{key: a, scale: 0}]}}",
        "schema: 1\nmetrics: {kl: {any_of: [a], unless: {b: [1]}}}",
        "schema: 1\nevents: {required: 1}",
        "schema: 1\nevents: {x: {fields: [a]}}",
        "schema: 1\ndefaults: {missing: pass}",
        "schema: 1\ncriteria: {kl: {fail: '> 1'}}",
        "schema: 1\ncriteria: {a.b: {fail: 0.2}}",
        "schema: 1\ncriteria: {a.b: {fail: '>= 2'}}",
        "schema: 1\ncriteria: {a.b: {fail: ['> 2', 'Crashed']}}",
        "schema: 1\ncriteria: {a.b: {fail: '> 1', required: 'yes'}}",
        "schema: 1\ncriteria: {custom.x: {metric: a, statistic: medain, fail: '> 1'}}",
        "schema: 1\nwaivers: [{until: 2026-12-31, reason: x}]",
        "schema: 1\nwaivers: [{criterion: a.b, reason: x}]",
        "schema: 1\nwaivers: [{criterion: a.b, until: 2026-12-31}]",
        "schema: 1\nprofiles: {smoke: {extends: x}}",
        "schema: 1\nprofiles: {smoke: }",
    ],
)
def test_it_rejects_a_bad_file(text: str) -> None:
    assert not accepts(text)


LIMITS = st.one_of(st.text(max_size=6), st.text("<>0123456789.eE+-%x ab_", max_size=8))


LIMIT = Draft202012Validator({"$ref": "#/$defs/CriterionForm/properties/fail", "$defs": json_schema()["$defs"]})


@given(LIMITS)
def test_it_takes_a_limit_for_one_where_the_reader_does(text: str) -> None:
    try:
        parse_limit(text, "")
    except ValueError:
        assert not LIMIT.is_valid(text)
    else:
        assert LIMIT.is_valid(text)


SCHEMA = json_schema()
FORMS: dict[str, dict[str, Any]] = {"FileForm": SCHEMA, **SCHEMA["$defs"]}
"""By name in form.py."""


@pytest.mark.parametrize("name", FORMS)
def test_every_key_and_every_form_is_described(name: str) -> None:
    schema = FORMS[name]
    texts = {"": schema["description"], **{key: field["description"] for key, field in schema["properties"].items()}}
    assert {key for key, text in texts.items() if len(text) < 10 or text[-1] != "."} == set()
    assert schema["title"] != name


@pytest.mark.parametrize("name", [name for name in FORMS if name != "EventsForm"])  # whose other keys are fields
def test_the_keys_an_error_lists_are_those_of_the_schema(name: str) -> None:
    node = parse("zzz: 1", lambda line: Origin("t.yaml", line))
    assert node is not None
    with pytest.raises(ThresholdsError, match="unknown key 'zzz'") as caught:
        read_form(node, getattr(form, name))
    known = str(caught.value).partition("(known: ")[2].removesuffix(")").split(", ")
    assert sorted(known) == sorted(FORMS[name]["properties"])
    editor = Draft202012Validator({"$defs": SCHEMA["$defs"], **FORMS[name]})
    assert "additionalProperties" in {error.validator for error in editor.iter_errors({"zzz": 1})}


def test_stated_defaults_are_those_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    def stated(name: str, key: str) -> str:
        return str(FORMS[name]["properties"][key]["description"]).rpartition(" Default: ")[2].removesuffix(".")

    file = tmp_path / "t.yaml"
    file.write_text(
        "schema: 1\nwindows: {w: {}, tail: {last_steps: 5}}\nagents: {rating: a}\nconfig: {}\n"
        "metrics: {m: {any_of: a}}\ntrainers: {t: {recognised_by: a}}\nevents: {f: {any_of: a}}\n"
        "criteria:\n  a.b: {fail: '> 1'}\n  custom.c: {metric: m, statistic: max, fail: '> 1'}\n"
        "waivers: [{criterion: a.b, until: 2099-12-31, reason: r}]\n"
    )
    thresholds = load(file)
    criterion, window = thresholds.criteria["a.b"], thresholds.windows["w"]
    assert stated("DefaultsForm", "window") == criterion.window.name == "whole"
    assert stated("DefaultsForm", "missing") == criterion.missing
    assert stated("DefaultsForm", "required") == str(criterion.required).lower()
    assert (stated("CriterionForm", "action"), criterion.action, criterion.source) == ("nothing", "", "")
    assert (stated("WindowForm", "skip_steps"), window.skip_steps) == ("0", 0)
    assert (stated("WindowForm", "last_steps"), window.last_steps, window.first_steps) == ("all", None, None)
    assert stated("WindowForm", "min_points") == str(window.min_points)
    assert float(stated("AliasForm", "scale")) == thresholds.metrics["m"].aliases[0].scale
    assert float(stated("FieldAliasForm", "scale")) == thresholds.events.fields["f"][0].scale
    assert stated("TrainerForm", "several_rows") == str(thresholds.trainers["t"].several_rows).lower()
    assert stated("EventsForm", "required") == str(thresholds.events.required).lower()
    assert (stated("WaiverForm", "run"), thresholds.waivers[0].run) == ("all runs", "*")
    assert stated("MetricForm", "unit") == "none"
    assert thresholds.metrics["m"].unit == ""
    with_default = load(file, overrides=["defaults.window=tail"])
    assert with_default.criteria["a.b"].window.name == "tail"
    assert "for custom min, max, first, last, count and change whole" in stated("CriterionForm", "window")
    assert with_default.criteria["custom.c"].window.name == "whole"


@pytest.mark.parametrize(
    ("section", "needed"),
    [
        ("metrics: {m: {unit: x}}", "any_of"),
        ("events: {f: {}}", "any_of"),
        ("agents: {base: x}", "rating"),
        ("waivers: [{criterion: a.b, until: 2099-12-31}]", "reason"),
        ("waivers: [{criterion: a.b, reason: x}]", "until"),
        ("waivers: [{until: 2099-12-31, reason: x}]", "criterion"),
        ("events: {f: {any_of: {scale: 2}}}", "field"),
        ("criteria: {custom.x: {statistic: max, fail: '> 1'}}", "metric"),
        ("criteria: {custom.x: {metric: a, fail: '> 1'}}", "statistic"),
    ],
)
def test_a_key_that_is_needed_is_asked_for(tmp_path: Path, section: str, needed: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(f"schema: 1\n{section}\n")
    with pytest.raises(ThresholdsError, match=f"has no '{needed}'"):
        load(file)
