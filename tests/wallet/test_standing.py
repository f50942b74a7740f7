"""What stands in an event, and what is undone (callback contract, section 3, "What stands")."""

from typing import NamedTuple

import pytest

from app.wallet.balance import Pockets
from app.wallet.facts import Policy
from app.wallet.journal import Flag
from app.wallet.movement import KeyScope, Movement
from app.wallet.outcomes import Declined, Posting, Receipt
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, delta, movement, refusal

BET, WIN, LOSE = "BetPlacing", "Win", "Lose"
ABORT, PAY_ABORT, CANCEL = "BetPlacingAbort", "BetPayedAbort", "SportBetCancel"


class Kinds(NamedTuple):
    """The four event types of one kind of money."""

    bet: str
    pay: str
    abort: str
    pay_abort: str


@pytest.fixture(
    params=[
        Kinds(BET, WIN, ABORT, PAY_ABORT),
        Kinds(
            "PromoStreamersDebit",
            "PromoStreamersCredit",
            "PromoStreamersBetPlacingAbort",
            "PromoStreamersBetPayedAbort",
        ),
    ],
    ids=["ordinary", "streamer"],
)
def kinds(request: pytest.FixtureRequest) -> Kinds:
    found: Kinds = request.param
    return found


@pytest.fixture
def story() -> Story:
    return Story().player(real=100_000)


def play(story: Story, *moves: tuple[str, str]) -> list[Receipt]:
    return [story.one(movement(kind, amount)) for kind, amount in moves]


def undone(receipt: Receipt, by: Movement, story: Story) -> bool:
    assert isinstance(receipt, Posting), receipt
    return [r.position for r in receipt.entry.reverses] == [story.journal[by.key].position]


class TestTheLawsOfBothKinds:
    def test_a_bet_is_given_back_once(self, story: Story, kinds: Kinds) -> None:
        first, second, third = play(
            story, (kinds.bet, "10"), (kinds.abort, "10"), (kinds.abort, "10")
        )
        assert delta(first).plus(delta(second)) == (0, 0)
        assert isinstance(third, Declined)
        assert third.refusal is Refusal.ALREADY_GIVEN_BACK

    def test_while_a_payment_stands_no_bet_is_given_back(self, story: Story, kinds: Kinds) -> None:
        play(story, (kinds.bet, "10"), (kinds.pay, "3"))
        (refused,) = play(story, (kinds.abort, "10"))
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT
        play(story, (kinds.pay_abort, "3"))
        (given_back,) = play(story, (kinds.abort, "10"))
        assert delta(given_back) == (1000, 0)

    def test_an_abort_of_another_amount_finds_no_bet(self, story: Story, kinds: Kinds) -> None:
        *_, refused = play(story, (kinds.bet, "10"), (kinds.abort, "9.99"))
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT
        assert not isinstance(refused, Declined)

    def test_an_abort_gives_back_the_latest_standing_bet_of_its_amount(
        self, story: Story, kinds: Kinds
    ) -> None:
        bets = [movement(kinds.bet, amount) for amount in ("10", "20", "10", "20")]
        story.tell(*bets)
        assert undone(story.one(movement(kinds.abort, "10")), bets[2], story)
        assert undone(story.one(movement(kinds.abort, "10")), bets[0], story)
        (refused,) = play(story, (kinds.abort, "10"))
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT, "bets of 20 still stand"

    def test_after_all_bets_were_given_back_another_may_come(
        self, story: Story, kinds: Kinds
    ) -> None:
        receipts = play(
            story, (kinds.bet, "10"), (kinds.abort, "10"), (kinds.bet, "10"), (kinds.abort, "10")
        )
        assert all(isinstance(receipt, Posting) for receipt in receipts)

    def test_a_payment_is_taken_back_once(self, story: Story, kinds: Kinds) -> None:
        *_, taken, refused = play(
            story,
            (kinds.bet, "10"),
            (kinds.pay, "7"),
            (kinds.pay_abort, "7"),
            (kinds.pay_abort, "7"),
        )
        assert delta(taken) == (-700, 0)
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT

    def test_a_payment_is_taken_back_in_parts(self, story: Story, kinds: Kinds) -> None:
        receipts = play(
            story,
            (kinds.bet, "10"),
            (kinds.pay, "7"),
            (kinds.pay_abort, "3"),
            (kinds.pay_abort, "4"),
            (kinds.pay_abort, "0.01"),
        )
        assert [delta(r) for r in receipts[2:4]] == [(-300, 0), (-400, 0)]
        assert refusal(receipts[4]) is Refusal.NO_MATCHING_MOVEMENT

    def test_an_abort_of_a_payment_takes_the_latest_of_exactly_the_amount(
        self, story: Story, kinds: Kinds
    ) -> None:
        play(story, (kinds.bet, "10"))
        payments = [movement(kinds.pay, amount) for amount in ("5", "5", "9")]
        story.tell(*payments)
        assert undone(story.one(movement(kinds.pay_abort, "5")), payments[1], story)

    def test_else_the_latest_of_which_at_least_that_much_stands(
        self, story: Story, kinds: Kinds
    ) -> None:
        play(story, (kinds.bet, "10"))
        payments = [movement(kinds.pay, amount) for amount in ("9", "8", "3")]
        story.tell(*payments)
        assert undone(story.one(movement(kinds.pay_abort, "4")), payments[1], story)
        assert undone(story.one(movement(kinds.pay_abort, "4")), payments[1], story), (
            "exactly 4 stands"
        )
        assert undone(story.one(movement(kinds.pay_abort, "4")), payments[0], story)

    def test_an_abort_of_more_than_any_payment_is_refused_even_if_their_sum_would_do(
        self, story: Story, kinds: Kinds
    ) -> None:
        *_, refused = play(
            story, (kinds.bet, "10"), (kinds.pay, "5"), (kinds.pay, "5"), (kinds.pay_abort, "6")
        )
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT

    def test_the_other_kind_of_money_in_the_same_event_is_not_seen(
        self, story: Story, kinds: Kinds
    ) -> None:
        other = BET if kinds.bet != BET else "PromoStreamersDebit"
        play(story, (other, "10"))
        (refused,) = play(story, (kinds.abort, "10"))
        assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT


