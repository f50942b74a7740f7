"""Money that goes back: bets given back, payments taken back, settled bets re-opened."""

from collections.abc import Iterator

from app.simulator.moves import Event, Token
from app.simulator.seat import Seat, Step


def _paid_in(seat: Seat, event: Event, stake: int, paid: int) -> Iterator[Step]:
    """Place a bet in an event and pay it."""
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("Win", event, paid))


def _spend_all(seat: Seat) -> Iterator[Step]:
    """Lose everything in another event."""
    event = seat.new_event()
    yield seat.say(seat.move("BetPlacing", event, max(seat.balance, 0)))
    yield seat.say(seat.move("Lose", event, 0))


def given_back(seat: Seat) -> Iterator[Step]:
    """A bet is given back once; the next abort hears 409, and goes on hearing it."""
    event = seat.new_event()
    stake = seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("BetPlacingAbort", event, stake + 1))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))
    too_late = seat.move("BetPlacingAbort", event, stake)
    yield seat.say(too_late)
    yield seat.say(seat.move("Win", event, seat.small()))
    yield seat.say(seat.move("BetPlacing", event, min(stake, max(seat.balance, 0))))
    yield seat.say(too_late)
    yield seat.say(seat.move("Lose", event, 0))


def one_of_several_given_back(seat: Seat) -> Iterator[Step]:
    """An abort names no bet: of several it gives back the latest of its amount."""
    yield from seat.fill_both()
    event = seat.new_event()
    pockets = seat.book.pockets
    stakes = [min(seat.small(), pockets.real, pockets.bonus), seat.small() + 1]
    stakes.append(stakes[0])
    for stake in stakes:
        yield seat.say(seat.move("BetPlacing", event, stake))
        yield from seat.empty_first_pocket()
        yield from seat.fund(2 * max(stakes))
    yield seat.say(seat.move("BetPlacingAbort", event, stakes[0]))
    yield seat.say(seat.move("Win", event, seat.small()))
    yield seat.say(seat.move("BetPlacingAbort", event, stakes[1]))


def aborted_under_its_own_id(seat: Seat) -> Iterator[Step]:
    """A supplier aborts with the bet's own id: that very bet, where the ids may be shared."""
    yield from seat.fill_both()
    event = seat.new_event()
    pockets = seat.book.pockets
    stake = min(seat.small(), pockets.real, pockets.bonus)
    first = seat.move("BetPlacing", event, stake)
    yield seat.say(first)
    yield from seat.empty_first_pocket()
    # Of the same amount, but from the other pocket: which one is given back can be seen.
    yield seat.say(seat.move("BetPlacing", event, stake))
    own = first.transaction_id
    yield seat.say(seat.move("BetPlacingAbort", event, stake, transaction_id=own))
    yield seat.say(seat.move("Win", event, seat.payout(stake), transaction_id=own))
    yield seat.say(seat.move("Win", event, seat.payout(stake)))


def paid_then_given_back(seat: Seat) -> Iterator[Step]:
    """While a payment stands no bet is given back; taken back wholly, it no longer stands."""
    event, stake, paid = seat.new_event(), seat.stake(), seat.small()
    yield from _paid_in(seat, event, stake, paid)
    yield seat.say(seat.move("BetPlacingAbort", event, stake))
    yield seat.say(seat.move("BetPayedAbort", event, paid))
    yield seat.say(seat.move("BetPayedAbort", event, paid))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))


def taken_back_in_parts(seat: Seat) -> Iterator[Step]:
    """Parts of payments are taken back, first where exactly the amount stands."""
    yield from seat.fill_both()
    event, stake = seat.new_event(sport=True), seat.mixed_stake()
    payments = [seat.small() + 2 for _ in range(3)]
    yield seat.say(seat.move("BetPlacing", event, stake))
    for paid in payments:
        code = "parts" if seat.dice.chance(30) else None
        yield seat.say(seat.move("Win", event, paid, bonus_code=code))
    part = seat.dice.between(1, payments[2] - 1)
    yield seat.say(seat.move("BetPayedAbort", event, part))
    yield seat.say(seat.move("BetPayedAbort", event, payments[0]))
    yield seat.say(seat.move("BetPayedAbort", event, sum(payments) + 1))
    yield seat.say(seat.move("BetPayedAbort", event, payments[2] - part))
    yield seat.say(seat.move("BetPayedAbort", event, 1))


def nothing_left_to_take(seat: Seat) -> Iterator[Step]:
    """Money already spent cannot be taken back: 402, remembered, whatever comes later."""
    event, stake = seat.new_event(), seat.stake()
    paid = seat.small() + 1
    yield from _paid_in(seat, event, stake, paid)
    yield from _spend_all(seat)
    back = seat.move("BetPayedAbort", event, paid)
    yield seat.say(back)
    yield from seat.fund(2 * paid)
    yield seat.say(back)
    yield seat.say(seat.move("BetPayedAbort", event, paid))


def settled_again(seat: Seat) -> Iterator[Step]:
    """A settled sports bet is re-opened and settled otherwise, more than once."""
    event, stake = seat.new_event(sport=True), seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    for _ in range(seat.dice.between(1, 3)):
        paid = seat.payout(stake)
        code = "sport-bonus" if seat.dice.chance(30) else None
        yield seat.say(seat.move("Win", event, paid, bonus_code=code))
        yield seat.say(seat.move("SportBetCancel", event, paid))
    yield seat.say(seat.move("Lose", event, 0))


