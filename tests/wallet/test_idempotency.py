"""One transaction id, one outcome for ever (callback contract, section 5; transfer, section 4)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.limits import Limits
from app.wallet.movement import KeyScope, Movement
from app.wallet.outcomes import Declined, Posting, Refused, Replay
from app.wallet.refusals import Refusal
from tests.wallet.story import EXPIRED, UNKNOWN, Story, again, movement, refusal, token_of

SCOPES = list(KeyScope)
scopes = pytest.mark.parametrize("scope", SCOPES)


class First(NamedTuple):
    """What the first delivery of an id comes to, and how."""

    told: Callable[[Policy], Movement]
    refusal: Refusal | None
    change: dict[str, Any]
    """what the operator has done to the account before"""
    undo: dict[str, Any]
    """what happens before the repeat, so that a new id would be accepted"""


RICH: dict[str, Any] = {"pockets": Pockets(1_000_000, 0)}

DECLINED = {
    "402": First(
        lambda policy: movement("BetPlacing", "100", transaction_id="id", policy=policy),
        Refusal.INSUFFICIENT_FUNDS,
        {"pockets": Pockets(0, 0)},
        RICH,
    ),
    "456": First(
        lambda policy: movement("BetPlacing", "100", transaction_id="id", policy=policy),
        Refusal.LIMIT_EXCEEDED,
        {"limits": Limits(stake_bet=1)},
        {"limits": Limits()},
    ),
    "405": First(
        lambda policy: movement("BetPlacing", "100", transaction_id="id", policy=policy),
        Refusal.PLAYER_BLOCKED,
        {"is_blocked": True},
        {"is_blocked": False},
    ),
}

UNREMEMBERED = {
    "406": (movement("Win", "5"), Refusal.NO_MATCHING_MOVEMENT),
    "410": (movement("BetPlacing", "5", token=EXPIRED), Refusal.TOKEN_EXPIRED),
    "417": (movement("BetPlacing", "5", token=UNKNOWN), Refusal.TOKEN_UNKNOWN),
    "400 scale": (movement("BetPlacing", "5.001"), Refusal.AMOUNT_TOO_FINE),
    "404": (movement("BetPlacing", "5", user_id="nobody"), Refusal.PLAYER_UNKNOWN),
}


@pytest.fixture(params=SCOPES)
def story(request: pytest.FixtureRequest) -> Story:
    return Story(Policy(key_scope=request.param)).player(real=1_000_000).player("boris", 1_000_000)


class TestARepeatOfAnAcceptedMovement:
    def test_is_a_replay_and_moves_nothing(self, story: Story) -> None:
        bet = movement("BetPlacing", "10", policy=story.policy)
        first = story.one(bet)
        before = dict(story.wallets)
        receipt = story.one(again(bet))
        assert isinstance(first, Posting)
        assert isinstance(receipt, Replay)
        assert (receipt.entry, receipt.is_own, receipt.differs) == (first.entry, False, None)
        assert receipt.pockets == story.pockets()
        assert story.wallets == before

    def test_is_its_own_when_the_same_delivery_comes_to_itself(self, story: Story) -> None:
        bet = movement("BetPlacing", "10", policy=story.policy)
        story.one(bet)
        receipt = story.one(bet)
        assert isinstance(receipt, Replay)
        assert receipt.is_own

    @pytest.mark.parametrize(
        "field",
        [
            {"amount": "10.00"},
            {"amount": "010.0"},
            {"token": token_of("anna", EXPIRED)},
            {"token": token_of("anna", UNKNOWN)},
            {"game_id": 999},
            {"bonus_code": "FREE"},
            {"extra_data": "other"},
            {"extra_data": None},
        ],
        ids=str,
    )
    def test_whatever_is_no_content_may_differ(self, story: Story, field: dict[str, Any]) -> None:
        bet = movement("BetPlacing", "10", policy=story.policy)
        story.one(bet)
        receipt = story.one(again(bet, **field))
        assert isinstance(receipt, Replay)
        assert receipt.differs is None

    @pytest.mark.parametrize(
        ("field", "name"),
        [
            ({"amount": "10.01"}, "amount"),
            ({"amount": "0"}, "amount"),
            ({"event_id": "other"}, "eventId"),
            ({"user_id": "boris"}, "userId"),
        ],
    )
    def test_with_other_content_is_409_and_names_the_field(
        self, story: Story, field: dict[str, Any], name: str
    ) -> None:
        bet = movement("BetPlacing", "10", policy=story.policy)
        story.one(bet)
        before = dict(story.wallets)
        other = again(bet, **field)
        receipt = story.one(other)
        assert isinstance(receipt, Refused)
        assert (receipt.refusal, receipt.differs) == (Refusal.MOVEMENT_DIFFERS, name)
        assert receipt.pockets == story.pockets(other.user_id)
        assert story.wallets == before

    @pytest.mark.parametrize(
        ("first", "second", "name"),
        [
            (("BetPlacing", "debit"), ("Win", "credit"), "eventType"),
            (("BetPlacing", "debit"), ("Tip", "debit"), "eventType"),
            (("technicalFix", "debit"), ("technicalFix", "credit"), "direction"),
            (("DropAndWin", "credit"), ("DropAndWin", "debit"), "direction"),
        ],
    )
    def test_of_another_type_or_direction_is_400_where_the_id_alone_is_the_key(
        self, first: tuple[str, str], second: tuple[str, str], name: str
    ) -> None:
        story = Story().player(real=1_000_000)
        told = [
            movement(kind, "0", direction=way, transaction_id="id") for kind, way in (first, second)
        ]
        assert isinstance(story.one(told[0]), Posting)
        receipt = story.one(told[1])
        assert isinstance(receipt, Refused)
        assert (receipt.refusal, receipt.differs) == (Refusal.EVENT_TYPE_DIFFERS, name)

    def test_another_type_and_other_content_is_400_because_it_was_not_processed(self) -> None:
        story = Story().player(real=1_000_000).player("boris", 1_000_000)
        story.one(movement("BetPlacing", "10", transaction_id="id"))
        other = movement("Tip", "11", transaction_id="id", user_id="boris", event_id="other")
        assert refusal(story.one(other)) is Refusal.EVENT_TYPE_DIFFERS

    def test_of_another_type_is_another_movement_where_the_event_is_in_the_key(self) -> None:
        policy = Policy(key_scope=KeyScope.TRANSACTION_EVENT)
        story = Story(policy).player(real=1_000_000)
        for kind in ("BetPlacing", "Win", "BetPayedAbort", "BetPlacingAbort"):
            told = movement(kind, "10", transaction_id="id", policy=policy)
            assert isinstance(story.one(told), Posting)
            assert isinstance(story.one(again(told)), Replay)

    def test_hears_so_before_token_block_limits_and_funds(self, story: Story) -> None:
        bet = movement("BetPlacing", "10000", policy=story.policy)
        assert isinstance(story.one(bet), Posting)
        story.change(is_blocked=True, limits=Limits(stake_bet=0))
        assert isinstance(story.one(again(bet)), Replay), "an all-in bet, retried"
        assert isinstance(story.one(again(bet, token=token_of("anna", UNKNOWN))), Replay)
        story.now += story.sessions[1, bet.token or b""] - story.now
        assert isinstance(story.one(again(bet)), Replay), "the token has died meanwhile"


class TestARefusalThatIsAnOutcome:
    @pytest.mark.parametrize("code", DECLINED)
    def test_is_heard_again_even_when_a_fresh_id_would_be_accepted(
        self, story: Story, code: str
    ) -> None:
        case = DECLINED[code]
        told = case.told(story.policy)
        story.change(**case.change)
        first = story.one(told)
        assert isinstance(first, Declined)
        assert first.refusal is case.refusal
        story.change(**case.undo)
        receipt = story.one(again(told))
        assert isinstance(receipt, Replay)
        assert (receipt.entry, receipt.differs) == (first.entry, None)
        assert receipt.pockets == story.pockets(), "with the current balance"
        fresh = again(told, key=told.key._replace(transaction_id="fresh"))
        assert isinstance(story.one(fresh), Posting)

    @pytest.mark.parametrize("code", DECLINED)
    @pytest.mark.parametrize(
        ("field", "name"),
        [
            ({"amount": "0.01"}, "amount"),
            ({"event_id": "other"}, "eventId"),
            ({"user_id": "boris", "token": token_of("boris", "live")}, "userId"),
            ({"event_type": EventType.TIP}, "eventType"),
            (
                {"event_type": EventType.TECHNICAL_FIX, "direction": Direction.CREDIT},
                "eventType",
            ),
        ],
        ids=str,
    )
    def test_is_heard_whatever_content_the_id_now_carries(
        self, story: Story, code: str, field: dict[str, Any], name: str
    ) -> None:
        case = DECLINED[code]
        told = case.told(story.policy)
        story.change(**case.change)
        story.one(told)
        story.change(**case.undo)
        other = again(told, **field)
        receipt = story.one(other)
        assert isinstance(receipt, Replay)
        assert (receipt.entry.refusal, receipt.differs) == (case.refusal, name)
        assert receipt.pockets == story.pockets(other.user_id)

    def test_an_aborts_409_is_one(self, story: Story) -> None:
        bet, abort, late = (
            movement(kind, "5", policy=story.policy)
            for kind in ("BetPlacing", "BetPlacingAbort", "BetPlacingAbort")
        )
        story.tell(bet, abort, late)
        story.one(movement("BetPlacing", "5", policy=story.policy))
        receipt = story.one(again(late))
        assert isinstance(receipt, Replay), "although another bet of the amount stands now"
        assert receipt.entry.refusal is Refusal.ALREADY_GIVEN_BACK

    @pytest.mark.parametrize(
        ("kind", "change", "refused"),
        [
            ("BetPayedAbort", {"pockets": Pockets(0, 0)}, Refusal.INSUFFICIENT_FUNDS),
            ("technicalFix", {"pockets": Pockets(0, 0)}, Refusal.INSUFFICIENT_FUNDS),
            ("Tip", {"is_blocked": True}, Refusal.PLAYER_BLOCKED),
            ("PromoStreamersDebit", {"limits": Limits(loss_day=0)}, Refusal.LIMIT_EXCEEDED),
        ],
    )
    def test_is_one_for_every_event_type(
        self, story: Story, kind: str, change: dict[str, Any], refused: Refusal
    ) -> None:
        story.tell(
            movement("BetPlacing", "5", policy=story.policy),
            movement("Win", "5", policy=story.policy),
        )
        story.change(**change)
        told = movement(kind, "5", direction="debit", policy=story.policy)
        assert refusal(story.one(told)) is refused
        story.change(pockets=Pockets(1000, 0), is_blocked=False, limits=Limits())
        assert refusal(story.one(again(told))) is refused


class TestARefusalThatIsNoOutcome:
    @pytest.mark.parametrize("code", UNREMEMBERED)
    def test_leaves_nothing_behind(self, code: str) -> None:
        told, refused = UNREMEMBERED[code]
        story = Story().player(real=1_000_000)
        before = dict(story.wallets)
        receipt = story.one(told)
        assert isinstance(receipt, Refused)
        assert receipt.refusal is refused
        assert (story.wallets, story.journal) == (before, {})
        assert not receipt.refusal.is_final

    def test_a_win_may_arrive_before_its_bets_retry(self, story: Story) -> None:
        win = movement("Win", "5", policy=story.policy)
        assert refusal(story.one(win)) is Refusal.NO_MATCHING_MOVEMENT
        story.one(movement("BetPlacing", "5", policy=story.policy))
        assert isinstance(story.one(again(win)), Posting)

    def test_a_token_may_be_renewed(self, story: Story) -> None:
        bet = movement("BetPlacing", "5", policy=story.policy, token=EXPIRED)
        assert refusal(story.one(bet)) is Refusal.TOKEN_EXPIRED
        assert isinstance(story.one(again(bet, token=token_of("anna", "live"))), Posting)

    def test_its_id_may_come_back_with_any_content(self, story: Story) -> None:
        told = movement("Win", "5", transaction_id="id", policy=story.policy)
        story.one(told)
        other = movement("BetPlacing", "7", transaction_id="id", policy=story.policy)
        assert isinstance(story.one(other), Posting)


@scopes
@pytest.mark.parametrize("debit_first", [True, False])
def test_a_promo_wins_debit_of_zero_never_takes_the_id_from_its_credit(
    scope: KeyScope, *, debit_first: bool
) -> None:
    policy = Policy(key_scope=scope)
    story = Story(policy).player()
    ways = [("debit", "0"), ("credit", "5")]
    for way, amount in ways if debit_first else ways[::-1]:
        told = movement("PromoWin", amount, direction=way, transaction_id="promo", policy=policy)
        assert isinstance(story.one(told), Posting)
        assert isinstance(story.one(again(told)), Replay)
    assert story.pockets() == (500, 0)


class TestWithinOneBatch:
    def test_a_repeat_hears_of_the_first(self, story: Story) -> None:
        bet = movement("BetPlacing", "10", policy=story.policy)
        first, second = story.tell(bet, again(bet))
        assert isinstance(first, Posting)
        assert isinstance(second, Replay)
        assert second.entry == first.entry
        assert second.pockets == first.entry.after

    def test_a_repeat_of_a_refused_one_hears_the_refusal(self, story: Story) -> None:
        bet = movement("BetPlacing", "100000", policy=story.policy)
        first, second = story.tell(bet, again(bet, amount="1"))
        assert isinstance(first, Declined)
        assert isinstance(second, Replay)
        assert (second.entry, second.differs) == (first.entry, "amount")

    def test_two_players_with_one_id_come_to_one_movement(self, story: Story) -> None:
        anna = movement("BetPlacing", "10", transaction_id="id", policy=story.policy)
        boris = movement(
            "BetPlacing", "10", transaction_id="id", user_id="boris", policy=story.policy
        )
        first, second = story.tell(anna, boris)
        assert isinstance(first, Posting)
        assert isinstance(second, Refused)
        assert (second.refusal, second.differs) == (Refusal.MOVEMENT_DIFFERS, "userId")
        assert story.pockets("boris") == (1_000_000, 0)


class TestAtTheCashiersDoor:
    def test_a_repeat_is_a_replay(self) -> None:
        story = Story().player()
        deposit = movement("Deposit", "10")
        first, second = story.one(deposit), story.one(again(deposit))
        assert isinstance(first, Posting)
        assert isinstance(second, Replay)
        assert story.pockets() == (1000, 0)

    @pytest.mark.parametrize(
        ("kind", "change", "refused"),
        [
            ("Withdrawal", {"pockets": Pockets(0, 0)}, Refusal.INSUFFICIENT_FUNDS),
            ("Deposit", {"is_blocked": True}, Refusal.PLAYER_BLOCKED),
        ],
    )
    def test_9_and_102_are_remembered(
        self, kind: str, change: dict[str, Any], refused: Refusal
    ) -> None:
        story = Story().player()
        told = movement(kind, "10")
        story.change(**change)
        assert refusal(story.one(told)) is refused
        story.change(pockets=Pockets(5000, 0), is_blocked=False)
        receipt = story.one(again(told))
        assert isinstance(receipt, Replay)
        assert receipt.entry.refusal is refused

    @pytest.mark.parametrize("is_refused", [True, False])
    @pytest.mark.parametrize(
        ("other", "name"),
        [
            (("Withdrawal", "11", "anna"), "amount"),
            (("BonusRevoke", "10", "anna"), "eventType"),
            (("Withdrawal", "10", "boris"), "userId"),
        ],
    )
    def test_an_id_used_for_another_operation_or_content_is_code_100(
        self, other: tuple[str, str, str], name: str, *, is_refused: bool
    ) -> None:
        money = 0 if is_refused else 5000
        story = Story().player(real=money).player("boris", 5000)
        story.one(movement("Withdrawal", "10", transaction_id="id"))
        kind, amount, user_id = other
        receipt = story.one(movement(kind, amount, transaction_id="id", user_id=user_id))
        assert isinstance(receipt, Refused)
        assert receipt.refusal in {Refusal.MOVEMENT_DIFFERS, Refusal.EVENT_TYPE_DIFFERS}
        assert receipt.differs == name

    def test_each_agents_ids_are_its_own_and_never_collide_with_the_game_sides(self) -> None:
        story = Story().player(real=5000).player("boris")
        story.change("boris", agent="another")
        told = [
            movement("Deposit", "10", transaction_id="id"),
            movement("Deposit", "10", transaction_id="id", user_id="boris", source="another"),
            movement("BetPlacing", "10", transaction_id="id"),
        ]
        for each in told:
            assert isinstance(story.one(each), Posting)

    def test_an_unknown_account_and_too_fine_an_amount_are_not_remembered(self) -> None:
        story = Story().player()
        for told in (
            movement("Deposit", "10", user_id="nobody", transaction_id="id"),
            movement("Deposit", "10.001", transaction_id="id"),
        ):
            assert isinstance(story.one(told), Refused)
        assert isinstance(story.one(movement("Deposit", "10", transaction_id="id")), Posting)
