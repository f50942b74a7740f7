"""Acts on a player: each takes a reason and goes through the cashier.

The change, its place in the list of the account's changes and the operator's action are written in
one transaction. What is refused is noted as refused.
"""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.rendering import address
from app.cashier.account_changes import (
    AccountChange,
    Exclusion,
    Looser,
    restrict_account,
    update_account,
)
from app.cashier.players import find_account, revoke_tokens
from app.wallet.limit_terms import is_limit_name
from app.wallet.moments import FOREVER, FOREVER_TEXT, moment_from_text
from app.wallet.money import AMOUNT_PATTERN
from app.wallet.refusals import Refusal

UPDATE: Final = "account/update"
SESSION: Final = "account/session"


async def note(call: Call) -> Response:
    """Write a note about the player."""
    user_id = call.sent("id")
    reason = call.reason()
    if isinstance(await find_account(call.office.ledger, user_id), Refusal):
        raise HTTPException(404)
    await call.note("player.note", "player", user_id, reason=reason)
    return _back(call, user_id)


async def block(call: Call) -> Response:
    """Block the player: debits of play are refused, payments never are."""
    return await _restrict(call, "player.block", AccountChange(is_suspended=True), status="blocked")


async def exclude(call: Call) -> Response:
    """Exclude the player until a day or for ever, and never for a shorter time than they are."""
    is_forever = call.sent("forever") == "yes"
    until = FOREVER if is_forever else moment_from_text(call.sent("until"))
    if until is None or until <= datetime.now(UTC):
        raise MistakeError("An exclusion ends on a day to come, such as 2027-01-31, or never.")
    change = AccountChange(exclusion=Exclusion(until))
    told = FOREVER_TEXT if is_forever else until
    return await _restrict(call, "player.exclude", change, excluded_until=told)


async def lower_limit(call: Call) -> Response:
    """Lower a limit, which holds at once; to raise one is the player's own wish."""
    product, amount = call.sent("product"), call.sent("amount")
    name = call.sent("limit") + (f":{product}" if product else "")
    if not is_limit_name(name) or not AMOUNT_PATTERN.fullmatch(amount):
        raise MistakeError(
            "Choose a limit, of stakes or losses if you name a product, and an amount such as"
            " 100.50."
        )
    change = AccountChange(limits={name: amount})
    return await _restrict(call, "player.limit", change, limits={name: amount})


async def unblock(call: Call) -> Response:
    """Lift the operator's block; a player's own exclusion stays."""
    user_id, reason = call.sent("id"), call.reason()
    done = await update_account(
        call.office.ledger,
        user_id,
        AccountChange(is_suspended=False),
        raises=call.office.raises,
        note=call.change_note(UPDATE, "player.unblock", user_id, reason, status="active"),
    )
    return await _answered(call, "player.unblock", user_id, reason, done)


async def revoke(call: Call) -> Response:
    """Let all of the player's tokens expire now."""
    user_id, reason = call.sent("id"), call.reason()
    noted = call.change_note(SESSION, "player.revoke", user_id, reason, revoke="all")
    done = await revoke_tokens(call.office.ledger, user_id, note=noted)
    return await _answered(call, "player.revoke", user_id, reason, done)


async def _restrict(call: Call, name: str, change: AccountChange, **wanted: Any) -> Response:  # noqa: ANN401
    user_id, reason = call.sent("id"), call.reason()
    noted = call.change_note(UPDATE, name, user_id, reason, **wanted)
    done = await restrict_account(call.office.ledger, user_id, change, noted)
    return await _answered(call, name, user_id, reason, done)


async def _answered(call: Call, name: str, user_id: str, reason: str, done: object) -> Response:
    """Go back to the player; what was refused is noted, and said."""
    if done is Refusal.PLAYER_UNKNOWN:
        raise HTTPException(404)
    if isinstance(done, (Refusal, Looser)):
        why = done.value
        await call.note(name, "player", user_id, reason=reason, is_done=False, why=why)
        raise MistakeError(f"{why[0].upper()}{why[1:]}.")
    return _back(call, user_id)


def _back(call: Call, user_id: str) -> Response:
    return call.see(address("/player", id=user_id))
