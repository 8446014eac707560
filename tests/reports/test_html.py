"""The HTML report, read by a parser: the page itself, and the rows that its script inserts as HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.markup import linked
from reports.paths import safe_folder
from trainhealth.verdicts import RunSummary

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'></td></tr></table>`${1}` &lt;b&gt; \x1b[31m\u202e"
TAGS_OF_OURS = {
    "b", "dd", "details", "div", "dl", "dt", "h3", "h4", "li", "meta", "noscript", "p", "pre", "section", "span",
    "strong", "style", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul", "wbr",
}  # fmt: skip


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.blob: dict[str, Any] = {}
        self.title = ""
        self.feed(text)
        self.close()
        self.title = self.title.strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs if name != "data-jsonblob"]
        for name, value in attrs:
            if name == "data-jsonblob" and "test_data" not in (value or ""):  # not in pytest-html's bare template
                self.blob = json.loads(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.tags[-1:] == ["title"]:
            self.title += data

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for rows in self.blob["tests"].values() for row in rows]

    @property
    def inserted(self) -> _Page:
        """All that the page's script sets as HTML."""
        return _Page("\n".join("".join([*row["resultsTableRow"], row["log"]]) for row in self.rows))


def _read(pytester: pytest.Pytester, path: str = "reports/out/r/report.html") -> _Page:
    return _Page((pytester.path / path).read_text(encoding="utf-8"))


def test_rows(suite: Any, pytester: pytest.Pytester) -> None:
    said = {
        "verdict": "FAIL", "value_text": "0.31", "limit": "> 0.2", "limit_origin": "thresholds.yaml:14", "points": 1,
        "window": "tail", "worst_at": 480.0, "worst_value": 0.92, "action": "Raise kl_beta", "keys": ["kl/mean"],
        "table": [{"step": 480, "kl": 0.92}, {"step": 481}],
    }  # fmt: skip
    suite(
        "--run-id", "r", stability={"kl": said}, learning={"reward": "PASS"}, runs=(RunSummary(run="r", name="grpo"),)
    )
    page = _read(pytester)
    assert page.title == "grpo: FAIL"
    failed = next(row for row in page.rows if row["testId"] == "stability.<wbr>kl")
    cells = _Page("".join(failed["resultsTableRow"]).replace("<wbr>", ""))
    assert cells.text == ["Failed", "FAIL", "stability.kl", "r", "0.31", "> 0.2 (thresholds.yaml:14)", "tail, 1 point",
                          "480: 0.92", "Raise kl_beta"]  # fmt: skip
    assert failed["result"] == "Failed"
    assert [text for text in _Page(failed["log"]).text if text[:1].isdigit()] == ["480", "0.92", "481"]
    head = page.tags[page.tags.index("thead", len(page.tags) - page.tags[::-1].index("thead") - 1) :]
    assert cells.tags.count("td") == head.count("th")


def test_a_place_on_the_web_is_a_link_and_nothing_else_is() -> None:
    assert linked("a <b> · https://wandb.ai/me/p/runs/x1 · finished") == (
        'a &lt;b&gt; · <a href="https://wandb.ai/me/p/runs/x1" rel="noopener noreferrer">https://wandb.ai/me/p/runs/x1</a>'
        " · finished"
    )
    for evil in (
        'https://x.io/"onclick=alert(1)',
        "https://x.io/'><script>",
        "javascript:alert(1)",
        "data:text/html,x",
    ):
        page = _Page(linked(evil))
        assert set(page.tags) <= {"a"}
        assert {name for name, _ in page.attributes} <= {"href", "rel"}
        assert all(value.startswith("https://x.io/") for name, value in page.attributes if name == "href")


