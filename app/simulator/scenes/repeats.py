"""The same thing said again: retries, deliveries at once, races, and things in the wrong order."""

from collections.abc import Iterator
from dataclasses import replace

from app.simulator.moves import Token
from app.simulator.seat import Seat, Step

_TOKENS: tuple[Token, ...] = (Token.LIVE, Token.EXPIRED, Token.UNKNOWN, Token.ANOTHER)


def retried(seat: Seat) -> Iterator[Step]:
    """Each move is said again, dressed otherwise, before token and funds can matter."""
    event, stake = seat.new_event(), seat.stake()
    paid = seat.payout(stake)
    for move in (
        seat.move("BetPlacing", event, stake),
        seat.move("Win", event, paid, bonus_code=seat.dice.pick((None, "code"))),
        seat.move("BetPayedAbort", event, paid),
        seat.move("BetPlacingAbort", event, stake),
    ):
        yield seat.say(move)
        for _ in range(seat.dice.between(1, 2)):
            again = replace(
                move,
                token=seat.dice.pick(_TOKENS),
                bonus_code=seat.dice.pick((move.bonus_code, "other")),
            )
            yield seat.say(again)


def all_in_retried(seat: Seat) -> Iterator[Step]:
    """A retry of an all-in bet hears that it was processed, never that money lacks."""
    event = seat.new_event()
    bet = seat.move("BetPlacing", event, max(seat.balance, 0))
    yield seat.say(bet)
    yield seat.say(bet)
    yield seat.say(seat.move("Lose", event, 0))
    yield seat.say(bet)


def said_long_ago(seat: Seat) -> Iterator[Step]:
    """A move of an earlier event comes again."""
    yield seat.say(seat.move("DropAndWin", seat.new_event(), 1))
    yield seat.say(seat.dice.pick(tuple(seat.history)))


def at_once(seat: Seat) -> Iterator[Step]:
    """Several deliveries of one move at the same moment: one success, and the money moves once."""
    event, stake = seat.new_event(), seat.stake()
    paid = seat.payout(stake)
    moves = [seat.move("BetPlacing", event, stake), seat.move("Win", event, paid)]
    if seat.dice.chance(50):
        moves.append(seat.move("SportBetCancel", event, paid))
        moves.append(seat.move("BetPlacingAbort", event, stake))
    for move in moves:
        yield seat.together([move] * seat.dice.between(2, 8))
    yield seat.say(moves[0])


def refused_at_once(seat: Seat) -> Iterator[Step]:
    """Several deliveries of a bet nobody can pay are all refused alike."""
    event = seat.new_event()
    bet = seat.move("BetPlacing", event, seat.balance + 1)
    yield seat.together([bet] * seat.dice.between(2, 6))
    yield from seat.fund(seat.balance + seat.coin)
    yield seat.say(bet)


def race_to_zero(seat: Seat) -> Iterator[Step]:
    """Ten bets at once, and money for some of them: exactly those are accepted."""
    event = seat.new_event()
    stake = max(seat.balance, 3) // seat.dice.between(3, 6)
    yield seat.together([seat.move("BetPlacing", event, stake) for _ in range(10)])
    yield seat.ask("getBalance")
    yield seat.say(seat.move("Win", event, seat.small()))


def aborted_eight_times(seat: Seat) -> Iterator[Step]:
    """Eight aborts of one bet at once, each with its own id: one gives it back."""
    event, stake = seat.new_event(), seat.stake()
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.together([seat.move("BetPlacingAbort", event, stake) for _ in range(8)])
    yield seat.ask("getBalance")


def win_before_bet(seat: Seat) -> Iterator[Step]:
    """A win that overtook its bet is refused, and accepted under the same id after it."""
    event, stake = seat.new_event(), seat.stake()
    win = seat.move("Win", event, seat.payout(stake))
    yield seat.say(win)
    yield seat.say(win)
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(win)
    yield seat.say(win)


def abort_before_bet(seat: Seat) -> Iterator[Step]:
    """An abort that overtook its bet is refused; the bet is accepted, and then given back."""
    event, stake = seat.new_event(), seat.stake()
    abort = seat.move("BetPlacingAbort", event, stake)
    yield seat.say(abort)
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(abort)
    yield seat.say(abort)


def take_back_before_win(seat: Seat) -> Iterator[Step]:
    """A payment taken back before it came is refused, then comes and goes."""
    event, stake = seat.new_event(), seat.stake()
    paid = seat.small()
    back = seat.move("BetPayedAbort", event, paid)
    yield seat.say(back)
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(back)
    yield seat.say(seat.move("Win", event, paid))
    yield seat.say(back)
    yield seat.say(back)


def beyond_balance(seat: Seat) -> Iterator[Step]:
    """A bet beyond the balance is refused for ever, even after money came; a new one is not."""
    event = seat.new_event()
    stake = seat.balance + seat.small()
    bet = seat.move("BetPlacing", event, stake)
    yield seat.say(bet)
    yield seat.say(bet)
    yield seat.say(seat.move("Win", event, 1))
    yield seat.say(seat.move("technicalFix", seat.new_event(), 2 * stake))
    yield seat.say(bet)
    yield seat.say(replace(bet, amount=seat.written(1), event=seat.new_event()))
    yield seat.say(seat.move("BetPlacing", event, stake))
    yield seat.say(seat.move("Lose", event, 0))


def other_content(seat: Seat) -> Iterator[Step]:
    """An id that comes again with other content moves nothing."""
    event, stake = seat.new_event(), seat.stake()
    bet = seat.move("BetPlacing", event, stake)
    yield seat.say(bet)
    yield seat.say(replace(bet, amount=seat.written(stake + 1)))
    yield seat.say(replace(bet, event=seat.new_event()))
    yield seat.say(replace(bet, amount=seat.written(stake)))
    win = seat.move("Win", event, seat.payout(stake), transaction_id=bet.transaction_id)
    yield seat.say(win)
    yield seat.say(win)
    yield seat.say(seat.move("Lose", event, 0))