def test_an_abort_without_any_bet_is_406_and_with_none_standing_409(story: Story) -> None:
    (unknown,) = play(story, (ABORT, "10"))
    assert refusal(unknown) is Refusal.NO_MATCHING_MOVEMENT
    *_, gone = play(story, (BET, "5"), (ABORT, "5"), (ABORT, "10"))
    assert refusal(gone) is Refusal.ALREADY_GIVEN_BACK


def test_no_bet_at_all_comes_before_a_payment_that_stands(story: Story) -> None:
    *_, refused = play(story, (CANCEL, "1"), (WIN, "5"), (ABORT, "10"))
    assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT


def test_a_lose_of_zero_is_no_payment_that_stands(story: Story) -> None:
    *_, given_back = play(story, (BET, "10"), (LOSE, "0"), (ABORT, "10"))
    assert delta(given_back) == (1000, 0)


def test_a_lose_above_zero_stands_like_a_win(story: Story) -> None:
    *_, refused, taken = play(story, (BET, "10"), (LOSE, "4"), (ABORT, "10"), (PAY_ABORT, "4"))
    assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT
    assert delta(taken) == (-400, 0)


def test_a_win_needs_a_bet_that_stands(story: Story) -> None:
    *_, refused = play(story, (BET, "10"), (ABORT, "10"), (WIN, "5"))
    assert refusal(refused) is Refusal.NO_MATCHING_MOVEMENT


def test_an_event_is_never_closed(story: Story) -> None:
    receipts = play(
        story,
        (BET, "10"),
        (LOSE, "0"),
        (BET, "5"),
        (WIN, "30"),
        (WIN, "1"),
        (BET, "2"),
        (LOSE, "0"),
    )
    assert all(isinstance(receipt, Posting) for receipt in receipts)


def test_an_event_is_settled_again_after_a_cancel(story: Story) -> None:
    *_, cancel, again = play(story, (BET, "10"), (WIN, "30"), (CANCEL, "30"), (WIN, "12"))
    assert (delta(cancel), delta(again)) == ((-3000, 0), (1200, 0))


