"""The demo: an operator with a few players, opened through the cashier as any operator would.

What is deposited has fixed transaction ids, so that the next start finds the same players with what
they have by then, and pays nothing twice. Keys are public (see `app.settings`), tokens are fresh.
"""

import secrets
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from app.cashier.accounts import find_account, issue_token, open_account
from app.cashier.move_funds import move_funds
from app.ledger.people import Player
from app.ledger.transaction import Ledger
from app.ops.database import Database, reach
from app.ops.errors import ConsoleError
from app.postgres.cluster import OPS
from app.settings import DEMO_AGENT_ID, DEMO_AGENT_KEY, DEMO_CALLBACK_KEY, Settings
from app.simulator.signature import sign
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import Key, Movement
from app.wallet.refusals import Refusal


class DemoPlayer(NamedTuple):
    """A player of the demo operator, and what he begins with, in major units."""

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

GAME_ID = "1037566"
STAKE = "25.50"


class Seated(NamedTuple):
    """A demo player with what he has now and a token that lives."""

    player: Player
    token: str


def open_demo(settings: Settings, database: Database, address: str) -> str:
    """Open the demo's players, and return what a newcomer needs to know."""
    numbers = f"http://{settings.private_host}:{settings.private_port}/metrics"
    return demo_banner(reach(_seat_players(settings, database)), database, address, numbers)


def demo_banner(players: list[Seated], database: Database, address: str, numbers: str) -> str:
    """Say where everything is, with a signed request that is ready to be pasted."""
    lines = [
        "",
        f"The wallet listens on {address} with a demo operator; its keys are known to everybody.",
        "",
        "Players (a token each, live for WALLET_TOKEN_LIFE_SECONDS):",
        *(_player_line(seated) for seated in players),
        "",
        "A signed bet, ready to paste; pasted again it is a repeat, and answered 409:",
        demo_curl(players[0], address),
        "",
        f"Callback key: {DEMO_CALLBACK_KEY}",
        f"Agent {DEMO_AGENT_ID}, key: {DEMO_AGENT_KEY}",
        f"API pages:    {address}/docs",
        f"Numbers:      {numbers}",
    ]
    if database.embedded is not None:
        lines += [
            f"Data:         {database.embedded.data_dir}",
            f"SQL:          {database.embedded.psql_command(OPS)}",
        ]
    return "\n".join([*lines, "", "Ctrl-C stops everything; the next start finds the data again."])


def demo_curl(seated: Seated, address: str) -> str:
    """Return a curl command line that places a bet, signed with the demo's key."""
    fields = {
        "token": seated.token,
        "userId": seated.player.user_id,
        "gameId": GAME_ID,
        "extraData": "{}",
        "eventId": f"demo-event-{secrets.token_hex(4)}",
        "direction": Direction.DEBIT.value,
        "transactionId": f"demo-{secrets.token_hex(8)}",
        "eventType": EventType.BET_PLACING.value,
        "amount": STAKE,
    }
    words = [
        ["curl", "-sS", f"{address}/moveFunds"],
        ["-H", f"Hash-Authorization: {sign(fields.items(), DEMO_CALLBACK_KEY)}"],
        ["-d", urlencode(fields)],
    ]
    return " \\\n  ".join(shlex.join(part) for part in words)


def _player_line(seated: Seated) -> str:
    player = seated.player
    balance = player.currency.text(player.pockets.real + player.pockets.bonus)
    return f"  {player.user_id:6} {balance:>13} {player.currency.code:4} {seated.token}"


async def _seat_players(settings: Settings, database: Database) -> list[Seated]:
    """Open each player's account, pay in what he begins with, and give him a token."""
    currencies = {
        **ISO_CURRENCIES,
        **{code: Currency(code, scale) for code, scale in settings.currencies.items()},
    }
    life = timedelta(seconds=settings.token_life_seconds)
    ledger = Ledger(database.service_url, pool_size=1)
    try:
        return [
            await _seat(ledger, player, currencies, life)
            for player in PLAYERS
            if player.currency in currencies
        ]
    finally:
        await ledger.close()


async def _seat(
    ledger: Ledger, player: DemoPlayer, currencies: Mapping[str, Currency], life: timedelta
) -> Seated:
    await open_account(
        ledger,
        user_id=player.user_id,
        agent=DEMO_AGENT_ID,
        currency=currencies[player.currency],
        nickname=player.nickname,
        language="en",
    )
    await move_funds(ledger, [_deposit(player), _grant(player)], Policy())
    issued = await issue_token(ledger, player.user_id, life, origin="console")
    found = await find_account(ledger, player.user_id)
    if isinstance(issued, Refusal) or isinstance(found, Refusal):
        raise ConsoleError(f"The demo's player {player.user_id} cannot be opened.")
    return Seated(found, issued.token)


def _deposit(player: DemoPlayer) -> Movement:
    return _credit(player, EventType.DEPOSIT, player.real)


def _grant(player: DemoPlayer) -> Movement:
    return _credit(player, EventType.BONUS_GRANT, player.bonus)


def _credit(player: DemoPlayer, event_type: EventType, amount: str) -> Movement:
    """Make a movement that happens once, however often the demo starts."""
    return Movement(
        delivery=secrets.token_bytes(16),
        key=Key(DEMO_AGENT_ID, f"demo-{player.user_id}-{event_type.value}", ""),
        user_id=player.user_id,
        event_type=event_type,
        direction=Direction.CREDIT,
        amount=amount,
        received_at=datetime.now(UTC),
    )
