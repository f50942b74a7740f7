"""Aborts that come before their bets: the bet that comes after them is refused for ever."""

from collections.abc import Iterator

from app.simulator.moves import Move
from app.simulator.player_script import ScriptWriter, Step


def abort_before_bet(writer: ScriptWriter) -> Iterator[Step]:
    """The abort is refused, then its bet; the abort's id then hears that nothing is left.

    A second bet of the amount is an ordinary one, and the late abort does not touch it.
    """
    yield from _overtaken(writer, "BetPlacing", "BetPlacingAbort")


def streamer_abort_before_bet(writer: ScriptWriter) -> Iterator[Step]:
    """The same among streamer bets."""
    yield from _overtaken(writer, "PromoStreamersDebit", "PromoStreamersBetPlacingAbort")


def _overtaken(writer: ScriptWriter, bet_type: str, abort_type: str) -> Iterator[Step]:
    event, stake = writer.new_event(), writer.affordable_twice()
    bet = writer.move(bet_type, event, stake)
    abort = _abort_of(writer, bet, abort_type, stake)
    yield writer.say(abort)
    yield writer.say(abort)
    yield writer.say(bet)
    yield writer.say(bet)
    yield writer.say(writer.move(bet_type, event, stake))
    yield writer.say(abort)
    yield writer.say(abort)
    yield writer.say(writer.move(abort_type, event, stake))
    yield writer.say(writer.move("Win", event, writer.small()))


def one_id_for_both(writer: ScriptWriter) -> Iterator[Step]:
    """Abort and bet carry one id: where ids are shared this refuses the bet at any amount."""
    event, stake = writer.new_event(), writer.affordable_twice()
    bet = writer.move("BetPlacing", event, stake + 1)
    shared = bet.transaction_id
    abort = writer.move("BetPlacingAbort", event, stake, transaction_id=shared)
    for move in (abort, bet, abort, bet):
        yield writer.say(move)
    yield writer.say(writer.move("Lose", event, 0))


def abort_of_a_refused_bet(writer: ScriptWriter) -> Iterator[Step]:
    """The abort of a bet that was refused for ever means no other bet."""
    event = writer.new_event()
    stake = writer.balance + writer.small()
    refused = writer.move("BetPlacing", event, stake)
    abort = _abort_of(writer, refused, "BetPlacingAbort", stake)
    yield writer.say(refused)
    yield writer.say(abort)
    yield writer.say(abort)
    yield from writer.fund(2 * stake)
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(abort)
    yield writer.say(writer.move("Lose", event, 0))


def abort_after_everything_was_given_back(writer: ScriptWriter) -> Iterator[Step]:
    """An abort told 409 waits for its bet as one told 406 does."""
    event, stake = writer.new_event(), writer.affordable_twice()
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("BetPlacingAbort", event, stake))
    late = writer.move("BetPlacing", event, stake)
    early = _abort_of(writer, late, "BetPlacingAbort", stake)
    for move in (early, late, early, late):
        yield writer.say(move)
    yield writer.say(writer.move("BetPlacing", event, stake))
    yield writer.say(writer.move("Lose", event, 0))


def _abort_of(writer: ScriptWriter, bet: Move, abort_type: str, stake: int) -> Move:
    """The abort of a bet, under the bet's own id where the server lets both share one."""
    shared_ids = writer.oracle.settings.key_scope == "transaction_event"
    own_id = bet.transaction_id if shared_ids else None
    return writer.move(abort_type, bet.event, stake, transaction_id=own_id)
