"""A ledger on a real database, players, and movements written as the contract names them."""

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.accounts import issue_token, open_account, token_hash
from app.cashier.move_funds import move_funds
from app.ledger.transaction import Ledger
from app.wallet.decision import Receipt
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement, facet_of

AGENT = "house"
CREDITS = {EventType.DEPOSIT, EventType.BONUS_GRANT}
numbers = itertools.count(1)


@dataclass
class Till:
    """A ledger with helpers that read like the contract."""

    ledger: Ledger
    policy: Policy = field(default_factory=Policy)
    tokens: dict[str, str] = field(default_factory=dict)

    async def player(
        self, user_id: str, real: str = "0", bonus: str = "0", currency: str = "USD"
    ) -> str:
        await open_account(
            self.ledger,
            user_id=user_id,
            agent=AGENT,
            currency=ISO_CURRENCIES[currency],
            nickname=f"nick-{user_id}",
            language="en",
        )
        issued = await issue_token(self.ledger, user_id, timedelta(hours=1))
        self.tokens[user_id] = issued.token
        if real != "0":
            await self.move(self.movement(user_id, "Deposit", "credit", real))
        if bonus != "0":
            await self.move(self.movement(user_id, "BonusGrant", "credit", bonus))
        return user_id

    def movement(
        self,
        user_id: str,
        event_type: str,
        direction: str,
        amount: str,
        *,
        transaction_id: str | None = None,
        event_id: str = "event-1",
        token: str | None = None,
        bonus_code: str | None = None,
    ) -> Movement:
        kind, way = EventType(event_type), Direction(direction)
        is_game = kind.value not in {"Deposit", "Withdrawal", "BonusGrant", "BonusRevoke"}
        return Movement(
            delivery=os.urandom(16),
            key=Key(
                "callback" if is_game else AGENT,
                transaction_id or f"t{next(numbers)}",
                facet_of(kind, way, self.policy.key_scope) if is_game else "",
            ),
            user_id=user_id,
            event_type=kind,
            direction=way,
            amount=amount,
            received_at=datetime.now(UTC),
            token=token_hash(token or self.tokens.get(user_id, "?")) if is_game else None,
            event_id=event_id if is_game else None,
            game_id=1 if is_game else None,
            bonus_code=bonus_code,
            extra_data="{}" if is_game else None,
        )

    async def move(self, *movements: Movement) -> list[Receipt]:
        return await move_funds(self.ledger, movements, self.policy)


@pytest.fixture
async def till(db) -> AsyncIterator[Till]:
    ledger = Ledger(db.service_url)
    yield Till(ledger)
    await ledger.close()