class TestAPaymentAfterEveryBetWasGivenBack:
    """Needs a SportBetCancel that found nothing to take back of some part of its amount."""

    @pytest.mark.parametrize("kind", [WIN, LOSE])
    def test_is_406_after_a_cancel_that_was_covered(self, story: Story, kind: str) -> None:
        moves = (BET, "5"), (WIN, "9"), (CANCEL, "9"), (ABORT, "5"), (kind, "9")
        assert refusal(play(story, *moves)[-1]) is Refusal.NO_MATCHING_MOVEMENT

    def test_is_406_after_a_cancel_that_undid_an_abort_undone_in_its_turn(
        self, story: Story
    ) -> None:
        moves = (BET, "5"), (ABORT, "5"), (CANCEL, "5"), (ABORT, "5"), (WIN, "9")
        assert refusal(play(story, *moves)[-1]) is Refusal.NO_MATCHING_MOVEMENT

    def test_is_accepted_after_a_cancel_of_which_a_part_was_uncovered(self, story: Story) -> None:
        moves = (BET, "5"), (WIN, "9"), (CANCEL, "9.01"), (ABORT, "5"), (WIN, "9")
        assert isinstance(play(story, *moves)[-1], Posting)

    def test_is_accepted_whatever_comes_after_that_cancel(self, story: Story) -> None:
        moves = (CANCEL, "5"), (WIN, "5"), (CANCEL, "5"), (BET, "3"), (ABORT, "3"), (WIN, "5")
        assert isinstance(play(story, *moves)[-1], Posting)

    def test_is_accepted_after_a_cancel_of_0_while_no_bet_stood(self, story: Story) -> None:
        moves = (BET, "5"), (ABORT, "5"), (CANCEL, "0"), (WIN, "9")
        assert isinstance(play(story, *moves)[-1], Posting)
        assert isinstance(play(Story().player(), (CANCEL, "0"), (WIN, "9"))[-1], Posting)

    def test_is_406_after_a_cancel_of_0_while_a_bet_stood(self, story: Story) -> None:
        moves = (BET, "5"), (CANCEL, "0"), (ABORT, "5"), (WIN, "9")
        assert refusal(play(story, *moves)[-1]) is Refusal.NO_MATCHING_MOVEMENT

    def test_is_decided_so_in_one_batch_too(self, story: Story) -> None:
        moves = (BET, "5"), (CANCEL, "0"), (ABORT, "5"), (WIN, "9"), (CANCEL, "0"), (WIN, "9")
        told = story.tell(*(movement(kind, amount) for kind, amount in moves))
        assert [refusal(told[3]), refusal(told[5])] == [Refusal.NO_MATCHING_MOVEMENT, None]


class TestAnAbortBesideAPayment:
    def test_is_accepted_and_flagged_while_fewer_payments_than_bets_stand(
        self, story: Story, kinds: Kinds
    ) -> None:
        *_, abort = play(
            story, (kinds.bet, "5"), (kinds.bet, "7"), (kinds.pay, "9"), (kinds.abort, "5")
        )
        assert isinstance(abort, Posting)
        assert abort.entry.flags == (Flag.ABORT_BESIDE_PAYMENT,)

    def test_is_406_once_as_many_payments_stand_as_bets(self, story: Story, kinds: Kinds) -> None:
        moves = (kinds.bet, "5"), (kinds.bet, "7"), (kinds.pay, "9"), (kinds.abort, "5")
        play(story, *moves)
        (again,) = play(story, (kinds.abort, "7"))
        assert refusal(again) is Refusal.NO_MATCHING_MOVEMENT

    def test_counts_payments_and_not_their_amounts(self, story: Story, kinds: Kinds) -> None:
        play(story, (kinds.bet, "5"), (kinds.bet, "7"), (kinds.pay, "1"), (kinds.pay, "1"))
        (abort,) = play(story, (kinds.abort, "5"))
        assert refusal(abort) is Refusal.NO_MATCHING_MOVEMENT

    def test_counts_a_payment_of_which_only_a_part_was_taken_back(
        self, story: Story, kinds: Kinds
    ) -> None:
        play(story, (kinds.bet, "5"), (kinds.pay, "9"), (kinds.pay_abort, "8"))
        (abort,) = play(story, (kinds.abort, "5"))
        assert refusal(abort) is Refusal.NO_MATCHING_MOVEMENT

    def test_is_not_flagged_where_no_payment_stands(self, story: Story, kinds: Kinds) -> None:
        play(story, (kinds.bet, "5"), (kinds.pay, "9"), (kinds.pay_abort, "9"), (kinds.pay, "0"))
        (abort,) = play(story, (kinds.abort, "5"))
        assert isinstance(abort, Posting)
        assert abort.entry.flags == ()

    def test_is_406_without_a_bet_of_its_amount(self, story: Story, kinds: Kinds) -> None:
        play(story, (kinds.bet, "5"), (kinds.bet, "7"), (kinds.pay, "9"))
        told = play(story, (kinds.abort, "6"))
        assert refusal(told[0]) is Refusal.NO_MATCHING_MOVEMENT


