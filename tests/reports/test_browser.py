"""The page in a real browser: sorting, filters, keys, no script, a phone, dark mode, paper, hostile names, 100 runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from trainhealth.verdicts import RunSummary

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
PATIENCE = 180.0
"""Seconds; a page takes one, a loaded machine many."""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed")

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"></td></template>"
VERDICTS = {"a": "PASS", "b": "FAIL", "c": "WARN", "d": "NOT_APPLICABLE", "e": "INCONCLUSIVE"}
ROWS = "[...document.querySelectorAll('#results-table .collapsible .col-testId')].map(cell => cell.textContent)"


def _browse(page: Path, probe: str, *options: str, frame: str = "") -> Any:
    """What `probe`, a JavaScript expression over `document`, gives once `page` has loaded.

    In a `frame` the page stands in an iframe with these attributes, and the probe looks into it from outside.
    """
    text = page.read_text(encoding="utf-8")
    say = "const out = document.createElement('output'); out.id = 'said'; out.textContent = JSON.stringify(said);"
    if frame:
        inner = json.dumps(text).replace("</", "<\\/")
        text = (
            f"<!DOCTYPE html><meta charset=utf-8><iframe id=f {frame}></iframe><script>"
            f"f.onload = () => {{ const said = ((document, window) => {probe})(f.contentDocument, f.contentWindow);"
            f"{say} document.body.append(out); }}; f.srcdoc = {inner};</script>"
        )
    else:
        script = f"<script>addEventListener('load', () => {{ const said = {probe}; {say} document.body.append(out); }})"
        at = text.rindex("</body>")
        text = f"{text[:at]}{script}</script>{text[at:]}"
    copy = page.with_name(f"probed-{page.name}")
    copy.write_text(text, encoding="utf-8")
    found = re.search(r'<output id="said">(.*?)</output>', _dumped(copy, *options), re.DOTALL)
    assert found, "the page did not come to rest"
    return json.loads(unescape(found[1]))


def _dumped(page: Path, *options: str) -> str:
    profile = page.with_name("profile")
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", *(options or ("--window-size=1300,900",)), "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=True
    ) as browser:
        try:
            return browser.communicate(timeout=PATIENCE)[0]
        finally:
            # Its helpers as well, which would outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def _showing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A browser that may not read this folder, as one from a snap, tells nothing of our pages."""
    page = tmp_path_factory.mktemp("browser") / "page.html"
    page.write_text("<!DOCTYPE html><title>t</title><script>document.title = 'it ' + 'runs'</script>", encoding="utf-8")
    if "it runs" not in _dumped(page):
        pytest.skip(f"{BROWSER} shows no page here")


@pytest.fixture
def page(suite: Any, pytester: pytest.Pytester) -> Path:
    """One run with a verdict of each kind."""
    suite("--run-id", "r", stability=VERDICTS, learning={"reward": "PASS"}, runs=(RunSummary(run="r", name="grpo"),))
    return pytester.path / "reports/out/r/report.html"


def test_worst_first_then_sorted_and_filtered(page: Path) -> None:
    said = _browse(
        page,
        f"""(() => {{
            const at = [{ROWS}];
            document.querySelector('th[data-column-type=testId]').click(); at.push({ROWS});
            document.querySelector('th[data-column-type=testId]').click(); at.push({ROWS});
            document.querySelector('input[data-test-result=passed]').click(); at.push({ROWS});
            return at;
        }})()""",
    )
    worst = ["stability.b", "stability.e", "stability.c", "stability.a", "learning.reward", "stability.d"]
    assert said[0] == worst
    assert {tuple(said[1]), tuple(said[2])} == {tuple(sorted(worst)), tuple(sorted(worst, reverse=True))}
    assert sorted(said[3]) == ["stability.b", "stability.d", "stability.e"]


def test_rows_open_and_columns_sort_by_keyboard(page: Path) -> None:
    said = _browse(
        page,
        """(() => {
            const press = (at, key) => at.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
            const shown = () => document.querySelectorAll('#results-table .extras-row:not(.hidden)').length;
            const counts = [shown()];
            const cell = document.querySelector('#results-table .passed .col-verdict');
            cell.focus(); press(cell, 'Enter'); counts.push(shown());
            const kept = document.activeElement.className;
            press(document.querySelector('th[data-column-type=testId]'), ' ');
            const sorted = document.querySelector('th[data-column-type=testId]').className;
            const boxes = [...document.querySelectorAll('.filters input')].map(box => box.ariaLabel);
            return {counts, kept, sorted, boxes, lang: document.documentElement.lang};
        })()""",
    )
    assert said["counts"][1] == said["counts"][0] + 1
    assert said["kept"] == "col-verdict"
    assert re.search("asc|desc", said["sorted"])
    assert all(said["boxes"])
    assert said["lang"] == "en"


def test_without_script_every_criterion_is_there_to_read(page: Path) -> None:
    said = _browse(
        page,
        """(() => {
            document.querySelector('details.criteria').open = true;
            const lines = [...document.querySelectorAll('details.criteria tbody tr')];
            return {lines: lines.map(line => [...line.cells].slice(0, 2).map(cell => cell.textContent)),
                    seen: lines.every(line => line.getBoundingClientRect().height > 0),
                    table: window.getComputedStyle(document.querySelector('#results-table')).display,
                    blank: document.querySelectorAll('#results-table td').length};
        })()""",
        frame='sandbox="allow-same-origin" style="width:1000px;height:800px"',
    )
    assert said["blank"] == 0  # no script ran indeed
    assert said["table"] == "none"
    assert said["seen"]
    expected = [[verdict.replace("_", " "), f"stability.{name}"] for name, verdict in VERDICTS.items()]
    assert sorted(said["lines"]) == sorted([*expected, ["PASS", "learning.reward"]])


