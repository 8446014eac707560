"""What is said of a thresholds file that cannot be used: one bad file each."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trainhealth.errors import ThresholdsError
from trainhealth.thresholds import Thresholds, load

TODAY = date(2026, 11, 23)
SECTIONS = "metrics, config, trainers, trainer, finite, agents, events, windows, defaults, criteria, off, waivers"
CRITERION_KEYS = "warn, fail, window, action, source, required, missing, metric, statistic"
NOT_A_LIMIT = (
    "is not a limit; write a comparison such as '> 0.1', '< 95%', '> 3x' or '< -5%', or a state such as 'crashed'"
)
KL = "criteria.stability.kl_level"


def criterion(body: str) -> str:
    """A file with one criterion, written on line 3."""
    return f"criteria:\n  stability.kl_level: {body}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problem(path: Path) -> str:
    with pytest.raises(ThresholdsError) as caught:
        load(path, today=TODAY)
    return str(caught.value)


# Each file begins with the line "schema: 1"; the expected text follows "t.yaml:".
BAD_VALUES = {
    "unknown section": (
        "windos: {}\n",
        f"2: unknown key 'windos'; did you mean 'windows'? (known: {SECTIONS}, schema, extends, profiles)",
    ),
    "unknown key": (
        criterion("{wran: '> 1'}"),
        f"3: unknown key 'wran' in {KL}; did you mean 'warn'? (known: {CRITERION_KEYS})",
    ),
    "unknown key, far from any": (criterion("{zzz: 1}"), f"3: unknown key 'zzz' in {KL} (known: {CRITERION_KEYS})"),
    "unknown alias key": (
        "metrics: {kl: {any_of: [a, {kye: b}]}}",
        "2: unknown key 'kye' in metrics.kl.any_of[1]; did you mean 'key'? (known: key, sum_of, one_minus, scale)",
    ),
    "the first problem of the file": (
        "windows: {a: {last_steps: x}}\noff: 1\nmetrics: 3\n",
        "2: windows.a.last_steps must be a whole number, found 'x'",
    ),
    "section of a wrong type": ("windows: [tail]\n", "2: windows must be a mapping, found a list"),
    "scale of zero": (
        "metrics:\n  kl:\n    any_of:\n      - key: a\n        scale: 0\n",
        "6: metrics.kl.any_of[0].scale must not be 0, which would turn every value into 0",
    ),
    "alias that is a number": (
        "metrics: {kl: {any_of: [1]}}",
        "2: metrics.kl.any_of[0] must be text, or a mapping with 'key', found 1",
    ),
    "no aliases": (
        "metrics: {kl: {any_of: []}}",
        "2: metrics.kl.any_of must not be an empty list; leave it out, or write null to remove an inherited one",
    ),
    "metric without aliases": (
        "metrics: {kl: {unit: nats}}",
        "2: metrics.kl has no 'any_of', the keys that runs log it as",
    ),
    "metric that is a list": ("metrics: {kl: [a]}", "2: metrics.kl must be a mapping, found a list"),
    "blank text": (
        "metrics: {kl: {any_of: [' ']}}",
        "2: metrics.kl.any_of[0].key must be text that is not blank, found ' '",
    ),
    "unless of an unknown config": (
        "config: {kl_beta: [beta]}\nmetrics:\n  kl:\n    any_of: [a]\n    unless:\n      kl_bta: 0\n",
        "7: metrics.kl.unless: there is no config 'kl_bta'; did you mean 'kl_beta'? (known: kl_beta)",
    ),
    "unless of a list": (
        "config: {b: [b]}\nmetrics: {kl: {any_of: [a], unless: {b: [0]}}}",
        "3: metrics.kl.unless.b must be text, a number, true or false, found a list",
    ),
    "agents without ratings": ("agents: {base: a}", "2: agents has no 'rating', the keys that runs log ratings as"),
    "events required": ("events: {required: 1}", "2: events.required must be true or false, found 1"),
    "events field": ("events: {x: {}}", "2: events.x has no 'any_of', the fields of the events"),
    "events field alias": (
        "events: {x: {any_of: {key: a}}}",
        "2: unknown key 'key' in events.x.any_of (known: field, scale)",
    ),
    "steps in words": (
        "windows:\n  tail:\n    last_steps: fifty\n",
        "4: windows.tail.last_steps must be a whole number, found 'fifty'",
    ),
    "steps as a fraction": (
        "windows: {tail: {last_steps: 1.5}}",
        "2: windows.tail.last_steps must be a whole number, found 1.5",
    ),
    "steps as a boolean": (
        "windows: {tail: {last_steps: true}}",
        "2: windows.tail.last_steps must be a whole number, found true",
    ),
    "no steps": ("windows: {tail: {last_steps: 0}}", "2: windows.tail.last_steps must be at least 1, found 0"),
    "negative steps": ("windows: {w: {first_steps: -1}}", "2: windows.w.first_steps must be at least 1, found -1"),
    "negative skip": ("windows: {w: {skip_steps: -1}}", "2: windows.w.skip_steps must be at least 0, found -1"),
    "no points": ("windows: {w: {min_points: 0}}", "2: windows.w.min_points must be at least 1, found 0"),
    "first and last": (
        "windows: {w: {first_steps: 1, last_steps: 1}}",
        "2: windows.w has both 'first_steps' and 'last_steps'; remove one (null removes)",
    ),
    "unknown default window": (
        "windows: {tail: {last_steps: 5}}\ndefaults:\n  window: tial\n",
        "4: defaults.window: there is no window 'tial'; did you mean 'tail'? (known: whole, tail)",
    ),
    "unknown window": (
        criterion("{fail: '> 1', window: whol}"),
        f"3: {KL}.window: there is no window 'whol'; did you mean 'whole'? (known: whole)",
    ),
    "unknown missing": (
        criterion("{fail: '> 1', missing: inconclusiv}"),
        f"3: {KL}.missing must be inconclusive, fail or not_applicable, found 'inconclusiv'; "
        "did you mean 'inconclusive'?",
    ),
    "yes for true": (criterion("{fail: '> 1', required: yes}"), f"3: {KL}.required must be true or false, found 'yes'"),
    "a bare number as limit": (criterion("{fail: 0.2}"), f"3: {KL}.fail: 0.2 {NOT_A_LIMIT}"),
    "code as limit": (
        criterion("\n    fail:\n      - '> 1'\n      - __import__('os')"),
        f"6: {KL}.fail[1]: \"__import__('os')\" {NOT_A_LIMIT}",
    ),
    "limits out of order": (
        criterion("\n    warn: '> 0.3'\n    fail: '> 0.2'"),
        f"5: {KL} must warn before it fails, but warn is '> 0.3' (t.yaml:4) and fail is '> 0.2' (t.yaml:5)",
    ),
    "limits out of order, below": (
        criterion("{warn: '< -9%', fail: '< -5%'}"),
        f"3: {KL} must warn before it fails, but warn is '< -9%' (t.yaml:3) and fail is '< -5%' (t.yaml:3)",
    ),
    "limits that are equal": (
        criterion("{warn: '> 2x', fail: ['> 5', '> 2x']}"),
        f"3: {KL} must warn before it fails, but warn is '> 2x' (t.yaml:3) and fail is '> 2x' (t.yaml:3)",
    ),
    "limits of both directions": (
        criterion("{warn: '> 0.3', fail: '< 20%'}"),
        f"3: {KL} has limits of both directions: '> 0.3' (t.yaml:3) and '< 20%' (t.yaml:3); limits are one-sided",
    ),
    "two limits of one kind": (
        criterion("{fail: ['> 1', '> 3x', '> 2']}"),
        f"3: {KL} gives two limits of one kind: '> 1' (t.yaml:3) and '> 2' (t.yaml:3); keep one",
    ),
    "words and bounds": (
        criterion("{fail: [crashed, '> 2']}"),
        f"3: {KL} mixes a comparison with a state: 'crashed' (t.yaml:3) and '> 2' (t.yaml:3)",
    ),
    "a word twice": (
        criterion("{warn: crashed, fail: [failed, crashed]}"),
        f"3: {KL} gives the same state twice: 'crashed' (t.yaml:3) and 'crashed' (t.yaml:3)",
    ),
    "no limits": (
        criterion("{action: x}"),
        f"3: {KL} has neither 'warn' nor 'fail'; to leave it out, list it under 'off'",
    ),
    "limits that are null": (
        criterion("{fail: null}"),
        f"3: {KL} has neither 'warn' nor 'fail'; to leave it out, list it under 'off'",
    ),
    "empty criterion": (criterion(""), f"3: {KL} must be a mapping, found nothing"),
    "criterion that is a limit": (criterion("'> 1'"), f"3: {KL} must be a mapping, found '> 1'"),
    "metric where a check measures": (
        criterion("{fail: '> 1', metric: kl}"),
        f"3: {KL} has 'metric', which is for custom.* criteria only",
    ),
    "id without area": (
        "criteria: {kl: {fail: '> 1'}}",
        "2: criteria.kl: 'kl' is not a criterion id; it must be an area and a name, such as stability.kl_level",
    ),
    "id with a line break": (
        'criteria: {"a.b\\n": {fail: "> 1"}}',
        "2: criteria.a.b\\n: 'a.b\\n' is not a criterion id; it must be an area and a name, such as stability.kl_level",
    ),
    "custom without statistic": (
        "criteria: {custom.x: {metric: a, fail: '> 1'}}",
        "2: criteria.custom.x has no 'statistic'; custom criteria need metric and statistic",
    ),
    "custom without metric": (
        "criteria: {custom.x: {statistic: last, fail: '> 1'}}",
        "2: criteria.custom.x has no 'metric'; custom criteria need metric and statistic",
    ),
    "custom with a state": (
        "criteria: {custom.x: {metric: a, statistic: last, fail: crashed}}",
        "2: criteria.custom.x computes a number, but is limited by a state: 'crashed' (t.yaml:2)",
    ),
    "unknown statistic": (
        "criteria: {custom.x: {metric: a, statistic: medain, fail: '> 1'}}",
        "2: criteria.custom.x.statistic: there is no statistic 'medain'; did you mean 'median'? "
        "(known: median, mean, min, max, last, first, std, count, change, slope, p01 to p99)",
    ),
    "percentile out of range": (
        "criteria: {custom.x: {metric: a, statistic: p00, fail: '> 1'}}",
        "2: criteria.custom.x.statistic: there is no statistic 'p00' "
        "(known: median, mean, min, max, last, first, std, count, change, slope, p01 to p99)",
    ),
    "off": ("off: 5\n", "2: off must be text, found 5; put it in quotes"),
    "waiver without reason": ("waivers:\n  - {criterion: a.b, until: 2026-12-31}", "3: waivers[0] has no 'reason'"),
    "waiver with a blank reason": (
        "waivers: [{criterion: a.b, until: 2026-12-31, reason: ' '}]",
        "2: waivers[0].reason must be text that is not blank, found ' '",
    ),
    "waiver without end": ("waivers: [{criterion: a.b, reason: x}]", "2: waivers[0] has no 'until'"),
    "waiver until a day that is none": (
        "waivers: [{criterion: a.b, until: 2026-02-30, reason: x}]",
        "2: waivers[0].until must be a day that exists, found 2026-02-30",
    ),
    "waiver until some day": (
        "waivers: [{criterion: a.b, until: soon, reason: x}]",
        "2: waivers[0].until must be a date such as 2026-12-31, found 'soon'",
    ),
    "waiver of a run that looks like a number": (
        "waivers: [{criterion: a.b, run: 1234567, until: 2026-12-31, reason: x}]",
        "2: waivers[0].run must be text, found 1234567; put it in quotes",
    ),
    "expired waiver": (
        "waivers:\n  - criterion: a.b\n    until: 2026-11-22\n    reason: x\n",
        "3: the waiver of a.b expired on 2026-11-22; remove it, or renew it with a new date",
    ),
    "waivers that are a mapping": ("waivers: {criterion: a.b}", "2: waivers must be a list, found a mapping"),
    "profile that extends": (
        "profiles: {smoke: {extends: x}}",
        f"2: unknown key 'extends' in profiles.smoke; did you mean 'events'? (known: {SECTIONS})",
    ),
    "profile that is not chosen": (
        "profiles: {smoke: {windows: {tail: {last_steps: fifty}}}}",
        "2: profiles.smoke.windows.tail.last_steps must be a whole number, found 'fifty'",
    ),
    "empty profile": ("profiles:\n  smoke:\n", "3: profiles.smoke must be a mapping, found nothing"),
}


@pytest.mark.parametrize(("text", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_bad_value_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    path = folder / "t.yaml"
    path.write_text("schema: 1\n" + text, encoding="utf-8")
    assert problem(Path("t.yaml")) == f"t.yaml:{message}"


IN_QUOTES = "must be in quotes"
UNCLOSED = "what is opened here is not closed: a quote, '[' or '{'"
# The file's content, and the text after "t.yaml:".
BAD_YAML = {
    "empty": (b"", " is empty; a thresholds file begins with 'schema: 1'"),
    "only a comment": (b"# nothing\n", " is empty; a thresholds file begins with 'schema: 1'"),
    "a list": (b"- a\n", "1: is not a mapping; a thresholds file begins with 'schema: 1'"),
    "a word": (b"hello\n", "1: is not a mapping; a thresholds file begins with 'schema: 1'"),
    "no version": (b"\ncriteria: {}\n", "2: has no schema version; begin the file with 'schema: 1'"),
    "another version": (b"schema: 2\n", "1: schema is 2, but this trainhealth reads schema 1"),
    "a version in quotes": (b"schema: '1'\n", "1: schema is '1', but this trainhealth reads schema 1"),
    "true for a version": (b"schema: true\n", "1: schema is true, but this trainhealth reads schema 1"),
    "a key twice": (
        b"schema: 1\nwindows:\n  a: {min_points: 1}\n  b: {}\n  a: {}\n",
        "5: the key 'a' is written twice; it is first written at t.yaml:3",
    ),
    "not UTF-8": (b"schema: 1\n# caf\xe9\n", "2: is not UTF-8 text; save the file as UTF-8"),
    "UTF-16": ("schema: 1\n".encode("utf-16"), "1: is not UTF-8 text; save the file as UTF-8"),
    "a control character": (b"schema: 1\noff: \x01\n", "2: holds the character U+0001, which YAML does not allow"),
    "an escaped control character": (
        b'schema: 1\nextends: "\\0"\n',
        "2: the text holds the character U+0000, which is not allowed",
    ),
    "tab": (b"schema: 1\nwindows:\n\ttail: {}\n", "3: is not valid YAML at column 1: indent with spaces, not tabs"),
    "unclosed list": (b"schema: 1\noff: [a\nb: 1\n", f"2: is not valid YAML at column 6: {UNCLOSED}"),
    "unclosed mapping": (b"schema: 1\nagents: {a\n", f"2: is not valid YAML at column 9: {UNCLOSED}"),
    "unclosed quote": (b"schema: 1\noff: 'a\nb: 1\n", f"2: is not valid YAML at column 6: {UNCLOSED}"),
    "colon": (
        b"schema: 1\na: b: c\n",
        "2: is not valid YAML at column 5: a ':' is not expected here; check the indentation, "
        "and quote text that holds ': '",
    ),
    "indentation": (
        b"schema: 1\na:\n    b: 1\n  c: 1\n",
        "4: is not valid YAML at column 3: the indentation does not match the lines above",
    ),
    "no colon": (b"schema: 1\nwindows\n", "2: is not valid YAML at column 1: a key without ':'"),
    "bare limit": (
        b"schema: 1\nfail: > 0.2\n",
        f"2: is not valid YAML at column 9: text that begins with '>' or '|' {IN_QUOTES}, such as \"> 0.1\"",
    ),
    "bare limit in braces": (
        b"schema: 1\na: {fail: > 0.2}\n",
        f"2: is not valid YAML at column 11: text that begins with '>' {IN_QUOTES}",
    ),
    "bare pattern": (
        b"schema: 1\na: *adapter_v{step}\n",
        f"2: is not valid YAML at column 14: text that begins with '*' {IN_QUOTES}",
    ),
    "at sign": (b"schema: 1\na: @x\n", f"2: is not valid YAML at column 4: text that begins with '@' {IN_QUOTES}"),
    "backslash": (
        b'schema: 1\na: "\\q"\n',
        "2: is not valid YAML at column 5: '\\' has a meaning of its own in double quotes; use single quotes",
    ),
    "unknown anchor": (
        b"schema: 1\noff: *x\n",
        "2: '*x' names no anchor above it; put text that begins with '*' in quotes",
    ),
    "anchor in itself": (
        b"schema: 1\noff: &x [*x]\n",
        "2: '*x' names no anchor above it; put text that begins with '*' in quotes",
    ),
    "merge key": (
        b"schema: 1\nwindows: {<<: {}}\n",
        "2: merge keys ('<<') are not supported; use 'extends', or alias the whole value",
    ),
    "key that is a list": (
        b"schema: 1\n? [a]\n: 1\n",
        "2: a key must be text, not a list or a mapping; put text that begins with '[' or '{' in quotes",
    ),
    "key that is an alias": (
        b"schema: &s 1\n*s : 1\n",
        "2: a key cannot be an alias ('*s'); put text that begins with '*' in quotes",
    ),
    "second document": (
        b"schema: 1\n---\nschema: 1\n",
        "2: a second document begins here ('---'); a thresholds file holds one",
    ),
    "python object": (
        b"schema: 1\noff: !!python/object/apply:os.system [ls]\n",
        "2: the tag '!!python/object/apply:os.system' is not allowed; write the value without a tag",
    ),
    "harmless tag": (b"schema: !!int 1\n", "1: the tag '!!int' is not allowed; write the value without a tag"),
    "not a number": (b"schema: 1\na: .nan\n", "2: numbers must be finite, found .nan"),
    "infinity": (b"schema: 1\na: [-.inf]\n", "2: numbers must be finite, found -.inf"),
    "overflow": (b"schema: 1\na: 1e999\n", "2: numbers must be finite, found 1e999"),
    "endless number": (
        b"schema: 1\na: " + b"9" * 5000 + b"\n",
        f"2: the number {'9' * 37}... has more than 18 digits; put text in quotes",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_YAML.values(), ids=BAD_YAML)
def test_bad_yaml_is_explained_without_jargon(folder: Path, content: bytes, message: str) -> None:
    (folder / "t.yaml").write_bytes(content)
    assert problem(Path("t.yaml")) == f"t.yaml:{message}"


@pytest.mark.parametrize(("content", "message"), BAD_YAML.values(), ids=BAD_YAML)
def test_bad_yaml_is_found_without_libyaml_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr("trainhealth.thresholds.document._PARSER", yaml.SafeLoader)
    (folder / "t.yaml").write_bytes(content)
    line, _, _ = message.partition(":")
    assert problem(Path("t.yaml")).startswith(f"t.yaml:{line}:")


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    assert problem(Path("none.yaml")) == "none.yaml: there is no such file"
    assert problem(folder / "none.yaml") == "none.yaml: there is no such file"
    (folder / "folder.yaml").mkdir()
    assert problem(Path("folder.yaml")) == "folder.yaml: is not a file"
    os.mkfifo(folder / "pipe.yaml")
    assert problem(Path("pipe.yaml")) == "pipe.yaml: is not a file"
    name = "x" * 300
    assert problem(Path(name)) == f"{name}: cannot be read: File name too long"
    (folder / "large.yaml").write_bytes(b"#" * 1_000_001)
    assert problem(Path("large.yaml")) == "large.yaml: is larger than 1,000,000 bytes; is it a thresholds file?"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(folder: Path) -> None:
    (folder / "t.yaml").write_text("schema: 1\n")
    (folder / "t.yaml").chmod(0)
    assert problem(Path("t.yaml")) == "t.yaml: cannot be read: Permission denied"


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
STAIRS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "t.yaml:6: holds more than 50,000 values once its aliases are written out"),
        (STAIRS, "t.yaml:21: is nested more than 20 levels deep once its aliases are written out"),
        ("off: " + "[" * 100_000, "t.yaml:2: is nested more than 20 levels deep"),
        ("? " * 100_000, "t.yaml:2: a key must be text"),
        ("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 900)), "t.yaml:22: is nested more than 20 levels deep"),
        ("off: [" + "x," * 60_000 + "]", "t.yaml:2: holds more than 50,000 values"),
    ],
    ids=["billion laughs", "stairs", "brackets", "keys of keys", "indentation", "many"],
)
def test_bombs_end_quickly(folder: Path, text: str, message: str) -> None:
    (folder / "t.yaml").write_text("schema: 1\n" + text, encoding="utf-8")
    start = time.process_time()
    assert problem(Path("t.yaml")).startswith(message)
    assert time.process_time() - start < 20


def outcome(path: Path, *overrides: str) -> str:
    """What loading says; anything but Thresholds or a ThresholdsError fails the test."""
    try:
        assert isinstance(load(path, overrides=overrides, today=TODAY), Thresholds)
    except ThresholdsError as error:
        return str(error)
    return "any.yaml: loaded"


def load_anything(folder: Path, content: bytes) -> None:
    (folder / "any.yaml").write_bytes(content)
    said = outcome(folder / "any.yaml")
    assert said.startswith("any.yaml:")
    assert "\n" not in said


QUIET = settings(max_examples=150)

KEYS = st.sampled_from(
    ["schema", "extends", "metrics", "config", "agents", "events", "windows", "defaults", "criteria", "off", "waivers",
     "profiles", "kl", "any_of", "scale", "key", "unless", "rating", "required", "field", "tail", "last_steps",
     "window", "stability.kl", "custom.x", "warn", "fail", "metric", "statistic", "until", "reason", "criterion", "run",
     "smoke", "default_value", "<<"]
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(
        ["> 1", "'> 1'", "'< 5%'", "crashed", "null", "~", "true", "1", "0", "-1", ".nan", "1e-3", "2026-12-31", "''",
         "*a", "&a x", "!!int 3", "tail", "median", "default", "any.yaml", "[", "{", "- x", "'", '"', ": ", "#", "\t"]
    ),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(str),
)  # fmt: skip
FLOW = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=3).map(lambda d: f"{{{', '.join(f'{k}: {v}' for k, v in d.items())}}}"),
    ),
    max_leaves=8,
)
LINES = st.lists(st.tuples(KEYS, FLOW), max_size=5).map(
    lambda rows: "".join(f"{key}: {value}\n" for key, value in rows)
)


@QUIET
@given(content=st.binary(max_size=200))
def test_any_bytes_give_thresholds_or_a_thresholds_error(folder: Path, content: bytes) -> None:
    load_anything(folder, content)


@QUIET
@given(text=st.text(max_size=200))
def test_any_text_gives_thresholds_or_a_thresholds_error(folder: Path, text: str) -> None:
    load_anything(folder, ("schema: 1\n" + text).encode("utf-8", "surrogatepass"))


@settings(QUIET, max_examples=300)
@given(text=LINES)
def test_anything_like_a_thresholds_file_gives_thresholds_or_a_thresholds_error(folder: Path, text: str) -> None:
    load_anything(folder, ("schema: 1\n" + text).encode("utf-8", "surrogatepass"))


@QUIET
@given(option=st.one_of(st.text(max_size=40), st.builds("{}.{}={}".format, KEYS, KEYS, FLOW)))
def test_any_option_gives_thresholds_or_a_thresholds_error(folder: Path, option: str) -> None:
    path = folder / "any.yaml"
    path.write_text("schema: 1\nwindows: {tail: {last_steps: 5}}\ncriteria: {stability.kl: {fail: '> 1'}}\n")
    said = outcome(path, option)
    assert said.startswith(("--set ", "any.yaml:"))
    assert "\n" not in said
