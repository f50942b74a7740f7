"""The event table, row by row, as the contract prints it (callback contract, section 3)."""

import itertools

import pytest

from app.wallet.balance import Pockets
from app.wallet.events import (
    GAME_EVENT_TYPES,
    RULES,
    Direction,
    EventType,
    HouseAccount,
    is_allowed,
)
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal
from tests.event_types.contract import Row, printed_rows
from tests.wallet.story import EXPIRED, LIVE, UNKNOWN, Story, delta, movement, refusal

TABLE = printed_rows()
ROWS = list(TABLE.items())
BETS = {"BetPlacing", "PromoStreamersDebit"}
WAYS = [
    (kind, Direction(word.removesuffix("0")), word.endswith("0"))
    for kind, row in ROWS
    for word in row.directions.split()
]


def bet_for(kind: str) -> str:
    return "PromoStreamersDebit" if kind.startswith("PromoStreamers") else "BetPlacing"


def payment_for(kind: str) -> str:
    return "PromoStreamersCredit" if kind.startswith("PromoStreamers") else "Win"


def prepared(kind: str, amount: str = "10") -> Story:
    """A story in which this event type finds what it needs, and enough money."""
    story = Story().player(real=10_000)
    needs = TABLE[kind].needs
    if needs != "nothing":
        assert isinstance(story.one(movement(bet_for(kind), amount)), Posting)
    if needs == "payment":
        assert isinstance(story.one(movement(payment_for(kind), amount)), Posting)
    return story


def test_the_callback_api_names_the_event_types_of_its_contract() -> None:
    assert {kind.value for kind in GAME_EVENT_TYPES} == set(TABLE)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("amount_is_zero", [True, False])
def test_any_other_event_type_and_direction_is_not_allowed(
    kind: str, direction: Direction, *, amount_is_zero: bool
) -> None:
    words = TABLE[kind].directions.split()
    expected = direction in words or (amount_is_zero and f"{direction}0" in words)
    assert is_allowed(EventType(kind), direction, amount_is_zero=amount_is_zero) is expected


@pytest.mark.parametrize(("kind", "direction", "zero_only"), WAYS)
def test_a_movement_moves_its_amount_in_its_direction(
    kind: str, direction: Direction, *, zero_only: bool
) -> None:
    amount = "0" if zero_only else "10"
    receipt = prepared(kind).one(movement(kind, amount, direction=direction))
    sign = -1 if direction is Direction.DEBIT else 1
    assert delta(receipt) == Pockets(0 if zero_only else sign * 1000, 0)


@pytest.mark.parametrize(
    ("kind", "direction"), [(kind, way) for kind, way, _ in WAYS if kind != "BetPlacingAbort"]
)
def test_an_amount_of_zero_is_legal(kind: str, direction: Direction) -> None:
    story = prepared(kind, amount="0" if "Abort" in kind and "Placing" in kind else "10")
    assert delta(story.one(movement(kind, "0", direction=direction))) == Pockets(0, 0)


def test_a_bet_of_zero_is_given_back() -> None:
    assert delta(prepared("BetPlacingAbort", "0").one(movement("BetPlacingAbort", "0"))) == (0, 0)


@pytest.mark.parametrize(
    "kind", [k for k, row in ROWS if row.needs == "nothing" and "credit" in row.directions.split()]
)
def test_a_credit_that_needs_nothing_is_paid_in_an_event_nobody_knows(kind: str) -> None:
    receipt = Story().player().one(movement(kind, "10", direction="credit"))
    assert delta(receipt) == Pockets(1000, 0)


@pytest.mark.parametrize("kind", [k for k, row in ROWS if row.needs != "nothing"])
def test_what_needs_a_match_is_refused_without_one(kind: str) -> None:
    story = Story().player(real=10_000)
    assert refusal(story.one(movement(kind, "10"))) is Refusal.NO_MATCHING_MOVEMENT
    assert not story.journal


@pytest.mark.parametrize("kind", [k for k, row in ROWS if row.needs != "nothing"])
def test_a_match_counts_in_the_same_event_of_the_same_player_only(kind: str) -> None:
    story = prepared(kind).player("boris", 10_000)
    elsewhere = movement(kind, "10", event_id="another")
    assert refusal(story.one(elsewhere)) is Refusal.NO_MATCHING_MOVEMENT
    somebody = movement(kind, "10", user_id="boris")
    assert refusal(story.one(somebody)) is Refusal.NO_MATCHING_MOVEMENT


@pytest.mark.parametrize("kind", [k for k, row in ROWS if row.needs != "nothing"])
def test_streamer_money_matches_streamer_money_only(kind: str) -> None:
    story = Story().player(real=10_000)
    other = "BetPlacing" if kind.startswith("PromoStreamers") else "PromoStreamersDebit"
    story.one(movement(other, "10"))
    story.one(movement("Win" if other == "BetPlacing" else "PromoStreamersCredit", "10"))
    assert refusal(story.one(movement(kind, "10"))) is Refusal.NO_MATCHING_MOVEMENT


