"""A round, which is a sports bet where the game is the sportsbook: its movements on a time line."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call
from app.cashier.staff_lookups import RoundDetails, look_up_event
from app.wallet.events import RULES
from app.wallet.words import decision, reasons, remarks, state_of


async def show(call: Call) -> Response:
    """Show an event's rounds, of one player or of all."""
    event_id, player = call.asked("event"), call.asked("player")
    found = await look_up_event(call.office.ledger, event_id, player or None)
    if not found:
        raise HTTPException(404)
    players = sorted({details.account.user_id for details in found})
    await call.note("round.look", "round", event_id, players=players)
    return call.page("round.html", event_id=event_id, rounds=[_told(one) for one in found])


def _told(details: RoundDetails) -> dict[str, Any]:
    beside = [owned.entry for owned in details.entries]
    return {
        "account": details.account,
        "tally": details.account.round.tally,
        "state": state_of(details.account.round),
        "slips": details.slips,
        "lines": [
            {
                "entry": entry,
                "what": RULES[entry.event_type].words,
                "part": RULES[entry.event_type].part.value,
                "decision": decision(entry),
                "why": " ".join(reasons(entry, beside)),
                "remarks": remarks(entry),
            }
            for entry in beside
        ],
    }
