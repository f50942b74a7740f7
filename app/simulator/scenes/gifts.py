"""Money without a bet: tips, promotions, corrections, drops, and very large sums."""

from collections.abc import Iterator

from app.simulator.moves import Token
from app.simulator.seat import Seat, Step

# Gifts and corrections ask for no live session.
_TOKENS = (Token.LIVE, Token.EXPIRED)


def tipped(seat: Seat) -> Iterator[Step]:
    """A tip takes real money only; bonus money does not count."""
    event = seat.new_event()
    real = max(seat.book.pockets.real, 0)
    yield seat.say(seat.move("Tip", event, min(seat.small(), real)))
    beyond = seat.move("Tip", event, max(seat.book.pockets.real, 0) + 1)
    yield seat.say(beyond)
    yield seat.say(beyond)


def promoted(seat: Seat) -> Iterator[Step]:
    """A promotion: a debit of nothing, then the credit under the same id, each once."""
    event, shared = seat.new_event(), seat.new_id()
    opening = seat.move("PromoWin", event, 0, direction="debit", transaction_id=shared)
    code = seat.dice.pick((None, "", "tournament-7"))
    credit = seat.move(
        "PromoWin",
        event,
        seat.small(),
        transaction_id=shared,
        bonus_code=code,
        token=seat.dice.pick(_TOKENS),
    )
    for move in (opening, credit, opening, credit):
        yield seat.say(move)
    yield seat.say(seat.move("PromoWin", event, 1, direction="debit"))


def corrected(seat: Seat) -> Iterator[Step]:
    """Corrections both ways, whatever the token's age, and one that cannot be paid."""
    event, token = seat.new_event(), seat.dice.pick(_TOKENS)
    fix = seat.move("technicalFix", event, seat.small(), bonus_code="not-for-a-fix", token=token)
    yield seat.say(fix)
    yield seat.say(seat.move("technicalFix", event, seat.stake(), direction="debit", token=token))
    beyond = seat.balance + 1
    yield seat.say(seat.move("technicalFix", event, beyond, direction="debit"))


def dropped(seat: Seat) -> Iterator[Step]:
    """Drops and wins, to real or to bonus."""
    event = seat.new_event()
    code = "drop" if seat.dice.chance(50) else None
    token = seat.dice.pick(_TOKENS)
    yield seat.say(seat.move("DropAndWin", event, seat.small(), bonus_code=code, token=token))
    yield seat.say(seat.move("DropAndWin", event, 0, direction="debit", token=token))
    yield seat.say(seat.move("DropAndWin", event, 2, direction="debit"))


def enormous(seat: Seat) -> Iterator[Step]:
    """Sums that no binary fraction holds come and go to the last unit."""
    event = seat.new_event()
    digits = {0: "98765432109876543", 2: "98765432109876543.21", 8: "98765432109.87654321"}
    amount = digits.get(seat.book.scale, "98765432109876543")
    yield seat.say(seat.move("technicalFix", event, 0, amount=amount))
    yield seat.say(seat.move("BetPlacing", event, 0, amount=amount))
    yield seat.say(seat.move("Win", event, 0, amount=amount))
    yield seat.ask("getBalance")
    yield seat.say(seat.move("BetPayedAbort", event, 0, amount=amount))
    yield seat.say(seat.move("Lose", event, 0))


def beyond_all_bounds(seat: Seat) -> Iterator[Step]:
    """A credit that would take a balance beyond its digits is refused and leaves no outcome."""
    event = seat.new_event()
    yield seat.say(seat.move("technicalFix", event, seat.small()))
    if seat.book.pockets.real <= 0:
        return
    most = {0: "999999999999999999", 2: "999999999999999999.99", 8: "999999999999.99999999"}
    amount = most.get(seat.book.scale)
    if amount is None:
        return
    too_much = seat.move("PromoWin", event, 0, amount=amount)
    yield seat.say(too_much)
    moderate = seat.move("PromoWin", event, seat.small(), transaction_id=too_much.transaction_id)
    yield seat.say(moderate)
