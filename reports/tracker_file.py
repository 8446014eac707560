"""An experiment tracker in Markdown: finds a run's entry and keeps results between markers; all other bytes stay.

An entry is a section under a ``## `` heading, as the published guide has it. It is a run's where its heading, a link
``…/runs/<id>``, a line ``run name: …`` or its ``**Status**`` names the run; a mention in prose or in a command, such
as a run to resume from, does not make it so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from trainhealth.errors import DataError

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_FENCE = re.compile(
    r"(?P<before>([ \t]*(>|([-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*)(?P<fence>```+(?=[^`]*$)|~~~+)(?P<rest>.*)"
)
_RAW = re.compile(r"[ \t>]*(?:<[^`]*?)??(?:<!--|<(?P<tag>pre|script|style|textarea)(?=[\s>]|$))", re.IGNORECASE)
_MARKER = re.compile(r"<!-- (?P<closing>/?)trainhealth: (?P<key>\S*) -->[ \t]*\r?\n?")
_FIELD = re.compile(r"\*\*(?P<name>[^*]+?):?\*\*:?")
_RUN_NAME = re.compile(r"\W*run[ _-]?(name|id)?s?\W*:", re.IGNORECASE)
_PENDING = re.compile(r"(?P<before>\*\*Results:?\*\*:?)[ \t]*_pending_[ \t]*", re.IGNORECASE)
_NUMBERED = re.compile(r"Exp(?:eriment)?\s+(\d+)", re.IGNORECASE)
_SPELT_OUT = 200
_BYTE_ORDER_MARK = "\ufeff"
_RULE = re.compile(r" {0,3}(-{3,}|\*{3,}|_{3,})\s*")


@dataclass(frozen=True, slots=True)
class Subject:
    """What results are about.

    Attributes:
        key: stands in the markers; one per run, or per sweep.
        title: heading of a new entry.
        names: what the run is called in an entry of its own: display name, run id; of a sweep, those of all its runs.
        facts: lines of Markdown that a new entry says of it, such as a link.
        several: the subject is a sweep, whose entry names two of its runs or more.
    """

    key: str
    title: str
    names: tuple[str, ...]
    facts: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class _Section:
    """Lines `start` (the heading) to `end` of a file, the end excluded."""

    title: str
    start: int
    end: int


def with_results(text: str, subject: Subject, results: Sequence[str]) -> str:
    """`text` with `results` (lines of Markdown) between the markers of `subject`, wherever they belong.

    Where the markers stand already, what lies between them is replaced. Else they go into the subject's entry, in the
    place of ``_pending_`` or below what was written by hand; else into a new entry at the end.

    Raises:
        DataError: several entries could be meant, markers are not in pairs or one pair lies within another, or where
            a code block ends is not certain.
    """
    if text.startswith(_BYTE_ORDER_MARK):
        return _BYTE_ORDER_MARK + with_results(text.removeprefix(_BYTE_ORDER_MARK), subject, results)
    lines = _lines(text)
    newline = "\r\n" if sum(line.endswith("\r\n") for line in lines) * 2 > len(lines) else "\n"
    block = [f"{line}{newline}" for line in (_opening(subject.key), *results, _closing(subject.key))]
    plain = _outside_code(lines)
    if place := _marked(lines, plain, subject.key):
        return "".join([*lines[: place[0]], *block, *lines[place[1] + 1 :]])
    if entry := _entry(lines, plain, subject):
        return _into(lines, plain, entry, block, newline)
    return _appended(lines, plain, subject, block, newline)


def require_certain(text: str) -> None:
    """Raise DataError where not even the code blocks of `text` can be told from the rest, whatever is to be written."""
    _outside_code(_lines(text))


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)  # not splitlines, for which a form feed ends a line too


def _opening(key: str) -> str:
    return f"<!-- trainhealth: {_marker(key)} -->"


def _closing(key: str) -> str:
    return f"<!-- /trainhealth: {_marker(key)} -->"


def _marker(key: str) -> str:
    """`key` as a comment can hold it: neither ``--`` nor what ends a line."""
    return re.sub(r"[^\w./:@+-]|(?<=-)-", lambda found: f"%{ord(found[0]):02X}", key)


def _outside_code(lines: Sequence[str]) -> list[bool]:
    """For each line whether it is Markdown, not part of a code block, of ``<pre>`` and its like, or of a comment.

    A block counts as code up to a fence like the one that began it; lists and quotes in which it stands are not told
    apart from other indentation, and where that matters nothing is taken for certain.

    Raises:
        DataError: a block has no end, or a fence that may or may not be its end.
    """
    plain: list[bool] = []
    block: _Fence | _Raw | None = None
    for at, line in enumerate(lines):
        if block is None:
            block = _begun(line, at)
            plain.append(block is None)
            if isinstance(block, _Raw) and block.ends(line):
                # A comment in one line, as a marker is, hides nothing; what else may begin behind it would be prose.
                plain[-1] = block.end == "-->"
                block = None
        else:
            plain.append(False)
            if block.ends(line):
                block = None
    if block is not None:
        raise DataError(f"{block.what} that begins in line {block.at + 1} has no end; close it with {block.end}")
    return plain


@dataclass(frozen=True, slots=True)
class _Fence:
    """A code block between fences that began in line `at`."""

    at: int
    before: str
    """What stands before its end: indentation, and ``>`` of a quote."""
    end: str
    what: ClassVar = "the code block"

    def ends(self, line: str) -> bool:
        if ">" in self.before and not line.lstrip().startswith(">"):
            raise DataError(f"{self.what} that begins in line {self.at + 1} has no end within its quote; close it")
        found = _FENCE.match(line.rstrip())
        if found is None:
            return False
        before = found["before"].expandtabs(4)
        ends = found["fence"].startswith(self.end) and not found["rest"]
        if not self.before:  # in no list and no quote, so that the rule is exact
            return ends and not before.strip() and len(before) <= 3
        if before == self.before:
            return ends
        raise DataError(
            f"whether {self.what} that begins in line {self.at + 1} ends with a fence of another indentation is not "
            "certain; indent its two fences alike, and those within it as they are"
        )


@dataclass(frozen=True, slots=True)
class _Raw:
    """A comment or an element whose text is shown as it is, which began in line `at`."""

    at: int
    what: str
    end: str

    def ends(self, line: str) -> bool:
        return self.end in line.casefold()


def _begun(line: str, at: int) -> _Fence | _Raw | None:
    if found := _FENCE.match(line.rstrip()):
        return _Fence(at, re.sub(r"[^>\s]", " ", found["before"]).expandtabs(4), found["fence"])
    if found := _RAW.match(line):
        tag = found["tag"]
        return _Raw(at, f"<{tag}>", f"</{tag.casefold()}>") if tag else _Raw(at, "the comment", "-->")
    return None


def _marked(lines: Sequence[str], plain: Sequence[bool], key: str) -> tuple[int, int] | None:
    """First and last line between which the results of `key` stand.

    Markers count where they begin a line, as they are written; an indented one is part of a code block or may be.
    """
    markers = [(at, found) for at, line in enumerate(lines) if plain[at] and (found := _MARKER.fullmatch(line))]
    ours = [place for place, (_, found) in enumerate(markers) if found["key"] == _marker(key)]
    if not ours:
        return None
    first, last = ours[0], ours[-1]
    if len(ours) != 2 or markers[first][1]["closing"] or not markers[last][1]["closing"]:
        where = ", ".join(str(markers[place][0] + 1) for place in ours)
        raise DataError(
            f"the markers {_opening(key)} and {_closing(key)} should stand once each, in this order; they are in "
            f"line {where}. Repair or remove them"
        )
    around = first - 1 if first and not markers[first - 1][1]["closing"] else None
    if last != first + 1 or around is not None:
        other = first + 1 if around is None else around
        raise DataError(
            f"the markers {_opening(key)} and {_closing(key)} in line {markers[first][0] + 1} and "
            f"{markers[last][0] + 1} and that of another run in line {markers[other][0] + 1} lie one within the other; "
            "move one pair, so that each ends before the next begins"
        )
    return markers[first][0], markers[last][0]


def _sections(lines: Sequence[str], plain: Sequence[bool]) -> Iterator[_Section]:
    starts = [
        (at, len(found[1]), found[2].strip())
        for at, line in enumerate(lines)
        if plain[at] and (found := _HEADING.match(line))
    ]
    for place, (start, level, title) in enumerate(starts):
        if level == 2:
            end = next((at for at, other, _ in starts[place + 1 :] if other <= 2), len(lines))
            yield _Section(title, start, end)


def _entry(lines: Sequence[str], plain: Sequence[bool], subject: Subject) -> _Section | None:
    found = [section for section in _sections(lines, plain) if _names(lines, plain, section, subject)]
    if len(found) > 1:
        where = ", ".join(f"line {one.start + 1} ({one.title})" for one in found)
        raise DataError(
            f"several entries are about {subject.title}: {where}. Put the lines {_opening(subject.key)} and "
            f"{_closing(subject.key)} into the one that is meant, each at the start of a line"
        )
    return found[0] if found else None


def _names(lines: Sequence[str], plain: Sequence[bool], section: _Section, subject: Subject) -> bool:
    names = "|".join(re.escape(name) for name in subject.names if name)
    if not names:
        return False
    named = re.compile(rf"(?<![\w.-])({names})(?![\w-]|\.\w)")
    linked = re.compile(rf"/runs/({names})(?![\w.-])")
    in_status = False
    found: set[str] = set()
    for at in range(section.start, section.end):
        line = lines[at]
        if not plain[at]:
            continue
        if field := _FIELD.match(line.lstrip("-* \t") if line.lstrip().startswith(("- ", "* ")) else line):
            in_status = field["name"].casefold() == "status"
        found.update(linked.findall(line))
        if at == section.start or in_status or _RUN_NAME.match(line):
            found.update(name for text in (line, *_spelt_out(line)) for name in named.findall(text))
    return len(found) > subject.several


def _spelt_out(line: str) -> Iterator[str]:
    """The names that ``stability-{A-C}-1226`` or ``lr-{1,2}`` stands for; only of short ranges and lists."""
    for found in re.finditer(r"([\w./-]*)\{([\w-]+(?:,[\w-]+)*)\}([\w./-]*)", line):
        before, inside, after = found.groups()
        if ends := re.fullmatch(r"([A-Za-z])-([A-Za-z])", inside):
            between = [chr(code) for code in range(ord(ends[1]), ord(ends[2]) + 1)]
        elif ends := re.fullmatch(r"(\d{1,3})-(\d{1,3})", inside):
            between = [str(number) for number in range(int(ends[1]), int(ends[2]) + 1)]
        else:
            between = inside.split(",")
        yield from (f"{before}{name}{after}" for name in between[:_SPELT_OUT])


def _into(lines: list[str], plain: Sequence[bool], entry: _Section, block: Sequence[str], newline: str) -> str:
    fields = [(at, name) for at in range(entry.start + 1, entry.end) if plain[at] and (name := _field(lines[at]))]
    at, name = next(((at, name) for at, name in fields if name == "results"), (None, ""))
    if at is not None and (pending := _PENDING.fullmatch(lines[at].rstrip("\r\n"))):
        rest = lines[at][len(lines[at].rstrip("\r\n")) :] or newline
        return "".join([*lines[:at], pending["before"] + rest, *block, *lines[at + 1 :]])
    end = entry.end if at is None else next((other for other, _ in fields if other > at), entry.end)
    while end > entry.start + 1 and (not lines[end - 1].strip() or _RULE.fullmatch(lines[end - 1].rstrip("\r\n"))):
        end -= 1
    head = lines[:end]
    if head and not head[-1].endswith("\n"):
        head[-1] += newline
    title = [] if name else [newline, f"**Results**:{newline}"]
    # A comment right below a list would be taken for a part of its last item.
    gap = [newline] if name and end > (at or 0) + 1 else []
    return "".join([*head, *title, *gap, *block, *lines[end:]])


def _field(line: str) -> str:
    """``results`` for ``**Results**: …`` and for a heading ``### Results``; nothing for another line."""
    if found := _HEADING.match(line):
        return found[2].strip().rstrip(":").casefold()
    found = _FIELD.match(line)
    return found["name"].casefold() if found else ""


