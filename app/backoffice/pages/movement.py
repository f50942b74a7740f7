"""A movement: asked, decided, answered, and why; its pockets, its chain, and what undid it."""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call
from app.cashier.staff_lookups import MovementDetails, look_up_transaction
from app.wallet.events import RULES
from app.wallet.words import decision, reasons, remarks

KIND: Final = "movement"


async def show(call: Call) -> Response:
    """Show every movement and refusal under a transaction id, whoever sent them."""
    transaction_id = call.asked("id")
    found = await look_up_transaction(call.office.ledger, transaction_id)
    if not found.movements and not found.refusals:
        raise HTTPException(404)
    players = sorted(
        {
            *(details.owned.user_id for details in found.movements),
            *(refusal.user_id for refusal in found.refusals),
        }
    )
    await call.note("movement.look", KIND, transaction_id, players=players)
    return call.page(
        "movement.html",
        transaction_id=transaction_id,
        movements=[_told(details) for details in found.movements],
        refusals=found.refusals,
        is_print=call.asked("print") == "1",
    )


def _told(details: MovementDetails) -> dict[str, Any]:
    entry = details.owned.entry
    beside = [other.entry for other in details.beside]
    there = {other.position: other for other in beside}
    return {
        "details": details,
        "entry": entry,
        "rule": RULES[entry.event_type],
        "decision": decision(entry),
        "reasons": reasons(entry, beside),
        "remarks": remarks(entry),
        "undoes": [(there.get(reversal.position), reversal.parts) for reversal in entry.reverses],
        "undone_by": details.reversed_by,
    }
