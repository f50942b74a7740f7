"""What a wallet must refuse: strangers, nonsense, spoiled requests; and launches that fail."""

from collections.abc import Iterator
from dataclasses import replace

from app.simulator.moves import Flaw, Method, Notice, Question, Token, WrongMethod
from app.simulator.seat import Seat, Step

_LAUNCH: tuple[Method, ...] = ("sessionCheck", "playerDetails", "getBalance")
_FLAWS: tuple[Flaw, ...] = (
    "wrong_signature",
    "no_signature",
    "other_key",
    "missing_field",
    "repeated_json_key",
    "nul",
)
_HOSTILE = (
    "-1",
    "+1",
    " 1",
    "1e2",
    "NaN",
    "Infinity",
    "1_000",
    "\uff11",
    "",
    "9" * 19,
    "0x1",
    "1.",
)
_NO_SUCH_EVENT = (
    ("BetPlacing", "credit"),
    ("Win", "debit"),
    ("Tip", "credit"),
    ("SportBetCancel", "credit"),
    ("BetPlacingAbort", "debit"),
    ("BetPayedAbort", "credit"),
    ("PromoStreamersCredit", "debit"),
    ("PromoStreamersDebit", "credit"),
    ("betplacing", "debit"),
    ("Jackpot", "credit"),
    ("Lose", "DEBIT"),
)


def launched(seat: Seat) -> Iterator[Step]:
    """A game is launched: all three answers must agree."""
    for method in _LAUNCH:
        yield seat.ask(method)


def not_launched(seat: Seat) -> Iterator[Step]:
    """Launches that fail: an unknown player before an unknown token before an expired one."""
    method = seat.dice.pick(_LAUNCH)
    yield seat.say(Question(method, Token.UNKNOWN, user="nobody"))
    yield seat.ask(method, Token.UNKNOWN)
    yield seat.ask(method, Token.ANOTHER)
    yield seat.ask(method, Token.EXPIRED)
    yield seat.say(Question("getUserToken", user="nobody"))
    yield seat.say(Question(method, flaw=seat.dice.pick(_FLAWS[:3])))
    yield seat.say(Question(method, flaw="missing_field"))
    yield seat.ask(method)


def fresh_token(seat: Seat) -> Iterator[Step]:
    """A token from getUserToken launches a game and places a bet."""
    event = seat.new_event()
    yield seat.ask("getUserToken")
    for method in _LAUNCH:
        yield seat.ask(method, Token.FRESH)
    yield seat.say(seat.move("BetPlacing", event, seat.stake(), token=Token.FRESH))
    yield seat.say(seat.move("Lose", event, 0, token=Token.FRESH))


def spoiled(seat: Seat) -> Iterator[Step]:
    """A bet spoiled in every way leaves no outcome: under the same id it is accepted at last."""
    event = seat.new_event()
    bet = seat.move("BetPlacing", event, seat.stake())
    for flaw in _FLAWS:
        yield seat.say(replace(bet, flaw=flaw))
    for amount in (seat.dice.pick(_HOSTILE), seat.dice.pick(_HOSTILE)):
        yield seat.say(replace(bet, amount=amount))
    yield seat.say(replace(bet, amount=_too_fine(seat)))
    yield seat.say(replace(bet, user="nobody"))
    yield seat.say(replace(bet, token=Token.UNKNOWN))
    yield seat.say(replace(bet, token=Token.ANOTHER))
    yield seat.say(replace(bet, token=Token.EXPIRED))
    yield seat.say(bet)
    yield seat.say(seat.move("Lose", event, 0))


def unheard_of(seat: Seat) -> Iterator[Step]:
    """Event types and directions that are in no table are refused, never guessed."""
    event = seat.new_event()
    stake = seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    for _ in range(3):
        event_type, direction = seat.dice.pick(_NO_SUCH_EVENT)
        move = seat.move(event_type, event, 1)
        # The table's own words cannot say what is not in the table.
        yield seat.say(replace(move, direction=direction))  # type: ignore[arg-type]
    yield seat.say(seat.move("Win", event, 0, amount=_too_fine(seat)))
    yield seat.say(seat.move("Win", event, 1, token=Token.UNKNOWN))
    yield seat.say(seat.move("Lose", event, 1, direction="debit"))
    yield seat.say(seat.move("Win", event, seat.payout(stake)))


def out_of_nothing(seat: Seat) -> Iterator[Step]:
    """What settles or gives back needs something to settle or give back."""
    event = seat.new_event()
    for event_type in (
        "Win",
        "Lose",
        "BetPlacingAbort",
        "BetPayedAbort",
        "PromoStreamersBetPlacingAbort",
        "PromoStreamersBetPayedAbort",
    ):
        yield seat.say(seat.move(event_type, event, seat.small()))


def maintained(seat: Seat) -> Iterator[Step]:
    """A maintenance notice, signed over its members or over nothing."""
    batch = seat.new_id()
    for status in ("created", "started", "finished"):
        yield seat.say(Notice(status, batch, (1037566, 7), signed_empty=seat.dice.chance(50)))
    yield seat.say(seat.dice.pick(_WRONG_METHODS))


def _too_fine(seat: Seat) -> str:
    """Write an amount one digit finer than the currency."""
    return f"1.{'0' * seat.book.scale}1"


_WRONG_METHODS = (
    WrongMethod("moveFunds", "GET"),
    WrongMethod("getBalance", "POST"),
    WrongMethod("sessionCheck", "POST"),
)
