"""Adjustments: one person asks, another one approves, and then the money moves, once."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.rendering import address
from app.cashier.adjustments import (
    NotAdjusted,
    Request,
    approve,
    latest_adjustments,
    propose,
    reject,
    show_adjustment,
)
from app.wallet.adjustments import AdjustmentReason, AdjustmentState
from app.wallet.balance import Pockets
from app.wallet.events import Direction, Pocket
from app.wallet.money import AMOUNT_PATTERN

NUMBER_DIGITS_MAX: Final = 18
TICKET_LENGTH_MAX: Final = 64


async def show(call: Call) -> Response:
    """Show the requests that wait, or the latest of any state."""
    text = call.asked("state") or AdjustmentState.OPEN.value
    if text != "any" and text not in set(AdjustmentState):
        raise MistakeError(f"A state is any, or one of {', '.join(AdjustmentState)}.")
    rows = await latest_adjustments(
        call.office.ledger,
        state=None if text == "any" else AdjustmentState(text),
        user_id=call.asked("player") or None,
    )
    return call.page("adjustments.html", rows=rows, state=text, states=("any", *AdjustmentState))


async def show_one(call: Call) -> Response:
    """Show a request, with the pockets now and as it would leave them."""
    preview = await show_adjustment(call.office.ledger, _number(call.asked("id")))
    if isinstance(preview, NotAdjusted):
        raise HTTPException(404)
    adjustment = preview.adjustment
    await call.note("adjustment.look", "adjustment", str(adjustment.adjustment_id))
    after = preview.after if isinstance(preview.after, Pockets) else None
    return call.page(
        "adjustment.html",
        adjustment=adjustment,
        before=preview.before,
        after=after,
        refusal=None if after is not None else preview.after,
        is_own=adjustment.proposed.name == call.operator.name,
    )


async def form(call: Call) -> Response:
    """Show the form for a request, filled with what the page before knew."""
    return call.page(
        "adjust.html",
        player=call.asked("player"),
        settles=call.asked("settles"),
        amount=call.asked("amount"),
        direction=call.asked("direction"),
        reasons=list(AdjustmentReason),
        pockets=list(Pocket),
        directions=list(Direction),
    )


async def ask(call: Call) -> Response:
    """Keep a request for its decision; nothing moves."""
    done = await propose(call.office.ledger, call.operator, _request(call))
    if isinstance(done, NotAdjusted):
        raise MistakeError(done.words)
    return call.see(address("/adjustment", id=done.adjustment.adjustment_id))


async def approve_one(call: Call) -> Response:
    """Make the movement, in the name of the second person."""
    done = await approve(
        call.office.ledger,
        call.operator,
        _number(call.sent("id")),
        solo_max=call.office.adjust_solo_max,
        note=call.sent("note") or None,
    )
    if isinstance(done, NotAdjusted):
        raise MistakeError(done.words)
    return call.see(address("/adjustment", id=done.adjustment.adjustment_id))


async def reject_one(call: Call) -> Response:
    """End a request without a movement."""
    number = _number(call.sent("id"))
    done = await reject(call.office.ledger, call.operator, number, call.reason())
    if isinstance(done, NotAdjusted):
        raise MistakeError(done.words)
    return call.see(address("/adjustment", id=done.adjustment_id))


def _request(call: Call) -> Request:
    amount, ticket = call.sent("amount"), call.sent("ticket")
    if not AMOUNT_PATTERN.fullmatch(amount) or not amount.strip("0."):
        raise MistakeError("An amount is a decimal such as 100.50, and more than 0.")
    if not 1 <= len(ticket) <= TICKET_LENGTH_MAX:
        raise MistakeError(f"Name the ticket, in 1 to {TICKET_LENGTH_MAX} characters.")
    try:
        reason = AdjustmentReason(call.sent("why"))
        direction, pocket = Direction(call.sent("direction")), Pocket(call.sent("pocket"))
    except ValueError:
        raise MistakeError("Choose a reason, a direction and a pocket.") from None
    return Request(
        user_id=call.sent("player"),
        direction=direction,
        pocket=pocket,
        amount=amount,
        reason=reason,
        ticket=ticket,
        note=call.sent("note") or None,
        settles=call.sent("settles") or None,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise HTTPException(404)
    return int(text)
