"""An abort that comes before its bet refuses the bet (callback contract, section 5)."""

from datetime import timedelta

import pytest

from app.wallet.balance import Pockets
from app.wallet.early_aborts import AbortState, OvertakenBet
from app.wallet.facts import Policy
from app.wallet.journal import Flag
from app.wallet.limits import Limits
from app.wallet.movement import KeyScope
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.wallet.story import EXPIRED, Story, again, movement, refusal

BET, ABORT, WIN = "BetPlacing", "BetPlacingAbort", "Win"
STREAMER_BET, STREAMER_ABORT = "PromoStreamersDebit", "PromoStreamersBetPlacingAbort"
WINDOW = timedelta(seconds=600)
BY_EVENT = Policy(key_scope=KeyScope.TRANSACTION_EVENT)


@pytest.fixture
def story() -> Story:
    return Story().player(real=100_000)


def flags(receipt: Receipt) -> tuple[Flag, ...]:
    assert isinstance(receipt, Posting), receipt
    return receipt.entry.flags


def states(story: Story) -> list[AbortState]:
    (round_,) = story.rounds.values()
    return [abort.state for abort in round_.early_aborts]


class TestABetAfterItsAbort:
    def test_is_refused_for_ever_and_moves_nothing(self, story: Story) -> None:
        abort, bet = movement(ABORT, "5"), movement(BET, "5.00")
        assert refusal(story.one(abort)) is Refusal.NO_MATCHING_MOVEMENT
        receipt = story.one(bet)
        assert isinstance(receipt, Declined)
        assert receipt.refusal is Refusal.BET_OVERTAKEN
        assert receipt.detail == abort.key.transaction_id
        story.now += timedelta(days=30)
        repeated = story.one(again(bet, amount="7"))
        assert isinstance(repeated, Replay)
        assert repeated.entry == receipt.entry
        assert story.pockets() == Pockets(100_000, 0)

    def test_uses_the_abort_up_and_a_second_bet_is_an_ordinary_one(self, story: Story) -> None:
        story.tell(movement(ABORT, "5"), movement(BET, "5"))
        assert flags(story.one(movement(BET, "5"))) == ()

    def test_gives_the_aborts_id_a_409_that_is_its_outcome(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        story.tell(abort, movement(BET, "5"), movement(BET, "5"))
        assert abort.key not in story.journal, "nothing is written under it until it comes again"
        receipt = story.one(again(abort, amount="6"))
        assert isinstance(receipt, Declined), "although a bet of its amount stands by now"
        assert receipt.refusal is Refusal.ALREADY_GIVEN_BACK
        assert isinstance(story.one(again(abort)), Replay)
        assert states(story) == [AbortState.SETTLED]

    def test_leaves_the_aborts_outcome_alone_where_it_has_one(self, story: Story) -> None:
        early = movement(ABORT, "5")
        first = story.tell(movement(BET, "5"), movement(ABORT, "5"), early)[-1]
        assert isinstance(first, Declined)
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN
        receipt = story.one(again(early))
        assert isinstance(receipt, Replay)
        assert receipt.entry == first.entry

    @pytest.mark.parametrize(
        ("kind", "amount", "event_id"),
        [(BET, "5.01", "event"), (BET, "5", "other"), (STREAMER_BET, "5", "event")],
    )
    def test_is_meant_by_amount_event_and_kind_of_money(
        self, story: Story, kind: str, amount: str, event_id: str
    ) -> None:
        story.one(movement(ABORT, "5"))
        assert flags(story.one(movement(kind, amount, event_id=event_id))) == ()
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN

    def test_is_refused_among_streamers_likewise(self, story: Story) -> None:
        told = story.tell(movement(STREAMER_ABORT, "5"), movement(BET, "5"))
        assert flags(told[1]) == ()
        assert refusal(story.one(movement(STREAMER_BET, "5"))) is Refusal.BET_OVERTAKEN

    def test_is_refused_in_one_batch_as_in_many(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        told = [abort, again(abort), movement(BET, "5"), movement(BET, "5"), again(abort)]
        assert [refusal(receipt) for receipt in story.tell(*told)] == [
            Refusal.NO_MATCHING_MOVEMENT,
            Refusal.NO_MATCHING_MOVEMENT,
            Refusal.BET_OVERTAKEN,
            None,
            Refusal.ALREADY_GIVEN_BACK,
        ]

    def test_hears_of_token_and_block_first_and_of_limits_and_funds_never(
        self, story: Story
    ) -> None:
        story.one(movement(ABORT, "5"))
        assert refusal(story.one(movement(BET, "5", token=EXPIRED))) is Refusal.TOKEN_EXPIRED
        story.change(is_blocked=True)
        assert refusal(story.one(movement(BET, "5"))) is Refusal.PLAYER_BLOCKED
        story.change(is_blocked=False, limits=Limits(stake_bet=1), pockets=Pockets(0, 0))
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN

    def test_is_refused_whatever_payments_stand(self, story: Story) -> None:
        story.tell(movement(BET, "3"), movement(WIN, "9"))
        assert refusal(story.one(movement(ABORT, "5"))) is Refusal.NO_MATCHING_MOVEMENT
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN


class TestTheWindow:
    def test_ends_with_its_last_instant(self, story: Story) -> None:
        story.one(movement(ABORT, "5"))
        story.now += WINDOW
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN

    def test_a_later_bet_is_accepted_and_flagged_and_uses_no_abort_up(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        story.one(abort)
        story.now += WINDOW + timedelta(microseconds=1)
        for _ in range(2):
            assert flags(story.one(movement(BET, "5"))) == (Flag.ABORT_OVERTOOK,)
        assert flags(story.one(again(abort))) == ()
        assert flags(story.one(movement(BET, "5"))) == (), "an abort accepted is forgotten"

    def test_begins_with_the_first_delivery_whatever_is_repeated(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        story.one(abort)
        story.now += WINDOW
        story.one(again(abort))
        story.now += timedelta(seconds=1)
        assert flags(story.one(movement(BET, "5"))) == (Flag.ABORT_OVERTOOK,)

    def test_of_several_aborts_the_oldest_within_it_is_used(self, story: Story) -> None:
        old, first, second = (movement(ABORT, "5") for _ in range(3))
        story.one(old)
        story.now += WINDOW
        story.one(first)
        story.now += timedelta(seconds=1)
        story.one(second)
        receipt = story.one(movement(BET, "5"))
        assert isinstance(receipt, Declined)
        assert receipt.detail == first.key.transaction_id

    def test_is_the_operators_to_set(self) -> None:
        policy = Policy(overtaken_window=timedelta(seconds=1))
        story = Story(policy).player(real=1000)
        story.one(movement(ABORT, "5"))
        story.now += timedelta(seconds=2)
        assert flags(story.one(movement(BET, "5"))) == (Flag.ABORT_OVERTOOK,)


class TestAnAbort:
    def test_is_not_remembered_while_a_bet_of_its_amount_stands(self, story: Story) -> None:
        story.tell(movement(BET, "5"), movement(WIN, "9"))
        assert refusal(story.one(movement(ABORT, "5"))) is Refusal.NO_MATCHING_MOVEMENT
        assert flags(story.one(movement(BET, "5"))) == ()

    def test_is_forgotten_once_it_is_accepted(self, story: Story) -> None:
        abort = movement(ABORT, "5")
        story.one(abort)
        story.now += WINDOW * 2
        story.one(movement(BET, "5"))
        assert isinstance(story.one(again(abort)), Posting)
        story.now -= WINDOW * 2
        assert flags(story.one(movement(BET, "5"))) == ()

    def test_none_is_forgotten_for_lack_of_room(self, story: Story) -> None:
        aborts = [movement(ABORT, f"{number}.5") for number in range(1, 101)]
        story.tell(*aborts)
        for abort in aborts:
            assert refusal(story.one(movement(BET, abort.amount))) is Refusal.BET_OVERTAKEN

    @pytest.mark.parametrize("is_one_batch", [True, False])
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"pockets": Pockets(0, 0)}, Refusal.INSUFFICIENT_FUNDS),
            ({"is_blocked": True}, Refusal.PLAYER_BLOCKED),
            ({"limits": Limits(stake_bet=1)}, Refusal.LIMIT_EXCEEDED),
        ],
    )
    def test_of_a_bet_refused_for_ever_means_no_other_bet(
        self, change: dict[str, object], why: Refusal, *, is_one_batch: bool
    ) -> None:
        story = Story().player(real=1000)
        story.change(**change)
        told = movement(BET, "5"), movement(ABORT, "5")
        receipts = story.tell(*told) if is_one_batch else [story.one(one) for one in told]
        assert [refusal(one) for one in receipts] == [why, Refusal.NO_MATCHING_MOVEMENT]
        story.change(pockets=Pockets(1000, 0), is_blocked=False, limits=Limits())
        assert flags(story.one(movement(BET, "5"))) == ()

    def test_of_a_bet_refused_as_overtaken_means_no_other_bet(self, story: Story) -> None:
        story.tell(movement(ABORT, "5"), movement(BET, "5"), movement(ABORT, "5"))
        assert states(story) == [AbortState.USED, AbortState.ABSORBED]
        assert flags(story.one(movement(BET, "5"))) == ()

    def test_is_absorbed_once_for_each_refused_bet(self, story: Story) -> None:
        story.change(is_blocked=True)
        story.one(movement(BET, "5"))
        story.change(is_blocked=False)
        absorbed = movement(ABORT, "5")
        story.tell(absorbed, again(absorbed), movement(ABORT, "5"))
        assert states(story) == [AbortState.ABSORBED, AbortState.WAITING]
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN

    def test_once_absorbed_and_then_accepted_leaves_nothing_to_absorb_another(
        self, story: Story
    ) -> None:
        story.change(is_blocked=True)
        story.one(movement(BET, "5"))
        story.change(is_blocked=False)
        absorbed = movement(ABORT, "5")
        story.tell(absorbed, movement(BET, "5"))
        assert isinstance(story.one(again(absorbed)), Posting)
        story.one(movement(ABORT, "5"))
        assert refusal(story.one(movement(BET, "5"))) is Refusal.BET_OVERTAKEN

    @pytest.mark.parametrize("knows_everything", [True, False])
    def test_refused_for_ever_absorbs_no_other_abort(self, *, knows_everything: bool) -> None:
        """Whether or not a history holds declined aborts as well as declined bets."""
        story = Story(knows_everything=knows_everything).player(real=1000)
        story.tell(movement(BET, "5"), movement(ABORT, "5"))
        for _ in range(2):
            assert isinstance(story.one(movement(ABORT, "5")), Declined)
        assert states(story) == [AbortState.WAITING, AbortState.WAITING]

    def test_without_a_known_token_is_not_remembered(self, story: Story) -> None:
        receipt = story.one(movement(ABORT, "5", token="unknown"))
        assert isinstance(receipt, Refused)
        assert flags(story.one(movement(BET, "5"))) == ()