def test_config_and_coverage_stand_in_the_dossier(suite: Any, pytester: pytest.Pytester) -> None:
    summary = RunSummary(run="r", config={"lr": "1e-6", EVIL: EVIL}, recognised={"kl": "kl/mean"})
    suite("--run-id", "r", stability={"a": "PASS", "b": "INCONCLUSIVE"}, learning={"c": "PASS"}, runs=(summary,))
    page = _read(pytester)
    text = "|".join(page.text)
    for shown in ("Configuration (2)|", "lr|1e-6", "kl|kl/mean", "stability|1 of 2|b", "learning|1 of 1"):
        assert shown in text
    assert "onerror" not in dict(page.attributes)


def test_rows_weigh_little_and_say_the_same(suite: Any, pytester: pytest.Pytester) -> None:
    said = {"verdict": "FAIL", "reason": 'it\'s "quoted" & <b>', "detail": "&#39; &amp; ' \" \u2028"}
    suite("--run-id", "r", stability={"kl": said})
    text = (pytester.path / "reports/out/r/report.html").read_text(encoding="utf-8")
    assert "data-jsonblob='{" in text
    assert "&#34;" not in text
    assert 'it\'s "quoted" & <b>' in "".join(_read(pytester).inserted.text)


def test_worst_rows_sort_first(suite: Any, pytester: pytest.Pytester) -> None:
    verdicts = ["PASS", "WAIVED", "FAIL", "NOT_APPLICABLE", "WARN", "ERROR", "INCONCLUSIVE"]
    suite("--run-id", "r", stability={f"c{i}": verdict for i, verdict in enumerate(verdicts)})
    page = _read(pytester)
    assert page.blob["initialSort"] == "verdict"
    ordered = sorted(page.rows, key=lambda row: row["verdict"])
    assert ["".join(_Page(row["verdict"]).text) for row in ordered] == [
        "FAIL", "ERROR", "INCONCLUSIVE", "WARN", "WAIVED", "PASS", "NOT APPLICABLE",
    ]  # fmt: skip


