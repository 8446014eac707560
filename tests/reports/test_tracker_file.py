"""An experiment tracker: the right entry, results between markers, every other byte as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.tracker_file import Subject, require_certain, with_results
from trainhealth.errors import DataError

RUN = Subject(
    "fobg1kbv", "grpo-20251222-191408", ("grpo-20251222-191408", "fobg1kbv"), ("- wandb: https://x/runs/fobg1kbv",)
)
OPEN, CLOSE = "<!-- trainhealth: fobg1kbv -->", "<!-- /trainhealth: fobg1kbv -->"
BLOCK = f"{OPEN}\n- **Learning signal**: positive\n{CLOSE}\n"
SAID = ["- **Learning signal**: positive"]

TRACKER = """# Experiment Tracker

## Experiment Schema

- **Status**: `planned` | `running`
- **Results**: Key findings

---

## Exp 1: League — β = 0.04

**Hypothesis**: better than grpo-20251222-191408.

**Command**:
```bash
## no heading
launch --resume-from runs/grpo-20251222-191408/adapter_v10
```

**Status**: `concluded`
- wandb: https://wandb.ai/someone/diplomacy/runs/01dp7f4x?nw=nwuser
- run name: grpo-20251218-114516

**Results**:
- reward fell 14→8

**Follow-up**: → Exp 2

---

## Exp 2: Warm-up

**Status**: `running`
- wandb: https://wandb.ai/someone/diplomacy/runs/fobg1kbv?nw=nwuser

**Results**: _pending_

