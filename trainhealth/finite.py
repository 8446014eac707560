"""Was every number a number? Sources count that for every key of a run, also for those that nothing else reads."""

from __future__ import annotations

import numpy as np

from trainhealth.measurement import Measurement, Trace
from trainhealth.run import FINITE, STEP, Run
from trainhealth.series import firsts
from trainhealth.verdicts import Inconclusive


def judged_keys(run: Run) -> list[str]:
    """Keys of the run under which any trainer logs a metric of `FINITE`, then those that `finite` counts by their name.

    Without those where NaN is usual in sound runs.
    """
    finite = run.thresholds.finite
    named = dict.fromkeys(run.keys_of(*FINITE))
    others = [key for key in run.record.history.counts if key not in named and finite.judges(key)]
    return [*(key for key in named if not finite.excuses(key)), *others]


def non_finite(run: Run) -> Measurement:
    """Number of NaN and infinite points of the metrics `FINITE`, of all else about training, and of the step counter.

    Raises Inconclusive where the run logs nothing but steps: of training, no number was seen.
    """
    metrics = judged_keys(run)
    logged = list(dict.fromkeys([*metrics, *run.keys_of(STEP)]))
    history, of_row = run.record.history, run.steps.of_row
    found = {key: history.non_finite[key] for key in logged if key in history.non_finite}
    if not metrics and not found:
        raise Inconclusive(f"the run logs none of {', '.join(FINITE)}, and nothing else that is about training")
    steps = np.array([of_row[row] for _, row in found.values()], dtype=np.float64)
    shown = [
        f"{key}: {count}, first at step {step:.15g}"
        for (key, (count, _)), step in zip(found.items(), steps, strict=True)
    ]
    return Measurement(
        float(sum(count for count, _ in found.values())),
        unit="values",
        points=sum(history.counts[key] for key in logged),
        window="whole run",
        keys=tuple(found) or tuple(logged),
        trace=Trace(steps, np.full(len(steps), np.nan), run.steps.key),
        where=firsts(zip(steps.tolist(), found, strict=True)),
        detail="; ".join(shown[:8]),
    )
