"""The operations that move money (transfer contract, section 2).

Each makes a movement of a request and hands it to the batcher, which alone moves money.
"""

import json
from typing import Final

from app.cashier import lookups
from app.cashier.batching import Batcher
from app.edges.transfer import log
from app.edges.transfer.answers import Answer, answer_to
from app.edges.transfer.codes import DecidedError
from app.edges.transfer.reading import read_check
from app.edges.transfer.request import Request
from app.ledger.transaction import Ledger
from app.wallet.events import Direction, EventType
from app.wallet.holds import HoldKey
from app.wallet.movement import Key, Movement
from app.wallet.refusals import Refusal

REASON_LENGTH_MAX: Final = 1000


class Movements:
    """The operations that move money."""

    def __init__(self, ledger: Ledger, batcher: Batcher, *, check_is_required: bool) -> None:
        self._ledger = ledger
        self._batcher = batcher
        self._check_is_required = check_is_required

    async def deposit(self, request: Request) -> Answer:
        """Credit real money, unless an external check did not allow it."""
        check = read_check(request.fields)
        is_allowed = check["allowed"] if check else not self._check_is_required
        movement = self._movement(request, EventType.DEPOSIT, Direction.CREDIT)
        return await self._decide(
            request,
            movement._replace(
                is_vetoed=not is_allowed,
                extra_data=json.dumps({"check": check}, ensure_ascii=False) if check else None,
            ),
        )

    async def withdraw(self, request: Request) -> Answer:
        """Debit real money."""
        return await self._move(request, EventType.WITHDRAWAL, Direction.DEBIT)

    async def grant(self, request: Request) -> Answer:
        """Credit bonus money."""
        return await self._move(request, EventType.BONUS_GRANT, Direction.CREDIT)

    async def revoke(self, request: Request) -> Answer:
        """Debit bonus money."""
        return await self._move(request, EventType.BONUS_REVOKE, Direction.DEBIT)

    async def hold(self, request: Request) -> Answer:
        """Take real money out of the balance for a withdrawal under way."""
        return await self._move(request, EventType.WITHDRAWAL_HOLD, Direction.DEBIT)

    async def settle(self, request: Request) -> Answer:
        """Pay a withdrawal under way out."""
        return await self._close(request, EventType.WITHDRAWAL_SETTLE, Direction.DEBIT)

    async def release(self, request: Request) -> Answer:
        """Give the money of a withdrawal under way back."""
        return await self._close(request, EventType.WITHDRAWAL_RELEASE, Direction.CREDIT)

    async def _close(self, request: Request, kind: EventType, direction: Direction) -> Answer:
        """Settle or release a hold, whose player and amount the ledger knows."""
        fields = request.fields
        transaction_id, hold_id = fields.text("transaction_id"), fields.text("hold_id")
        user_id = fields.text_or_none("user_id")
        hold = await lookups.find_hold(self._ledger, request.agent, hold_id)
        if hold is None or user_id not in {None, hold.user_id}:
            raise DecidedError(Refusal.HOLD_UNKNOWN)
        movement = Movement(
            delivery=request.delivery,
            key=Key(request.agent, transaction_id, ""),
            user_id=hold.user_id,
            event_type=kind,
            direction=direction,
            amount=hold.entry.currency.text(hold.entry.amount),
            received_at=request.received_at,
            extra_data=json.dumps({"hold_id": hold_id}, ensure_ascii=False),
            hold=HoldKey(request.agent, hold_id),
        )
        return await self._decide(request, movement)

    async def _move(self, request: Request, kind: EventType, direction: Direction) -> Answer:
        return await self._decide(request, self._movement(request, kind, direction))

    def _movement(self, request: Request, kind: EventType, direction: Direction) -> Movement:
        fields = request.fields
        extra_data = None
        if "reason" in fields:
            reason = fields.text("reason", length_max=REASON_LENGTH_MAX)
            extra_data = json.dumps({"reason": reason}, ensure_ascii=False)
        return Movement(
            delivery=request.delivery,
            key=Key(request.agent, fields.text("transaction_id"), ""),
            user_id=fields.text("user_id"),
            event_type=kind,
            direction=direction,
            amount=fields.amount("amount"),
            received_at=request.received_at,
            extra_data=extra_data,
        )

    async def _decide(self, request: Request, movement: Movement) -> Answer:
        receipt = await self._batcher.move(movement, deadline=request.time_left)
        answer = answer_to(receipt)
        log.decided(movement, receipt, answer)
        return answer._replace(decided=(movement, receipt))

    def unheard(self, answer: Answer) -> None:
        """List a decided movement whose answer was not delivered as an unknown outcome."""
        if answer.decided is not None:
            self._batcher.unheard(*answer.decided)
