"""Do updates stay small, and on data that the policy itself made?"""

from __future__ import annotations

from trainhealth.judge import Judge
from trainhealth.levels import asynchronous, in_use, mean_of, off_ratio
from trainhealth.run import Run
from trainhealth.verdicts import NotApplicable

ONE_UPDATE = "one update for each batch, or never measured"
SAME_ENGINE = "one engine samples and trains, or never measured"
SYNCHRONOUS = "training is synchronous, or never measured"


def test_policy_kl(run: Run, criterion: Judge) -> None:
    """95th percentile of the KL of a policy before and after its update, whatever its sign; not that to a reference."""
    series = in_use(run.metric("policy_kl"), 0.0, ONE_UPDATE)
    criterion.judge(series.window(criterion.window).magnitude().statistic("p95"))


def test_clip_fraction(run: Run, criterion: Judge) -> None:
    """Mean share of tokens that PPO's clipping takes out of the update."""
    criterion.judge(mean_of(in_use(run.metric("clip_fraction"), 0.0, ONE_UPDATE).window(criterion.window)))


def test_importance_ratio(run: Run, criterion: Judge) -> None:
    """How many times too large or too small the mean importance ratio is: its median over the window."""
    series = in_use(run.metric("importance_ratio"), 1.0, ONE_UPDATE)
    criterion.judge(off_ratio(series.window(criterion.window)).median())


def test_inference_mismatch(run: Run, criterion: Judge) -> None:
    """Median KL between the policy that samples and the one that is trained, as two engines compute them."""
    if asynchronous(run):
        raise NotApplicable("training is asynchronous: stability.async_mismatch has its limits")
    series = in_use(run.metric("inference_kl"), 0.0, SAME_ENGINE)
    criterion.judge(series.window(criterion.window).magnitude().median())


def test_async_mismatch(run: Run, criterion: Judge) -> None:
    """The KL of inference_mismatch, where the policy is ahead of the one that samples, so that the two do differ."""
    if not asynchronous(run):
        raise NotApplicable("training is not known to be asynchronous: stability.inference_mismatch has its limits")
    series = in_use(run.metric("inference_kl"), 0.0, SAME_ENGINE)
    criterion.judge(series.window(criterion.window).magnitude().median())


def test_inference_logprob_gap(run: Run, criterion: Judge) -> None:
    """Median of the mean distance between the log-probabilities of the engine that samples and the one that trains."""
    if asynchronous(run):
        raise NotApplicable("training is asynchronous: what samples and what trains are different policies")
    series = in_use(run.metric("logprob_gap"), 0.0, SAME_ENGINE)
    criterion.judge(series.window(criterion.window).magnitude().median())


def test_staleness(run: Run, criterion: Judge) -> None:
    """Median number of updates that the policy is ahead of the one that made its training data."""
    criterion.judge(in_use(run.metric("staleness"), 0.0, SYNCHRONOUS).window(criterion.window).median())
