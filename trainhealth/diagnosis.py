"""Is it learning? One word, by the decision tree of the seed project, each turn of it beyond its own uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trainhealth.history import Floats
from trainhealth.trajectory import Estimate, Strengths
from trainhealth.verdicts import Inconclusive

EXPECTED = ((0.0, 0.0, 0.0), (50.0, 20.0, 50.0), (200.0, 50.0, 100.0), (500.0, 100.0, 200.0))
"""(training steps, least, most) Elo above base_model [published guide]; straight lines between, level after that."""

LEG = 20.0
"""Elo that a rise or a fall of the policy must have to be called one [published guide: declining]."""
SURE = 2.8
"""Standard errors that it must have too: of many rises and falls the largest is looked at."""

EARLY = 100
"""Training steps before which nothing is called a plateau: a pause in early training is none."""


class State(StrEnum):
    LEARNING = "learning"
    SLOW = "slow"
    PLATEAU = "plateau"
    REGRESSION = "regression"
    INSTABILITY = "instability"
    BOTS_ONLY = "bots_only"
    POOL_DRIFT = "pool_drift"
    NO_LEARNING = "no_learning"


ACTIONS = {
    State.LEARNING: "",
    State.SLOW: "Slower than runs that learn usually are. Check learning rate and advantage scale, or train longer.",
    State.PLATEAU: "The newest checkpoints are alike. Change opponents or the learning rate, or stop here.",
    State.REGRESSION: "Recent training made it worse. Promote the best checkpoint; check KL and learning rate.",
    State.INSTABILITY: "The policy swings. Lower the learning rate; raise the KL weight; take larger batches.",
    State.BOTS_ONLY: "It exploits the bots and does not beat its peers. Give peers a larger share in matchmaking.",
    State.POOL_DRIFT: "All ratings move together, nobody got better. Check what rating new checkpoints start with.",
    State.NO_LEARNING: "No version is better than base_model. Check reward sign and scale, learning rate, KL weight.",
}


def expected_gain(steps: float) -> tuple[float, float]:
    """(least, most) Elo above base_model that training for `steps` steps usually brings."""
    at, least, most = zip(*EXPECTED, strict=True)
    return float(np.interp(steps, at, least)), float(np.interp(steps, at, most))


@dataclass(frozen=True, slots=True)
class Leg:
    """A sure rise or fall of the policy between two versions; indices into the path, 0 is base_model."""

    start: int
    end: int
    change: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A state, and what it rests on.

    Attributes:
        gain: of the newest checkpoint over base_model.
        recent: of the newest checkpoint over the policy half-way through its training.
        fall: of the newest checkpoint below the best version.
        expected: the least that is usual for as many steps.
        bots_lost: Elo that a bot lost against base_model over the run.
        drift: Elo that base_model and the bots moved by together.
        legs: sure rises and falls, in their order.
    """

    state: State
    gain: Estimate
    recent: Estimate
    fall: Estimate
    expected: float
    bots_lost: Estimate
    drift: Estimate
    legs: tuple[Leg, ...]

    @property
    def action(self) -> str:
        return ACTIONS[self.state]

    @property
    def table(self) -> tuple[dict[str, object], ...]:
        """What it rests on, for reports."""
        estimates = {
            "newest checkpoint over base_model": self.gain,
            "newest checkpoint over the half-way version": self.recent,
            "best version over the newest checkpoint": self.fall,
            "a bot's loss against base_model": self.bots_lost,
            "references' common drift": self.drift,
        }
        return tuple(
            {"effect": name, "Elo": one.value, "low": one.low, "high": one.high} for name, one in estimates.items()
        )

    def __str__(self) -> str:
        swings = ", ".join(f"{leg.change:+.0f}" for leg in self.legs)
        shown = f"newest checkpoint {self.gain} over base_model, {self.recent} since half-way"
        return f"{shown}; sure rises and falls: {swings or 'none'}; at least {self.expected:.0f} Elo are usual"


def diagnose(found: Strengths, drift: Estimate) -> Diagnosis:
    """What `found` says of a run whose references' ratings moved by `drift` on average.

    Raises:
        Inconclusive: neither a gain nor its absence is sure.
    """
    trained = float(found.saved[-1])
    expected = expected_gain(trained)[0]
    path = found.path
    gain = Estimate.of(path[:, -1])
    recent = Estimate.of(found.recent)
    fall = Estimate.of(found.fall)
    bots = Estimate.of(found.bots_lost)
    legs = sure_legs(path)
    # Whether it fell, or gained less than usual, are questions of one side: 95 % there.
    fell = float(np.quantile(found.fall, 0.05))
    below = float(np.quantile(path[:, -1], 0.95)) < expected
    if len(legs) >= 3 or [leg.change > 0 for leg in legs] == [False, True]:
        state = State.INSTABILITY
    elif (legs and legs[-1].change < 0) or (fell > 0 and fall.value > LEG):
        state = State.REGRESSION
    elif gain.low > 0:
        slackens = path[:, -1] - 2 * found.recent  # the first half's gain less the second's
        if trained >= EARLY and recent.low < 0 < float(np.quantile(slackens, 0.05)):
            state = State.PLATEAU
        else:
            state = State.SLOW if below else State.LEARNING
    elif below:
        state = State.NO_LEARNING
        if bots.low > 0:
            state = State.BOTS_ONLY
        elif drift.low > 0 or drift.high < 0:
            state = State.POOL_DRIFT
    else:
        raise Inconclusive(
            f"the policy gained {gain} over base_model: neither that it learned nor that it gained less than the "
            f"{expected:.0f} Elo usual for {trained:.0f} steps is sure; more evaluations, or more games in each, decide"
        )
    return Diagnosis(state, gain, recent, fall, expected, bots, drift, legs)


def sure_legs(path: Floats) -> tuple[Leg, ...]:
    """Rises and falls along `path` (draws, versions), each larger than `LEG` and than `SURE` of its standard error.

    The mean path is followed from extreme to extreme: a turn counts once the way back from the extreme is sure.
    """
    mean = path.mean(axis=0)
    legs: list[Leg] = []
    start = 0  # where the present leg began
    extreme = 0  # the farthest version of the present leg
    lowest = highest = 0
    rising: bool | None = None
    for at in range(1, len(mean)):
        if rising is None:
            lowest = at if mean[at] < mean[lowest] else lowest
            highest = at if mean[at] > mean[highest] else highest
            for begin, up in ((lowest, True), (highest, False)):
                if begin < at and _sure(path, begin, at, up):
                    rising, start, extreme = up, begin, at
            continue
        if (mean[at] > mean[extreme]) == rising:
            extreme = at
        elif _sure(path, extreme, at, not rising):
            legs.append(Leg(start, extreme, float(mean[extreme] - mean[start])))
            rising, start, extreme = not rising, extreme, at
    if rising is not None:
        legs.append(Leg(start, extreme, float(mean[extreme] - mean[start])))
    return tuple(legs)


def _sure(path: Floats, start: int, end: int, up: bool) -> bool:
    change = path[:, end] - path[:, start] if up else path[:, start] - path[:, end]
    mean, error = float(change.mean()), float(change.std())
    return mean > LEG and mean > SURE * error
