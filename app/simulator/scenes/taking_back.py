"""Money that goes back: bets given back, payments taken back, settled bets re-opened."""

from collections.abc import Iterator

from app.simulator.moves import Event, Token
from app.simulator.player_script import ScriptWriter, Step


def _paid_in(writer: ScriptWriter, event: Event, stake: int, paid: int) -> Iterator[Step]:
    """Place a bet in an event and pay it."""
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Win", event, paid))


def _spend_all(writer: ScriptWriter) -> Iterator[Step]:
    """Lose everything in another event."""
    event = writer.new_event()
    yield writer.say(writer.move("BetPlacing", event, max(writer.balance, 0)))
    yield writer.say(writer.move("Lose", event, 0))


def given_back(writer: ScriptWriter) -> Iterator[Step]:
    """A bet is given back once; the next abort hears 409, and goes on hearing it."""
    event = writer.new_event()
    stake = writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("BetPlacingAbort", event, stake + 1))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    too_late = writer.move("BetPlacingAbort", event, stake)
    yield writer.say(too_late)
    yield writer.say(writer.move("Win", event, writer.small()))
    yield writer.say(writer.move("BetPlacing", event, min(stake, max(writer.balance, 0))))
    yield writer.say(too_late)
    yield writer.say(writer.move("Lose", event, 0))


def one_of_several_given_back(writer: ScriptWriter) -> Iterator[Step]:
    """An abort names no bet: of several it gives back the latest of its amount."""
    yield from writer.fill_both()
    event = writer.new_event()
    pockets = writer.oracle.pockets
    stakes = [min(writer.small(), pockets.real, pockets.bonus), writer.small() + 1]
    stakes.append(stakes[0])
    for stake in stakes:
        yield writer.say(writer.move("BetPlacing", event, stake))
        yield from writer.empty_first_pocket()
        yield from writer.fund(2 * max(stakes))
    yield writer.say(writer.move("BetPlacingAbort", event, stakes[0]))
    yield writer.say(writer.move("Win", event, writer.small()))
    yield writer.say(writer.move("BetPlacingAbort", event, stakes[1]))


def aborted_under_its_own_id(writer: ScriptWriter) -> Iterator[Step]:
    """A supplier aborts with the bet's own id: that very bet, where the ids may be shared."""
    yield from writer.fill_both()
    event = writer.new_event()
    pockets = writer.oracle.pockets
    stake = min(writer.small(), pockets.real, pockets.bonus)
    first = writer.move("BetPlacing", event, stake)
    yield writer.say(first)
    yield from writer.empty_first_pocket()
    # Of the same amount, but from the other pocket: which one is given back can be seen.
    yield writer.say(writer.move("BetPlacing", event, stake))
    own = first.transaction_id
    yield writer.say(writer.move("BetPlacingAbort", event, stake, transaction_id=own))
    yield writer.say(writer.move("Win", event, writer.payout(stake), transaction_id=own))
    yield writer.say(writer.move("Win", event, writer.payout(stake)))


def one_paid_and_one_given_back(writer: ScriptWriter) -> Iterator[Step]:
    """Of two bets one is paid and the other given back; the paid one is not given back as well."""
    event, stake = writer.new_event(), writer.affordable_twice()
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Win", event, writer.payout(stake)))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    yield writer.say(writer.move("Lose", event, 0))


def settled_after_all_was_given_back(writer: ScriptWriter) -> Iterator[Step]:
    """A covered cancel lets no payment follow once every bet was given back; one of 0 does."""
    event, stake, paid = writer.new_event(sport=True), writer.stake(), writer.small()
    yield from _paid_in(writer, event, stake, paid)
    yield writer.say(writer.move("SportBetCancel", event, paid))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    win = writer.move("Win", event, paid)
    yield writer.say(win)
    yield writer.say(writer.move("SportBetCancel", event, 0))
    yield writer.say(win)


