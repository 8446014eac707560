"""A run as one of its checkpoints saw it: what came before it was saved, and every evaluation of it since."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from trainhealth.errors import UsageError
from trainhealth.ratings import MIN_POINTS, Agent, Checkpoint, Ratings, Role, agent_called, meant, role_of
from trainhealth.run import Run
from trainhealth.verdicts import Inconclusive, NotApplicable

_LISTED = 30
"""Checkpoints that a message names, the newest."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckpointRun(Run):
    """`whole` up to the step of `checkpoint`, as `at_checkpoint` cuts it; only ratings and state are those of `whole`.

    A checkpoint is rated after it was saved, so all its evaluations count; beside it those of fixed references and of
    the run's earlier checkpoints, up to its own last one. How a run ended that went on after the checkpoint was saved
    says nothing of it.
    """

    whole: Run
    checkpoint: Checkpoint

    @cached_property
    def ratings(self) -> Ratings:
        """Those up to the checkpoint's last. Raises Inconclusive also where the checkpoint is rated too seldom."""
        found = self.whole.ratings
        candidate = next((one for one in found.agents if one.name == self.checkpoint.name), None)
        if candidate is None or len(candidate.series) < MIN_POINTS:
            rated = len(candidate.series) if candidate is not None else 0
            raise Inconclusive(f"{self.checkpoint.name} is rated {rated} time(s), {MIN_POINTS} are needed")
        kept = [one for one in found.agents if one.role is not Role.CHECKPOINT or _is_before(one, candidate)]
        others = [one for one in found.agents if one not in kept and one is not candidate]
        cut = Ratings((*kept, candidate), trained=self.checkpoint.step, others=(*found.others, *others))
        return cut.until(float(candidate.series.steps[-1]))

    @cached_property
    def rated(self) -> bool:
        return self.whole.rated

    def until(self, step: float) -> Run:
        return self if step >= self.checkpoint.step else self.whole.until(step)

    def require_end(self) -> None:
        """Raises NotApplicable where the run went on."""
        if self.whole.steps.last > self.checkpoint.step:
            raise NotApplicable(
                f"the run went on to step {self.whole.steps.last:.15g} after {self.checkpoint.name} was saved: "
                "how it ended says nothing of that checkpoint"
            )


def at_checkpoint(run: Run, checkpoint: Checkpoint) -> CheckpointRun:
    """`run` as `checkpoint` saw it.

    Raises:
        Inconclusive: the run's record does not reach the checkpoint's step.
    """
    if not run.record.history.length or checkpoint.step > run.steps.last + run.steps.stride:
        raise Inconclusive(
            f"{checkpoint.name} is of step {checkpoint.step}, and the run's record ends at step {run.steps.last:.15g}"
        )
    return CheckpointRun(run.label, run.until(checkpoint.step).record, run.thresholds, whole=run, checkpoint=checkpoint)


def find_checkpoint(run: Run, given: str, names: Collection[str] = ()) -> Checkpoint:
    """The checkpoint of `run`, which is called `names`, that `given` means: an agent as it is rated, the end of its
    name, or the step it was saved at. In a run that rates no checkpoint, any name that tells a step.

    Raises:
        UsageError: there is none, or several, or its step cannot be told.
    """
    patterns, name = run.thresholds.agents, agent_called(given)
    rated = _rated(run)
    if not rated:
        known = role_of(name, patterns) if patterns is not None else None
        if name.isdecimal():
            return Checkpoint(f"step {int(name)}", int(name))
        if known is None or known[1] is None:
            raise UsageError(
                f"--checkpoint {given}: the run rates no checkpoints, and of this name the step cannot be told; "
                "give the step, or a name that fits agents.checkpoints in thresholds.yaml"
            )
        return Checkpoint(name, known[1])
    exact = [one for one in rated if one.name == name]
    by_step = [one for one in rated if name.isdecimal() and one.step == int(name)]
    ends = meant(given, [one.name for one in rated])
    found = exact or by_step or [one for one in rated if one.name in ends]
    called = tuple(f"{agent_called(one)}_" for one in names)
    found = [one for one in found if one.name.startswith(called)] or found
    if len(found) == 1:
        return found[0]
    listed = ", ".join(one.name for one in (found or rated)[-_LISTED:])
    what = "may be any of these" if found else "is no checkpoint that the run rates; these are"
    raise UsageError(f"--checkpoint {given}: {what}: {listed}")


def rated_agents(run: Run) -> list[str]:
    """Everyone whom the run rates at any time, whatever becomes of the ratings."""
    try:
        found = (run.whole if isinstance(run, CheckpointRun) else run).ratings
    except (Inconclusive, NotApplicable):
        return []
    return [one.name for one in (*found.agents, *found.others)]


def earlier(run: Run, checkpoint: Checkpoint) -> list[Checkpoint]:
    """The run's rated checkpoints that were saved before `checkpoint`, the newest first."""
    older = [one for one in _rated(run) if one.family == checkpoint.family and one.step < checkpoint.step]
    return older[::-1]


def _rated(run: Run) -> list[Checkpoint]:
    """Checkpoints that the run rates, in the order they were saved."""
    try:
        agents = run.ratings.agents
    except (Inconclusive, NotApplicable):
        return []
    return [
        Checkpoint(one.name, one.checkpoint_step)
        for one in agents
        if one.checkpoint_step is not None and len(one.series)
    ]


def _is_before(one: Agent, candidate: Agent) -> bool:
    """Whether both are checkpoints of one run, and `one` was saved earlier."""
    assert candidate.checkpoint_step is not None
    assert one.checkpoint_step is not None
    ours, theirs = Checkpoint(candidate.name, candidate.checkpoint_step), Checkpoint(one.name, one.checkpoint_step)
    return ours.family == theirs.family and theirs.step < ours.step
