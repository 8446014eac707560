"""Sessions of the suite as users start them: a process of their own, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from synthetic import ROOT


class Session:
    """A finished session: what it printed, how it ended, and its verdicts by run."""

    columns: ClassVar = 500
    """Of its terminal."""

    def __init__(
        self, reports: Path, *arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.reports = reports
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "--report-dir", str(reports)]
        wide = {**environment, "COLUMNS": str(self.columns)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=wide, timeout=300)
        self.status, self.output = done.returncode, done.stdout + done.stderr

    def verdict(self, run: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.reports / run / "verdict.json").read_text(encoding="utf-8"))
        return document

    def of(self, run: str) -> dict[str, str]:
        """Criterion -> verdict."""
        return {one["criterion"]: one["verdict"] for one in self.verdict(run)["judgements"]}


class SoundSession(Session):
    """One that must not break, whatever it finds."""

    columns = 250

    def __init__(self, reports: Path, *arguments: str) -> None:
        super().__init__(reports, *arguments)
        assert "Traceback" not in self.output
        assert "INTERNALERROR" not in self.output