def paid_then_given_back(writer: ScriptWriter) -> Iterator[Step]:
    """A bet that was paid is not given back, until the whole payment was taken back."""
    event, stake, paid = writer.new_event(), writer.stake(), writer.small()
    yield from _paid_in(writer, event, stake, paid)
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    yield writer.say(writer.move("BetPayedAbort", event, paid))
    yield writer.say(writer.move("BetPayedAbort", event, paid))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))


def taken_back_in_parts(writer: ScriptWriter) -> Iterator[Step]:
    """Parts of payments are taken back, first where exactly the amount stands."""
    yield from writer.fill_both()
    event, stake = writer.new_event(sport=True), writer.mixed_stake()
    payments = [writer.small() + 2 for _ in range(3)]
    yield writer.say(writer.move("BetPlacing", event, stake))
    for paid in payments:
        code = "parts" if writer.dice.chance(30) else None
        yield writer.say(writer.move("Win", event, paid, bonus_code=code))
    part = writer.dice.between(1, payments[2] - 1)
    yield writer.say(writer.move("BetPayedAbort", event, part))
    yield writer.say(writer.move("BetPayedAbort", event, payments[0]))
    yield writer.say(writer.move("BetPayedAbort", event, sum(payments) + 1))
    yield writer.say(writer.move("BetPayedAbort", event, payments[2] - part))
    yield writer.say(writer.move("BetPayedAbort", event, 1))


def nothing_left_to_take(writer: ScriptWriter) -> Iterator[Step]:
    """Money already spent cannot be taken back: 402, remembered, whatever comes later."""
    event, stake = writer.new_event(), writer.stake()
    paid = writer.small() + 1
    yield from _paid_in(writer, event, stake, paid)
    yield from _spend_all(writer)
    back = writer.move("BetPayedAbort", event, paid)
    yield writer.say(back)
    yield from writer.fund(2 * paid)
    yield writer.say(back)
    yield writer.say(writer.move("BetPayedAbort", event, paid))


def settled_again(writer: ScriptWriter) -> Iterator[Step]:
    """A settled sports bet is re-opened and settled otherwise, more than once."""
    event, stake = writer.new_event(sport=True), writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    for _ in range(writer.dice.between(1, 3)):
        paid = writer.payout(stake)
        code = "sport-bonus" if writer.dice.chance(30) else None
        yield writer.say(writer.move("Win", event, paid, bonus_code=code))
        yield writer.say(writer.move("SportBetCancel", event, paid))
    yield writer.say(writer.move("Lose", event, 0))


def into_debt(writer: ScriptWriter) -> Iterator[Step]:
    """A cancel must succeed: the player owes, may not play, and a win pays the debt first."""
    event, stake = writer.new_event(sport=True), writer.stake()
    paid = writer.small() + 20 * writer.coin
    code = "owed" if writer.dice.chance(50) else None
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Win", event, paid, bonus_code=code))
    yield from _spend_all(writer)
    if writer.dice.chance(50):
        yield writer.say(writer.move("DropAndWin", writer.new_event(), 7, bonus_code="some"))
    yield writer.say(writer.move("SportBetCancel", event, paid))
    yield writer.ask("getBalance")
    yield writer.say(writer.move("BetPlacing", event, 1))
    yield writer.say(writer.move("Tip", event, 1))
    yield writer.say(writer.move("Tip", event, 0))
    yield writer.say(writer.move("technicalFix", event, 1, direction="debit"))
    yield writer.say(writer.move("BetPlacing", event, 0))
    yield writer.say(writer.move("PromoWin", writer.new_event(), 3, bonus_code="to-the-debt"))
    yield writer.say(writer.move("Win", event, writer.payout(paid), bonus_code=code))
    yield writer.say(writer.move("SportBetCancel", event, 5, token=Token.EXPIRED))
    yield writer.say(writer.move("Win", event, paid))