@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_sticks_out_sideways(suite: Any, pytester: pytest.Pytester, width: int) -> None:
    said = {
        "verdict": "FAIL", "reason": "x" * 300, "value_text": "v" * 80, "limit": "> 0.2", "action": "a" * 200,
        "detail": "d" * 300, "keys": ["k" * 120], "table": [{f"column {i}": "w" * 30 for i in range(12)}],
    }  # fmt: skip
    summary = RunSummary(run="r", name="n" * 120, source="s" * 200, notes=("n" * 300,))
    suite("--run-id", "r", stability={"kl": said}, learning={"elo_gap": said}, runs=(summary,))
    extent = _browse(
        pytester.path / "reports/out/r/report.html",
        """(() => {
            for (const one of document.querySelectorAll('details')) one.open = true;
            return [document.documentElement.scrollWidth, document.documentElement.clientWidth, window.innerWidth];
        })()""",
        frame=f'sandbox="allow-same-origin allow-scripts" style="width:{width}px;height:800px;border:0"',
    )
    assert extent[2] == width
    assert extent[0] <= extent[1]


def test_dark_and_light(page: Path) -> None:
    probe = "getComputedStyle(document.body).backgroundColor"
    dark, light = (_browse(page, probe, f"--blink-settings=preferredColorScheme={scheme}") for scheme in (0, 1))
    assert (dark, light) == ("rgb(13, 17, 23)", "rgb(255, 255, 255)")


def test_paper_shows_all_criteria(page: Path) -> None:
    probe = """(() => {
        dispatchEvent(new Event('beforeprint'));
        return [...document.querySelectorAll('details.criteria')].map(one => one.open);
    })()"""
    assert _browse(page, probe) == [True]


def test_hostile_names_stay_text(suite: Any, pytester: pytest.Pytester) -> None:
    fields = ("reason", "value_text", "limit", "limit_origin", "window", "action", "source", "detail", "waiver")
    said = {**dict.fromkeys(fields, EVIL), "keys": [EVIL], "table": [{EVIL: EVIL}], "value": EVIL}
    verdicts = ("PASS", "WARN", "FAIL", "INCONCLUSIVE", "ERROR", "NOT_APPLICABLE", "WAIVED")
    summary = RunSummary(run="r", name=EVIL, state=EVIL, source=EVIL, project=EVIL, notes=(EVIL,))
    suite(
        "--run-id", "r", runs=(summary,), stability={f"c{i}": {**said, "verdict": v} for i, v in enumerate(verdicts)},
        learning={"elo_gap": {**said, "verdict": "PASS"}}, performance={
            "error_rate": {**said, "verdict": "PASS"},
            "extraction_by_power": {**said, "verdict": "PASS", "table": [{"power": EVIL, "extraction %": 50.0}]},
        },
    )  # fmt: skip
    found = _browse(
        pytester.path / "reports/out/r/report.html",
        """(() => {
            document.getElementById('show_all_details').click();
            return {title: document.title, images: document.querySelectorAll('body img').length,
                    rows: document.querySelectorAll('.collapsible').length,
                    handlers: document.querySelectorAll('[onerror]').length,
                    bars: document.querySelectorAll('rect.bar').length};
        })()""",
    )
    assert found["title"] != "owned"
    assert found["title"].startswith("<script>")
    assert found["rows"] == len(verdicts) + 3
    assert found["handlers"] == 0
    assert found["bars"] == 1


def test_a_hundred_runs(suite: Any, pytester: pytest.Pytester) -> None:
    runs = [f"run-{number:03}" for number in range(100)]
    said: dict[str, Any] = {}
    for number in range(20):
        verdict = ("PASS", "PASS", "PASS", "NOT_APPLICABLE", "FAIL")[number % 5]
        said[f"c{number:02}"] = {
            "verdict": verdict, "reason": "the value is beyond the fail limit " * 3, "value_text": "0.31 = 1.4x",
            "limit": "> 0.2", "limit_origin": "thresholds.yaml:14", "window": "last 50 steps", "points": 50,
            "action": "Raise kl_beta, or lower the learning rate." if verdict == "FAIL" else "",
            "detail": "what was seen " * 10, "source": "published guide", "keys": ["kl/mean"],
            "table": [{"step": step, "kl": 0.1 * step} for step in range(20)],
        }  # fmt: skip
    arguments = [argument for run in runs for argument in ("--run-id", run)]
    suite(*arguments, by_run={"*": {"stability": said}})
    page = pytester.path / "reports/out/report.html"
    assert page.stat().st_size < 4e6
    found = _browse(
        page,
        """({rows: document.querySelectorAll('.collapsible').length,
            dossiers: document.querySelectorAll('.dossier').length,
            lines: document.querySelectorAll('details.criteria tbody tr').length,
            note: [...document.querySelectorAll('.note')].some(one => one.textContent.includes('leaves out'))})""",
    )
    assert found == {"rows": 1600, "dossiers": 100, "lines": 400, "note": True}
