"""Money without a bet: tips, promotions, corrections, drops, and very large sums."""

from collections.abc import Iterator

from app.simulator.moves import Token
from app.simulator.player_script import ScriptWriter, Step

# Gifts and corrections ask for no live session.
_TOKENS = (Token.LIVE, Token.EXPIRED)


def tipped(writer: ScriptWriter) -> Iterator[Step]:
    """A tip takes real money only; bonus money does not count."""
    event = writer.new_event()
    real = max(writer.oracle.pockets.real, 0)
    yield writer.say(writer.move("Tip", event, min(writer.small(), real)))
    beyond = writer.move("Tip", event, max(writer.oracle.pockets.real, 0) + 1)
    yield writer.say(beyond)
    yield writer.say(beyond)


def promoted(writer: ScriptWriter) -> Iterator[Step]:
    """A promotion: a debit of nothing, then the credit under the same id, each once."""
    event, shared = writer.new_event(), writer.new_id()
    opening = writer.move("PromoWin", event, 0, direction="debit", transaction_id=shared)
    code = writer.dice.pick((None, "", "tournament-7"))
    credit = writer.move(
        "PromoWin",
        event,
        writer.small(),
        transaction_id=shared,
        bonus_code=code,
        token=writer.dice.pick(_TOKENS),
    )
    for move in (opening, credit, opening, credit):
        yield writer.say(move)
    yield writer.say(writer.move("PromoWin", event, 1, direction="debit"))


def corrected(writer: ScriptWriter) -> Iterator[Step]:
    """Corrections both ways, whatever the token's age, and one that cannot be paid."""
    event, token = writer.new_event(), writer.dice.pick(_TOKENS)
    fix = writer.move(
        "technicalFix", event, writer.small(), bonus_code="not-for-a-fix", token=token
    )
    yield writer.say(fix)
    yield writer.say(
        writer.move("technicalFix", event, writer.stake(), direction="debit", token=token)
    )
    beyond = writer.balance + 1
    yield writer.say(writer.move("technicalFix", event, beyond, direction="debit"))


def dropped(writer: ScriptWriter) -> Iterator[Step]:
    """Drops and wins, to real or to bonus."""
    event = writer.new_event()
    code = "drop" if writer.dice.chance(50) else None
    token = writer.dice.pick(_TOKENS)
    yield writer.say(writer.move("DropAndWin", event, writer.small(), bonus_code=code, token=token))
    yield writer.say(writer.move("DropAndWin", event, 0, direction="debit", token=token))
    yield writer.say(writer.move("DropAndWin", event, 2, direction="debit"))


def enormous(writer: ScriptWriter) -> Iterator[Step]:
    """Sums that no binary fraction holds come and go to the last unit."""
    event = writer.new_event()
    digits = {0: "98765432109876543", 2: "98765432109876543.21", 8: "98765432109.87654321"}
    amount = digits.get(writer.oracle.scale, "98765432109876543")
    yield writer.say(writer.move("technicalFix", event, 0, amount=amount))
    yield writer.say(writer.move("BetPlacing", event, 0, amount=amount))
    yield writer.say(writer.move("Win", event, 0, amount=amount))
    yield writer.ask("getBalance")
    yield writer.say(writer.move("BetPayedAbort", event, 0, amount=amount))
    yield writer.say(writer.move("Lose", event, 0))


def beyond_all_bounds(writer: ScriptWriter) -> Iterator[Step]:
    """A credit that would take a balance beyond its digits is refused and leaves no outcome."""
    event = writer.new_event()
    yield writer.say(writer.move("technicalFix", event, writer.small()))
    if writer.oracle.pockets.real <= 0:
        return
    most = {0: "999999999999999999", 2: "999999999999999999.99", 8: "999999999999.99999999"}
    amount = most.get(writer.oracle.scale)
    if amount is None:
        return
    too_much = writer.move("PromoWin", event, 0, amount=amount)
    yield writer.say(too_much)
    moderate = writer.move(
        "PromoWin", event, writer.small(), transaction_id=too_much.transaction_id
    )
    yield writer.say(moderate)
