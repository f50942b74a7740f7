"""What `make run` prints: all that a newcomer needs, each line ready to be pasted."""

import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from app.console.database import Database
from app.ledger.players import Player
from app.postgres.cluster import OPS
from app.settings import DEMO_AGENT_ID, DEMO_AGENT_KEY, DEMO_CALLBACK_KEY, PREFIX
from app.simulator.signature import sign
from app.wallet.events import Direction, EventType

TRY_NEXT = (
    "simulate",
    "player show alice",
    "transfer account/deposit user_id=alice transaction_id=my-first-deposit amount=10.00",
    "audit",
)
"""The aggregator played; a player; the operator's own API; every law of the ledger."""

SECRETS = frozenset({f"{PREFIX}CALLBACK_KEYS", f"{PREFIX}AGENTS"})
"""Settings that the demo makes no use of, and nobody may print."""

PORT = f"{PREFIX}PORT"

GAME_ID = "1037566"
STAKE = "25.50"


class Seated(NamedTuple):
    """A demo player with what he has now and a token that lives."""

    player: Player
    token: str


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
    lines += [
        "",
        "In another terminal, from this folder (`--help` says more):",
        *(f"  {line}" for line in demo_commands(address)),
        "",
        "Ctrl-C stops everything; the next start finds the data again.",
    ]
    return "\n".join(lines)


def demo_commands(address: str) -> list[str]:
    """Return what a newcomer may try next, with the settings that this server was started with."""
    program = Path(sys.executable).parent / "wallet"
    here = Path.cwd()
    name = program.relative_to(here) if program.is_relative_to(here) else program
    settings = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIX) and name not in SECRETS
    }
    # Port 0 was a free one that nobody knows yet.
    if settings.get(PORT) == "0":
        settings[PORT] = address.rpartition(":")[2]
    said = "".join(f"{name}={shlex.quote(value)} " for name, value in settings.items())
    return [f"{said}{shlex.quote(str(name))} {command}" for command in TRY_NEXT]


def demo_curl(seated: Seated, address: str) -> str:
    """Return a curl command line that places a bet, signed with the demo's key."""
    currency, pockets = seated.player.currency, seated.player.pockets
    # Somebody who has lost it all can still bet nothing.
    stake = min(currency.minor(STAKE) or 0, max(pockets.balance, 0))
    fields = {
        "token": seated.token,
        "userId": seated.player.user_id,
        "gameId": GAME_ID,
        "extraData": "{}",
        "eventId": f"demo-event-{secrets.token_hex(4)}",
        "direction": Direction.DEBIT.value,
        "transactionId": f"demo-{secrets.token_hex(8)}",
        "eventType": EventType.BET_PLACING.value,
        "amount": currency.text(stake),
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
