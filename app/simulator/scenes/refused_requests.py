"""What a wallet must refuse: unknown callers, ill-formed requests; and launches that fail."""

from collections.abc import Iterator
from dataclasses import replace

from app.simulator.moves import Flaw, Method, Notice, Question, Token, WrongMethod
from app.simulator.player_script import ScriptWriter, Step

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
    ("Cancel", "credit"),
    ("BetWin", "credit"),
    ("Lose", "DEBIT"),
)


def launched(writer: ScriptWriter) -> Iterator[Step]:
    """A game is launched: all three answers must agree."""
    for method in _LAUNCH:
        yield writer.ask(method)


def not_launched(writer: ScriptWriter) -> Iterator[Step]:
    """Launches that fail: an unknown player before an unknown token before an expired one."""
    method = writer.dice.pick(_LAUNCH)
    yield writer.say(Question(method, Token.UNKNOWN, user="nobody"))
    yield writer.ask(method, Token.UNKNOWN)
    yield writer.ask(method, Token.ANOTHER)
    yield writer.ask(method, Token.EXPIRED)
    yield writer.say(Question("getUserToken", user="nobody"))
    yield writer.say(Question(method, flaw=writer.dice.pick(_FLAWS[:3])))
    yield writer.say(Question(method, flaw="missing_field"))
    yield writer.ask(method)


def fresh_token(writer: ScriptWriter) -> Iterator[Step]:
    """A token from getUserToken launches a game and places a bet."""
    event = writer.new_event()
    yield writer.ask("getUserToken")
    for method in _LAUNCH:
        yield writer.ask(method, Token.FRESH)
    yield writer.say(writer.move("BetPlacing", event, writer.stake(), token=Token.FRESH))
    yield writer.say(writer.move("Lose", event, 0, token=Token.FRESH))


def spoiled(writer: ScriptWriter) -> Iterator[Step]:
    """An ill-formed bet leaves no outcome: under the same id a correct one is accepted."""
    event = writer.new_event()
    bet = writer.move("BetPlacing", event, writer.stake())
    for flaw in _FLAWS:
        yield writer.say(replace(bet, flaw=flaw))
    for amount in (writer.dice.pick(_HOSTILE), writer.dice.pick(_HOSTILE)):
        yield writer.say(replace(bet, amount=amount))
    yield writer.say(replace(bet, amount=_too_fine(writer)))
    yield writer.say(replace(bet, user="nobody"))
    yield writer.say(replace(bet, token=Token.UNKNOWN))
    yield writer.say(replace(bet, token=Token.ANOTHER))
    yield writer.say(replace(bet, token=Token.EXPIRED))
    yield writer.say(bet)
    yield writer.say(writer.move("Lose", event, 0))


def unheard_of(writer: ScriptWriter) -> Iterator[Step]:
    """Event types and directions that are in no table are refused, never guessed."""
    event = writer.new_event()
    stake = writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    for _ in range(3):
        event_type, direction = writer.dice.pick(_NO_SUCH_EVENT)
        move = writer.move(event_type, event, 1)
        # The table's own words cannot say what is not in the table.
        yield writer.say(replace(move, direction=direction))  # type: ignore[arg-type]
    yield writer.say(writer.move("Win", event, 0, amount=_too_fine(writer)))
    yield writer.say(writer.move("Win", event, 1, token=Token.UNKNOWN))
    yield writer.say(writer.move("Lose", event, 1, direction="debit"))
    yield writer.say(writer.move("Win", event, writer.payout(stake)))


def out_of_nothing(writer: ScriptWriter) -> Iterator[Step]:
    """What settles or gives back needs something to settle or give back."""
    event = writer.new_event()
    for event_type in (
        "Win",
        "Lose",
        "BetPlacingAbort",
        "BetPayedAbort",
        "PromoStreamersBetPlacingAbort",
        "PromoStreamersBetPayedAbort",
    ):
        yield writer.say(writer.move(event_type, event, writer.small()))


def maintained(writer: ScriptWriter) -> Iterator[Step]:
    """A maintenance notice, signed over its members or over nothing."""
    batch = writer.new_id()
    for status in ("created", "started", "finished"):
        yield writer.say(Notice(status, batch, (1037566, 7), signed_empty=writer.dice.chance(50)))
    yield writer.say(writer.dice.pick(_WRONG_METHODS))


def _too_fine(writer: ScriptWriter) -> str:
    """Write an amount one digit finer than the currency."""
    return f"1.{'0' * writer.oracle.scale}1"


_WRONG_METHODS = (
    WrongMethod("moveFunds", "GET"),
    WrongMethod("getBalance", "POST"),
    WrongMethod("sessionCheck", "POST"),
)
