"""Where a value was written, and what a misspelt name may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from trainhealth.errors import ThresholdsError


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a thresholds file, in one of its profiles, or an option of the command line.

    ``file`` is the file's name as a person would recognise it, or the option as it was typed (then ``line`` is 0).
    """

    file: str
    line: int = 0
    profile: str = ""

    @property
    def where(self) -> str:
        """What an error begins with: ``thresholds.yaml:41``, or the option."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def error(self, text: str) -> ThresholdsError:
        return ThresholdsError(f"{self.where}: {text}".replace("\n", "\\n"))

    def check_name(self, name: str, known: Collection[str], place: str, kind: str) -> None:
        """Raise unless `name`, a reference to a `kind` of thing that is written at `place`, is known."""
        if name not in known:
            listed = ", ".join(known) or "none"
            raise self.error(f"{place}: there is no {kind} '{name}'{did_you_mean(name, known)} (known: {listed})")

    def __str__(self) -> str:
        if not self.line:
            return "--set on the command line"
        return f"profile {self.profile} ({self.where})" if self.profile else self.where


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no option comes near."""
    near = nearest(word, options)
    return f"; did you mean '{near}'?" if near else ""


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option most like `word`, or None."""
    matches = difflib.get_close_matches(word, list(options), n=1)
    return matches[0] if matches else None
