"""Which receipts raise an alarm (callback contract, sections 3 and 5)."""

import pytest

from app.wallet.alarms import Alarm, alarm_of
from app.wallet.movement import Movement
from tests.wallet.story import Story, again, movement

BET, ABORT, WIN, CANCEL = "BetPlacing", "BetPlacingAbort", "Win", "SportBetCancel"


@pytest.fixture
def story() -> Story:
    return Story().player(real=10_000).player("boris", 10_000)


def alarms(story: Story, *told: Movement) -> list[Alarm | None]:
    receipts = story.tell(*told)
    return [alarm_of(one, receipt) for one, receipt in zip(told, receipts, strict=True)]


@pytest.mark.parametrize("kind", [WIN, "Lose", ABORT, "PromoStreamersBetPlacingAbort"])
def test_every_406_on_a_credit_raises_one(story: Story, kind: str) -> None:
    assert alarms(story, movement(kind, "5")) == [Alarm.CREDIT_WITHOUT_MATCH]


@pytest.mark.parametrize("kind", ["BetPayedAbort", "PromoStreamersBetPayedAbort"])
def test_a_406_on_a_debit_raises_none(story: Story, kind: str) -> None:
    assert alarms(story, movement(kind, "5")) == [None]


def test_an_overtaken_bet_raises_one_and_its_repeat_none(story: Story) -> None:
    bet = movement(BET, "5")
    raised = alarms(story, movement(ABORT, "5"), bet, again(bet))
    assert raised[1:] == [Alarm.BET_OVERTAKEN, None]


def test_an_abort_beside_a_payment_raises_one(story: Story) -> None:
    told = movement(BET, "5"), movement(BET, "7"), movement(WIN, "9"), movement(ABORT, "5")
    assert alarms(story, *told) == [None, None, None, Alarm.FLAGGED]


def test_a_credit_under_a_bets_id_names_the_key_scope_and_a_debit_does_not(story: Story) -> None:
    bet = movement(BET, "5", transaction_id="id")
    win = movement(WIN, "7", transaction_id="id")
    tip = movement("Tip", "5", transaction_id="id")
    assert alarms(story, bet, win, tip) == [
        None,
        Alarm.CREDIT_UNDER_A_USED_ID,
        Alarm.OTHER_CONTENT,
    ]


def test_a_cashiers_deposit_under_a_used_id_says_nothing_of_the_key_scope(story: Story) -> None:
    told = (
        movement("Withdrawal", "5", transaction_id="id"),
        movement("Deposit", "5", transaction_id="id"),
    )
    assert alarms(story, *told) == [None, Alarm.OTHER_CONTENT]


@pytest.mark.parametrize("amount", ["5", "500"])
def test_a_repeat_with_other_content_raises_one_whatever_became_of_the_id(
    story: Story, amount: str
) -> None:
    bet = movement(BET, amount)
    assert alarms(story, bet, again(bet), again(bet, event_id="other")) == [
        None,
        None,
        Alarm.OTHER_CONTENT,
    ]


def test_a_remainder_and_an_unknown_event_are_flagged(story: Story) -> None:
    assert alarms(story, movement(CANCEL, "5")) == [Alarm.FLAGGED]


def test_what_a_player_or_a_clock_caused_raises_none(story: Story) -> None:
    told = movement(BET, "500"), movement(BET, "5", token="expired"), movement(BET, "5")
    assert alarms(story, *told) == [None, None, None]
