"""Training metrics of a scenario, one value a step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulation.scenario import Collapse, Scenario

Floats = npt.NDArray[np.float64]


def ar1(rng: np.random.Generator, length: int, phi: float = 0.7) -> Floats:
    """First-order autoregressive noise of mean 0 and standard deviation 1: x[t] = phi x[t-1] + e[t]."""
    shocks = rng.standard_normal(length)
    noise = np.empty(length)
    noise[0] = shocks[0]
    for t in range(1, length):
        noise[t] = phi * noise[t - 1] + np.sqrt(1 - phi**2) * shocks[t]
    return noise


def training_metrics(scenario: Scenario) -> dict[str, Floats]:
    """Metric name -> one value a step, under the names of the diplomacy-v2 trainer; without times."""
    rng = np.random.default_rng([scenario.seed, 1])
    n = scenario.steps
    t = np.arange(n, dtype=np.float64)

    def noise(phi: float = 0.7) -> Floats:
        return ar1(rng, n, phi)

    first, early, final = scenario.reward_at
    reward = np.where(t < 8, first + (early - first) * t / 8, final + (early - final) * np.exp(-(t - 8) / 60))
    kl = (0.0005 + 0.031 * (1 - np.exp(-t / 45))) * np.exp(0.15 * noise())
    warmup = max(scenario.kl_warmup_steps, 1)
    beta = scenario.kl_beta * np.minimum(1.0, (t + 1) / warmup)
    metrics = {
        "kl/mean": kl,
        "kl/max": 3 * kl * np.exp(0.2 * noise(0.2)),
        "kl/beta": beta,
        "benchmark/loss": 0.004 * noise(0.3) - 0.012,
        "benchmark/grad_norm": 3.0 * np.exp(0.18 * noise()),
        "benchmark/reward_mean": reward + 0.35 * noise(),
        "benchmark/reward_std": (3.1 + 1.6 * np.exp(-t / 25)) * np.exp(0.08 * noise()),
        "policy/entropy_mean": (0.62 + 0.24 * np.exp(-t / 70)) * np.exp(0.05 * noise()),
        "ppo/clip_fraction": np.clip(0.07 + 0.02 * noise(), 0, 1),
        "ppo/ratio_mean": 1 + 0.008 * noise(0.3),
        "processing/skip_rate": np.clip(0.14 + 0.05 * noise(), 0, 1),
        "buffer/depth": np.clip(np.round(2 + 0.8 * noise()), 0, None),
        "logprob/diff_mean": 4.5e-4 * np.exp(0.2 * noise()),
        "game/avg_sc_count": 3.2 + 0.28 * reward + 0.15 * noise(),
        "game/win_bonus_rate": np.clip((reward - 7.5) / 40 + 0.02 * noise(), 0, 1),
    }
    if scenario.collapse is not None:
        _collapse(metrics, t, scenario.collapse)
    metrics["benchmark/loss"] = metrics["benchmark/loss"] + beta * metrics["kl/mean"]
    metrics["benchmark/kl"] = metrics["kl/mean"]
    return metrics


def _collapse(metrics: dict[str, Floats], t: Floats, collapse: Collapse) -> None:
    """Let the curves come apart from the onset on, in place."""
    since = np.maximum(0.0, t - collapse.onset)
    kl = metrics["kl/mean"] * np.exp(np.minimum(since * 0.24, 3.1) + since * 0.012)
    for step, value in collapse.spikes.items():
        kl[step] = value
        # The optimiser needs a few steps to come back from a spike of this size.
        if value > 1000:
            kl[step + 1 : step + 4] += value * np.array([3e-3, 1e-5, 1e-6])
    metrics["kl/max"] *= kl / metrics["kl/mean"]
    metrics["kl/mean"] = kl
    metrics["benchmark/grad_norm"] *= np.exp(since * 0.086)
    metrics["benchmark/reward_mean"] -= 8.5 * (1 - np.exp(-since / 10))
    metrics["benchmark/reward_std"] *= 0.05 + 0.95 * np.exp(-since / 12)
    metrics["policy/entropy_mean"] *= np.exp(-since / 3.2)
    metrics["ppo/clip_fraction"] = np.clip(metrics["ppo/clip_fraction"] + 0.55 * (1 - np.exp(-since / 12)), 0, 1)
    metrics["ppo/ratio_mean"] += 2.4 * (1 - np.exp(-since / 20))
    metrics["processing/skip_rate"] = np.clip(metrics["processing/skip_rate"] + 0.8 * (1 - np.exp(-since / 9)), 0, 1)
    metrics["logprob/diff_mean"] *= np.exp(since * 0.11)
    metrics["game/avg_sc_count"] -= 2.6 * (1 - np.exp(-since / 10))
    metrics["game/win_bonus_rate"] *= np.exp(-since / 10)
    for name in ("benchmark/loss", "benchmark/grad_norm"):
        metrics[name][collapse.nan_step] = np.nan
