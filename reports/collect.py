"""Gathers what the checks said, on the controlling process only, and turns it into verdicts and the exit status.

Whatever a check did not say counts against its run: a broken or crashed check is an ERROR, a criterion that was not
judged, for whatever reason, leaves its run INCONCLUSIVE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest

from reports.check_id import CheckId
from reports.sweeps import AREA, SweepVerdict, call
from reports.text import plain
from trainhealth.charts import CHARTS, HISTOGRAMS, Chart, Charts, Histogram, Histograms
from trainhealth.sweeps import SWEEP, Comparison
from trainhealth.verdicts import (
    JUDGEMENT,
    REMARKS,
    RUN,
    Candidate,
    Judgement,
    Remarks,
    RunSummary,
    RunVerdict,
    Verdict,
    decision,
    exit_status,
    judge_run,
)

COLLECTOR = pytest.StashKey["Collector"]()

_Report = pytest.TestReport | pytest.CollectReport

_PYTEST_STATUS = {2: "interrupted", 3: "internal error", 4: "usage error", 5: "nothing collected"}

_STATUS: dict[Verdict, tuple[str, str, str | tuple[str, dict[str, bool]]]] = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.WARN: ("passed", "W", ("WARN", {"yellow": True})),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.INCONCLUSIVE: ("failed", "?", "INCONCLUSIVE"),
    Verdict.ERROR: ("error", "E", "ERROR"),
    Verdict.NOT_APPLICABLE: ("skipped", "-", "NOT_APPLICABLE"),
    Verdict.WAIVED: ("xfailed", "w", "WAIVED"),
}


def runs_to_judge(config: pytest.Config) -> tuple[str, ...]:
    """The runs of ``--run-id``; none where this session judges no run and pytest is to behave as ever.

    What is given may be a path or a list; where it has been resolved, ``config.option.run_labels`` has the names.
    """
    if config.getoption("collectonly", False):
        return ()
    runs = config.getoption("run_labels", None) or config.getoption("run_id", None)
    return tuple(dict.fromkeys(runs or ()))


def on_worker(config: pytest.Config) -> bool:
    """Whether this is a process of pytest-xdist that only runs checks."""
    return hasattr(config, "workerinput")


def verdicts(config: pytest.Config) -> list[RunVerdict]:
    """The gate's word on every run, worst first; empty where no run is judged."""
    collector = config.stash.get(COLLECTOR, None)
    return collector.verdicts() if collector else []