def _appended(lines: list[str], plain: Sequence[bool], subject: Subject, block: Sequence[str], newline: str) -> str:
    """A new entry: behind the last numbered one, before what follows it, such as notes; else at the end."""
    numbered = [
        (section, int(found[1])) for section in _sections(lines, plain) if (found := _NUMBERED.match(section.title))
    ]
    number = f"Exp {max(number for _, number in numbered) + 1}: " if numbered else ""
    at = numbered[-1][0].end if numbered else len(lines)
    ruled = any(plain[at] and _RULE.fullmatch(line.rstrip("\r\n")) for at, line in enumerate(lines))
    said = [f"## {number}{subject.title}", "", *subject.facts, *([""] if subject.facts else []), "**Results**:"]
    entry = [*(f"{line}{newline}" for line in said), *block]
    before, after = lines[:at], lines[at:]
    if after:  # the rule that ended the last entry stands before this one, and another one ends it
        return "".join([*before, *entry, newline, *([f"---{newline}", newline] if ruled else []), *after])
    start = [] if lines else [f"# Experiment Tracker{newline}", newline]
    if lines and not lines[-1].endswith("\n"):
        start.append(newline)
    if lines and lines[-1].strip():
        start.append(newline)
    if ruled and not _RULE.fullmatch(next((line.strip() for line in reversed(lines) if line.strip()), "")):
        start += [f"---{newline}", newline]
    return "".join([*lines, *start, *entry])
