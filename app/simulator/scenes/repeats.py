"""Repeats: retries, deliveries at the same moment, races, and movements in the wrong order."""

from collections.abc import Iterator
from dataclasses import replace

from app.simulator.moves import Token
from app.simulator.player_script import ScriptWriter, Step

_TOKENS: tuple[Token, ...] = (Token.LIVE, Token.EXPIRED, Token.UNKNOWN, Token.ANOTHER)


def retried(writer: ScriptWriter) -> Iterator[Step]:
    """Each move is repeated in another form, and answered before token and funds are checked."""
    event, stake = writer.new_event(), writer.stake()
    paid = writer.payout(stake)
    for move in (
        writer.move("BetPlacing", event, stake),
        writer.move("Win", event, paid, bonus_code=writer.dice.pick((None, "code"))),
        writer.move("BetPayedAbort", event, paid),
        writer.move("BetPlacingAbort", event, stake),
    ):
        yield writer.say(move)
        for _ in range(writer.dice.between(1, 2)):
            again = replace(
                move,
                token=writer.dice.pick(_TOKENS),
                bonus_code=writer.dice.pick((move.bonus_code, "other")),
            )
            yield writer.say(again)


def all_in_retried(writer: ScriptWriter) -> Iterator[Step]:
    """A retry of an all-in bet hears that it was processed, never that money lacks."""
    event = writer.new_event()
    bet = writer.move("BetPlacing", event, max(writer.balance, 0))
    yield writer.say(bet)
    yield writer.say(bet)
    yield writer.say(writer.move("Lose", event, 0))
    yield writer.say(bet)


def said_long_ago(writer: ScriptWriter) -> Iterator[Step]:
    """A move of an earlier event comes again."""
    yield writer.say(writer.move("DropAndWin", writer.new_event(), 1))
    yield writer.say(writer.dice.pick(tuple(writer.history)))


def at_once(writer: ScriptWriter) -> Iterator[Step]:
    """Several deliveries of one move at the same moment: one success, and the money moves once."""
    event, stake = writer.new_event(), writer.stake()
    paid = writer.payout(stake)
    moves = [writer.move("BetPlacing", event, stake), writer.move("Win", event, paid)]
    if writer.dice.chance(50):
        moves.append(writer.move("SportBetCancel", event, paid))
        moves.append(writer.move("BetPlacingAbort", event, stake))
    for move in moves:
        yield writer.together([move] * writer.dice.between(2, 8))
    yield writer.say(moves[0])


def refused_at_once(writer: ScriptWriter) -> Iterator[Step]:
    """Several deliveries of a bet nobody can pay are all refused alike."""
    event = writer.new_event()
    bet = writer.move("BetPlacing", event, writer.balance + 1)
    yield writer.together([bet] * writer.dice.between(2, 6))
    yield from writer.fund(writer.balance + writer.coin)
    yield writer.say(bet)


def race_to_zero(writer: ScriptWriter) -> Iterator[Step]:
    """Ten bets at once, and money for some of them: exactly those are accepted."""
    event = writer.new_event()
    stake = max(writer.balance, 3) // writer.dice.between(3, 6)
    yield writer.together([writer.move("BetPlacing", event, stake) for _ in range(10)])
    yield writer.ask("getBalance")
    yield writer.say(writer.move("Win", event, writer.small()))


def aborted_eight_times(writer: ScriptWriter) -> Iterator[Step]:
    """Eight aborts of one bet at once, each with its own id: one gives it back."""
    event, stake = writer.new_event(), writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.together([writer.move("BetPlacingAbort", event, stake) for _ in range(8)])
    yield writer.ask("getBalance")


def win_before_bet(writer: ScriptWriter) -> Iterator[Step]:
    """A win that overtook its bet is refused, and accepted under the same id after it."""
    event, stake = writer.new_event(), writer.stake()
    win = writer.move("Win", event, writer.payout(stake))
    yield writer.say(win)
    yield writer.say(win)
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(win)
    yield writer.say(win)


def take_back_before_win(writer: ScriptWriter) -> Iterator[Step]:
    """A payment taken back before it came is refused, then comes and goes."""
    event, stake = writer.new_event(), writer.stake()
    paid = writer.small()
    back = writer.move("BetPayedAbort", event, paid)
    yield writer.say(back)
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(back)
    yield writer.say(writer.move("Win", event, paid))
    yield writer.say(back)
    yield writer.say(back)


def beyond_balance(writer: ScriptWriter) -> Iterator[Step]:
    """A bet beyond the balance is refused for ever, even after money came; a new one is not."""
    event = writer.new_event()
    stake = writer.balance + writer.small()
    bet = writer.move("BetPlacing", event, stake)
    yield writer.say(bet)
    yield writer.say(bet)
    yield writer.say(writer.move("Win", event, 1))
    yield writer.say(writer.move("technicalFix", writer.new_event(), 2 * stake))
    yield writer.say(bet)
    yield writer.say(replace(bet, amount=writer.written(1), event=writer.new_event()))
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Lose", event, 0))


def other_content(writer: ScriptWriter) -> Iterator[Step]:
    """An id that comes again with other content moves nothing."""
    event, stake = writer.new_event(), writer.stake()
    bet = writer.move("BetPlacing", event, stake)
    yield writer.say(bet)
    yield writer.say(replace(bet, amount=writer.written(stake + 1)))
    yield writer.say(replace(bet, event=writer.new_event()))
    yield writer.say(replace(bet, amount=writer.written(stake)))
    win = writer.move("Win", event, writer.payout(stake), transaction_id=bet.transaction_id)
    yield writer.say(win)
    yield writer.say(win)
    yield writer.say(writer.move("Lose", event, 0))