class Collector:
    """The judgements and runs of one session."""

    def __init__(self, config: pytest.Config, runs: tuple[str, ...]) -> None:
        self.exit_status = 0
        self.shortfall = ""
        """Why a session does not end with 0 whose runs may be promoted: what did not get to those who wait for it."""
        self.tracebacks: dict[str, str] = {}
        """Of checks that broke or could not be collected, by node id: mistakes in this project, not in a run."""
        self._config = config
        self._runs = runs
        self._summaries: dict[str, RunSummary] = {}
        self._charts: dict[str, Charts] = {}
        self._remarks: dict[str, tuple[str, ...]] = {}
        self._histograms: dict[str, Histograms] = {}
        self.rules: Sequence[str] = config.getoption("rule_notes", None) or ()
        """What makes this session stricter or laxer than its limits alone; among the notes of every run as well."""
        self._waivers: Mapping[str, Sequence[tuple[str, str]]] = config.getoption("run_waivers", None) or {}
        self._judgements: dict[str, dict[tuple[str, str], Judgement]] = {}
        self._criteria: Sequence[str] = config.getoption("gate_criteria", None) or ()
        self.baseline: str | None = config.getoption("baseline_label", None)
        """The run that the others are compared with; it has no say in the session's end."""
        self._sweep: str = config.getoption("sweep_name", None) or ""
        self._sweep_criteria: Sequence[str] = config.getoption("sweep_criteria", None) or ()
        self._comparison: Comparison | None = None
        self._candidate: Candidate | None = None

    def sweep(self) -> SweepVerdict | None:
        """The gate's word on the runs side by side; None where there is one run only."""
        if not self._sweep:
            return None
        said = [judgement for judgement in self._said() if judgement.area == AREA]
        found = self._whole(judge_run(RunSummary(run=self._sweep, learning_off=True), said), said, self._sweep_criteria)
        return SweepVerdict(
            name=self._sweep,
            verdict=found.verdict,
            reason=found.reason,
            call=call(self._comparison, said),
            comparison=self._comparison,
            judgements=found.judgements,
        )

    def verdicts(self) -> list[RunVerdict]:
        """Of every run, worst first; the baseline of a comparison comes last."""
        said = [judgement for judgement in self._said() if judgement.area != AREA]
        runs = dict.fromkeys([*self._runs, *self._summaries, *(judgement.run for judgement in said)])
        found = [self._verdict(run, [judgement for judgement in said if judgement.run == run]) for run in runs]
        baseline = next((verdict for verdict in found if self.is_baseline(verdict)), None)
        if baseline is not None:
            anyway = bool(self._config.getoption("compare_anyway", False))
            found = [_as_baseline(one) if one is baseline else _against(one, baseline, anyway) for one in found]
        return sorted(found, key=lambda verdict: (self.is_baseline(verdict), -verdict.verdict.severity))

    def judged(self) -> list[RunVerdict]:
        """The same without the baseline."""
        return [run for run in self.verdicts() if not self.is_baseline(run)]

    def waivers(self, run: RunVerdict) -> list[str]:
        """Which failures do not count, and which waivers have nothing to waive."""
        return list(self._waived(run.summary.run, run.judgements))

    def is_baseline(self, run: RunVerdict) -> bool:
        return run.summary.run == self.baseline

    def decided(self, run: RunVerdict) -> list[str]:
        """What the gate decides of a checkpoint, and the last healthy one; of a run, nothing beside its verdict."""
        candidate, word = run.candidate, decision(self.exit_status)
        if candidate is None or word == "none":
            return []
        beside = f", against the incumbent {candidate.incumbent}" if candidate.incumbent else ""
        said = f"{word} {candidate.name}, of step {candidate.step}{beside}"
        return [plain(text) for text in (said, str(candidate)) if text]

    @property
    def gate(self) -> str:
        """``gate: PASS (exit 0)``, with why where the verdicts alone do not say it."""
        verdict, status = self.deciding()[0].verdict, self.exit_status
        reason = _PYTEST_STATUS.get(status, "")
        if status == 1 and verdict is Verdict.WARN:
            reason = "a warning, and --strict"
        reason = self.shortfall or reason
        return f"gate: {verdict} (exit {status}{': ' if reason else ''}{reason})"

    def decisions(self) -> list[str]:
        """What the gate decides: of every checkpoint; in one word where none was asked for."""
        said = [text for run in self.verdicts() for text in self.decided(run)]
        word = decision(self.exit_status)
        return said or ([word] if word != "none" else [])

    def charts_of(self, run: str) -> tuple[Chart, ...]:
        """What is worth a look in a run; empty where it could not be read."""
        return self._charts[run].charts if run in self._charts else ()

    def histograms_of(self, run: str) -> tuple[Histogram, ...]:
        """What a run's events look like; empty where there are none."""
        return self._histograms[run].histograms if run in self._histograms else ()

    def deciding(self) -> list[RunVerdict | SweepVerdict]:
        """What the session's end depends on, worst first: runs and their sweep, not the baseline of a comparison."""
        sweep = self.sweep()
        return sorted([*self.judged(), *([sweep] if sweep else [])], key=lambda one: -one.verdict.severity)

    def judgements_of(self, nodeid: str) -> list[Judgement]:
        """What is known of one check, worst first."""
        return sorted(self._judgements.get(nodeid, {}).values(), key=lambda j: -j.verdict.severity)

    def fall_short(self, session: pytest.Session, why: str, status: int) -> None:
        """A verdict that may be promoted did not get where the user wanted it: `status` 11 if it may the next time.

        What only somebody's hand can mend is 10.
        """
        if self.exit_status == 0:
            session.exitstatus = self.exit_status = status
            self.shortfall = why

    def _said(self) -> list[Judgement]:
        return [judgement for of_check in self._judgements.values() for judgement in of_check.values()]

    def _verdict(self, run: str, judgements: list[Judgement]) -> RunVerdict:
        summary = self._summaries.get(run, RunSummary(run=run))
        notes = (*self._waived(run, judgements), *self.rules, *summary.notes, *self._remarks.get(run, ()))
        found = judge_run(summary.model_copy(update={"notes": notes}), judgements)
        found = self._whole(found, judgements, self._criteria)
        return found.model_copy(update={"candidate": self._candidate})

    def _waived(self, run: str, judgements: Sequence[Judgement]) -> Iterator[str]:
        waived = [one for one in judgements if one.verdict is Verdict.WAIVED]
        yield from (f"{one.criterion} failed and is {one.waiver or 'waived'}" for one in waived)
        for pattern, text in self._waivers.get(run, ()):
            if not any(fnmatchcase(one.criterion, pattern) for one in waived):
                yield f"unused: {pattern} is waived {text}, and nothing of that failed: remove the waiver"

    @staticmethod
    def _whole(found: RunVerdict, judgements: list[Judgement], criteria: Sequence[str]) -> RunVerdict:
        """What was found, and no better than INCONCLUSIVE where one of the `criteria` was not judged."""
        verdict, reasons = found.verdict, [found.reason]
        judged = {judgement.criterion for judgement in judgements}
        if missing := [criterion for criterion in criteria if criterion not in judged]:
            verdict = max(verdict, Verdict.INCONCLUSIVE, key=lambda v: v.severity)
            were = "was" if len(missing) == 1 else "were"
            reasons.insert(0, f"not all criteria were judged: {_listed(missing)} {were} not selected or did not run")
        return found.model_copy(update={"verdict": verdict, "reason": "; ".join(reasons)})

    def _keep(self, nodeid: str, judgement: Judgement) -> None:
        """The worse one stays where a check spoke more than once about the same."""
        kept = self._judgements.setdefault(nodeid, {})
        key = judgement.run, judgement.criterion
        if key not in kept or judgement.verdict.severity > kept[key].verdict.severity:
            kept[key] = judgement

    def _break(self, report: _Report, verdict: Verdict, reason: str) -> None:
        if report.failed:
            self.tracebacks.setdefault(report.nodeid, report.longreprtext)
        check = CheckId.parse(report.nodeid)
        runs = (self._sweep,) if check.criterion.startswith(f"{AREA}.") else check.runs(self._runs)
        about = list(self._judgements.get(report.nodeid, {})) or [(run, check.criterion) for run in runs]
        for run, criterion in about:
            self._keep(report.nodeid, Judgement(run=run, criterion=criterion, verdict=verdict, reason=reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not _is_check(report):
            return
        for name, value in report.user_properties:
            if name == RUN:
                summary = RunSummary.model_validate_json(str(value))
                self._summaries.setdefault(summary.run, summary)
            elif name == CHARTS:
                charts = Charts.model_validate_json(str(value))
                self._charts.setdefault(charts.run, charts)
            elif name == REMARKS:
                remarks = Remarks.model_validate_json(str(value))
                self._remarks[remarks.run] = remarks.notes
            elif name == HISTOGRAMS:
                found = Histograms.model_validate_json(str(value))
                self._histograms.setdefault(found.run, found)
            elif name == SWEEP:
                self._comparison = Comparison.model_validate_json(str(value))
        said = judgements(report)
        for judgement in said:
            self._keep(report.nodeid, judgement)
        if report.failed and report.when == "teardown":
            self._break(report, Verdict.ERROR, f"the check broke while cleaning up: {_last_words(report)}")
        elif _broke(report, said):
            self._break(report, Verdict.ERROR, f"the check broke: {_last_words(report)}")
        elif not said and report.skipped:
            self._break(report, Verdict.INCONCLUSIVE, f"the check was skipped without a verdict: {_last_words(report)}")
        elif not said and report.passed and report.when == "call":
            self._break(report, Verdict.ERROR, "the check ended without a verdict, which is a mistake in the check")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._break(report, Verdict.ERROR, f"the check could not be collected: {_last_words(report)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # What pytest itself has to say (interrupted, internal or usage error, nothing collected) comes first.
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            strict = bool(self._config.getoption("strict_gate", False))
            session.exitstatus = exit_status(self.deciding(), strict=strict)
            # What fixtures/checkpoint.py has chosen; it has the run at hand.
            candidates: Any = self._config.pluginmanager.get_plugin("trainhealth-candidates")
            if candidates is not None:
                self._candidate = candidates.candidate(int(session.exitstatus))
        self.exit_status = int(session.exitstatus)


def _against(run: RunVerdict, baseline: RunVerdict, anyway: bool) -> RunVerdict:
    """The verdict of a run that was to be compared with a baseline; one that did not pass itself is no measure."""
    name = baseline.summary.run
    if baseline.verdict in (Verdict.PASS, Verdict.WARN):
        return _noted(run, f"compared with the baseline {name} up to the last step of both")
    blocking = [judgement.criterion for judgement in baseline.judgements if judgement.blocks]
    why = f"did not pass itself ({baseline.verdict}: {_listed(blocking) if blocking else baseline.reason})"
    if anyway:
        return _noted(run, f"compared with the baseline {name} up to the last step of both, though it {why}")
    refused = f"the baseline {name} {why}, so nothing is compared with it: choose another, or give --compare-anyway"
    # A baseline that could not be read may be the next time; one that failed stays so, whoever tries again.
    refusal = Verdict.ERROR if baseline.verdict is Verdict.ERROR else Verdict.INCONCLUSIVE
    update = {
        "verdict": max(run.verdict, refusal, key=lambda v: v.severity),
        "reason": f"{refused}; {run.reason}",
        "judgements": tuple(judgement.model_copy(update={"compared": None}) for judgement in run.judgements),
    }
    return _noted(run.model_copy(update=update), f"not compared: the baseline {name} {why}")


def _as_baseline(run: RunVerdict) -> RunVerdict:
    return _noted(run, "this is the baseline (--compare): it was judged to be compared with, and decides nothing")


def _noted(run: RunVerdict, note: str) -> RunVerdict:
    summary = run.summary.model_copy(update={"notes": (*run.summary.notes, note)})
    return run.model_copy(update={"summary": summary})


def judgements(report: _Report) -> list[Judgement]:
    """What the check itself put into its report."""
    properties = getattr(report, "user_properties", ())
    return [Judgement.model_validate_json(str(value)) for name, value in properties if name == JUDGEMENT]


def _is_check(report: _Report) -> bool:
    return report.nodeid.startswith("checks/")


def _broke(report: _Report, said: list[Judgement]) -> bool:
    """Whether the check failed for another reason than its judgement."""
    failing = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR)
    return report.failed and not any(judgement.verdict in failing for judgement in said)


def _last_words(report: _Report) -> str:
    """The message of an exception without its traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return plain(crash.message)
    if isinstance(report.longrepr, tuple):
        return plain(report.longrepr[2])
    lines = report.longreprtext.strip().splitlines()
    return plain(lines[-1].removeprefix("E ")) if lines else "no reason given"


def _listed(criteria: Sequence[str]) -> str:
    named = ", ".join(criteria[:3])
    return named if len(criteria) <= 3 else f"{named} and {len(criteria) - 3} more"


def pytest_configure(config: pytest.Config) -> None:
    if (runs := runs_to_judge(config)) and not on_worker(config):
        config.stash[COLLECTOR] = collector = Collector(config, runs)
        config.pluginmanager.register(collector, "trainhealth-collector")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: _Report, config: pytest.Config
) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
    if not runs_to_judge(config) or not _is_check(report) or (report.when != "call" and report.passed):
        return None
    said = judgements(report)
    if report.when == "teardown" or _broke(report, said):
        return _STATUS[Verdict.ERROR]
    if said:
        return _STATUS[max((judgement.verdict for judgement in said), key=lambda v: v.severity)]
    return _STATUS[Verdict.ERROR] if report.passed else None
