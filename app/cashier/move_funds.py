"""The only code that moves money: a batch of movements in, receipts out, one transaction.

`move_at_once` is for the ordinary: it glances at the facts, decides, and writes in one statement
that proves them; what it will not decide it leaves alone. `move_funds` is for everything: it locks,
decides and writes, as a function of the book and not a `with` block, because the database may ask
us to run it again.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import NamedTuple

from app.ledger.errors import LedgerAwayError
from app.ledger.money.book import NEEDS_HISTORY, Book, RefusalNote
from app.ledger.transaction import Fate, Ledger, RunAgainError
from app.wallet.decision import decide_all
from app.wallet.facts import Facts, Policy
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Decisions, KeyNeeded, Posting, Receipt, Refused, Replay


class AtOnce(NamedTuple):
    """What could be decided at once."""

    receipts: list[Receipt | None]
    """in order; None: undecided, nothing of it stands unless it is suspected"""
    suspects: frozenset[Key] = frozenset()
    """keys of the undecided that may be in the journal"""
    is_on_its_way: bool = False
    """whether what was written may yet reach the database, though the connection is gone"""


async def move_at_once(
    ledger: Ledger,
    movements: Sequence[Movement],
    policy: Policy,
    *,
    before_writing: Callable[[], None] = lambda: None,
) -> AtOnce:
    """Decide what is ordinary, and write it in one statement; the receipts come after its commit.

    A player one of whose movements is refused, or undoes others, or renews a token's life, is left
    alone with all that he asked for. Raises DeadlineError.
    """
    unusual = {m.user_id for m in movements if m.rule.part in NEEDS_HISTORY}
    ordinary = _but_of(unusual, movements)
    if not ordinary:
        return _nothing_of(movements)
    try:
        facts, places, renewals = await ledger.glance(lambda book: book.glance(ordinary))
    except LedgerAwayError:
        return _nothing_of(movements)
    decisions = decide_all(ordinary, facts, policy)
    renewing = {player_id for player_id, _ in renewals}
    to_care_for = {
        movement.user_id
        for movement, outcome in zip(ordinary, decisions.outcomes, strict=True)
        if not isinstance(outcome, Posting) or outcome.entry.player_id in renewing
    }
    if to_care_for:
        unusual |= to_care_for
        ordinary = _but_of(unusual, ordinary)
        if not ordinary:
            return _nothing_of(movements)
        decisions = decide_all(ordinary, facts, policy)
    before_writing()
    fate = await ledger.in_one_statement(lambda book: book.record_at_once(facts, places, decisions))
    if fate is Fate.DONE:
        decided = iter(_receipts(decisions))
        return AtOnce([None if m.user_id in unusual else next(decided) for m in movements])
    keys = [movement.key for movement in ordinary]
    if fate is Fate.UNDONE:
        return _nothing_of(movements, await _taken_among(ledger, keys))
    return _nothing_of(movements, keys)._replace(is_on_its_way=True)


def _but_of(players: AbstractSet[str], movements: Sequence[Movement]) -> Sequence[Movement]:
    return [m for m in movements if m.user_id not in players] if players else movements


def _nothing_of(movements: Sequence[Movement], suspects: Iterable[Key] = ()) -> AtOnce:
    return AtOnce([None] * len(movements), frozenset(suspects))


async def _taken_among(ledger: Ledger, keys: Sequence[Key]) -> list[Key]:
    """Which keys are in the journal by now; what is overlooked is found by the insert."""
    try:
        entries = await ledger.glance(lambda book: book.entries_of(keys))
    except LedgerAwayError:
        return []
    return [entry.key for entry in entries]


async def move_funds(
    ledger: Ledger,
    movements: Sequence[Movement],
    policy: Policy,
    *,
    deadline: timedelta | None = None,
    suspects: frozenset[Key] = frozenset(),
    is_on_its_way: bool = False,
) -> list[Receipt]:
    """Decide a batch and write what it leaves behind; the receipts come after the commit, in order.

    `suspects` are keys that may be in the journal already (after a commit whose fate is unknown):
    they are read before anything is decided. `is_on_its_way`: an attempt to decide these at once
    may yet reach the database; it is kept out, so that what is answered now is the last word.
    Raises DeadlineError, LedgerBusyError, LedgerAwayError.
    """
    suspected = set(suspects)

    async def batch(book: Book) -> list[Receipt]:
        if is_on_its_way:
            await book.keep_out({movement.user_id for movement in movements})
        facts, places = await book.facts_for(movements, suspected)
        facts, decisions = await _decide(book, facts, movements, policy)
        taken = await book.record(facts, places, decisions)
        if taken:
            suspected.update(taken)
            raise RunAgainError
        receipts = _receipts(decisions)
        await book.log_refusals(_notes(movements, receipts))
        await book.list_returns(
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
