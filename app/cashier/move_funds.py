"""The only code that moves money: a batch of movements in, receipts out, one transaction.

It is a function of the book, not a `with` block, because the database may ask us to run it again.
"""

import json
from collections.abc import Sequence
from datetime import timedelta

from app.ledger.book import Book, RefusalNote
from app.ledger.transaction import Ledger, RunAgainError
from app.wallet.decision import decide_all
from app.wallet.facts import Facts, Policy
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Decisions, KeyNeeded, Receipt, Refused, Replay


async def move_funds(
    ledger: Ledger,
    movements: Sequence[Movement],
    policy: Policy,
    *,
    deadline: timedelta | None = None,
    suspects: frozenset[Key] = frozenset(),
) -> list[Receipt]:
    """Decide a batch and write what it leaves behind; the receipts come after the commit, in order.

    `suspects` are keys that may be in the journal already (after a commit whose fate is unknown):
    they are read before anything is decided. Raises DeadlineError, LedgerBusyError,
    LedgerAwayError.
    """
    suspected = set(suspects)

    async def batch(book: Book) -> list[Receipt]:
        facts = await book.facts_for(movements, suspected)
        facts, decisions = await _decide(book, facts, movements, policy)
        taken = await book.record(facts, decisions)
        if taken:
            suspected.update(taken)
            raise RunAgainError
        receipts = _receipts(decisions)
        await book.note_refusals(_notes(movements, receipts))
        await book.note_return(
            [r.entry for r in receipts if isinstance(r, Replay) and not r.is_own]
        )
        return receipts

    def before_rerun() -> None:
        suspected.update(movement.key for movement in movements)

    return await ledger.serializable(batch, deadline=deadline, fate_unknown=before_rerun)


async def _decide(
    book: Book, facts: Facts, movements: Sequence[Movement], policy: Policy
) -> tuple[Facts, Decisions]:
    """Fold until nobody waits for a look-up: each one settles a key, so the bound is their number.

    One look-up is the rule. More are needed when a refusal under a key that the batch holds twice
    makes a repeat of what had seemed to be accepted.
    """
    for _ in range(len(movements) + 1):
        decisions = decide_all(movements, facts, policy)
        needed = decisions.keys_needed
        if not needed:
            return facts, decisions
        facts = await book.look_up(facts, needed)
    raise AssertionError("a key was looked up and still needed")


def _receipts(decisions: Decisions) -> list[Receipt]:
    return [outcome for outcome in decisions.outcomes if not isinstance(outcome, KeyNeeded)]


def _notes(movements: Sequence[Movement], receipts: Sequence[Receipt]) -> list[RefusalNote]:
    """What the trail keeps: refusals that are no outcome, and repeats with other content."""
    return [
        _note(movement, receipt)
        for movement, receipt in zip(movements, receipts, strict=True)
        if isinstance(receipt, Refused) or (isinstance(receipt, Replay) and receipt.differs)
    ]


def _note(movement: Movement, receipt: Refused | Replay) -> RefusalNote:
    if isinstance(receipt, Refused):
        refusal, reason = receipt.refusal.name, receipt.refusal.value
    else:
        refusal, reason = "MOVEMENT_DIFFERS", "a repeat of a refused movement with other content"
    asked = {
        "gameId": movement.game_id,
        "bonusCode": movement.bonus_code,
        "extraData": movement.extra_data,
    }
    return RefusalNote(
        user_id=movement.user_id,
        source=movement.key.source,
        operation=movement.event_type if movement.rule.is_cashier else "moveFunds",
        transaction_id=movement.key.transaction_id,
        event_id=movement.event_id,
        event_type=movement.event_type,
        direction=movement.direction,
        amount=movement.amount,
        refusal=refusal,
        reason=reason,
        differs=receipt.differs,
        asked=json.dumps({name: value for name, value in asked.items() if value is not None}),
        delivery=movement.delivery,
        event_time=movement.received_at,
    )
