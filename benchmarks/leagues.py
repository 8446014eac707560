"""How often is the learning verdict right? Leagues whose truth is known, through the very checks of the gate.

    python benchmarks/leagues.py                    # a few minutes on one core; --quick for a look
    python benchmarks/leagues.py --games 16 --seed 7

Rates in percent: the verdict over all learning criteria, how often the diagnosis is among the right words, and which
come up (docs/learning.md). `hand` and `first` are how often two hand-made rules call it learning: the majority of
checkpoints more than 20 Elo below its peak, and first against last ratings.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # small matrices: threads only get into each other's way
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from league.play import SCENARIOS, Scenario, Season, first_against_last, hand_rule, play  # noqa: E402

from checks.learning import test_elo  # noqa: E402
from trainhealth.judge import Judge  # noqa: E402
from trainhealth.run import Run  # noqa: E402
from trainhealth.thresholds import Thresholds, load  # noqa: E402
from trainhealth.verdicts import Inconclusive, Judgement, NotApplicable, Verdict, judge_run  # noqa: E402

CHECKS: dict[str, Callable[[Run, Judge], None]] = {
    f"learning.{name.removeprefix('test_')}": check
    for name, check in vars(test_elo).items()
    if name.startswith("test_")
}
SYSTEMS = ("elo", "trueskill")
VERDICTS = (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Cell:
    """What was said of the leagues of one scenario and length."""

    scenario: Scenario
    verdicts: Counter[str]
    words: Counter[str]
    hand: float
    first_last: float

    def __str__(self) -> str:
        count = self.verdicts.total()
        rates = " ".join(f"{100 * self.verdicts[one] / count:5.0f}" for one in VERDICTS)
        right = sum(self.words[word] for word in self.scenario.right)
        words = ", ".join(f"{word} {100 * times / count:.0f}" for word, times in self.words.most_common(4))
        return (
            f"{self.scenario.name:20}{rates}   {100 * right / count:5.0f}   {100 * self.hand:4.0f}"
            f"  {100 * self.first_last:4.0f}   {words}"
        )


def judge(run: Run) -> tuple[str, str]:
    """(the verdict over all learning criteria, the diagnosis)."""
    found = {id_: _judged(run, id_) for id_ in CHECKS}
    word = found["learning.diagnosis"].value
    return str(judge_run(run.summary(), found.values()).verdict), str(word or "undecided")


def _judged(run: Run, id_: str) -> Judgement:
    criterion = Judge(run.thresholds.criteria[id_], run.label)
    try:
        CHECKS[id_](run, criterion)
    except (Inconclusive, NotApplicable) as error:
        return criterion.undecided(error)
    assert criterion.judgement is not None
    return criterion.judgement


def cell(scenario: Scenario, season: Season, thresholds: Thresholds) -> Cell:
    said = [judge(Run(record.id, record, thresholds)) for record in season.records()]
    return Cell(
        scenario,
        Counter(verdict for verdict, _ in said),
        Counter(word for _, word in said),
        float(np.mean(hand_rule(season))),
        float(np.mean(first_against_last(season))),
    )


def table(system: str, steps: int, leagues: int, games: int, seed: int, thresholds: Thresholds) -> Iterator[str]:
    """One table: every scenario at one length."""
    yield f"\n{system}, {steps} steps, {leagues} leagues a row, {games} games an evaluation"
    yield f"{'truth':20} PASS  WARN  FAIL   INC   right   hand first   what was said"
    open_ = 0
    for index, scenario in enumerate(SCENARIOS):
        rng = np.random.default_rng([seed, steps, index, SYSTEMS.index(system)])
        season = play(scenario, steps, leagues, rng, games=games, trueskill=system == "trueskill")
        found = cell(scenario, season, thresholds)
        open_ += found.verdicts[Verdict.INCONCLUSIVE]
        yield str(found)
    yield f"INCONCLUSIVE overall: {100 * open_ / (leagues * len(SCENARIOS)):.0f}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leagues", type=int, default=200, help="leagues of each scenario and length")
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 100, 200, 400], help="lengths of the runs")
    parser.add_argument("--games", type=int, default=48, help="games of one evaluation")
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="rating systems")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20 leagues of 200 steps")
    options = parser.parse_args(arguments)
    if options.quick:
        options.leagues, options.steps = 20, [200]
    thresholds = load(ROOT / "thresholds.yaml")
    began = time.perf_counter()
    print(f"seed {options.seed}; rates in percent")
    for system in options.system:
        for steps in options.steps:
            for line in table(system, steps, options.leagues, options.games, options.seed, thresholds):
                print(line, flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