@pytest.mark.parametrize("kind", ["Win", "Lose"])
def test_after_a_cancel_a_result_needs_no_bet(kind: str) -> None:
    story = Story().player(real=10_000)
    story.one(movement("SportBetCancel", "10"))
    assert delta(story.one(movement(kind, "4"))) == Pockets(400, 0)


@pytest.mark.parametrize(
    "kind", [k for k, row in ROWS if "debit" in row.directions.split() and not row.may_overdraw]
)
def test_a_debit_that_may_not_overdraw_is_refused_without_money(kind: str) -> None:
    story = prepared(kind)
    story.change(pockets=Pockets(999, 0))
    receipt = story.one(movement(kind, "10", direction="debit"))
    assert refusal(receipt) is Refusal.INSUFFICIENT_FUNDS
    assert story.pockets() == Pockets(999, 0)


def test_a_sport_bet_cancel_always_succeeds_and_the_player_goes_negative() -> None:
    story = Story().player(real=300, bonus=200)
    assert delta(story.one(movement("SportBetCancel", "10"))) == Pockets(-800, -200)
    assert story.pockets() == Pockets(-500, 0)
    assert delta(story.one(movement("SportBetCancel", "1", event_id="more"))) == Pockets(-100, 0)


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_an_expired_token_matters_to_debits_of_play_only(kind: str, row: Row) -> None:
    direction = row.directions.split()[0]
    receipt = prepared(kind).one(movement(kind, "10", direction=direction, token=EXPIRED))
    expected = Refusal.TOKEN_EXPIRED if row.token == "live" else None
    assert refusal(receipt) is expected


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_a_token_unknown_or_of_another_player_is_refused_for_everything(
    kind: str, row: Row
) -> None:
    direction = row.directions.split()[0]
    story = prepared(kind).player("boris")
    unknown = movement(kind, "10", direction=direction, token=UNKNOWN)
    assert refusal(story.one(unknown)) is Refusal.TOKEN_UNKNOWN
    of_boris = movement(kind, "10", user_id="boris", token=LIVE).token
    stolen = movement(kind, "10", direction=direction)._replace(token=of_boris)
    assert refusal(story.one(stolen)) is Refusal.TOKEN_UNKNOWN


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_a_block_refuses_debits_of_play_only(kind: str, row: Row) -> None:
    story = prepared(kind)
    story.change(is_blocked=True)
    receipt = story.one(movement(kind, "10", direction=row.directions.split()[0]))
    expected = Refusal.PLAYER_BLOCKED if row.token == "live" else None
    assert refusal(receipt) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Deposit", Refusal.PLAYER_BLOCKED),
        ("BonusGrant", Refusal.PLAYER_BLOCKED),
        ("BonusRevoke", Refusal.PLAYER_BLOCKED),
        ("Withdrawal", None),
    ],
)
def test_a_blocked_player_may_withdraw_and_nothing_else_at_the_cashier(
    kind: str, expected: Refusal | None
) -> None:
    story = Story().player(real=1000, bonus=1000)
    story.change(is_blocked=True)
    assert refusal(story.one(movement(kind, "10"))) is expected


@pytest.mark.parametrize("kind", ["Deposit", "Withdrawal", "BonusGrant", "BonusRevoke"])
def test_only_a_players_own_agent_moves_his_money(kind: str) -> None:
    story = Story().player(real=1000, bonus=1000)
    receipt = story.one(movement(kind, "10", source="another"))
    assert refusal(receipt) is Refusal.ACCOUNT_OF_ANOTHER_AGENT
    assert not story.journal


def test_streamer_money_is_kept_out_of_the_games_account() -> None:
    accounts = {kind: RULES[kind].contra for kind in GAME_EVENT_TYPES}
    for kind, account in accounts.items():
        is_streamer = kind.value.startswith("PromoStreamers")
        assert (account is HouseAccount.STREAMERS) is is_streamer


def test_the_cashiers_seven_betbys_and_adjustments_are_not_for_the_game_side() -> None:
    others = {kind for kind in set(EventType) - GAME_EVENT_TYPES if not RULES[kind].is_named}
    assert {kind.value for kind in others} == {
        "Adjustment",
        "Import",
        "ImportedBet",
        "ImportedPayment",
        "Deposit",
        "Withdrawal",
        "BonusGrant",
        "BonusRevoke",
        "WithdrawalHold",
        "WithdrawalSettle",
        "WithdrawalRelease",
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [pair for pair in itertools.permutations(("BetPlacing", "Win", "Lose"), 2) if "Win" in pair],
)
def test_one_event_may_hold_several_bets_and_payments(first: str, second: str) -> None:
    story = Story().player(real=10_000)
    story.one(movement("BetPlacing", "1"))
    for kind in (first, second, first, second):
        assert isinstance(story.one(movement(kind, "1")), Posting)
