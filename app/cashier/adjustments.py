"""Adjustments: one person asks for money to be moved by hand, and another one approves it.

1. `propose` checks the player, the amount and the refused movement that is to be settled, and keeps
   the request. Nothing moves.
2. `approve` makes the movement, on the road of every movement. Its approval is written by the same
   statement, so there is none without the other. A repeat finds the request decided.
3. `reject` ends a request; one that nobody decided ends by itself (`LIFE`).

Where the player's bucket is on another node than the requests, step 2 is `adjustments_apart`'s.

A request for an amount that one person may move alone (WALLET_ADJUST_SOLO_MAX) may be approved by
who made it; every other needs a second person, and both must have signed in.
"""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.cashier.adjustment_refusals import (
    already_decided,
    already_moved,
    no_such_adjustment,
    refused_by_the_ledger,
)
from app.cashier.adjustment_requests import NotAdjusted, Request, settled_movement
from app.cashier.adjustments_apart import (
    alone_with,
    approval_of,
    movement_after_fence,
    movements_without_decision,
    said_of,
    with_movements,
    write_approval,
)
from app.cashier.move_funds import move_funds
from app.cashier.permissions import Act
from app.cashier.players import find_account
from app.cashier.policy import policy_of_ledger
from app.ledger.adjustments import (
    Wanted,
    find_adjustment,
    keep_rejection,
    keep_request,
    list_adjustments,
    pockets_of,
)
from app.ledger.alone import StillAlone
from app.ledger.errors import AdjustmentNotOpenError
from app.ledger.money.book import Approval, Book
from app.ledger.players import Player
from app.ledger.transaction import Ledger
from app.wallet.adjustments import (
    LIFE,
    Adjustment,
    AdjustmentState,
    RefusedMovement,
    is_one_person,
    pockets_after,
)
from app.wallet.balance import Pockets
from app.wallet.events import EventType
from app.wallet.facts import Policy, RuleVersion
from app.wallet.journal import JournalEntry
from app.wallet.money import Minor
from app.wallet.movement import Movement
from app.wallet.operators import Operator, Permission
from app.wallet.outcomes import Posting, Refused, Replay
from app.wallet.refusals import Refusal

__all__ = [
    "Approved",
    "NotAdjusted",
    "Preview",
    "Request",
    "approve",
    "latest_adjustments",
    "propose",
    "reject",
    "show_adjustment",
]

DELIVERY_BYTES: Final = 16
LISTED_MAX: Final = 200
NOT_FINISHED: Final = (
    "Adjustments begin when the upgrade has ended, because processes of the release before cannot "
    "read one: run `wallet migrate --finish` first."
)


class Preview(NamedTuple):
    """A request beside the player's pockets now, and as it would leave them."""

    adjustment: Adjustment
    before: Pockets
    after: Pockets | Refusal


class Approved(NamedTuple):
    """An approval, and its movement."""

    adjustment: Adjustment
    entry: JournalEntry


async def propose(ledger: Ledger, operator: Operator, request: Request) -> Preview | NotAdjusted:
    """Keep a request for its decision, and return it with what it would do."""
    act = Act(operator, "adjustment.propose")
    fault = await act.fault(ledger, Permission.ADJUST)
    if fault is not None:
        return NotAdjusted(fault)
    if (await policy_of_ledger(ledger)).rule_version is not RuleVersion.CURRENT:
        return NotAdjusted(NOT_FINISHED)

    wanted = await _looked_up(ledger, request)
    if isinstance(wanted, NotAdjusted):
        return wanted

    async def work(book: Book) -> int:
        number = await keep_request(book, wanted, operator, LIFE)
        await act.note(book, f"{request.reason.value}: {request.ticket}", number)
        return number

    return await show_adjustment(ledger, await ledger.serializable(work))


async def approve(
    ledger: Ledger,
    operator: Operator,
    adjustment_id: int,
    *,
    solo_max: Mapping[str, str],
    note: str | None = None,
) -> Approved | NotAdjusted:
    """Make the movement that was asked for, and write who approved it.

    `solo_max`: what one person may move alone, by currency, in major units; not named: nothing.
    """
    act = Act(operator, "adjustment.approve", adjustment_id)
    fault = await act.fault(ledger, Permission.APPROVE)
    if fault is not None:
        return NotAdjusted(fault)
    if not await ledger.is_on_nodes():
        adjustment = await _found(ledger, adjustment_id)
        return await _approve(ledger, operator, act, adjustment, solo_max, note, None)
    async with alone_with(ledger, adjustment_id) as still_alone:
        adjustment = await _found(ledger, adjustment_id)
        if adjustment is not None:
            moved = await movements_without_decision(ledger, [adjustment])
            if moved:
                entry = moved[adjustment_id]
                return Approved(await write_approval(ledger, entry), entry)
        return await _approve(ledger, operator, act, adjustment, solo_max, note, still_alone)


