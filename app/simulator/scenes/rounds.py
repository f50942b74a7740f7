"""Ordinary rounds: bets won and lost, several in one round, settled at once or later."""

from collections.abc import Iterator

from app.simulator.moves import Token
from app.simulator.seat import Seat, Step


def lost(seat: Seat) -> Iterator[Step]:
    """A bet and its loss, told as a credit or, now and then, as a debit of nothing."""
    event = seat.new_event()
    yield seat.say(seat.move("BetPlacing", event, seat.stake()))
    if seat.dice.chance(20):
        yield seat.say(seat.move("Lose", event, 0, direction="debit"))
    else:
        yield seat.say(seat.move("Lose", event, 0))


def consoled(seat: Seat) -> Iterator[Step]:
    """A loss that pays something all the same counts as a payment."""
    event = seat.new_event()
    stake = seat.stake()
    back = stake // 3 + 1
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("Lose", event, back, bonus_code="lost-anyway"))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))
    yield seat.say(seat.move("BetPayedAbort", event, back))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))


def won(seat: Seat) -> Iterator[Step]:
    """A bet and its win, shared between the pockets as the stake was."""
    event = seat.new_event(sport=seat.dice.chance(40))
    stake = seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    blank = seat.dice.pick((None, "", "  "))
    yield seat.say(seat.move("Win", event, seat.payout(stake), bonus_code=blank))


def several_bets(seat: Seat) -> Iterator[Step]:
    """A round of several bets, wins between them, and money for bonus in the middle."""
    event = seat.new_event()
    for _ in range(seat.dice.between(2, 4)):
        stake = seat.stake()
        yield seat.say(seat.move("BetPlacing", event, stake))
        if seat.dice.chance(40):
            yield seat.say(seat.move("Win", event, seat.payout(stake)))
        if seat.dice.chance(20):
            yield from seat.fund(50 * seat.coin)
    yield seat.say(seat.move("Win", event, seat.small()))
    yield seat.say(seat.move("Lose", event, 0))


def cashed_out(seat: Seat) -> Iterator[Step]:
    """A sports bet paid in parts before its end, then settled."""
    event = seat.new_event(sport=True)
    stake = seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    for part in (3, 2):
        yield seat.say(seat.move("Win", event, seat.payout(stake) // part))
    yield seat.say(seat.move("Lose" if seat.dice.chance(50) else "Win", event, 0))


def free_spins(seat: Seat) -> Iterator[Step]:
    """Free spins: bets of nothing, wins to the bonus pocket."""
    event = seat.new_event()
    for _ in range(seat.dice.between(1, 3)):
        yield seat.say(seat.move("BetPlacing", event, 0, bonus_code="free-10"))
        yield seat.say(seat.move("Win", event, seat.small(), bonus_code="free-10"))


def zeros(seat: Seat) -> Iterator[Step]:
    """Amounts of zero, which are legal everywhere and settle nothing twice."""
    event, tip = seat.new_event(), seat.new_event()
    yield seat.say(seat.move("BetPlacing", event, 0, amount="0"))
    yield seat.say(seat.move("Win", event, 0, amount="0.00"))
    yield seat.say(seat.move("BetPayedAbort", event, 0, amount="0"))
    yield seat.say(seat.move("BetPlacingAbort", event, 0, amount="0.0"))
    yield seat.say(seat.move("SportBetCancel", event, 0))
    yield seat.say(seat.move("Lose", event, 0, direction="debit"))
    yield seat.say(seat.move("Lose", event, 0))
    for event_type in ("Tip", "PromoWin", "DropAndWin", "technicalFix"):
        yield seat.say(seat.move(event_type, tip, 0))
    yield seat.say(seat.move("technicalFix", tip, 0, direction="debit"))


def streamed(seat: Seat) -> Iterator[Step]:
    """Streamer bets and credits keep apart from ordinary ones, even in the same event."""
    yield from seat.fill_both()
    event = seat.new_event()
    stake, paid = seat.mixed_stake(), seat.small()
    yield seat.say(seat.move("PromoStreamersDebit", event, stake))
    yield seat.say(seat.move("Win", event, paid))
    yield seat.say(seat.move("BetPlacingAbort", event, stake))
    yield seat.say(seat.move("PromoStreamersCredit", event, paid, bonus_code="not-for-streamers"))
    yield seat.say(seat.move("BetPayedAbort", event, paid))
    yield seat.say(seat.move("PromoStreamersBetPlacingAbort", event, stake))
    yield seat.say(seat.move("PromoStreamersBetPayedAbort", event, paid))
    yield seat.say(seat.move("PromoStreamersBetPlacingAbort", event, stake))
    yield seat.say(seat.move("PromoStreamersBetPlacingAbort", event, stake))


def streamed_alone(seat: Seat) -> Iterator[Step]:
    """A streamer credit needs no bet; a streamer abort finds no ordinary one."""
    event = seat.new_event()
    stake = seat.stake()
    paid, expired = seat.small(), Token.EXPIRED
    yield seat.say(seat.move("PromoStreamersCredit", event, paid, token=expired))
    yield seat.say(seat.move("PromoStreamersBetPayedAbort", event, paid, token=expired))
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("PromoStreamersBetPlacingAbort", event, stake, token=expired))
    yield seat.say(seat.move("Win", event, seat.payout(stake)))
    yield seat.say(seat.move("PromoStreamersDebit", event, seat.stake(), token=expired))


def late(seat: Seat) -> Iterator[Step]:
    """A sports bet that settles long after the session, with a fresh token."""
    event = seat.new_event(sport=True)
    stake = seat.stake()
    bet = seat.move("BetPlacing", event, stake)
    yield seat.say(bet)
    yield seat.ask("getUserToken")
    yield seat.say(seat.move("Win", event, seat.payout(stake), token=Token.FRESH))


def late_and_expired(seat: Seat) -> Iterator[Step]:
    """An expired token stops a bet, but never money that comes back."""
    event = seat.new_event(sport=True)
    stake = seat.stake()
    bet = seat.move("BetPlacing", event, stake, token=Token.EXPIRED)
    yield seat.say(bet)
    yield seat.say(seat.move("Tip", event, 1, token=Token.EXPIRED))
    renewed = seat.move(
        "BetPlacing", event, 0, amount=bet.amount, transaction_id=bet.transaction_id
    )
    yield seat.say(renewed)
    yield seat.say(bet)
    paid = seat.payout(stake)
    yield seat.say(seat.move("Win", event, paid, token=Token.EXPIRED))
    yield seat.say(seat.move("BetPayedAbort", event, paid, token=Token.EXPIRED))
    yield seat.say(seat.move("BetPlacingAbort", event, stake, token=Token.EXPIRED))