class TestASportBetCancel:
    def test_takes_back_the_latest_payment_of_exactly_the_amount(self, story: Story) -> None:
        play(story, (BET, "10"))
        payments = [movement(WIN, amount) for amount in ("5", "5", "9")]
        story.tell(*payments)
        assert undone(story.one(movement(CANCEL, "5")), payments[1], story)

    def test_prefers_an_exact_payment_to_an_abort(self, story: Story) -> None:
        bets = [movement(BET, "5"), movement(BET, "7")]
        story.tell(*bets, movement(ABORT, "5"))
        win = movement(WIN, "5")
        story.one(win)
        assert undone(story.one(movement(CANCEL, "5")), win, story)

    def test_else_undoes_the_latest_abort_of_exactly_the_amount(self, story: Story) -> None:
        aborts = [movement(ABORT, "5"), movement(ABORT, "5")]
        story.tell(movement(BET, "5"), movement(BET, "5"), *aborts)
        first = story.one(movement(CANCEL, "5"))
        assert undone(first, aborts[1], story)
        second = story.one(movement(CANCEL, "5"))
        assert undone(second, aborts[0], story)
        third = story.one(movement(CANCEL, "5"))
        assert isinstance(third, Posting)
        assert third.entry.flags == (Flag.UNCOVERED,)

    def test_makes_the_bet_of_an_undone_abort_stand_again(self, story: Story) -> None:
        bet = movement(BET, "5")
        story.tell(bet, movement(ABORT, "5"), movement(CANCEL, "5"))
        assert isinstance(story.one(movement(WIN, "1")), Posting)
        play(story, (PAY_ABORT, "1"))
        assert undone(story.one(movement(ABORT, "5")), bet, story)
        assert refusal(story.one(movement(ABORT, "5"))) is Refusal.ALREADY_GIVEN_BACK

    def test_prefers_an_abort_to_a_payment_of_another_amount(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        story.tell(movement(BET, "5"), movement(BET, "7"), abort, movement(WIN, "50"))
        assert undone(story.one(movement(CANCEL, "5")), abort, story)

    def test_else_takes_payments_the_latest_first_as_far_as_they_go(self, story: Story) -> None:
        play(story, (BET, "10"))
        payments = [movement(WIN, amount) for amount in ("5", "3", "2")]
        story.tell(*payments)
        receipt = story.one(movement(CANCEL, "4"))
        assert isinstance(receipt, Posting)
        positions = [story.journal[p.key].position for p in payments]
        assert receipt.entry.reverses == (
            (positions[2], 200, 0),
            (positions[1], 200, 0),
        )
        assert receipt.entry.flags == ()
        rest = story.one(movement(CANCEL, "7"))
        assert isinstance(rest, Posting)
        assert rest.entry.reverses == ((positions[1], 100, 0), (positions[0], 500, 0))
        assert rest.entry.flags == (Flag.UNCOVERED,)
        assert rest.entry.delta == (-700, 0), "a remainder is debited all the same"

    def test_looks_at_what_stands_of_a_payment_not_at_what_it_was(self, story: Story) -> None:
        play(story, (BET, "10"))
        win = movement(WIN, "9")
        story.tell(win, movement(PAY_ABORT, "4"), movement(WIN, "20"))
        assert undone(story.one(movement(CANCEL, "5")), win, story)

    def test_of_an_unknown_event_is_flagged_and_debited(self, story: Story) -> None:
        receipt = story.one(movement(CANCEL, "5"))
        assert isinstance(receipt, Posting)
        assert receipt.entry.flags == (Flag.EVENT_UNKNOWN, Flag.UNCOVERED)
        assert receipt.entry.delta == (-500, 0)

    def test_does_not_see_streamer_money(self, story: Story) -> None:
        play(story, ("PromoStreamersDebit", "5"), ("PromoStreamersCredit", "5"))
        receipt = story.one(movement(CANCEL, "5"))
        assert isinstance(receipt, Posting)
        assert Flag.EVENT_UNKNOWN in receipt.entry.flags

    @pytest.mark.parametrize(
        ("sport", "sent", "flagged"), [(None, 7, False), (7, 7, False), (7, 8, True)]
    )
    def test_under_another_game_id_is_flagged_and_never_refused(
        self, sport: int | None, sent: int, *, flagged: bool
    ) -> None:
        story = Story(Policy(sport_game_id=sport)).player(real=10_000)
        play(story, (BET, "5"), (WIN, "5"))
        receipt = story.one(movement(CANCEL, "5", game_id=sent))
        assert isinstance(receipt, Posting)
        assert receipt.entry.flags == ((Flag.OTHER_GAME,) if flagged else ())

    def test_draws_where_the_aborted_money_went_and_not_where_the_bet_came_from(self) -> None:
        story = Story().player(real=100, bonus=200)
        play(story, (BET, "3.00"))
        story.change(pockets=story.pockets()._replace(real=-150))
        play(story, (ABORT, "3.00"))
        assert story.pockets() == (0, 150)
        story.change(pockets=Pockets(1000, 500))
        assert delta(story.one(movement(CANCEL, "3.00"))) == (-150, -150)
        assert delta(story.one(movement(ABORT, "3.00"))) == (100, 200), "the bet's own split"


class TestKeyScopeTransactionEvent:
    policy = Policy(key_scope=KeyScope.TRANSACTION_EVENT)

    def told(self, kind: str, amount: str, transaction_id: str) -> Movement:
        return movement(kind, amount, transaction_id=transaction_id, policy=self.policy)

    def test_an_abort_gives_back_the_bet_of_its_own_transaction_id_first(self) -> None:
        story = Story(self.policy).player(real=10_000)
        own, later = self.told(BET, "5", "one"), self.told(BET, "5", "two")
        story.tell(own, later)
        assert undone(story.one(self.told(ABORT, "5", "one")), own, story)
        assert undone(story.one(self.told(ABORT, "5", "three")), later, story)

    def test_its_own_bet_of_another_amount_is_not_it(self) -> None:
        story = Story(self.policy).player(real=10_000)
        own, other = self.told(BET, "5", "one"), self.told(BET, "6", "two")
        story.tell(other, own)
        assert undone(story.one(self.told(ABORT, "6", "one")), other, story)

    def test_its_own_bet_that_does_not_stand_is_not_it(self) -> None:
        story = Story(self.policy).player(real=10_000)
        own, other = self.told(BET, "5", "one"), self.told(BET, "5", "two")
        story.tell(other, own)
        assert undone(story.one(self.told(ABORT, "5", "three")), own, story)
        assert undone(story.one(self.told(ABORT, "5", "one")), other, story)


def test_under_the_scope_of_the_transaction_the_latest_bet_is_given_back() -> None:
    story = Story().player(real=10_000)
    bets = [movement(BET, "5"), movement(BET, "5")]
    story.tell(*bets)
    assert undone(story.one(movement(ABORT, "5")), bets[1], story)


@pytest.mark.parametrize(
    ("moves", "is_settled"),
    [
        ([(BET, "5")], False),
        ([(BET, "5"), (LOSE, "0")], True),
        ([(BET, "5"), (WIN, "5")], True),
        ([(BET, "5"), (WIN, "5"), (BET, "5")], False),
        ([(BET, "5"), (WIN, "5"), (CANCEL, "5")], False),
        ([(BET, "5"), (WIN, "5"), (CANCEL, "5"), (LOSE, "0")], True),
        ([(BET, "5"), (WIN, "5"), (PAY_ABORT, "5")], True),
    ],
)
def test_an_event_has_ended_when_a_result_came_after_its_latest_bet_and_cancel(
    story: Story, moves: list[tuple[str, str]], *, is_settled: bool
) -> None:
    play(story, *moves)
    (round_,) = story.rounds.values()
    assert round_.is_settled is is_settled