def test_the_order_is_that_of_verdict_json(suite: Any, pytester: pytest.Pytester) -> None:
    suite(
        "--run-id", "r", learning={"a": "FAIL"}, performance={"a": "FAIL"}, custom={"a": "FAIL"},
        stability={"a": "FAIL", "non_finite_values": "FAIL"}, integrity={"completion": "FAIL", "run_state": "FAIL"},
    )  # fmt: skip
    expected = [
        "integrity.run_state", "stability.non_finite_values", "integrity.completion", "stability.a", "learning.a",
        "performance.a", "custom.a",
    ]  # fmt: skip
    rows = sorted(_read(pytester).rows, key=lambda row: row["verdict"])
    assert [row["testId"].replace("<wbr>", "") for row in rows] == expected
    verdict = json.loads((pytester.path / "reports/out/r/verdict.json").read_text(encoding="utf-8"))
    assert [one["criterion"] for one in verdict["judgements"]] == expected


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_nothing_from_a_run_becomes_an_element(
    suite: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("BUILD_URL", "https://ci.invalid/secret")
    text_fields = ("reason", "value_text", "limit", "limit_origin", "window", "action", "source", "detail", "waiver")
    said = {
        **dict.fromkeys(text_fields, EVIL), "keys": [EVIL], "warn": [EVIL], "fail": [EVIL], "value": EVIL,
        "table": [{EVIL: EVIL, "n": float("nan")}],
    }  # fmt: skip
    summary = RunSummary(run="r", name=EVIL, state=EVIL, source=EVIL, project=EVIL, notes=(EVIL,))
    code = f"def test_bug(run):\n    print({EVIL!r})\n    raise ValueError({EVIL!r})\n"
    verdicts = ("PASS", "WARN", "FAIL", "INCONCLUSIVE", "ERROR", "NOT_APPLICABLE", "WAIVED")
    suite(
        "--run-id", "r", *workers, code=code, runs=(summary,),
        stability={f"c{i}": {**said, "verdict": verdict} for i, verdict in enumerate(verdicts)},
    )  # fmt: skip
    page = _read(pytester)
    assert page.tags.count("script") == 2  # pytest-html's and ours
    assert page.title.startswith("<script>alert(1)</script>")
    empty = _Page(Path(_template()).read_text(encoding="utf-8"))
    assert set(page.tags) <= set(empty.tags) | TAGS_OF_OURS
    assert set(page.inserted.tags) <= TAGS_OF_OURS
    assert len(page.rows) == 8
    for found in (page, page.inserted):
        assert not [name for name, value in found.attributes if name == "onerror" or "alert" in value]
        assert "<script>alert(1)</script>" in "".join(found.text)
    assert set(page.blob["environment"]) == {"Python", "trainhealth", "pytest"}


def _template() -> str:
    pytest_html = pytest.importorskip("pytest_html")
    return str(Path(pytest_html.__file__).parent / "resources" / "index.jinja2")


def test_odd_run_id_stays_inside_the_report_folder(suite: Any, pytester: pytest.Pytester) -> None:
    run = "../../<b>x</b>"
    suite("--run-id", run, learning={"reward": "PASS"})
    [folder] = (pytester.path / "reports/out").iterdir()
    assert folder.name == safe_folder(run)
    page = _read(pytester, f"reports/out/{folder.name}/report.html")
    assert page.inserted.tags.count("b") == 1  # the badge of the verdict
    assert run in page.inserted.text


def test_several_runs_share_a_page(suite: Any, pytester: pytest.Pytester) -> None:
    by_run = {"a": {"learning": {"reward": "PASS"}}, "b": {"learning": {"reward": "WARN"}}}
    suite("--run-id", "a", "--run-id", "b", by_run=by_run)
    page = _read(pytester, "reports/out/report.html")
    assert page.title == "2 runs: WARN"
    assert page.tags.count("section") == 2


def test_the_users_own_path_wins(suite: Any, pytester: pytest.Pytester) -> None:
    result = suite("--run-id", "r", "--html", "mine/page.html", "--self-contained-html", learning={"reward": "PASS"})
    assert _read(pytester, "mine/page.html").title == "r: PASS"
    assert not (pytester.path / "reports/out/r/report.html").exists()
    result.stdout.fnmatch_lines(["gate: PASS (exit 0)  promote; mine/page.html"])


def test_report_dir(suite: Any, pytester: pytest.Pytester) -> None:
    suite("--run-id", "r", "--report-dir", "elsewhere", learning={"reward": "PASS"})
    assert {path.name for path in (pytester.path / "elsewhere/r").iterdir()} == {"report.html", "verdict.json"}
    assert not (pytester.path / "reports").exists()


def test_without_pytest_html(suite: Any) -> None:
    result = suite("--run-id", "r", "-p", "no:html", learning={"reward": "PASS"})
    assert result.ret == 0
    result.stdout.fnmatch_lines(["gate: PASS (exit 0)  promote; reports/out/r/verdict.json"])


def test_outside_the_gate_the_page_is_pytest_htmls_own(suite: Any, pytester: pytest.Pytester) -> None:
    suite("--html", "page.html", code="def test_it(run):\n    pass\n")
    page = _read(pytester, "page.html")
    assert page.title == "page.html"
    assert "Duration" in page.text


def test_what_is_alike_is_told_once_above(suite: Any, pytester: pytest.Pytester) -> None:
    absent = {"verdict": "INCONCLUSIVE", "reason": "grad_norm is not logged"}
    suite("--run-id", "r", stability={"a": absent, "b": absent, "c": "PASS"}, learning={"d": "PASS"})
    text = (pytester.path / "reports/out/r/report.html").read_text(encoding="utf-8").replace("<wbr>", "")
    dossier = text[text.index("<section") : text.index("<details")]
    assert dossier.count("grad_norm is not logged") == 1
    assert "<strong>stability.a, stability.b</strong>" in dossier
