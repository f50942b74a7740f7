"""Ordinary rounds: bets won and lost, several in one round, settled at once or later."""

from collections.abc import Iterator

from app.simulator.moves import Token
from app.simulator.player_script import ScriptWriter, Step


def lost(writer: ScriptWriter) -> Iterator[Step]:
    """A bet and its loss, told as a credit or, now and then, as a debit of nothing."""
    event = writer.new_event()
    yield writer.say(writer.move("BetPlacing", event, writer.stake()))
    if writer.dice.chance(20):
        yield writer.say(writer.move("Lose", event, 0, direction="debit"))
    else:
        yield writer.say(writer.move("Lose", event, 0))


def consoled(writer: ScriptWriter) -> Iterator[Step]:
    """A loss that pays something all the same counts as a payment."""
    event = writer.new_event()
    stake = writer.stake()
    back = stake // 3 + 1
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Lose", event, back, bonus_code="lost-anyway"))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    yield writer.say(writer.move("BetPayedAbort", event, back))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))


def won(writer: ScriptWriter) -> Iterator[Step]:
    """A bet and its win, shared between the pockets as the stake was."""
    event = writer.new_event(sport=writer.dice.chance(40))
    stake = writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    blank = writer.dice.pick((None, "", "  "))
    yield writer.say(writer.move("Win", event, writer.payout(stake), bonus_code=blank))


def several_bets(writer: ScriptWriter) -> Iterator[Step]:
    """A round of several bets, wins between them, and money for bonus in the middle."""
    event = writer.new_event()
    for _ in range(writer.dice.between(2, 4)):
        stake = writer.stake()
        yield writer.say(writer.move("BetPlacing", event, stake))
        if writer.dice.chance(40):
            yield writer.say(writer.move("Win", event, writer.payout(stake)))
        if writer.dice.chance(20):
            yield from writer.fund(50 * writer.coin)
    yield writer.say(writer.move("Win", event, writer.small()))
    yield writer.say(writer.move("Lose", event, 0))


def cashed_out(writer: ScriptWriter) -> Iterator[Step]:
    """A sports bet paid in parts before its end, then settled."""
    event = writer.new_event(sport=True)
    stake = writer.stake()
    yield writer.say(writer.move("BetPlacing", event, stake))
    for part in (3, 2):
        yield writer.say(writer.move("Win", event, writer.payout(stake) // part))
    yield writer.say(writer.move("Lose" if writer.dice.chance(50) else "Win", event, 0))


def free_spins(writer: ScriptWriter) -> Iterator[Step]:
    """Free spins: bets of nothing, wins to the bonus pocket."""
    event = writer.new_event()
    for _ in range(writer.dice.between(1, 3)):
        yield writer.say(writer.move("BetPlacing", event, 0, bonus_code="free-10"))
        yield writer.say(writer.move("Win", event, writer.small(), bonus_code="free-10"))


def zeros(writer: ScriptWriter) -> Iterator[Step]:
    """Amounts of zero, which are legal everywhere and settle nothing twice."""
    event, tip = writer.new_event(), writer.new_event()
    yield writer.say(writer.move("BetPlacing", event, 0, amount="0"))
    yield writer.say(writer.move("Win", event, 0, amount="0.00"))
    yield writer.say(writer.move("BetPayedAbort", event, 0, amount="0"))
    yield writer.say(writer.move("BetPlacingAbort", event, 0, amount="0.0"))
    yield writer.say(writer.move("SportBetCancel", event, 0))
    yield writer.say(writer.move("Lose", event, 0, direction="debit"))
    yield writer.say(writer.move("Lose", event, 0))
    for event_type in ("Tip", "PromoWin", "DropAndWin", "technicalFix"):
        yield writer.say(writer.move(event_type, tip, 0))
    yield writer.say(writer.move("technicalFix", tip, 0, direction="debit"))


def streamed(writer: ScriptWriter) -> Iterator[Step]:
    """Streamer bets and credits keep apart from ordinary ones, even in the same event."""
    yield from writer.fill_both()
    event = writer.new_event()
    stake, paid = writer.mixed_stake(), writer.small()
    yield writer.say(writer.move("PromoStreamersDebit", event, stake))
    yield writer.say(writer.move("Win", event, paid))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    yield writer.say(
        writer.move("PromoStreamersCredit", event, paid, bonus_code="not-for-streamers")
    )
    yield writer.say(writer.move("BetPayedAbort", event, paid))
    yield writer.say(writer.move("PromoStreamersBetPlacingAbort", event, stake))
    yield writer.say(writer.move("PromoStreamersBetPayedAbort", event, paid))
    yield writer.say(writer.move("PromoStreamersBetPlacingAbort", event, stake))
    yield writer.say(writer.move("PromoStreamersBetPlacingAbort", event, stake))


def streamed_alone(writer: ScriptWriter) -> Iterator[Step]:
    """A streamer credit needs no bet; a streamer abort finds no ordinary one."""
    event = writer.new_event()
    stake = writer.stake()
    paid, expired = writer.small(), Token.EXPIRED
    yield writer.say(writer.move("PromoStreamersCredit", event, paid, token=expired))
    yield writer.say(writer.move("PromoStreamersBetPayedAbort", event, paid, token=expired))
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("PromoStreamersBetPlacingAbort", event, stake, token=expired))
    yield writer.say(writer.move("Win", event, writer.payout(stake)))
    yield writer.say(writer.move("PromoStreamersDebit", event, writer.stake(), token=expired))


def late(writer: ScriptWriter) -> Iterator[Step]:
    """A sports bet that settles long after the session, with a fresh token."""
    event = writer.new_event(sport=True)
    stake = writer.stake()
    bet = writer.move("BetPlacing", event, stake)
    yield writer.say(bet)
    yield writer.ask("getUserToken")
    yield writer.say(writer.move("Win", event, writer.payout(stake), token=Token.FRESH))


def late_and_expired(writer: ScriptWriter) -> Iterator[Step]:
    """An expired token stops a bet, but never money that comes back."""
    event = writer.new_event(sport=True)
    stake = writer.stake()
    bet = writer.move("BetPlacing", event, stake, token=Token.EXPIRED)
    yield writer.say(bet)
    yield writer.say(writer.move("Tip", event, 1, token=Token.EXPIRED))
    renewed = writer.move(
        "BetPlacing", event, 0, amount=bet.amount, transaction_id=bet.transaction_id
    )
    yield writer.say(renewed)
    yield writer.say(bet)
    paid = writer.payout(stake)
    yield writer.say(writer.move("Win", event, paid, token=Token.EXPIRED))
    yield writer.say(writer.move("BetPayedAbort", event, paid, token=Token.EXPIRED))
    yield writer.say(writer.move("BetPlacingAbort", event, stake, token=Token.EXPIRED))