async def _approve(
    ledger: Ledger,
    operator: Operator,
    act: Act,
    adjustment: Adjustment | None,
    solo_max: Mapping[str, str],
    note: str | None,
    still_alone: StillAlone | None,
) -> Approved | NotAdjusted:
    if adjustment is None:
        return NotAdjusted(no_such_adjustment(act.subject))
    if adjustment.state is not AdjustmentState.OPEN:
        return NotAdjusted(already_decided(adjustment))
    alone = solo_max.get(adjustment.currency.code, "0")
    fault = _second_person_fault(adjustment, operator, alone)
    if fault is not None:
        await act.refuse(ledger, fault)
        return NotAdjusted(fault)
    policy = await policy_of_ledger(ledger)
    if policy.rule_version is not RuleVersion.CURRENT:
        return NotAdjusted(NOT_FINISHED)
    approval = _approval(adjustment, operator, alone, note)
    return await _moved(ledger, policy, adjustment, approval, still_alone)


async def reject(
    ledger: Ledger, operator: Operator, adjustment_id: int, note: str | None = None
) -> Adjustment | NotAdjusted:
    """End a request without a movement; who asked for it may do so too."""
    act = Act(operator, "adjustment.reject", adjustment_id)
    known = await _found(ledger, adjustment_id)
    if known is not None and known.proposed.name != operator.name:
        fault = await act.fault(ledger, Permission.APPROVE)
        if fault is not None:
            return NotAdjusted(fault)
    if known is None or not await ledger.is_on_nodes():
        return await _reject(ledger, operator, act, adjustment_id, note)
    async with alone_with(ledger, adjustment_id):
        moved = await movement_after_fence(ledger, known)
        if moved is not None:
            return NotAdjusted(already_moved(adjustment_id, approval_of(moved).decided_by))
        return await _reject(ledger, operator, act, adjustment_id, note)


async def _reject(
    ledger: Ledger, operator: Operator, act: Act, adjustment_id: int, note: str | None
) -> Adjustment | NotAdjusted:
    async def work(book: Book) -> Adjustment | NotAdjusted:
        found = await find_adjustment(book, adjustment_id)
        if found is None:
            return NotAdjusted(no_such_adjustment(adjustment_id))
        if found.state is not AdjustmentState.OPEN or not await keep_rejection(
            book, adjustment_id, operator, note
        ):
            return NotAdjusted(already_decided(found))
        await act.note(book, note)
        return await _again(book, adjustment_id)

    return await ledger.serializable(work)


async def show_adjustment(ledger: Ledger, adjustment_id: int) -> Preview | NotAdjusted:
    """Return a request with the pockets now and as it would leave them."""

    async def work(book: Book) -> Preview | NotAdjusted:
        if await find_adjustment(book, adjustment_id) is None:
            return NotAdjusted(no_such_adjustment(adjustment_id))
        return await _preview(book, adjustment_id)

    preview = await ledger.read_only(work)
    if isinstance(preview, NotAdjusted):
        return preview
    (adjustment,) = await with_movements(ledger, [preview.adjustment])
    return preview._replace(adjustment=adjustment)


async def latest_adjustments(
    ledger: Ledger,
    *,
    state: AdjustmentState | None = AdjustmentState.OPEN,
    user_id: str | None = None,
    count_max: int = LISTED_MAX,
) -> list[Adjustment]:
    """Return the latest requests of a state (None: of any), newest first."""

    async def work(book: Book) -> list[Adjustment]:
        return await list_adjustments(book, state=state, user_id=user_id, count_max=count_max)

    return await with_movements(ledger, await ledger.read_only(work))


async def _looked_up(ledger: Ledger, request: Request) -> Wanted | NotAdjusted:
    """Check a request against the ledger, on snapshots that keep no movement from committing."""
    player = await find_account(ledger, request.user_id)
    if isinstance(player, Refusal):
        return NotAdjusted(f"There is no player {request.user_id}.")
    amount = player.currency.minor(request.amount)
    if amount is None:
        code, scale = player.currency.code, player.currency.scale
        return NotAdjusted(f"{code} has {scale} decimals, and the amount is finer.")

    async def work(book: Book) -> RefusedMovement | NotAdjusted | None:
        return await settled_movement(book, player, request)

    # What was refused may be another player's by now, whose bucket is elsewhere.
    settles = await ledger.read_only(work)
    if isinstance(settles, NotAdjusted):
        return settles
    return _wanted(request, player, amount, settles)


