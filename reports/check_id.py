"""What a test's node id says of the criterion and the runs it belongs to, where the test itself said nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_NODE_ID = re.compile(
    r"(?P<path>[^:]+)(?:::(?:[^\[]*::)?(?P<test>[^\[@]+)(?:\[(?P<parameter>.*)\])?(?:@.*)?)?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class CheckId:
    """``checks/stability/test_kl.py::test_kl_level[3fk2x9]``, a ``@group`` of pytest-xdist behind it or not."""

    criterion: str
    parameter: str

    @classmethod
    def parse(cls, nodeid: str) -> CheckId:
        match = _NODE_ID.fullmatch(nodeid)
        if match is None:
            return cls(nodeid, "")
        path = PurePosixPath(match["path"])
        area, parameter = path.parent.name or path.stem, match["parameter"] or ""
        # A test that serves many criteria (checks/custom) has the criterion among its parameters.
        if named := re.search(rf"(?:^|-)({re.escape(area)}\.\w+)(?:-|$)", parameter):
            return cls(named[1], parameter)
        return cls(f"{area}.{(match['test'] or path.stem).removeprefix('test_')}", parameter)

    def runs(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The one of `known` that the test was called for; all of them where the id does not tell."""
        return max(((run,) for run in known if self._names(run)), key=lambda one: len(one[0]), default=known)

    def _names(self, run: str) -> bool:
        """Other parameters may stand before or behind the run, joined by dashes as pytest does."""
        escaped = run.encode("unicode_escape").decode("ascii")  # as pytest writes it into ids
        return any(f"-{name}-" in f"-{self.parameter}-" for name in (run, escaped))
