"""The terminal report, read as a person reads it."""

from __future__ import annotations

from typing import Any

import pytest

from reports.text import plain
from trainhealth.verdicts import RunSummary

KL = {
    "verdict": "FAIL",
    "reason": "0.31 is beyond the fail limit '> 0.2'",
    "value": 0.31,
    "value_text": "0.31",
    "limit": "> 0.2",
    "limit_origin": "thresholds.yaml:14",
    "warn": ["> 0.1"],
    "fail": ["> 0.2"],
    "keys": ["kl/mean"],
    "window": "last 50 steps",
    "points": 50,
    "worst_at": 480.0,
    "worst_value": 0.92,
    "action": "Raise kl_beta",
    "detail": "Rising for 120 steps.",
}
PASSED = {"verdict": "PASS", "value": 1.2, "value_text": "1.2 nats", "limit": "< 0.5", "warn": ["< 0.5"]}
STATE = {"value": "failed", "value_text": "failed", "reason": "failed: not acceptable", "limit": "failed"}
SUMMARY = RunSummary(
    run="r", id="r", name="grpo", state="finished", source="offline W&B", rows=1500, first_step=0, last_step=1499,
    notes=("The last row was still being written.",),
)  # fmt: skip


def _page(result: pytest.RunResult) -> list[str]:
    start = next(i for i, line in enumerate(result.outlines) if "training health" in line)
    return result.outlines[start + 1 :]


def test_page(suite: Any) -> None:
    result = suite(
        "--run-id",
        "r",
        stability={"kl": KL, "entropy": PASSED, "grad": {**PASSED, "warn": [], "fail": ["< 0.5"]}},
        learning={"reward": PASSED, "elo": {"verdict": "NOT_APPLICABLE", "reason": "no ratings"}},
        integrity={
            "run_state": {**STATE, "verdict": "FAIL", "limit_origin": "t:1"},
            "rows": {**STATE, "verdict": "PASS"},
        },
        performance={name: {"verdict": "NOT_APPLICABLE", "reason": "no events were given"} for name in ("p95", "p50")},
        runs=(SUMMARY,),
    )
    assert _page(result)[:13] == [
        "grpo  FAIL  2 of 9 criteria failed: 2 FAIL, 4 PASS, 3 NOT_APPLICABLE",
        "  run r · offline W&B · finished · steps 0 to 1499 · 1,500 rows",
        "  note: The last row was still being written.",
        "  FAIL integrity.run_state  failed: not acceptable (t:1)",
        "  FAIL stability.kl  0.31 against > 0.2 (thresholds.yaml:14), last 50 steps, 50 points, worst at",
        "      480: 0.92",
        "      -> Raise kl_beta",
        "  PASS integrity  rows failed",
        "  PASS learning  reward 1.2 nats (warns below 0.5)",
        "  PASS stability  entropy 1.2 nats (warns below 0.5), grad 1.2 nats (fails below 0.5)",
        "  NOT_APPLICABLE  learning.elo: no ratings; performance (2 criteria): no events were given",
        "",
        "gate: FAIL (exit 1)  reject; reports/out/r/report.html",
    ]


def test_verbose_shows_everything(suite: Any) -> None:
    page = _page(suite("--run-id", "r", "-v", stability={"kl": KL, "entropy": PASSED}, learning={"reward": PASSED}))
    for line in (
        "      Rising for 120 steps.",
        "      warn > 0.1; fail > 0.2; keys kl/mean",
        "  PASS stability.entropy  1.2 nats against < 0.5",
    ):
        assert line in page


