"""What a refused movement leaves behind in its round: early aborts, and bets that were declined."""

from datetime import datetime
from typing import Final, NamedTuple

from app.wallet.changes import Changes, write_round
from app.wallet.early_aborts import AbortState, EarlyAbort, find, remembered, replaced
from app.wallet.events import Part
from app.wallet.facts import Policy, RuleVersion
from app.wallet.journal import JournalEntry
from app.wallet.judgement import Objection
from app.wallet.money import Minor
from app.wallet.movement import Movement
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey, has_open_bet_of

UNTIMED_ABORTS_MAX: Final = 64
"""The most amounts of refused aborts that the previous release stored for one round."""

_FOUND_NO_BET = frozenset({Refusal.NO_MATCHING_MOVEMENT, Refusal.ALREADY_GIVEN_BACK})


class RefusedInRound(NamedTuple):
    """A refused movement that belongs to a round."""

    movement: Movement
    amount: Minor
    objection: Objection
    declined: JournalEntry | None
    """its journal entry, if the refusal is final"""
    key: RoundKey
    round: Round

    @property
    def abort_found_no_bet(self) -> bool:
        """Whether it is an abort told 406 or 409."""
        return self.movement.rule.part is Part.ABORT and self.objection[0] in _FOUND_NO_BET


def apply_refusal_to_round(
    refused: RefusedInRound, now: datetime, policy: Policy, changes: Changes
) -> None:
    """Update the round's early aborts after a refusal, and add a declined bet to its history."""
    movement, declined, key, round_ = (
        refused.movement,
        refused.declined,
        refused.key,
        refused.round,
    )
    is_declined_bet = declined is not None and movement.rule.part is Part.BET
    if declined is not None and is_declined_bet and round_.history is not None:
        round_ = round_._replace(history=(*round_.history, declined))
        changes.rounds[key] = round_
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        amounts = _untimed_aborts_after(refused)
        if amounts != round_.untimed_aborts:
            write_round(movement, key, round_._replace(untimed_aborts=amounts), None, changes)
            changes.moved.add(movement.user_id)
        return
    changed = _early_abort_after(refused, now)
    if changed is not None:
        after = round_._replace(early_aborts=replaced(round_.early_aborts, changed))
        write_round(movement, key, after, changed, changes)
        changes.moved.add(movement.user_id)


def _untimed_aborts_after(refused: RefusedInRound) -> frozenset[Minor]:
    """The amounts that the previous release would store of this round's refused aborts."""
    known = refused.round.untimed_aborts
    if not refused.abort_found_no_bet or len(known) >= UNTIMED_ABORTS_MAX:
        return known
    return known | {refused.amount}


def _early_abort_after(refused: RefusedInRound, now: datetime) -> EarlyAbort | None:
    """The early abort that a refusal adds or changes; None: none."""
    movement, round_ = refused.movement, refused.round
    refusal, detail = refused.objection
    if refusal is Refusal.BET_OVERTAKEN and isinstance(detail, str):
        used = find(round_.early_aborts, detail)
        return used._replace(state=AbortState.USED) if used else None
    if not refused.abort_found_no_bet:
        return None
    own = find(round_.early_aborts, movement.key.transaction_id)
    if own is not None:
        # Its id has an outcome now; an abort that still waits for its bet keeps waiting.
        is_over = own.state is AbortState.USED and refused.declined is not None
        return own._replace(state=AbortState.SETTLED) if is_over else None
    if has_open_bet_of(round_, refused.amount):
        return None
    history = round_.history or ()
    return remembered(round_.early_aborts, history, movement, refused.amount, now)