def into_debt(seat: Seat) -> Iterator[Step]:
    """A cancel must succeed: the player owes, may not play, and a win pays his debt first."""
    event, stake = seat.new_event(sport=True), seat.stake()
    paid = seat.small() + 20 * seat.coin
    code = "owed" if seat.dice.chance(50) else None
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("Win", event, paid, bonus_code=code))
    yield from _spend_all(seat)
    if seat.dice.chance(50):
        yield seat.say(seat.move("DropAndWin", seat.new_event(), 7, bonus_code="some"))
    yield seat.say(seat.move("SportBetCancel", event, paid))
    yield seat.ask("getBalance")
    yield seat.say(seat.move("BetPlacing", event, 1))
    yield seat.say(seat.move("Tip", event, 1))
    yield seat.say(seat.move("Tip", event, 0))
    yield seat.say(seat.move("technicalFix", event, 1, direction="debit"))
    yield seat.say(seat.move("BetPlacing", event, 0))
    yield seat.say(seat.move("PromoWin", seat.new_event(), 3, bonus_code="to-the-debt"))
    yield seat.say(seat.move("Win", event, seat.payout(paid), bonus_code=code))
    yield seat.say(seat.move("SportBetCancel", event, 5, token=Token.EXPIRED))
    yield seat.say(seat.move("Win", event, paid))


def bonus_after_debt(seat: Seat) -> Iterator[Step]:
    """A bonus won in debt pays the debt first, and no stake takes more than the balance shown."""
    event = seat.new_event(sport=True)
    yield from _spend_all(seat)
    yield seat.say(seat.move("SportBetCancel", event, 9))
    yield seat.say(seat.move("PromoWin", event, 4 + seat.small(), bonus_code="after"))
    yield seat.say(seat.move("BetPlacing", event, max(seat.balance, 0) + 1))
    yield seat.say(seat.move("BetPlacing", event, max(seat.balance, 0)))
    yield seat.say(seat.move("Lose", event, 0))


def cancelled_over_payments(seat: Seat) -> Iterator[Step]:
    """A cancel without its like goes over the payments, latest first, and beyond them."""
    event, stake = seat.new_event(sport=True), seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    payments = [seat.small() + 1 for _ in range(3)]
    for paid in payments:
        code = "over" if seat.dice.chance(40) else None
        yield seat.say(seat.move("Win", event, paid, bonus_code=code))
    over_two = payments[2] + payments[1] // 2 + 1
    yield seat.say(seat.move("SportBetCancel", event, over_two))
    if seat.dice.chance(50):
        yield from _spend_all(seat)
    yield seat.say(seat.move("SportBetCancel", event, sum(payments) + seat.small()))
    yield seat.say(seat.move("Win", event, sum(payments)))


def cancelled_exactly(seat: Seat) -> Iterator[Step]:
    """A cancel takes back the payment of its very amount, whatever was paid after it."""
    yield from seat.fill_both()
    event = seat.new_event(sport=True)
    yield seat.say(seat.move("BetPlacing", event, seat.mixed_stake()))
    paid = seat.small() + 1
    codes = ("exactly", None) if seat.dice.chance(50) else (None, "exactly")
    yield seat.say(seat.move("Win", event, paid, bonus_code=codes[0]))
    yield seat.say(seat.move("Win", event, paid + seat.small(), bonus_code=codes[1]))
    yield seat.say(seat.move("SportBetCancel", event, paid))
    yield seat.say(seat.move("Win", event, paid))


def cancelled_unknown(seat: Seat) -> Iterator[Step]:
    """A cancel of an event nobody knows is debited all the same, and may then be won."""
    event = seat.new_event(sport=True)
    yield seat.say(seat.move("Win", event, 1))
    yield seat.say(seat.move("SportBetCancel", event, seat.small()))
    yield seat.say(seat.move("Win", event, seat.small()))
    yield seat.say(seat.move("BetPlacingAbort", event, 1))


def abort_undone(seat: Seat) -> Iterator[Step]:
    """A cancel undoes an abort of its amount: the bet stands again and may be won."""
    if seat.balance > 200 * seat.coin:
        yield from _spend_all(seat)
    yield from seat.fill_both()
    event, stake = seat.new_event(sport=True), seat.mixed_stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    if seat.dice.chance(50):
        # In debt the abort's money goes otherwise than the stake came.
        yield from _spend_all(seat)
        yield seat.say(seat.move("SportBetCancel", seat.new_event(sport=True), stake))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))
    too_late = seat.move("BetPlacingAbort", event, stake)
    yield seat.say(too_late)
    yield from seat.fill_both(stake)
    yield seat.say(seat.move("SportBetCancel", event, stake))
    yield seat.say(too_late)
    match seat.dice.between(1, 3):
        case 1:
            yield seat.say(seat.move("BetPlacingAbort", event, stake))
            yield seat.say(seat.move("SportBetCancel", event, stake))
        case 2:
            # No abort is left to undo: the whole amount is a remainder.
            yield from seat.fill_both(stake)
            yield seat.say(seat.move("SportBetCancel", event, stake))
        case _:
            pass
    yield seat.say(seat.move("Win", event, seat.payout(stake)))