class TestWhereAnAbortMayCarryItsBetsId:
    @pytest.mark.parametrize("amount", ["5", "6"])
    def test_it_refuses_the_bet_of_its_own_id_at_any_amount(self, amount: str) -> None:
        story = Story(BY_EVENT).player(real=10_000)
        story.one(movement(ABORT, "5", transaction_id="id", policy=BY_EVENT))
        other = movement(BET, "5", transaction_id="other", policy=BY_EVENT)
        assert flags(story.one(other)) == ()
        own = movement(BET, amount, transaction_id="id", policy=BY_EVENT)
        assert refusal(story.one(own)) is Refusal.BET_OVERTAKEN
        late = movement(ABORT, "5", transaction_id="id", policy=BY_EVENT)
        assert refusal(story.one(late)) is Refusal.ALREADY_GIVEN_BACK

    def test_a_late_bet_of_its_id_is_flagged(self) -> None:
        story = Story(BY_EVENT).player(real=10_000)
        story.one(movement(ABORT, "5", transaction_id="id", policy=BY_EVENT))
        story.now += WINDOW * 2
        late = movement(BET, "6", transaction_id="id", policy=BY_EVENT)
        assert flags(story.one(late)) == (Flag.ABORT_OVERTOOK,)

    def test_under_the_narrow_scope_the_bets_outcome_is_the_ids(self, story: Story) -> None:
        abort = movement(ABORT, "5", transaction_id="id")
        told = [abort, movement(BET, "5", transaction_id="id"), again(abort)]
        assert refusal(story.tell(*told)[2]) is Refusal.BET_OVERTAKEN


def test_where_the_setting_says_flag_an_overtaken_bet_is_accepted_and_flagged() -> None:
    story = Story(Policy(overtaken_bet=OvertakenBet.FLAG)).player(real=1000)
    abort = movement(ABORT, "5")
    story.one(abort)
    assert flags(story.one(movement(BET, "5"))) == (Flag.ABORT_OVERTOOK,)
    assert isinstance(story.one(again(abort)), Posting)


def test_an_amount_remembered_before_the_upgrade_only_flags(story: Story) -> None:
    story.one(movement(BET, "1"))
    ((key, round_),) = story.rounds.items()
    story.rounds[key] = round_._replace(untimed_aborts=frozenset({500}))
    assert flags(story.one(movement(BET, "5"))) == (Flag.ABORT_OVERTOOK,)
    assert flags(story.one(movement(BET, "6"))) == ()
