"""Adjustments of a player whose bucket is on another node than the requests and decisions are.

No transaction reaches both, so the movement is made first, under the adjustment's own key, and its
approval is written after it, out of what the movement says of it. A process that dies in between
leaves a movement whose decision is missing: it is shown so, and whoever approves it again, however
late, has it written.

Whoever decides is alone with the adjustment on the coordinator for as long. That place can be lost
with its connection, so it is asked for again after the facts of a movement were read. Who rejects
looks for the movement when they have the place, fences the player's wallet, and looks again: a
movement whose maker had the place after its facts were read is there by then, or will never be.
"""

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from app.ledger.adjustments import find_adjustment, keep_approval
from app.ledger.alone import StillAlone
from app.ledger.errors import LedgerError
from app.ledger.money.book import Approval, Book
from app.ledger.operator_actions import Action, note_action
from app.ledger.transaction import Ledger
from app.wallet.adjustments import Adjustment, AdjustmentState
from app.wallet.events import EventType
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key
from app.wallet.operators import Operator, Via


def alone_with(ledger: Ledger, adjustment_id: int) -> AbstractAsyncContextManager[StillAlone]:
    """Let nobody else decide about an adjustment meanwhile."""
    return ledger.alone(f"adjustment {adjustment_id}")


def said_of(approval: Approval) -> dict[str, object]:
    """Return what a movement says of its approval, beside the names."""
    return {
        "is_verified": approval.is_verified,
        "via": approval.via,
        "from": approval.came_from,
        "note": approval.note,
        "solo_max": approval.solo_max,
    }


def tells_of_approval(entry: JournalEntry) -> bool:
    """Whether a movement says itself who approved it."""
    return "approval" in json.loads(entry.extra_data or "{}")


def approval_of(entry: JournalEntry) -> Approval:
    """Return the approval that a movement tells of."""
    said = json.loads(entry.extra_data or "{}")
    of_approval = said["approval"]
    return Approval(
        said["adjustment"],
        said["approved_by"],
        of_approval["is_verified"],
        of_approval["via"],
        of_approval["from"],
        of_approval["note"],
        of_approval["solo_max"],
    )


async def movements_without_decision(
    ledger: Ledger, adjustments: Collection[Adjustment]
) -> dict[int, JournalEntry]:
    """Return the movements of those adjustments that nobody decided about, by their number."""
    undecided = [each for each in adjustments if each.decided is None]
    found: dict[int, JournalEntry] = {}
    for of, user_ids in await ledger.placed({each.user_id for each in undecided}):
        keys = [each.key for each in undecided if each.user_id in user_ids]

        async def work(book: Book, keys: Sequence[Key] = keys) -> list[JournalEntry]:
            return await book.entries_of(keys)

        for entry in await ledger.read_only(work, of=of):
            # Where it was made before buckets were on nodes, its approval was written with it.
            if entry.event_type is EventType.ADJUSTMENT and tells_of_approval(entry):
                found[approval_of(entry).adjustment_id] = entry
    # Two may have been asked for under one key.
    return {
        each.adjustment_id: found[each.adjustment_id]
        for each in undecided
        if each.adjustment_id in found
    }


async def with_movements(ledger: Ledger, adjustments: list[Adjustment]) -> list[Adjustment]:
    """Return the adjustments, and say of those that have moved, undecided, who approved them.

    What is on a node that is away is shown as it is known on the coordinator.
    """
    if not await ledger.is_on_nodes():
        return adjustments
    found: dict[int, JournalEntry] = {}
    for _, user_ids in await ledger.placed({each.user_id for each in adjustments}):
        with suppress(LedgerError):
            here = [each for each in adjustments if each.user_id in user_ids]
            found |= await movements_without_decision(ledger, here)
    return [
        each._replace(moved_by=approval_of(found[each.adjustment_id]).decided_by)
        if each.adjustment_id in found
        else each
        for each in adjustments
    ]


async def movement_after_fence(ledger: Ledger, adjustment: Adjustment) -> JournalEntry | None:
    """Return the movement of an adjustment; after None none that was under way comes any more."""

    async def fence(book: Book) -> None:
        await book.fence([adjustment.user_id])

    await ledger.serializable(fence, of=adjustment.user_id)
    found = await movements_without_decision(ledger, [adjustment])
    return found.get(adjustment.adjustment_id)


async def write_approval(ledger: Ledger, entry: JournalEntry) -> Adjustment:
    """Write the approval that a movement tells of, unless it is written, and note the act."""
    approval = approval_of(entry)

    async def work(book: Book) -> Adjustment | None:
        if await keep_approval(book, approval, entry):
            by = Operator(
                approval.decided_by,
                approval.is_verified,
                frozenset(),
                Via(approval.via),
                approval.came_from,
            )
            act = Action(
                "adjustment.approve",
                "adjustment",
                str(approval.adjustment_id),
                entry.delivery,
                approval.note,
            )
            await note_action(book, by, act)
        return await find_adjustment(book, approval.adjustment_id)

    written = await ledger.serializable(work)
    if written is None or written.state is not AdjustmentState.APPROVED:
        raise AssertionError("a movement of an adjustment is what was asked for")
    return written
