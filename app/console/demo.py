"""The demo: an operator with a few players, opened through the cashier.

Deposits have fixed transaction ids, so that the next start finds the same players with their
current balances, and deposits nothing twice. Keys are public (see `app.settings`); tokens are new.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from app.cashier.move_funds import move_funds
from app.cashier.operators import create_user
from app.cashier.players import find_account, issue_token, open_account
from app.cashier.policy import policy_of_ledger
from app.console.banner import DEMO_PASSWORD, DemoAccount, demo_banner
from app.console.data_owner import refuse_beside_others
from app.console.database import Database, reach
from app.console.errors import ConsoleError
from app.console.operator_here import here
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.transaction import Ledger
from app.settings import DEMO_AGENT_ID, Settings
from app.wallet.events import Direction, EventType
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import Key, Movement
from app.wallet.operators import Role
from app.wallet.refusals import Refusal


class DemoPlayer(NamedTuple):
    """A player of the demo operator, and their first deposits in major units."""

    user_id: str
    nickname: str
    currency: str
    real: str
    bonus: str


PLAYERS = (
    DemoPlayer("alice", "Alice", "USD", "1000.00", "50.00"),
    DemoPlayer("bob", "Bobby", "JPY", "150000", "0"),
    DemoPlayer("carol", "Carol", "BTC", "0.50000000", "0.01000000"),
    DemoPlayer("dave", "Dave", "KRW", "1000000", "100000"),
)
"""Scales of two, none and eight decimals; carol plays unless WALLET_CURRENCIES leaves BTC out."""


OPERATORS: Final = {
    "demo": tuple(role for role in Role if role is not Role.APPROVER),
    "approver": (Role.APPROVER,),
}
"""Two people, since nobody approves their own adjustment."""


def open_demo(settings: Settings, database: Database, address: str, backoffice: str) -> str:
    """Open the demo's players, and return what a newcomer needs to know."""
    numbers = f"http://{settings.private_host}:{settings.private_port}/metrics"
    accounts = reach(_open_players(settings, database))
    return demo_banner(accounts, database, address, numbers, backoffice)


async def _open_players(settings: Settings, database: Database) -> list[DemoAccount]:
    """Open each player's account, make the first deposits, and issue a token."""
    currencies = {
        **ISO_CURRENCIES,
        **{code: Currency(code, scale) for code, scale in settings.currencies.items()},
    }
    life = timedelta(seconds=settings.token_life_seconds)
    ledger = PlacedLedger(database.service_url, pool_size=1)
    try:
        await refuse_beside_others(ledger)
        for name, roles in OPERATORS.items():
            await create_user(ledger, here(), name, roles, password=DEMO_PASSWORD, has_code=False)
        return [
            await _open_one(ledger, player, currencies, life)
            for player in PLAYERS
            if player.currency in currencies
        ]
    finally:
        await ledger.close()


async def _open_one(
    ledger: Ledger, player: DemoPlayer, currencies: Mapping[str, Currency], life: timedelta
) -> DemoAccount:
    await open_account(
        ledger,
        user_id=player.user_id,
        agent=DEMO_AGENT_ID,
        currency=currencies[player.currency],
        nickname=player.nickname,
        language="en",
    )
    movements = [_credit(player, EventType.DEPOSIT, player.real)]
    if player.bonus.strip("0."):
        movements.append(_credit(player, EventType.BONUS_GRANT, player.bonus))
    await move_funds(ledger, movements, await policy_of_ledger(ledger))
    issued = await issue_token(ledger, player.user_id, life, origin="console")
    found = await find_account(ledger, player.user_id)
    if isinstance(issued, Refusal) or isinstance(found, Refusal):
        raise ConsoleError(f"The demo's player {player.user_id} cannot be opened.")
    return DemoAccount(found, issued.token)


def _credit(player: DemoPlayer, event_type: EventType, amount: str) -> Movement:
    """Return a credit that happens once, however often the demo starts."""
    return Movement(
        delivery=secrets.token_bytes(16),
        key=Key(DEMO_AGENT_ID, f"demo-{player.user_id}-{event_type.value}", ""),
        user_id=player.user_id,
        event_type=event_type,
        direction=Direction.CREDIT,
        amount=amount,
        received_at=datetime.now(UTC),
    )
