"""What a transaction id names, and what it names after the scope was widened (section 5)."""

import pytest

from app.wallet.alarms import Alarm, alarm_of
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.movement import KeyScope, Movement, facet_of_type
from app.wallet.outcomes import SETTLED_BY_HAND, Posting, Refused, Replay
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, again, movement, refusal

BET, ABORT, WIN, PROMO = "BetPlacing", "BetPlacingAbort", "Win", "PromoWin"


@pytest.fixture
def story() -> Story:
    return Story().player(real=10_000).player("boris", 10_000)


def told_again(story: Story, told: Movement) -> Movement:
    return story.in_scope(again(told))


class TestAfterTheScopeWasWidened:
    def test_a_retry_of_an_old_movement_is_a_repeat(self, story: Story) -> None:
        bet = movement(BET, "5", transaction_id="id")
        first = story.one(bet)
        story.widen()
        receipt = story.one(told_again(story, bet))
        assert isinstance(receipt, Replay)
        assert isinstance(first, Posting)
        assert receipt.entry == first.entry

    @pytest.mark.parametrize(
        ("changes", "name"),
        [({"amount": "6"}, "amount"), ({"event_id": "other"}, "eventId")],
    )
    def test_a_retry_with_other_content_is_told_so(
        self, story: Story, changes: dict[str, str], name: str
    ) -> None:
        bet = movement(BET, "5", transaction_id="id")
        story.one(bet)
        story.widen()
        receipt = story.one(story.in_scope(again(bet, **changes)))
        assert isinstance(receipt, Refused)
        assert (receipt.refusal, receipt.differs) == (Refusal.MOVEMENT_DIFFERS, name)

    def test_an_old_refusal_is_heard_again(self, story: Story) -> None:
        bet = movement(BET, "500", transaction_id="id")
        story.one(bet)
        story.widen()
        assert refusal(story.one(told_again(story, bet))) is Refusal.INSUFFICIENT_FUNDS

    @pytest.mark.parametrize("amount", ["5", "500"])
    def test_an_old_bets_id_may_settle_it(self, story: Story, amount: str) -> None:
        story.tell(movement(BET, amount, transaction_id="id"), movement(BET, "1"))
        story.widen()
        win = movement(WIN, "7", transaction_id="id", policy=story.policy)
        assert isinstance(story.one(win), Posting)
        assert isinstance(story.one(again(win)), Replay)

    def test_another_direction_of_the_old_type_is_another_movement(self, story: Story) -> None:
        fix = movement("technicalFix", "5", transaction_id="id", direction="debit")
        story.one(fix)
        story.widen()
        back = story.in_scope(again(fix, direction=Direction.CREDIT))
        assert isinstance(story.one(back), Posting)

    @pytest.mark.parametrize("first", ["debit", "credit"])
    def test_both_halves_of_an_old_promotion_are_repeats(self, story: Story, first: str) -> None:
        halves = [
            movement(PROMO, "0", direction="debit", transaction_id="id"),
            movement(PROMO, "5", transaction_id="id"),
        ]
        told = halves if first == "debit" else halves[::-1]
        story.tell(*told)
        story.widen()
        for half in told:
            assert isinstance(story.one(told_again(story, half)), Replay)


@pytest.mark.parametrize("scope", list(KeyScope))
def test_a_promo_wins_debit_takes_nobodys_id_and_nobody_takes_its_own(scope: KeyScope) -> None:
    policy = Policy(key_scope=scope)
    story = Story(policy).player(real=1000)
    debit = movement(PROMO, "0", direction="debit", transaction_id="id", policy=policy)
    bet = movement(BET, "5", transaction_id="id", policy=policy)
    for told in (debit, bet):
        assert isinstance(story.one(told), Posting)
        assert isinstance(story.one(again(told)), Replay)


class TestAMovementSettledByHand:
    """Two people move the money of a refused movement; its key is taken in its wide form."""

    @staticmethod
    def settle(story: Story, refused: Movement, kind: EventType = EventType.TECHNICAL_FIX) -> None:
        facet = facet_of_type(refused.event_type, refused.direction)
        adjustment = movement(kind, refused.amount, direction=refused.direction, event_id="hand")
        story.one(adjustment._replace(key=refused.key._replace(facet=facet)))

    @pytest.mark.parametrize("is_wide", [True, False])
    @pytest.mark.parametrize("has_narrow_entry", [True, False])
    def test_hears_409_when_it_comes_again_and_is_flagged(
        self, story: Story, *, is_wide: bool, has_narrow_entry: bool
    ) -> None:
        if has_narrow_entry:
            story.one(movement(BET, "5", transaction_id="id", event_id="another"))
        if is_wide:
            story.widen()
        win = movement(WIN, "7", transaction_id="id", policy=story.policy)
        assert isinstance(story.one(win), Refused)
        self.settle(story, win)
        before = story.pockets()
        receipt = story.one(again(win))
        assert isinstance(receipt, Refused)
        assert receipt.refusal is Refusal.MOVEMENT_DIFFERS, "409"
        assert receipt.detail == SETTLED_BY_HAND
        assert alarm_of(win, receipt) is Alarm.SETTLED_BY_HAND
        assert story.pockets() == before

    def test_hears_so_too_where_the_adjustment_is_of_its_own_type(self, story: Story) -> None:
        fix = movement("technicalFix", "5", direction="debit", transaction_id="id")
        self.settle(story, fix)
        receipt = story.one(fix)
        assert isinstance(receipt, Refused)
        assert (receipt.refusal, receipt.detail) == (Refusal.MOVEMENT_DIFFERS, SETTLED_BY_HAND)

    def test_leaves_the_id_to_the_movement_that_had_it(self, story: Story) -> None:
        bet = movement(BET, "5", transaction_id="id")
        story.one(bet)
        self.settle(story, movement(WIN, "7", transaction_id="id"))
        assert isinstance(story.one(again(bet)), Replay)
