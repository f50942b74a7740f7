"""The mix of scenes: which there are, how often each comes, and which player plays which."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from app.simulator.dice import Dice
from app.simulator.player_script import ScriptWriter, Step
from app.simulator.scenes import gifts, overtaking, refused_requests, repeats, rounds, taking_back

Scene: TypeAlias = Callable[[ScriptWriter], Iterator[Step]]

#: Each scene with its weight in the mix: most of it is ordinary play.
SCENES: tuple[tuple[Scene, int], ...] = (
    (rounds.lost, 6),
    (rounds.won, 9),
    (rounds.consoled, 1),
    (rounds.several_bets, 4),
    (rounds.cashed_out, 3),
    (rounds.free_spins, 2),
    (rounds.zeros, 1),
    (rounds.streamed, 2),
    (rounds.streamed_alone, 1),
    (rounds.late, 3),
    (rounds.late_and_expired, 2),
    (taking_back.given_back, 2),
    (taking_back.one_of_several_given_back, 2),
    (taking_back.aborted_under_its_own_id, 1),
    (taking_back.paid_then_given_back, 2),
    (taking_back.one_paid_and_one_given_back, 2),
    (taking_back.settled_after_all_was_given_back, 1),
    (taking_back.taken_back_in_parts, 2),
    (taking_back.nothing_left_to_take, 2),
    (taking_back.settled_again, 3),
    (taking_back.into_debt, 3),
    (taking_back.bonus_after_debt, 1),
    (taking_back.cancelled_over_payments, 2),
    (taking_back.cancelled_exactly, 2),
    (taking_back.cancelled_unknown, 1),
    (taking_back.abort_undone, 2),
    (gifts.tipped, 2),
    (gifts.promoted, 2),
    (gifts.corrected, 2),
    (gifts.dropped, 1),
    (gifts.enormous, 1),
    (gifts.beyond_all_bounds, 1),
    (repeats.retried, 4),
    (repeats.all_in_retried, 1),
    (repeats.said_long_ago, 3),
    (repeats.at_once, 4),
    (repeats.refused_at_once, 1),
    (repeats.race_to_zero, 1),
    (repeats.aborted_eight_times, 1),
    (repeats.win_before_bet, 2),
    (overtaking.abort_before_bet, 2),
    (overtaking.streamer_abort_before_bet, 1),
    (overtaking.one_id_for_both, 1),
    (overtaking.abort_of_a_refused_bet, 1),
    (overtaking.abort_after_everything_was_given_back, 1),
    (repeats.take_back_before_win, 1),
    (repeats.beyond_balance, 2),
    (repeats.other_content, 2),
    (refused_requests.launched, 2),
    (refused_requests.not_launched, 1),
    (refused_requests.fresh_token, 1),
    (refused_requests.spoiled, 2),
    (refused_requests.unheard_of, 1),
    (refused_requests.out_of_nothing, 1),
    (refused_requests.maintained, 1),
)


NEAR_THE_LIMIT: frozenset[Scene] = frozenset({gifts.enormous, gifts.beyond_all_bounds})
"""Scenes with amounts near the most digits that a balance may have."""

LIMIT_CURRENCIES = frozenset({"XTS", "XT8"})
"""Made for those scenes (ISO 4217 keeps XTS for tests): no sum of real money has them."""


def fitting(scene: Scene, currency: str) -> Scene:
    """Return the scene, or an ordinary one where its amounts would stand beside real money."""
    is_ordinary = scene not in NEAR_THE_LIMIT or currency in LIMIT_CURRENCIES
    return scene if is_ordinary else rounds.won


def share_scenes(seed: int, events: int, players: int) -> list[list[Scene]]:
    """Give so many scenes to the players in turn, in a random order that keeps the mix."""
    dice = Dice(seed, "scenes")
    shares: list[list[Scene]] = [[] for _ in range(players)]
    left: list[Scene] = []
    for number in range(events if players else 0):
        if not left:
            left = [scene for scene, weight in SCENES for _ in range(weight)]
            dice.shuffle(left)
        shares[number % players].append(left.pop())
    return shares
