"""From what checks say to verdicts and the exit status, in real pytest sessions, with and without xdist."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trainhealth.verdicts import RunSummary, Verdict

HEALTHY = {"reward": "PASS"}
NOT_ALL = "not all criteria were judged: stability.second was not selected or did not run"
EVERY = {
    "good": "PASS",
    "near": "WARN",
    "bad": "FAIL",
    "open": "INCONCLUSIVE",
    "damaged": "ERROR",
    "off": "NOT_APPLICABLE",
    "excused": "WAIVED",
}


def _verdict(pytester: pytest.Pytester, run: str = "r") -> dict[str, Any]:
    read: dict[str, Any] = json.loads((pytester.path / "reports/out" / run / "verdict.json").read_text())
    return read


def _said(pytester: pytest.Pytester, run: str = "r") -> dict[str, tuple[str, str]]:
    return {j["criterion"]: (j["verdict"], j["reason"]) for j in _verdict(pytester, run)["judgements"]}


def test_every_verdict_arrives_once(suite: Any, pytester: pytest.Pytester) -> None:
    summary = RunSummary(run="r", name="grpo", last_step=float("nan"))
    result = suite("--run-id", "r", "-n", "2", learning=HEALTHY, stability=EVERY, runs=(summary,))
    assert result.ret == 1
    result.assert_outcomes(passed=3, failed=2, errors=1, skipped=1, xfailed=1)
    said = [(j["criterion"], j["verdict"]) for j in _verdict(pytester)["judgements"]]
    assert said == [
        ("stability.bad", "FAIL"),
        ("stability.damaged", "ERROR"),
        ("stability.open", "INCONCLUSIVE"),
        ("stability.near", "WARN"),
        ("stability.excused", "WAIVED"),
        ("stability.good", "PASS"),
        ("learning.reward", "PASS"),
        ("stability.off", "NOT_APPLICABLE"),
    ]
    assert _verdict(pytester)["summary"]["name"] == "grpo"
    assert _verdict(pytester)["summary"]["last_step"] == "NaN"
    assert _verdict(pytester)["reason"] == "1 of 8 criteria failed"


def test_letters_and_words(suite: Any) -> None:
    assert "W" not in "".join(_progress(suite("--run-id", "r", learning=HEALTHY)))
    assert _progress(suite("--run-id", "r", learning=HEALTHY, stability=EVERY)) == [".", ".WF?E-w"]
    words = suite("--run-id", "r", "-v", learning=HEALTHY, stability=EVERY).stdout.str()
    for verdict in Verdict:
        assert f" {verdict} " in words.partition("training health")[0]


def _progress(result: pytest.RunResult) -> list[str]:
    return [line.split()[1] for line in result.outlines if line.startswith("checks/") and "%]" in line]


@pytest.mark.parametrize(
    ("said", "arguments", "status"),
    [
        ("PASS", (), 0),
        ("WARN", (), 0),
        ("WARN", ("--strict-gate",), 1),
        ("WAIVED", (), 0),
        ("NOT_APPLICABLE", (), 0),
        ("INCONCLUSIVE", (), 10),
        ({"verdict": "INCONCLUSIVE", "required": False}, (), 0),
        ("ERROR", (), 11),
        ("FAIL", (), 1),
    ],
)
def test_exit_status(suite: Any, said: object, arguments: tuple[str, ...], status: int) -> None:
    assert suite("--run-id", "r", *arguments, learning=HEALTHY, stability={"it": said}).ret == status


def test_without_a_run_pytest_is_itself(suite: Any, pytester: pytest.Pytester) -> None:
    assert suite(learning=HEALTHY).ret == 0
    result = suite(code="def test_plain(run):\n    assert 1 == 2\n", learning=HEALTHY)
    assert result.ret == 1
    assert "training health" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*= FAILURES =*", "*short test summary*"])
    assert not (pytester.path / "reports").exists()


def test_nothing_evaluated_is_never_a_pass(suite: Any) -> None:
    assert suite("--run-id", "r", learning={"reward": "NOT_APPLICABLE"}).ret == 10
    assert suite("--run-id", "r", stability={"kl": "PASS"}).ret == 10


def test_learning_switched_off_on_purpose(suite: Any) -> None:
    off = RunSummary(run="r", learning_off=True)
    assert suite("--run-id", "r", stability={"kl": "PASS"}, runs=(off,)).ret == 0


def test_the_worst_run_decides(suite: Any, pytester: pytest.Pytester) -> None:
    by_run = {"a": {"learning": {"reward": "PASS"}}, "b": {"learning": {"reward": "FAIL"}}}
    result = suite("--run-id", "a", "--run-id", "b", "--run-id", "a", by_run=by_run)
    assert result.ret == 1
    assert _verdict(pytester, "a")["verdict"] == "PASS"
    assert _verdict(pytester, "b")["verdict"] == "FAIL"
    headlines = [line.split()[:2] for line in result.outlines if line.startswith(("a  ", "b  "))]
    assert headlines == [["b", "FAIL"], ["a", "PASS"]]


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        ("def test_it(run):\n    {}['x']\n", "ERROR", "the check broke: KeyError: 'x'"),
        ("def test_it(run): pass\n", "ERROR", "the check ended without a verdict, which is a mistake in the check"),
        (
            "def test_it(run):\n    pytest.skip('not today')\n",
            "INCONCLUSIVE",
            "the check was skipped without a verdict: Skipped: not today",
        ),
        (
            "@pytest.mark.xfail\ndef test_it(run):\n    assert 0\n",
            "INCONCLUSIVE",
            "the check was skipped without a verdict: assert 0",
        ),
        (
            "@pytest.fixture\ndef data():\n    raise OSError('gone')\n\ndef test_it(run, data):\n    pass\n",
            "ERROR",
            "the check broke: OSError: gone",
        ),
        (
            "@pytest.fixture\ndef data():\n    yield\n    raise OSError('gone')\n\n"
            "def test_it(request, run, data):\n    tell(request, run, 'it')\n",
            "ERROR",
            "the check broke while cleaning up: OSError: gone",
        ),
        (
            "def test_it(request, run):\n    tell(request, run, 'it')\n    1 / 0\n",
            "ERROR",
            "the check broke: ZeroDivisionError: division by zero",
        ),
    ],
    ids=["raises", "silent", "skips", "xfails", "setup", "teardown", "after"],
)
def test_a_broken_check_is_never_a_pass(
    suite: Any, pytester: pytest.Pytester, code: str, verdict: str, reason: str
) -> None:
    result = suite("--run-id", "r", code=code, learning=HEALTHY, stability={"it": "PASS"})
    assert _said(pytester)["stability.it"] == (verdict, reason)
    assert result.ret == {"ERROR": 11, "INCONCLUSIVE": 10}[verdict]


def test_a_traceback_of_a_broken_check_stays_visible(suite: Any) -> None:
    result = suite("--run-id", "r", code="def test_it(run):\n    {}['x']\n", learning={"reward": "FAIL"})
    text = result.stdout.str()
    result.stdout.fnmatch_lines(["*checks/stability/test_stability.py::test_it*", ">*{}[[]'x'[]]", "E*KeyError: 'x'"])
    assert "FAILURES" not in text
    assert "short test summary" not in text
    asked = suite("--run-id", "r", "--tb=short", code="def test_it(run):\n    {}['x']\n", learning={"reward": "FAIL"})
    assert asked.stdout.str().count("E   KeyError: 'x'") == 1
    asked.stdout.fnmatch_lines(["*= FAILURES =*"])


def test_a_check_that_cannot_be_collected(suite: Any, pytester: pytest.Pytester) -> None:
    code = "import no_such_module\n"
    result = suite("--run-id", "r", code=code, learning=HEALTHY)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert _verdict(pytester)["verdict"] == "ERROR"
    assert _verdict(pytester)["exit_status"] == 2
    result.stdout.fnmatch_lines(["*No module named 'no_such_module'", "gate: ERROR (exit 2: interrupted)*"])
    result = suite("--run-id", "r", "--continue-on-collection-errors", code=code, learning=HEALTHY)
    assert result.ret == 11


def test_a_worker_that_dies(suite: Any, pytester: pytest.Pytester) -> None:
    said = {"good": "PASS", "killer": {"verdict": "PASS", "crash": True}, "late": "PASS"}
    result = suite("--run-id", "r", "-n", "2", learning=HEALTHY, stability=said)
    assert result.ret == 11
    verdict, reason = _said(pytester)["stability.killer"]
    assert verdict == "ERROR"
    assert reason.startswith("the check broke: worker 'gw")
    assert _said(pytester)["stability.late"][0] == "PASS"
    page = (pytester.path / "reports/out/r/report.html").read_text()
    assert "<strong>stability.<wbr>killer</strong> the check broke: worker " in page


def test_all_workers_dead(suite: Any, pytester: pytest.Pytester) -> None:
    said = {"killer": {"verdict": "PASS", "crash": True}, **{f"late{i}": "PASS" for i in range(4)}}
    result = suite("--run-id", "r", "-n", "1", "--max-worker-restart", "0", stability=said)
    assert result.ret not in (0, 1)
    assert _verdict(pytester)["verdict"] == "ERROR"
    missing = "stability.late0, stability.late1, stability.late2 and 1 more were not selected or did not run"
    assert f"not all criteria were judged: {missing}; " in _verdict(pytester)["reason"]


def test_stopping_early_is_inconclusive(suite: Any, pytester: pytest.Pytester) -> None:
    """A criterion that blocks nothing stops the session under -x: what was not reached must still block."""
    said = {"first": {"verdict": "INCONCLUSIVE", "required": False}, "second": "PASS"}
    result = suite("--run-id", "r", "-x", learning=HEALTHY, stability=said)
    assert result.ret == 10
    assert _verdict(pytester)["verdict"] == "INCONCLUSIVE"
    assert _verdict(pytester)["reason"].startswith(f"{NOT_ALL}; ")


def test_stopping_early_on_a_failure_fails(suite: Any, pytester: pytest.Pytester) -> None:
    result = suite("--run-id", "r", "-x", learning=HEALTHY, stability={"first": "FAIL", "second": "PASS"})
    assert result.ret == 1
    assert _verdict(pytester)["reason"].startswith(f"{NOT_ALL}; 1 of 2 ")


def test_stopping_early_under_xdist_is_no_pass(suite: Any, pytester: pytest.Pytester) -> None:
    said = {f"check{i}": {"verdict": "INCONCLUSIVE", "required": False} for i in range(12)}
    result = suite("--run-id", "r", "-x", "-n", "1", learning=HEALTHY, stability=said)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert _verdict(pytester)["verdict"] == "INCONCLUSIVE"


ONE = "checks/stability/test_stability.py::test_first[r]"


@pytest.mark.parametrize(
    "selection",
    [("-k", "reward or first"), ("-k", "reward or first", "-n", "1"), ("--deselect", ONE.replace("first", "second"))],
    ids=["k", "xdist", "deselect"],
)
def test_a_part_of_the_criteria_is_no_gate(suite: Any, pytester: pytest.Pytester, selection: tuple[str, ...]) -> None:
    said = {"first": "PASS", "second": "FAIL"}
    assert suite("--run-id", "r", *selection, learning=HEALTHY, stability=said).ret == 10
    assert _verdict(pytester)["verdict"] == "INCONCLUSIVE"
    assert _verdict(pytester)["reason"].startswith(f"{NOT_ALL}; 2 of 2 criteria ")


def test_a_path_is_no_gate(suite: Any, pytester: pytest.Pytester) -> None:
    assert suite("--run-id", "r", learning=HEALTHY, stability={"second": "PASS"}).ret == 0
    result = pytester.runpytest_inprocess("--run-id", "r", "checks/learning")
    assert result.ret == 10
    assert _verdict(pytester)["reason"].startswith(f"{NOT_ALL}; ")


def test_every_run_needs_all_criteria(suite: Any, pytester: pytest.Pytester) -> None:
    by_run = {run: {"learning": HEALTHY, "stability": {"second": "PASS"}} for run in ("a", "b")}
    deselected = "checks/stability/test_stability.py::test_second[b]"
    result = suite("--run-id", "a", "--run-id", "b", "--deselect", deselected, by_run=by_run)
    assert result.ret == 10
    assert _verdict(pytester, "a")["verdict"] == "PASS"
    assert _verdict(pytester, "b")["reason"].startswith(f"{NOT_ALL}; ")


def test_tests_that_are_no_checks_count_for_nothing(suite: Any, pytester: pytest.Pytester) -> None:
    pytester.mkdir("tests").joinpath("test_own.py").write_text("def test_fine(): pass\n\ndef test_bad(): assert 0\n")
    result = suite("--run-id", "r", "tests", learning=HEALTHY)
    assert list(_said(pytester)) == ["learning.reward"]
    assert result.ret == 0
    result.assert_outcomes(passed=2, failed=1)


def test_nothing_selected_stays_pytests_own(suite: Any, pytester: pytest.Pytester) -> None:
    result = suite("--run-id", "r", "-k", "nothing", learning=HEALTHY)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert _verdict(pytester)["verdict"] == "INCONCLUSIVE"
    assert "learning.reward was not selected or did not run" in _verdict(pytester)["reason"]


def test_interrupted(suite: Any, pytester: pytest.Pytester) -> None:
    code = "def test_it(run):\n    raise KeyboardInterrupt\n"
    said = {"learning": HEALTHY, "stability": {"it": "PASS"}}
    assert suite("--run-id", "r", code=code, process=True, **said).ret == pytest.ExitCode.INTERRUPTED
    assert _verdict(pytester)["verdict"] == "INCONCLUSIVE"
    code = "def test_it(run):\n    pytest.exit('enough', returncode=0)\n"
    assert suite("--run-id", "r", code=code, **said).ret == 10


def test_only_collecting_judges_nothing(suite: Any, pytester: pytest.Pytester) -> None:
    result = suite("--run-id", "r", "--collect-only", learning=HEALTHY)
    assert result.ret == 0
    assert "training health" not in result.stdout.str()