def test_many_that_do_not_apply_are_counted_by_reason_and_area(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(metric: str) -> dict[str, str]:
        reason = f"{metric} is not logged (looked for {metric}, train/{metric}); log it, or add the key it has"
        return {"verdict": "NOT_APPLICABLE", "reason": reason}

    none = {"verdict": "NOT_APPLICABLE", "reason": "no events were given (--events PATH, or --events axiom)"}
    alone = {"verdict": "NOT_APPLICABLE", "reason": "the reward rises: growing answers pay"}
    checks: dict[str, dict[str, Any]] = {
        "stability": {**{f"m{at}_level": missing(f"m{at}") for at in range(9)}, "m0_drop": missing("m0"), "odd": alone},
        "performance": {f"p{at}": none for at in range(18)},
        "learning": {"reward": PASSED, "games": none, "spread": missing("m1")},
    }
    monkeypatch.setenv("COLUMNS", "80")
    page = _page(suite("--run-id", "r", **checks))
    start = next(at for at, line in enumerate(page) if line.startswith("  NOT_APPLICABLE"))
    said = page[start : page.index("", start)]
    assert len(said) <= 6
    assert max(map(len, said)) <= 80
    assert " ".join(" ".join(said).split()) == (
        "NOT_APPLICABLE 31 criteria, which -v and the report name: no events were given: 1 of learning, 18 of "
        "performance; not logged (m0, m1, m2, m3, m4, m5, …): 10 of stability, 1 of learning; each for its own reason: "
        "stability.odd"
    )
    verbose = "\n".join(_page(suite("--run-id", "r", "-v", **checks)))
    assert all(f" stability.{name}" in verbose for name in checks["stability"])
    assert "learning.games, performance (18 criteria)" in " ".join(verbose.split())
    assert "NOT_APPLICABLE stability.m8_level  m8 is not logged (looked for m8," in verbose


def test_quiet_has_a_line_for_what_blocks(suite: Any) -> None:
    unsure = {"open": {"verdict": "INCONCLUSIVE", "reason": "x" * 200}, "near": {**KL, "verdict": "WARN"}}
    page = _page(suite("--run-id", "r", "-q", stability={"kl": KL, **unsure}, learning={"x": PASSED}, runs=(SUMMARY,)))
    assert page[:4] == [
        "grpo  FAIL  1 of 4 criteria failed: 1 FAIL, 1 INCONCLUSIVE, 1 WARN, 1 PASS",
        "  FAIL stability.kl  0.31 against > 0.2",
        "  INCONCLUSIVE stability.open  " + "x" * 68 + "…",
        "gate: FAIL (exit 1)  reject; reports/out/r/report.html",
    ]


def test_what_is_not_required_says_so_and_comes_after_what_may_block(suite: Any) -> None:
    said = {"verdict": "INCONCLUSIVE", "reason": "too few points"}
    checks = {"a": {**said, "required": False}, "b": {**KL, "verdict": "WARN"}, "c": said, "d": KL}
    page = _page(suite("--run-id", "r", stability=checks, learning={"x": PASSED}))
    heads = [line.split("  ")[1] for line in page if line.startswith(("  FAIL", "  WARN", "  INC"))]
    assert heads == [
        "FAIL stability.d", "INCONCLUSIVE stability.c", "WARN stability.b", "INCONCLUSIVE stability.a (not required)",
    ]  # fmt: skip


def test_colours(suite: Any) -> None:
    text = suite("--run-id", "r", "--color=yes", stability={"kl": KL}, learning={"reward": PASSED}).stdout.str()
    assert "\x1b[1m\x1b[31m  FAIL stability.kl\x1b[0m  0.31 against" in text


def test_nothing_from_a_run_steers_the_terminal(suite: Any) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07 \u202egnp \r\n::error::owned\x9b31m"
    said = {"verdict": "FAIL", "reason": evil, "action": evil, "value_text": evil, "limit": evil, "window": evil}
    summary = RunSummary(
        run="r", name="::set-output name=x::y", state=evil, notes=(evil, "##[group]x", "y ##[add-mask]z ##vso[task]")
    )
    result = suite(
        "--run-id", "r", stability={"kl": said, "open": {**said, "verdict": "INCONCLUSIVE"}}, runs=(summary,)
    )
    page = "\n".join(_page(result))
    assert not set(page) & set("\x1b\x07\r\x9b\u202e")
    assert "\\x1b[2J\\x1b]0;owned\\x07 \\u202egnp ::error::owned\\x9b31m" in page.replace("\n      ", " ")
    assert not [line for line in _page(result) if line.lstrip().startswith(("::", "##"))]
    assert "##[" not in page  # such a command counts anywhere in a line
    assert "##vso[" not in page


def test_a_path_is_never_broken(suite: Any) -> None:
    path = "/" + "long-folder/" * 12
    assert path in _page(suite("--run-id", "r", learning={"x": {"verdict": "ERROR", "reason": path}}))[2]


def test_long_messages_are_cut(suite: Any) -> None:
    said = {"verdict": "ERROR", "reason": "x" * 10_000}
    assert sum(map(len, _page(suite("--run-id", "r", learning={"reward": said})))) < 1_500
    assert "".join(_page(suite("--run-id", "r", "-v", learning={"reward": said}))).count("x") > 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\t c", "a b c"), ("\x00", "\\x00"), ("\ud800", "\\ud800"), ("naïve ✓ 日本", "naïve ✓ 日本"), (None, "None")],
)
def test_plain(text: object, shown: str) -> None:
    assert plain(text) == shown