def bonus_after_debt(writer: ScriptWriter) -> Iterator[Step]:
    """A bonus won in debt pays the debt first, and no stake takes more than the balance shown."""
    event = writer.new_event(sport=True)
    yield from _spend_all(writer)
    yield writer.say(writer.move("SportBetCancel", event, 9))
    yield writer.say(writer.move("PromoWin", event, 4 + writer.small(), bonus_code="after"))
    yield writer.say(writer.move("BetPlacing", event, max(writer.balance, 0) + 1))
    yield writer.say(writer.move("BetPlacing", event, max(writer.balance, 0)))
    yield writer.say(writer.move("Lose", event, 0))


def cancelled_over_payments(writer: ScriptWriter) -> Iterator[Step]:
    """A cancel without its like goes over the payments, latest first, and beyond them."""
    event, stake = writer.new_event(sport=True), writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    payments = [writer.small() + 1 for _ in range(3)]
    for paid in payments:
        code = "over" if writer.dice.chance(40) else None
        yield writer.say(writer.move("Win", event, paid, bonus_code=code))
    over_two = payments[2] + payments[1] // 2 + 1
    yield writer.say(writer.move("SportBetCancel", event, over_two))
    if writer.dice.chance(50):
        yield from _spend_all(writer)
    yield writer.say(writer.move("SportBetCancel", event, sum(payments) + writer.small()))
    yield writer.say(writer.move("Win", event, sum(payments)))


def cancelled_exactly(writer: ScriptWriter) -> Iterator[Step]:
    """A cancel takes back the payment of its very amount, whatever was paid after it."""
    yield from writer.fill_both()
    event = writer.new_event(sport=True)
    yield writer.say(writer.move("BetPlacing", event, writer.mixed_stake()))
    paid = writer.small() + 1
    codes = ("exactly", None) if writer.dice.chance(50) else (None, "exactly")
    yield writer.say(writer.move("Win", event, paid, bonus_code=codes[0]))
    yield writer.say(writer.move("Win", event, paid + writer.small(), bonus_code=codes[1]))
    yield writer.say(writer.move("SportBetCancel", event, paid))
    yield writer.say(writer.move("Win", event, paid))


def cancelled_unknown(writer: ScriptWriter) -> Iterator[Step]:
    """A cancel of an event nobody knows is debited all the same, and may then be won."""
    event = writer.new_event(sport=True)
    yield writer.say(writer.move("Win", event, 1))
    yield writer.say(writer.move("SportBetCancel", event, writer.small()))
    yield writer.say(writer.move("Win", event, writer.small()))
    yield writer.say(writer.move("BetPlacingAbort", event, 1))


def abort_undone(writer: ScriptWriter) -> Iterator[Step]:
    """A cancel undoes an abort of its amount: the bet stands again and may be won."""
    if writer.balance > 200 * writer.coin:
        yield from _spend_all(writer)
    yield from writer.fill_both()
    event, stake = writer.new_event(sport=True), writer.mixed_stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    if writer.dice.chance(50):
        # In debt the abort's money goes otherwise than the stake came.
        yield from _spend_all(writer)
        yield writer.say(writer.move("SportBetCancel", writer.new_event(sport=True), stake))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    too_late = writer.move("BetPlacingAbort", event, stake)
    yield writer.say(too_late)
    yield from writer.fill_both(stake)
    yield writer.say(writer.move("SportBetCancel", event, stake))
    yield writer.say(too_late)
    match writer.dice.between(1, 3):
        case 1:
            yield writer.say(writer.move("BetPlacingAbort", event, stake))
            yield writer.say(writer.move("SportBetCancel", event, stake))
        case 2:
            # No abort is left to undo: the whole amount is uncovered.
            yield from writer.fill_both(stake)
            yield writer.say(writer.move("SportBetCancel", event, stake))
        case _:
            pass
    yield writer.say(writer.move("Win", event, writer.payout(stake)))
