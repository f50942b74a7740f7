"""Players for the simulator: opened and funded through the cashier, with tokens live and expired.

They belong to an agent of their own, so that no real agent's history shows simulated rounds.
"""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from app.cashier.move_funds import move_funds
from app.cashier.players import IssuedToken, issue_token, open_account
from app.cashier.policy import policy_of_ledger
from app.console.errors import ConsoleError
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.simulated import SIMULATOR_AGENT
from app.ledger.transaction import Ledger
from app.simulator import StagePlayer
from app.wallet.events import Direction, EventType
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement

TOKEN_LIFE: Final = timedelta(days=7)
"""Longer than any run."""

NO_LIFE: Final = timedelta(0)
"""The life of a token that has expired when it is issued."""

AT_ONCE: Final = 8
"""How many players are opened at the same time."""

CURRENCIES: Final = (
    Currency("USD", 2),
    Currency("JPY", 0),
    Currency("BTC", 8),
    Currency("KRW", 0),
    Currency("INR", 2),
    Currency("XTS", 2),
    Currency("XT8", 8),
)
"""Scales of two, none and eight decimals. Amounts near the digits' limit come in the last two
alone, which no real player has."""


class Purse(NamedTuple):
    """A player's first deposits, in minor units."""

    real: int
    bonus: int


async def open_players(url: str, run_id: str, players: int, seed: int) -> tuple[StagePlayer, ...]:
    """Open and fund players; the seed decides their currencies and amounts."""
    purses = _purses(players, seed)
    places = asyncio.Semaphore(AT_ONCE)
    ledger = PlacedLedger(url, pool_size=AT_ONCE)

    async def open_one(number: int, purse: Purse) -> StagePlayer:
        async with places:
            user_id = f"sim-{run_id}-{number}"
            return await _open_one(ledger, user_id, CURRENCIES[number % len(CURRENCIES)], purse)

    try:
        return tuple(await asyncio.gather(*(open_one(n, purse) for n, purse in enumerate(purses))))
    finally:
        await ledger.close()


def _purses(players: int, seed: int) -> Sequence[Purse]:
    """Draw purses: every eighth is empty, every third holds no bonus."""
    dice = Random(f"purses:{seed}")  # noqa: S311 - repeatable, not secret
    return [
        Purse(
            0 if number % 8 == 7 else dice.randint(1, 10_000_000),  # noqa: PLR2004
            0 if number % 3 == 0 else dice.randint(1, 100_000),
        )
        for number in range(players)
    ]


async def _open_one(ledger: Ledger, user_id: str, currency: Currency, purse: Purse) -> StagePlayer:
    await open_account(
        ledger,
        user_id=user_id,
        agent=SIMULATOR_AGENT,
        currency=currency,
        nickname=f"Simulated {user_id[-40:]}",
        language="en",
    )
    movements = [
        _credit(user_id, kind, currency.text(amount))
        for kind, amount in ((EventType.DEPOSIT, purse.real), (EventType.BONUS_GRANT, purse.bonus))
        if amount
    ]
    if movements:
        await move_funds(ledger, movements, await policy_of_ledger(ledger))
    live = await issue_token(ledger, user_id, TOKEN_LIFE, origin="console")
    expired = await issue_token(ledger, user_id, NO_LIFE, origin="console")
    if not isinstance(live, IssuedToken) or not isinstance(expired, IssuedToken):
        raise ConsoleError(f"The simulator's player {user_id} cannot be opened.")
    # The balance is read from the ledger, since the deposits may be repeats.
    pockets = live.player.pockets
    return StagePlayer(
        user_id=user_id,
        currency=currency.code,
        scale=currency.scale,
        token=live.token,
        expired_token=expired.token,
        real=Decimal(currency.text(pockets.real)),
        bonus=Decimal(currency.text(pockets.bonus)),
    )


def _credit(user_id: str, kind: EventType, amount: str) -> Movement:
    return Movement(
        delivery=secrets.token_bytes(16),
        key=Key(SIMULATOR_AGENT, f"{user_id}-{kind.value}", ""),
        user_id=user_id,
        event_type=kind,
        direction=Direction.CREDIT,
        amount=amount,
        received_at=datetime.now(UTC),
    )
