"""The first check that fails gives the refusal (callback contract, section 4)."""

import itertools

import pytest

from app.wallet.balance import Pockets
from app.wallet.limits import Limits
from app.wallet.outcomes import Posting, Refused, Replay
from app.wallet.refusals import Refusal
from tests.wallet.story import EXPIRED, UNKNOWN, Story, again, movement, refusal, token_of

PLAY = ["BetPlacing", "Tip", "PromoStreamersDebit"]


class Obstacles:
    """A debit of play, and everything that can stand in its way, in the contract's order."""

    def __init__(self, kind: str) -> None:
        self.story = Story().player(real=10_000)
        self.told = movement(kind, "100", transaction_id="id")

    def unknown_player(self) -> None:
        self.told = self.told._replace(user_id="nobody")

    def too_fine(self) -> None:
        self.told = self.told._replace(amount=self.told.amount + ".001")

    def taken(self) -> None:
        story, other = Story().player(real=10_000), self.told._replace(event_id="first")
        story.one(other._replace(amount="1", user_id="anna", token=token_of("anna", "live")))
        self.story.journal.update(story.journal)

    def token_unknown(self) -> None:
        self.told = self.told._replace(token=token_of("anna", UNKNOWN))

    def token_expired(self) -> None:
        if self.told.token == token_of("anna", "live"):
            self.told = self.told._replace(token=token_of("anna", EXPIRED))

    def blocked(self) -> None:
        self.story.change(is_blocked=True)

    def limit(self) -> None:
        self.story.change(limits=Limits(stake_bet=1, loss_day=1))

    def poor(self) -> None:
        self.story.change(pockets=Pockets(0, 0))


ORDER = [
    ("unknown_player", Refusal.PLAYER_UNKNOWN),
    ("too_fine", Refusal.AMOUNT_TOO_FINE),
    ("taken", Refusal.MOVEMENT_DIFFERS),
    ("token_unknown", Refusal.TOKEN_UNKNOWN),
    ("token_expired", Refusal.TOKEN_EXPIRED),
    ("blocked", Refusal.PLAYER_BLOCKED),
    ("limit", Refusal.LIMIT_EXCEEDED),
    ("poor", Refusal.INSUFFICIENT_FUNDS),
]
HAND_IN_HAND = list(itertools.combinations(range(len(ORDER)), 2))


@pytest.mark.parametrize("kind", PLAY)
@pytest.mark.parametrize(("first", "later"), HAND_IN_HAND, ids=lambda index: ORDER[index][0])
def test_the_earlier_obstacle_is_told(kind: str, first: int, later: int) -> None:
    obstacles = Obstacles(kind)
    for index in (first, later):
        getattr(obstacles, ORDER[index][0])()
    receipt = obstacles.story.one(obstacles.told)
    assert refusal(receipt) is ORDER[first][1]


@pytest.mark.parametrize("index", range(len(ORDER)), ids=lambda index: ORDER[index][0])
@pytest.mark.parametrize("kind", PLAY)
def test_all_that_follows_an_obstacle_changes_nothing(kind: str, index: int) -> None:
    obstacles = Obstacles(kind)
    for name, _ in ORDER[index:]:
        getattr(obstacles, name)()
    assert refusal(obstacles.story.one(obstacles.told)) is ORDER[index][1]


def test_refusals_are_declared_in_the_order_in_which_they_are_told() -> None:
    declared = list(Refusal)
    told = [refused for _, refused in ORDER]
    assert sorted(told, key=declared.index) == told


@pytest.mark.parametrize(
    ("token", "expected"),
    [(UNKNOWN, Refusal.TOKEN_UNKNOWN), (EXPIRED, Refusal.NO_MATCHING_MOVEMENT)],
)
def test_the_token_comes_before_the_event(token: str, expected: Refusal) -> None:
    story = Story().player()
    assert refusal(story.one(movement("Win", "5", token=token))) is expected


def test_the_event_comes_before_funds() -> None:
    story = Story().player()
    receipt = story.one(movement("BetPayedAbort", "5"))
    assert refusal(receipt) is Refusal.NO_MATCHING_MOVEMENT


def test_the_event_comes_before_the_balance_that_would_not_fit() -> None:
    story = Story().player(real=99999999999999999999)
    assert refusal(story.one(movement("Win", "5"))) is Refusal.NO_MATCHING_MOVEMENT


def test_only_a_player_who_is_unknown_hears_no_balance() -> None:
    story = Story().player(real=500)
    unknown = story.one(movement("Win", "5", user_id="nobody"))
    assert isinstance(unknown, Refused)
    assert unknown.pockets is None
    known = story.one(movement("Win", "5"))
    assert isinstance(known, Refused)
    assert (known.pockets, known.currency) == ((500, 0), story.wallets["anna"].currency)


@pytest.mark.parametrize("token", [EXPIRED, UNKNOWN])
def test_a_retry_of_an_all_in_bet_hears_that_it_was_processed(token: str) -> None:
    story = Story().player(real=10_000)
    bet = movement("BetPlacing", "100")
    assert isinstance(story.one(bet), Posting)
    assert isinstance(story.one(again(bet)), Replay)
    assert isinstance(story.one(again(bet, token=token_of("anna", token))), Replay)