**Follow-up**: none
"""


def test_the_placeholder_gives_way_to_the_results_and_nothing_else_changes() -> None:
    assert with_results(TRACKER, RUN, SAID) == TRACKER.replace("**Results**: _pending_\n", f"**Results**:\n{BLOCK}")


def test_what_was_written_by_hand_stays_above() -> None:
    subject = Subject("01dp7f4x", "grpo-20251218-114516", ("grpo-20251218-114516", "01dp7f4x"))
    block = BLOCK.replace("fobg1kbv", "01dp7f4x")
    found = with_results(TRACKER, subject, SAID)
    assert found == TRACKER.replace("- reward fell 14→8\n", f"- reward fell 14→8\n\n{block}")


def test_a_second_time_only_what_is_between_the_markers_changes() -> None:
    once = with_results(TRACKER, RUN, SAID)
    assert with_results(once, RUN, SAID) == once
    assert with_results(once, RUN, ["- other", "- words"]) == once.replace(SAID[0], "- other\n- words")


def test_windows_line_ends_stay_and_are_used() -> None:
    windows = TRACKER.replace("\n", "\r\n")
    assert with_results(windows, RUN, SAID) == with_results(TRACKER, RUN, SAID).replace("\n", "\r\n")


def test_a_run_without_an_entry_gets_the_next_number_at_the_end() -> None:
    subject = Subject("new1", "grpo-new", ("grpo-new", "new1"), ("- run name: grpo-new",))
    found = with_results(TRACKER, subject, SAID)
    added = f"\n---\n\n## Exp 3: grpo-new\n\n- run name: grpo-new\n\n**Results**:\n{BLOCK.replace('fobg1kbv', 'new1')}"
    assert found == TRACKER + added
    assert with_results(found, subject, SAID) == found


def test_a_new_entry_stands_before_what_follows_the_numbered_ones() -> None:
    notes = TRACKER + "\n---\n\n## Notes\n\n- keep\n"
    subject = Subject("new1", "grpo-new", ("grpo-new", "new1"))
    found = with_results(notes, subject, SAID)
    entry = f"## Exp 3: grpo-new\n\n**Results**:\n{BLOCK.replace('fobg1kbv', 'new1')}\n---\n\n"
    assert found == notes.replace("## Notes", f"{entry}## Notes")
    assert with_results(found, subject, SAID) == found


@pytest.mark.parametrize(
    ("names", "its"),
    [("`lr-{A-C}-1226`", True), ("lr-A-1226 and lr-C-1226", True), ("`lr-A-1226`", False), ("`lr-{X,Y}-1226`", False)],
)
def test_a_sweep_has_the_entry_that_names_its_runs(names: str, its: bool) -> None:
    tracker = f"## Exp 9: Rates\n\n**Status**: `completed`\n- Run names: {names}\n\n**Results**: _pending_\n"
    sweep = Subject("sweep/lr-", "lr- (sweep)", ("lr-A-1226", "lr-C-1226"), several=True)
    block = f"<!-- trainhealth: sweep/lr- -->\n{SAID[0]}\n<!-- /trainhealth: sweep/lr- -->\n"
    in_place = tracker.replace(" _pending_\n", f"\n{block}")
    added = f"{tracker}\n## Exp 10: lr- (sweep)\n\n**Results**:\n{block}"
    assert with_results(tracker, sweep, SAID) == (in_place if its else added)


@pytest.mark.parametrize(("name", "its"), [("lr-B-1226", True), ("lr-D-1226", False), ("lr-7", True), ("lr-12", False)])
def test_names_in_braces_are_spelt_out(name: str, its: bool) -> None:
    tracker = "## Exp 9: Rates\n\n**Status**: `completed`\n- Run names: `lr-{A-C}-1226`, `lr-{2-9}`\n"
    found = with_results(tracker, Subject("k", name, (name,)), SAID)
    assert ("## Exp 10" not in found) is its


def test_an_empty_file_becomes_a_tracker() -> None:
    assert with_results("", RUN, SAID) == (
        "# Experiment Tracker\n\n## grpo-20251222-191408\n\n- wandb: https://x/runs/fobg1kbv\n\n**Results**:\n" + BLOCK
    )


def test_a_file_without_a_last_line_end_keeps_its_last_line() -> None:
    assert with_results("## Notes\nlast words", RUN, SAID).startswith("## Notes\nlast words\n\n## grpo-")


@pytest.mark.parametrize(
    "mention",
    [
        "## Exp 7: grpo-20251222-191408",
        "## Exp 7: x\n- run name: grpo-20251222-191408",
        "## Exp 7: x\n**Run name:** `grpo-20251222-191408`",
        "## Exp 7: x\n**Status**: `completed`\n- runs: a, fobg1kbv, b",
        "## Exp 7: x\nsee https://wandb.ai/e/p/runs/fobg1kbv/overview",
    ],
)
def test_what_makes_an_entry_the_runs_own(mention: str) -> None:
    assert with_results(f"{mention}\n", RUN, SAID) == f"{mention}\n\n**Results**:\n{BLOCK}"


@pytest.mark.parametrize(
    "mention",
    [
        "## Exp 7: x\n**Hypothesis**: better than grpo-20251222-191408",
        "## Exp 7: x\n- run name: grpo-20251222-191408-b",
        "## Exp 7: x\n- run name: my-grpo-20251222-191408",
        "## Exp 7: x\n- wandb: https://wandb.ai/e/p/runs/fobg1kbv2",
        "## Exp 7: x\n```\n- run name: grpo-20251222-191408\n```",
    ],
)
def test_what_does_not(mention: str) -> None:
    assert "\n## Exp 8: grpo-20251222-191408\n" in with_results(f"{mention}\n", RUN, SAID)


def test_results_under_a_heading_of_their_own() -> None:
    before = "## fobg1kbv\n\n### Results\n\nfine\n\n### Follow-up\n\nnone\n"
    assert with_results(before, RUN, SAID) == before.replace("fine\n", f"fine\n\n{BLOCK}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## a\n- run name: fobg1kbv\n## b\n- run name: fobg1kbv\n", r"several entries.*line 1 \(a\), line 3 \(b\)"),
        (f"## a\n{OPEN}\n", "should stand once each, in this order; they are in line 2"),
        (f"{CLOSE}\n{OPEN}\n", "line 1, 2"),
        (f"{OPEN}\n{CLOSE}\n{OPEN}\n{CLOSE}\n", "line 1, 2, 3, 4"),
        ("## a\n```\nopen\n", "begins in line 2 has no end"),
    ],
)
def test_what_cannot_be_told_is_an_error(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        with_results(text, RUN, SAID)


MARKED = f"{OPEN}\nprecious\n{CLOSE}\n"


def _indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}" for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "text",
    [
        _indented(MARKED, "    "),
        f"- step\n\n{_indented(MARKED, '      ')}",
        f"```\n{MARKED}```\n",
        f"~~~ md\n```\n{MARKED}~~~\n",
        f"- step\n  ```\n{_indented(MARKED, '  ')}  ```\n",
        f"- ```\n{_indented(MARKED, '  ')}  ```\n",
        f"1. step\n\n     ```\n{_indented(MARKED, '     ')}     ```\n",
        f"- step\n      ```\n{MARKED}      ```\n",
        f"> ```\n{_indented(MARKED, '> ')}> ```\n",
        f"<pre>\n{MARKED}</pre>\n",
        f"<details><PRE class=x>\n{MARKED}</Pre>\n",
        f"<!--\n{OPEN}\nprecious\n",
        f"<pre>\n```\n</pre>\n```\n{MARKED}```\n<pre>\n```\n</pre>\n",
    ],
)
def test_markers_in_code_are_text_like_any_other(text: str) -> None:
    text = f"# Notes\n\n{text}"
    found = with_results(text, RUN, SAID)
    assert found.startswith(text)
    assert found.endswith(BLOCK)
    assert with_results(found, RUN, SAID) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"> ```\n> x\n{MARKED}", "line 1 has no end within its quote"),
        (f"- step\n  ```\n  x\n```\n{MARKED}```\n", "line 2 ends with a fence of another indentation is not certain"),
        (f"    ~~~\n```\n    ~~~\n{MARKED}```\n```\n", "line 1 ends with a fence of another indentation"),
        (f"<pre>\n{MARKED}", "<pre> that begins in line 1 has no end; close it with </pre>"),
        (f"x\n<!--\n{OPEN[:-3]}", "the comment that begins in line 2 has no end; close it with -->"),
    ],
)
def test_where_code_ends_has_to_be_certain(text: str, said: str) -> None:
    for ask in (lambda: with_results(text, RUN, SAID), lambda: require_certain(text)):
        with pytest.raises(DataError, match=re.escape(said)):
            ask()


OTHER = "<!-- trainhealth: other -->\ntheirs\n<!-- /trainhealth: other -->\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"{OPEN}\n{OTHER}{CLOSE}\n", "line 1 and 5 and that of another run in line 2"),
        (f"# T\n{OPEN}\n<!-- /trainhealth: other -->\n{CLOSE}\n", "line 2 and 4 and that of another run in line 3"),
        (OTHER.replace("theirs\n", MARKED), "line 2 and 4 and that of another run in line 1"),
    ],
)
def test_results_of_another_run_are_not_taken_away(text: str, lines: str) -> None:
    with pytest.raises(DataError, match=lines):
        with_results(text, RUN, SAID)
    beside = f"{OTHER}\n{MARKED}\n{OTHER.replace('other', 'third')}"
    assert with_results(beside, RUN, SAID) == beside.replace("precious", SAID[0])


def test_a_byte_order_mark_hides_no_entry() -> None:
    text = "\ufeff## Exp 1: fobg1kbv\n\n**Results**: _pending_\n"
    found = with_results(text, RUN, SAID)
    assert found == text.replace(" _pending_\n", f"\n{BLOCK}")
    assert with_results(found, RUN, SAID) == found


@pytest.mark.parametrize("line", ["``` a`b", "```foo``` inline", "<!-- on <pre> -->", "see `<pre>`", "a <!-- b -->"])
def test_what_only_looks_like_code_hides_no_entry(line: str) -> None:
    text = f"{line}\n## fobg1kbv\n\n**Results**: _pending_\n"
    assert with_results(text, RUN, SAID) == text.replace(" _pending_\n", f"\n{BLOCK}")


def test_a_name_cannot_end_the_comment() -> None:
    found = with_results("", Subject("a-->b\n--x", "t", ("t",)), [])
    assert "<!-- trainhealth: a-%2D%3Eb%0A-%2Dx -->" in found


@given(
    text=st.lists(
        st.sampled_from(
            [
                "a",
                "## ",
                "- ",
                "**",
                " ",
                "\t",
                "\n",
                "\r\n",
                "\r",
                "\x0c",
                "\u2028",
                "```",
                "> ",
                "    ",
                "<!--",
                "-->",
                "<pre>",
                "</pre>",
                "\ufeff",
                "é",
                "**Results**: _pending_",
            ]
        )
    ).map("".join),
    key=st.text(min_size=1, max_size=8),
)
def test_whatever_the_file_holds_other_bytes_stay_and_twice_is_once(text: str, key: str) -> None:
    subject = Subject(key, "a title", ("grpo-1",))
    try:
        once = with_results(text, subject, SAID)
    except DataError:
        return
    assert with_results(once, subject, SAID) == once
    assert with_results(once, subject, []) == once.replace(SAID[0] + "\n", "").replace(SAID[0] + "\r\n", "")
    assert once.startswith(text)


@given(st.data())
def test_results_in_an_entry_leave_its_other_lines_alone(data: st.DataObject) -> None:
    lines = st.lists(
        st.sampled_from(["", "text", "- item", "**Results**:", "**Follow-up**: x", "---", "### More", "\u2028"])
    )
    before, inside = data.draw(lines), data.draw(lines)
    text = "\n".join([*before, "## fobg1kbv", *inside, "## next", "end"])
    found = with_results(text, RUN, SAID)
    assert "".join(found.split(BLOCK)).replace("\n", "").replace("**Results**:", "") == text.replace("\n", "").replace(
        "**Results**:", ""
    )
    assert found.index("## fobg1kbv") < found.index(OPEN) < found.index("## next")
