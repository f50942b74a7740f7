"""Requests for adjustments, and the refused movements that they may settle.

A movement that was refused is found by its transaction id. Its key in the wide form is taken by the
adjustment, unless the movement was accepted or settled meanwhile, or has its refusal for ever under
that very key.
"""

from typing import Final, NamedTuple

from app.ledger.adjustments import RefusedUnderId, refused_under
from app.ledger.money.book import Book
from app.ledger.players import Player
from app.wallet.adjustments import AdjustmentReason, RefusedMovement
from app.wallet.events import Direction, EventType, Pocket
from app.wallet.movement import Key

GAME_SOURCES: Final = ("callback", "betby")


class Request(NamedTuple):
    """What somebody asks for, as they put it."""

    user_id: str
    direction: Direction
    pocket: Pocket
    amount: str
    """in major units, matching AMOUNT_PATTERN, and more than 0"""
    reason: AdjustmentReason
    ticket: str
    note: str | None = None
    settles: str | None = None
    """the transaction id of the refused movement that this settles"""
    event_type: str | None = None
    """which of several movements that were refused under that id"""


class NotAdjusted(NamedTuple):
    """Nothing was written; the words are a sentence for people."""

    words: str


async def settled_movement(
    book: Book, player: Player, request: Request
) -> RefusedMovement | NotAdjusted | None:
    """Return the refused movement that a request names; None: it names none."""
    transaction_id = request.settles
    if transaction_id is None:
        return None
    sources = [*GAME_SOURCES, player.agent]
    known = await refused_under(book, transaction_id, player.user_id, sources)
    found = [
        refused
        for refused in known
        if _is_known(refused) and request.event_type in {None, refused.event_type}
    ]
    if not found:
        return NotAdjusted(
            f"No movement of {player.user_id} was refused under the transaction id "
            f"{transaction_id}; `wallet movement show {transaction_id}` shows what was."
        )
    if len(found) > 1:
        kinds = ", ".join(sorted({refused.event_type for refused in found}))
        return NotAdjusted(f"Several were refused under {transaction_id}: say which of {kinds}.")
    (refused,) = found
    if refused.holder in {"accepted", "adjusted"}:
        done = "accepted since" if refused.holder == "accepted" else "settled by hand already"
        return NotAdjusted(f"The {refused.event_type} {transaction_id} was {done}.")
    if refused.direction != request.direction:
        return NotAdjusted(f"The {refused.event_type} {transaction_id} was a {refused.direction}.")
    if refused.is_wide:
        # It keeps its refusal for ever under this very key; the adjustment has an id of its own.
        return None
    facet = f"{refused.event_type}:{refused.direction}"
    return RefusedMovement(Key(refused.source, transaction_id, facet), refused.event_id)


def _is_known(refused: RefusedUnderId) -> bool:
    """Whether a later delivery of it could become a movement at all."""
    return refused.event_type in set(EventType) - {EventType.ADJUSTMENT}
