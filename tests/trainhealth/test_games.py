"""What games say of the newest checkpoint: against a known truth, and never a pass for what was not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic import ROOT
from tournament import play, tables

from trainhealth.games import Flaws, Game, Games, Seat
from trainhealth.thresholds import load
from trainhealth.verdicts import Inconclusive, NotApplicable

_AGENTS = load(ROOT / "thresholds.yaml").agents
assert _AGENTS is not None
PATTERNS = _AGENTS
NEW, OLD, BASE, BOTS = "adapter_v200", "adapter_v100", "base_model", ("chaos_bot", "defensive_bot", "dumbbot")
TRUTH = {NEW: 1100.0, OLD: 1040.0, BASE: 1000.0, "chaos_bot": 900.0, "defensive_bot": 950.0, "dumbbot": 870.0}


def games(played: Sequence[Game], **changes: Any) -> Games:
    return replace(Games("a test", tuple(played), PATTERNS, Flaws({})), **changes)


def league(number: int = 600, seed: int = 0, **elo: float) -> Games:
    return games(play({**TRUTH, **elo}, tables(list(TRUTH), 4, number, seed), seed + 1))


def duel(won: int, lost: int, level: int = 0, order: int = 0) -> list[Game]:
    results = np.array([1.0] * won + [0.0] * lost + [0.5] * level)
    np.random.default_rng(order).shuffle(results)
    return [Game(f"d{at}", f"d{at}", (Seat(NEW, one), Seat(OLD, 1 - one))) for at, one in enumerate(results)]


def test_the_gap_is_that_of_the_truth() -> None:
    found = league().gap()
    assert found.interval is not None
    assert found.interval[0] < 100 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 120
    assert found.points == 600
    rows = {row["agent"]: row for row in found.table}
    assert next(iter(rows)) == NEW
    assert rows[BASE]["Elo"] == 1000
    assert rows[BASE]["low"] == rows[BASE]["high"] == 1000
    assert rows["dumbbot"]["role"] == "reference"


def test_the_seats_of_an_agent_are_compared_one_by_one() -> None:
    """One against six of equal strength: it is level with them on average, though seldom above their mean."""
    equal = play({NEW: 1000, BASE: 1000}, [[NEW, *[BASE] * 6]] * 800, 5)
    scores = list(games(equal).head_to_head(NEW, BASE).values())
    assert np.mean(scores) == pytest.approx(0.5, abs=4 * float(np.std(scores)) / math.sqrt(800))
    assert set(scores) <= {at / 6 for at in range(7)}
    assert equal[0].score(NEW, "chaos_bot") is None
    level = Game("x", "x", (Seat(NEW, 3.0), Seat(BASE, 3.0), Seat(BASE, 1.0)))
    assert level.score(NEW, BASE) == 0.75
    assert level.places == ((NEW, BASE), (BASE,))


def test_an_agent_that_always_wins_has_no_rating_but_beats_the_incumbent() -> None:
    always = games(play(TRUTH, tables([OLD, BASE, "chaos_bot"], 3, 60, 0), 0) + duel(60, 0), incumbent=OLD)
    with pytest.raises(Inconclusive, match="no finite rating: it always finished above base_model"):
        always.gap()
    assert always.against_incumbent().value == "better"


@pytest.mark.parametrize(
    ("played", "value"),
    [(duel(700, 500), "better"), (duel(500, 700), "not_better"), (duel(600, 600), "not_better")],
    ids=["70 Elo more", "58 Elo less", "alike"],
)
def test_the_incumbent_is_beaten_or_not(played: list[Game], value: str) -> None:
    found = games(played, incumbent=OLD).against_incumbent()
    assert found.value == value
    assert found.points <= 1200
    assert "SPRT of 0 against 35 Elo" in found.detail


def test_undecided_says_how_many_games_are_missing() -> None:
    with pytest.raises(Inconclusive, match=r"undecided after 100 games, about .* 53\.0 % of the points") as found:
        games(duel(53, 47), incumbent=OLD).against_incumbent()
    assert int(str(found.value).split("about ")[1].split()[0].replace(",", "")) > 100


def test_branches_of_one_game_are_one_game() -> None:
    """150 wins in 200 decide; as 10 games of 20 branches each they do not."""
    played = duel(150, 50)
    assert games(played, incumbent=OLD).against_incumbent().value == "better"
    branches = [replace(game, group=f"rollout {at // 20}") for at, game in enumerate(played)]
    with pytest.raises(Inconclusive, match="in 10 games"):
        games(branches, incumbent=OLD).against_incumbent()


def test_nan_rules_out_a_promotion_but_not_a_refusal() -> None:
    damaged = Flaws({}, non_finite=1)
    with pytest.raises(Inconclusive, match="1 with NaN, infinite or null scores"):
        games(duel(700, 500), incumbent=OLD, flaws=damaged).against_incumbent()
    assert games(duel(500, 700), incumbent=OLD, flaws=damaged).against_incumbent().value == "not_better"
    assert replace(league(), flaws=damaged).gap().non_finite == 1
    assert replace(league(), flaws=damaged).against_references().non_finite == 1


def test_no_incumbent_no_judgement() -> None:
    with pytest.raises(NotApplicable, match="--incumbent"):
        league().against_incumbent()
    with pytest.raises(Inconclusive, match=r"did you mean 'adapter_v100'"):
        replace(league(), incumbent="adapter_v10").against_incumbent()
    with pytest.raises(Inconclusive, match="met in none"):
        games(play(TRUTH, [[NEW, BASE], [OLD, BASE]], 0), incumbent=OLD).against_incumbent()


def against_bots(new: float, number: int, seed: int, **one: float) -> Games:
    """Duels of both checkpoints with every bot; `new` Elo of the newest, `one` its Elo against a single bot."""
    played: list[Game] = []
    for at, bot in enumerate(BOTS):
        elo = {NEW: one.get(bot, new), OLD: 1000.0, bot: 950.0}
        pairs = [[NEW, bot]] * number + [[OLD, bot]] * number
        played += [
            replace(game, id=f"{bot}-{game.id}", group=f"{bot}-{game.id}") for game in play(elo, pairs, seed * 10 + at)
        ]
    return games(played)


def ends(found: Games) -> tuple[float, float]:
    interval = found.against_references().interval
    assert interval is not None
    return interval


def test_a_checkpoint_that_holds_against_every_reference_passes() -> None:
    low, _ = ends(against_bots(1080, 600, 0))
    assert low > -50


def test_a_loss_against_one_reference_fails_whatever_is_gained_elsewhere() -> None:
    found = against_bots(1100, 600, 1, defensive_bot=850.0)
    measured = found.against_references()
    assert measured.value == pytest.approx(-150, abs=50)
    assert ends(found)[1] < -50
    assert "least against defensive_bot" in measured.detail
    assert {row["reference"] for row in measured.table} == set(BOTS)


def test_few_games_do_not_decide() -> None:
    low, high = ends(against_bots(1000, 60, 2))
    assert low < -50 < high


def test_errors_against_references_are_rare() -> None:
    """At a true loss of exactly 50 Elo: against every one of three, a FAIL is said in at most 5 %, as the limit of each
    is divided by their number; against one of them, a PASS in at most 2.5 %. 200 leagues: 5 % has an error of 1.5 %."""
    failed = passed = 0
    for seed in range(200):
        failed += ends(against_bots(950, 40, seed))[1] < -50
        passed += ends(against_bots(1100, 40, seed + 1000, chaos_bot=950.0))[0] >= -50
    assert failed <= 0.06 * 200
    assert passed <= 0.06 * 200


def test_a_reference_that_only_the_older_checkpoint_met_is_not_passed_over() -> None:
    unseen = [game for game in against_bots(1200, 600, 3).games if game.score(NEW, "dumbbot") is None]
    measured = games(unseen).against_references()
    assert measured.interval is not None
    assert measured.interval[0] == -math.inf
    assert "fewer than 20 games against dumbbot" in measured.detail


def test_a_score_of_nothing_has_a_wide_interval() -> None:
    """All of 50 games won by both: 1/50.5 + 1/0.5 is the variance of such log-odds (Anscombe)."""
    played = [
        Game(f"{name}{at}", f"{name}{at}", (Seat(name, 1.0), Seat("chaos_bot", 0.0)))
        for name in (NEW, OLD)
        for at in range(50)
    ]
    low, high = ends(games(played))
    error = 400 / math.log(10) * math.sqrt(2 * (1 / 50.5 + 1 / 0.5))
    assert (low, high) == pytest.approx((-1.96 * error, 1.96 * error), rel=0.01)


def test_who_is_judged() -> None:
    assert league().candidate == NEW
    assert league().predecessor == OLD
    assert replace(league(), incumbent=BASE).predecessor == BASE
    assert replace(league(), incumbent=NEW).candidate == OLD
    names = {NEW: "mine_adapter_v200", OLD: "other_adapter_v900"}
    seats = [
        replace(game, seats=tuple(Seat(names.get(seat.agent, seat.agent), seat.score) for seat in game.seats))
        for game in league().games
    ]
    assert games(seats, run_names=("mine",)).candidate == "mine_adapter_v200"
    with pytest.raises(Inconclusive, match="checkpoints of several runs"):
        games(seats).gap()


@pytest.mark.parametrize(
    ("played", "message"),
    [
        ([], "no game of a test can be rated"),
        (play(TRUTH, tables([BASE, "chaos_bot"], 2, 50, 0), 0), "no checkpoint is in the games"),
        (play(TRUTH, tables([NEW, OLD, "chaos_bot"], 3, 50, 0), 0), "base_model, to rate against, is in no game"),
        (play(TRUTH, tables([NEW, BASE], 2, 19, 0), 0), r"adapter_v200 is in 19 independent game\(s\), 20 are needed"),
        (play({NEW: 1000}, [[NEW] * 7] * 50, 0), "base_model, to rate against"),
    ],
    ids=["none", "no checkpoint", "no base model", "19 games", "self-play only"],
)
def test_too_little_is_inconclusive(played: list[Game], message: str) -> None:
    with pytest.raises(Inconclusive, match=message):
        games(played).gap()


def test_many_games_that_cannot_be_used_leave_the_rest_in_doubt() -> None:
    few, many = Flaws({"one seat": 30}), Flaws({"one seat": 40})
    assert "30 with one seat" in replace(league(), flaws=few).gap().detail
    for judged in (Games.gap, Games.against_references):
        with pytest.raises(Inconclusive, match="40 of 640 games cannot be rated"):
            judged(replace(league(), flaws=many))


def test_order_and_units_of_scores_do_not_matter() -> None:
    plain = league()
    turned = [replace(game, seats=game.seats[::-1]) for game in plain.games]
    scaled = [
        replace(game, seats=tuple(Seat(seat.agent, 1e9 * seat.score - 5e12) for seat in game.seats))
        for game in plain.games
    ]
    for other in (turned, scaled):
        assert games(other).gap().value == pytest.approx(plain.gap().value)
        assert ends(games(other)) == pytest.approx(ends(plain))