def _wanted(
    request: Request, player: Player, amount: Minor, settles: RefusedMovement | None
) -> Wanted:
    return Wanted(
        player.player_id,
        request.direction,
        request.pocket,
        amount,
        player.currency,
        request.reason,
        request.ticket,
        request.note,
        settles,
    )


async def _moved(
    ledger: Ledger,
    policy: Policy,
    adjustment: Adjustment,
    approval: Approval,
    still_alone: StillAlone | None,
) -> Approved | NotAdjusted:
    """Make the movement; `still_alone`: the approval is written after it, and not with it."""

    async def may_record(moment: datetime) -> None:
        if still_alone is not None:
            await still_alone()
            if moment >= adjustment.expires_at:
                raise AdjustmentNotOpenError

    movement = Movement(
        delivery=secrets.token_bytes(DELIVERY_BYTES),
        key=adjustment.key,
        user_id=adjustment.user_id,
        event_type=EventType.ADJUSTMENT,
        direction=adjustment.direction,
        amount=adjustment.currency.text(adjustment.amount),
        received_at=datetime.now(UTC),
        event_id=adjustment.settles.event_id if adjustment.settles else None,
        extra_data=_said(adjustment, approval, is_apart=still_alone is not None),
        pocket=adjustment.pocket,
    )
    try:
        (receipt,) = await move_funds(
            ledger, [movement], policy, approval=approval, may_record=may_record
        )
    except AdjustmentNotOpenError:
        found = await _found(ledger, adjustment.adjustment_id)
        return NotAdjusted(already_decided(found or adjustment))
    if isinstance(receipt, Posting) or (isinstance(receipt, Replay) and receipt.is_own):
        if still_alone is not None:
            return Approved(await write_approval(ledger, receipt.entry), receipt.entry)
        found = await _found(ledger, adjustment.adjustment_id)
        return Approved(found or adjustment, receipt.entry)
    if isinstance(receipt, Refused):
        return NotAdjusted(refused_by_the_ledger(adjustment, receipt))
    found = await _found(ledger, adjustment.adjustment_id)
    return NotAdjusted(already_decided(found or adjustment))


def _said(adjustment: Adjustment, approval: Approval, *, is_apart: bool) -> str:
    """Return what the journal's chain keeps of who stands behind the movement."""
    said: dict[str, object] = {
        "adjustment": adjustment.adjustment_id,
        "reason": adjustment.reason.value,
        "ticket": adjustment.ticket,
        "proposed_by": adjustment.proposed.name,
        "approved_by": approval.decided_by,
    }
    if is_apart:
        said["approval"] = said_of(approval)
    return json.dumps(said, ensure_ascii=False)


def _approval(adjustment: Adjustment, operator: Operator, alone: str, note: str | None) -> Approval:
    return Approval(
        adjustment.adjustment_id,
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        note,
        alone,
    )


def _second_person_fault(adjustment: Adjustment, operator: Operator, alone: str) -> str | None:
    """Say why this person may not approve; None: they may."""
    allowed = adjustment.currency.minor(alone) or 0
    if adjustment.amount <= allowed:
        return None
    if not is_one_person(adjustment.proposed, operator.name, is_verified=operator.is_verified):
        return None
    if adjustment.proposed.name == operator.name:
        return (
            f"{operator.name} asked for the adjustment {adjustment.adjustment_id}: another person "
            "has to approve it."
        )
    who = "who approves" if adjustment.proposed.is_verified else "who asked"
    return f"An adjustment needs two people who have signed in, and {who} had not."


async def _preview(book: Book, adjustment_id: int) -> Preview:
    adjustment = await _again(book, adjustment_id)
    before = await pockets_of(book, adjustment.player_id, adjustment.currency)
    after = pockets_after(
        before, adjustment.amount, adjustment.currency, adjustment.direction, adjustment.pocket
    )
    return Preview(adjustment, before, after)


async def _again(book: Book, adjustment_id: int) -> Adjustment:
    found = await find_adjustment(book, adjustment_id)
    if found is None:
        raise AssertionError("a request that was just written or found is there")
    return found


async def _found(ledger: Ledger, adjustment_id: int) -> Adjustment | None:
    async def work(book: Book) -> Adjustment | None:
        return await find_adjustment(book, adjustment_id)

    return await ledger.read_only(work)
