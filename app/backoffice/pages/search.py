"""Search: one box for any id; what is the only thing found is shown at once."""

import asyncio
import re
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response

from app.backoffice.call import TEXT_LENGTH_MAX, Call, MistakeError
from app.backoffice.rendering import address
from app.cashier.staff_lookups import look_up_email, look_up_our_id, look_up_transaction
from app.ledger.backoffice.search import (
    FOUND_MAX,
    movements_of_delivery,
    players_named,
    refusals_of_delivery,
    rounds_of,
    rounds_of_slip,
)
from app.wallet.operators import Permission

DELIVERY: Final = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)


async def home(call: Call) -> Response:
    """Show the first page that this person's roles have a use for."""
    may = call.operator.may
    if may(Permission.LOOK):
        return call.page("search.html", text="", found=None)
    return call.see("/actions" if may(Permission.ACTIONS) else "/password")


async def search(call: Call) -> Response:
    """Find what has this id, name or address."""
    text = call.asked("q")
    if not text:
        return call.page("search.html", text="", found=None)
    if len(text) > TEXT_LENGTH_MAX:
        raise MistakeError(f"No id has more than {TEXT_LENGTH_MAX} characters.")
    views, ledger = call.office.views, call.office.ledger
    delivery = UUID(text) if DELIVERY.fullmatch(text) else None
    players, events, slips, decided, refused = await asyncio.gather(
        players_named(views, text),
        rounds_of(views, text),
        rounds_of_slip(views, text),
        movements_of_delivery(views, delivery) if delivery else _nothing(),
        refusals_of_delivery(views, delivery) if delivery else _nothing(),
    )
    transaction, ours, emails = await asyncio.gather(
        look_up_transaction(ledger, text), look_up_our_id(ledger, text), _by_email(call, text)
    )
    await call.note("search", "search", text)
    transactions = ours | ({text: transaction} if any(transaction) else {})
    rounds = [*events, *slips]
    whole = [player for player in players if player["user_id"] == text]
    only = [
        *(address("/player", id=player["user_id"]) for player in whole),
        *(address("/player", id=user_id) for user_id in emails),
        *(address("/movement", id=each) for each in transactions),
        *(address("/round", event=row["event_id"], player=row["user_id"]) for row in rounds),
        *(address("/movement", id=row["transaction_id"]) for row in decided),
    ]
    if len(only) == 1 and len(players) <= len(whole) and not refused:
        return call.see(only[0])
    return call.page(
        "search.html",
        text=text,
        found={
            "players": players,
            "emails": emails,
            "transactions": transactions,
            "rounds": rounds,
            "decided": decided,
            "refused": refused,
        },
        found_max=FOUND_MAX,
    )


async def _by_email(call: Call, text: str) -> list[str]:
    return await look_up_email(call.office.ledger, text, FOUND_MAX) if "@" in text else []


async def _nothing() -> list[Any]:
    return []
