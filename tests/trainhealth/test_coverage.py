"""Steps and values that were due and are not there, counted by hand; and what cannot be told."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import column, run, series

from trainhealth import coverage, integrity
from trainhealth.history import Column
from trainhealth.measurement import Measurement
from trainhealth.run import Run
from trainhealth.verdicts import Inconclusive, NotApplicable


def test_missing_steps_are_counted_by_hand() -> None:
    found = coverage.missing_steps(run({"_step": column([*range(0, 40, 2), *range(60, 100, 2)])}).steps)
    assert found.value == pytest.approx(10 / 50)  # 40 to 58 are absent
    assert found.detail == "gaps: 38 to 60"


@pytest.mark.parametrize("share", [0.06, 0.25, 0.4])
def test_missing_steps_are_seen_however_many(share: float) -> None:
    kept = np.sort(np.random.default_rng(0).permutation(1000)[: int(1000 * (1 - share))])
    assert coverage.missing_steps(run({"_step": column(kept)}).steps).value == pytest.approx(share, abs=0.01)


def test_holes_in_a_metric_are_found() -> None:
    steps = run({"_step": column(range(1000))}).steps
    kept = np.sort(np.random.default_rng(0).permutation(1000)[:650])
    whole, seldom = series([1.0] * 1000), series([1.0] * 100, steps=range(0, 1000, 10))
    assert coverage.coverage(steps, [whole, seldom]).value == 1.0
    found = coverage.coverage(steps, [whole, series([1.0] * 650, steps=kept, name="kl")])
    assert found.value == pytest.approx(0.65, abs=0.01)
    assert found.detail == "kl has the most holes"
    with pytest.raises(Inconclusive, match="often enough"):
        coverage.coverage(steps, [])


def with_steps(at: npt.ArrayLike, **metrics: Column) -> Run:
    names = {"reward": "train/reward", "loss": "train/loss", "grad": "train/grad_norm", "kl": "train/kl"}
    logged = {names[name]: held for name, held in metrics.items()}
    return run({"_step": column(range(len(np.asarray(at)))), "global_step": column(at), **logged})


def held(one: Run, episodic: bool | None = True, ahead: int = 0) -> Measurement:
    judged = one.logged("reward", "kl", "grad_norm", "loss", "entropy")
    return coverage.coverage(one.steps, judged, episodic=episodic, ahead=ahead)


def ones(rows: npt.ArrayLike) -> Column:
    return column(np.ones(len(np.asarray(rows))), rows)


EPISODES = np.cumsum(np.random.default_rng(0).integers(8, 200, 400))
"""Steps at which 400 episodes of 8 to 199 steps end."""


def test_episodes_have_no_usual_distance() -> None:
    """CleanRL logs a return when an episode ends, and the update every 512 steps."""
    updates = np.arange(512, EPISODES[-1], 512)
    at = np.sort(np.concatenate([EPISODES, updates + 0.5])).round(1)
    ends, updated = np.flatnonzero(at % 1 == 0), np.flatnonzero(at % 1)
    one = with_steps(at, reward=ones(ends), loss=ones(updated), grad=ones(updated))
    with pytest.raises(NotApplicable, match="no usual distance"):
        coverage.missing_steps(one.steps)
    assert held(one).value == 1.0
    assert "when train/reward is due cannot be told" in held(one).detail
    with pytest.raises(Inconclusive, match="when train/reward is due cannot be told"):
        held(one, episodic=None)
    assert held(with_steps(EPISODES, reward=ones(range(400)))).value == 1.0  # wherever a step is
    # A NaN of the loss was dropped in an eighth of the updates; the gradient norm stands in their rows.
    holed = with_steps(at, reward=ones(ends), loss=ones(np.delete(updated, slice(9, None, 8))), grad=ones(updated))
    assert held(holed).value == pytest.approx(0.875, abs=0.01)


def test_short_episodes_look_like_missing_steps_and_are_none() -> None:
    """Of a DQN's episodes of 1 to 99 steps 62 % lasted one step: SB3 logs a row at the end of each."""
    random = np.random.default_rng(1)
    lengths = np.where(random.random(2000) < 0.62, 1, random.geometric(0.1, 2000) + 1).clip(max=99)
    at = np.cumsum(lengths)
    trained = np.flatnonzero(np.diff(at // 4, prepend=0))
    one = with_steps(at, reward=ones(range(2000)), loss=ones(trained))
    with pytest.raises(NotApplicable, match="no usual distance"):
        coverage.missing_steps(one.steps)
    with pytest.raises(NotApplicable, match="train/loss"):
        held(one)


def test_an_episode_every_few_steps_between_updates() -> None:
    """The client counts rows: those of rewards are no holes of the loss, and a dropped NaN is one."""
    random = np.random.default_rng(2)
    episode = random.random(1000) < 0.15
    updates = np.flatnonzero(~episode)
    columns = {"_step": column(range(1000)), "train/reward": ones(np.flatnonzero(episode)), "train/kl": ones(updates)}
    assert held(run({**columns, "train/loss": ones(updates)})).value == 1.0
    dropped = updates[random.random(len(updates)) > 0.3]
    share = len(dropped) / (np.count_nonzero(updates >= dropped[0]))
    assert held(run({**columns, "train/loss": ones(dropped)})).value == pytest.approx(share)


def test_a_reward_in_the_updates_in_which_an_episode_ended() -> None:
    """Where rewards are logged with the update, the rest are holes; where nobody knows, it cannot be told."""
    ended = np.flatnonzero(np.random.default_rng(3).random(500) < 0.7)
    one = with_steps(range(500), reward=ones(ended), loss=ones(range(500)), grad=ones(range(500)))
    assert held(one).value == 1.0
    assert held(one, episodic=False).value == pytest.approx(len(ended) / np.count_nonzero(np.arange(500) >= ended[0]))
    with pytest.raises(Inconclusive, match="when train/reward is due cannot be told"):
        held(one, episodic=None)
    stopped = with_steps(range(500), reward=ones(range(400)), loss=ones(range(500)), grad=ones(range(500)))
    assert held(stopped).value == 0.8


def test_loss_and_gradient_norm_that_are_nan_together() -> None:
    kept = [row for row in range(500) if not 200 <= row < 260]
    for metrics in ({}, {"reward": ones(range(500))}):
        assert held(with_steps(range(0, 5000, 10), loss=ones(kept), grad=ones(kept), **metrics)).value == 440 / 500
    counted = {"_step": column(range(500)), "train/loss": ones(kept), "train/grad_norm": ones(kept)}
    assert held(run({**counted, "train/reward": ones(range(500))})).value == 440 / 500


def test_rows_in_bursts_have_no_usual_distance() -> None:
    """HARL counts 30 rows on by itself, and then logs the next thousand."""
    bursts = [1000 * at + row for at in range(60) for row in range(30)]
    with pytest.raises(NotApplicable, match="no usual distance"):
        coverage.missing_steps(run({"_step": column(bursts)}).steps)
    few = [*range(100), *range(1000, 1100), *range(2000, 2100), *range(3000, 3100)]
    assert coverage.missing_steps(run({"_step": column(few)}).steps).value == 2700 / 3100


def test_two_paces_have_no_usual_distance() -> None:
    """EPyMARL logs returns every 6,000 steps, and the update 600 steps later."""
    both = np.sort([*range(6000, 210_000, 6000), *range(6600, 210_000, 6000)])
    with pytest.raises(NotApplicable, match="no usual distance"):
        coverage.missing_steps(run({"_step": column(both)}).steps)


def test_rows_are_no_steps() -> None:
    one = run({"train/loss": ones(range(50)), "train/grad_norm": ones([*range(40), 48, 49])})
    assert one.steps.key == "row"
    with pytest.raises(NotApplicable, match="logs no step"):
        coverage.missing_steps(one.steps)
    assert held(one).value == 42 / 50
    with pytest.raises(NotApplicable, match="is due cannot be told"):
        held(run({"other": column(range(50)), "train/loss": ones(range(20))}))


def test_metrics_that_were_uploaded_one_after_another() -> None:
    """Event files that are uploaded tag by tag leave each metric in rows of its own."""
    after = {"train/reward": ones(range(40)), "train/loss": ones(range(40, 80)), "train/kl": ones(range(80, 120))}
    one = run({"_step": column(range(400)), **after})
    with pytest.raises(NotApplicable, match="cannot be told"):
        held(one)
    with pytest.raises(NotApplicable, match="one after another"):
        integrity.vanished(one)
    beside = run({"_step": column(range(400)), **after, "policy/entropy_mean": ones(range(400))})
    assert held(beside).value == 0.1
    assert integrity.vanished(beside).value == 3


def test_a_sampler_is_ahead_of_its_trainer_at_the_end() -> None:
    """slime's sampler logged rollout 26 when its trainer, at 25, was killed."""
    rows = np.arange(53)
    one = with_steps(rows // 2, reward=ones(rows[::2]), loss=ones(rows[1::2]), grad=ones(rows[1::2]))
    assert held(one).value == 26 / 27
    assert held(one, ahead=coverage.AHEAD).value == 1.0
    stopped = with_steps(rows // 2, reward=ones(rows[::2]), loss=ones(rows[1:41:2]), grad=ones(rows[1::2]))
    assert held(stopped, ahead=coverage.AHEAD).value == 20 / 26


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_reward_lost_at_random_is_missed_where_every_update_has_one(share: float) -> None:
    kept = np.flatnonzero(np.random.default_rng(4).random(400) > share)
    due = np.count_nonzero(np.arange(400) >= kept[0])
    found = held(with_steps(range(400), reward=ones(kept), loss=ones(range(400)), kl=ones(range(400))), episodic=False)
    assert found.value == pytest.approx(len(kept) / due)
    assert found.detail == "train/reward has the most holes"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("counted", [False, True])
def test_an_update_that_lost_all_its_metrics_at_once_is_missed_beside_the_reward(share: float, counted: bool) -> None:
    kept = np.flatnonzero(np.random.default_rng(5).random(400) > share)
    lost = {"train/loss": ones(kept), "train/kl": ones(kept)}
    axis = {} if counted else {"global_step": column(range(400))}
    one = run({"_step": column(range(400)), **axis, "reward": ones(range(400)), **lost})
    due = np.count_nonzero(np.arange(400) >= kept[0])
    assert held(one, episodic=False).value == pytest.approx(len(kept) / due)
    # With whose runs these are unknown, a few holes show by the rhythm of the update; many are no rhythm any more.
    if counted or share == 0.6:
        with pytest.raises(Inconclusive, match="cannot be told"):
            held(one, episodic=None)
    else:
        assert held(one, episodic=None).value == pytest.approx(len(kept) / due)


def test_many_stretches_that_were_lost_are_not_taken_for_a_habit() -> None:
    random = np.random.default_rng(6)
    at = np.concatenate([start * 40 + np.arange(12) for start in range(40)]) + np.repeat(random.integers(0, 20, 40), 12)
    with pytest.raises(Inconclusive, match="gaps of different lengths"):
        coverage.missing_steps(run({"_step": column(np.unique(at))}).steps)


def test_one_metric_that_ends_where_another_begins_has_vanished() -> None:
    one = run({"train/reward": ones(range(150)), "train/kl": ones(range(150, 300))})
    assert integrity.vanished(one).value == 1
    with pytest.raises(Inconclusive, match="cannot be told"):
        held(one, episodic=None)
