"""The text that `make run` prints: the addresses, and commands that can be pasted."""

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
    "simulate --door both",
    "player show alice",
    "transfer account/deposit user_id=alice transaction_id=my-first-deposit amount=10.00",
    "audit",
)
"""Commands to try: the simulator, a player, the transfer API, the audit."""

FINDS_THE_SERVER = ("DATA_DIR", "HOST", "PORT", "PRIVATE_HOST", "PRIVATE_PORT")
DECIDES = ("DUPLICATE_REPLY", "STAKE_ORDER", "KEY_SCOPE", "SPORT_GAME_ID", "BETBY_REPEATED_MAKE")
"""Settings that the commands need, to find this server and to know how it decides."""

DATABASES = ("DATABASE_URL", "OWNER_DATABASE_URL", "REPORTS_DATABASE_URL", "OPS_DATABASE_URL")
"""Needed, too, and never printed: they may hold a password."""

PORT = f"{PREFIX}PORT"

DEMO_PASSWORD = "demo-demo-demo"  # noqa: S105 - known to everybody
"""Of the demo's operators; the demo listens on this machine only."""

GAME_ID = "1037566"
STAKE = "25.50"
WIN_STAKES = 2
"""How many stakes the demo's win pays."""


class DemoAccount(NamedTuple):
    """A demo player with their current balance and a live token."""

    player: Player
    token: str


def demo_banner(
    players: list[DemoAccount], database: Database, address: str, numbers: str, backoffice: str
) -> str:
    """Return the addresses, and signed requests that can be pasted: a bet, and its win."""
    bet, win = demo_curls(players[0], address)
    lines = [
        "",
        f"The wallet listens on {address} with a demo operator; its keys are known to everybody.",
        "",
        "Players (a token each, live for WALLET_TOKEN_LIFE_SECONDS):",
        *(_player_line(account) for account in players),
        "",
        "A signed bet, ready to paste; pasted again it is a repeat, and answered 409:",
        bet,
        "",
        "Its win, once the bet is placed:",
        win,
        "",
        f"Callback key: {DEMO_CALLBACK_KEY} (the aggregator, at {address}/moveFunds)",
        f"Agent {DEMO_AGENT_ID}, key: {DEMO_AGENT_KEY}",
        f"Back office:  {backoffice} (sign in as demo or as approver, password {DEMO_PASSWORD})",
        f"API pages:    {address}/docs",
        f"Numbers:      {numbers}",
    ]
    if database.embedded is not None:
        keys = database.embedded.data_dir / "betby.json"
        lines += [
            f"Betby itself: {address}/betby/, brand demo, keys in {keys}",
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
    """Return the commands to try next, with the settings of this server."""
    program = Path(sys.executable).parent / "wallet"
    here = Path.cwd()
    name = program.relative_to(here) if program.is_relative_to(here) else program
    settings = {
        setting: shlex.quote(os.environ[setting])
        for setting in map(PREFIX.__add__, FINDS_THE_SERVER + DECIDES)
        if setting in os.environ
    }
    # With port 0 the kernel chose the port.
    if settings.get(PORT) == "0":
        settings[PORT] = address.rpartition(":")[2]
    for setting in map(PREFIX.__add__, DATABASES):
        if setting in os.environ:
            settings[setting] = f'"${setting}"'
    said = "".join(f"{setting}={value} " for setting, value in settings.items())
    return [f"{said}{shlex.quote(str(name))} {command}" for command in TRY_NEXT]


def demo_curls(account: DemoAccount, address: str) -> tuple[str, str]:
    """Return two curl command lines, signed with the demo's key: a bet, and twice its stake won."""
    currency, pockets = account.player.currency, account.player.pockets
    # A player without money can still place a bet of 0.
    stake = min(currency.minor(STAKE) or 0, max(pockets.balance, 0))
    event_id = f"demo-event-{secrets.token_hex(4)}"

    def fields(event_type: EventType, direction: Direction, amount: int) -> dict[str, str]:
        return {
            "token": account.token,
            "userId": account.player.user_id,
            "gameId": GAME_ID,
            "extraData": "{}",
            "eventId": event_id,
            "direction": direction.value,
            "transactionId": f"demo-{secrets.token_hex(8)}",
            "eventType": event_type.value,
            "amount": currency.text(amount),
        }

    return (
        _curl(address, fields(EventType.BET_PLACING, Direction.DEBIT, stake)),
        _curl(address, fields(EventType.WIN, Direction.CREDIT, WIN_STAKES * stake)),
    )


def _curl(address: str, fields: dict[str, str]) -> str:
    words = [
        ["curl", "-sS", f"{address}/moveFunds"],
        ["-H", f"Hash-Authorization: {sign(fields.items(), DEMO_CALLBACK_KEY)}"],
        ["-d", urlencode(fields)],
    ]
    return " \\\n  ".join(shlex.join(part) for part in words)


def _player_line(account: DemoAccount) -> str:
    player = account.player
    balance = player.currency.text(player.pockets.real + player.pockets.bonus)
    return f"  {player.user_id:6} {balance:>13} {player.currency.code:4} {account.token}"
