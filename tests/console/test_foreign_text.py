"""Text from other systems is shown unchanged, and cannot control a terminal."""

import asyncio
import json
import secrets
from datetime import UTC, datetime

import pytest

from app.cashier.move_funds import move_funds
from app.cashier.players import token_hash
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.movement import Key, Movement
from tests.conftest import Database, sql
from tests.console.conftest import Console

IDS = ("tx[/b]1", "tx[red]1", "tx:id:1", "a[link=http://x]y")
HOSTILE = "\x1b[2J\x9b2J\u202egnp\n\x07"


async def bet(url: str, token: str, transaction_id: str) -> None:
    ledger = PlacedLedger(url, pool_size=1)
    movement = Movement(
        delivery=secrets.token_bytes(16),
        key=Key("callback", transaction_id, ""),
        user_id="foreign",
        event_type=EventType.BET_PLACING,
        direction=Direction.DEBIT,
        amount="1.00",
        received_at=datetime.now(UTC),
        token=token_hash(token),
        event_id=f"event {transaction_id}",
        game_id=7,
        extra_data=HOSTILE,
    )
    await move_funds(ledger, [movement], Policy())
    await ledger.close()


@pytest.fixture
def shown(console: Console, module_db: Database) -> Console:
    """A player whose every text is hostile, and their bets."""
    house = ("--agent", "house", "--currency", "USD")
    if (
        '"created": true'
        in console("player", "open", "foreign", *house, "--nickname", "Nick[/b]", "--json").out
    ):
        console("deposit", "foreign", "100")
        token = console("token", "issue", "foreign").out.strip()
        for transaction_id in IDS:
            asyncio.run(bet(module_db.service_url, token, transaction_id))
        sql(
            module_db.server,
            "SET session_replication_role = replica; UPDATE players SET"
            " email = E'\\x1b]0;owned\\x07', first_name = U&'\\202Egnp' WHERE user_id = 'foreign'",
            module_db.name,
        )
    return console


@pytest.mark.parametrize("columns", ["240", "80"])
def test_every_id_is_shown_as_it_is(
    shown: Console, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    everything = shown("player", "show", "foreign").out
    for transaction_id in IDS:
        assert transaction_id in everything
        told = shown("movement", "show", transaction_id)
        assert (told.code, told.err) == (0, "")
        assert f"{transaction_id}: bet of foreign" in told.out
        told = shown("round", "show", f"event {transaction_id}", "--user", "foreign")
        assert f"event {transaction_id} of foreign" in told.out


def test_controls_are_visible_and_never_sent(shown: Console) -> None:
    for arguments in (
        ("player", "show", "foreign"),
        ("movement", "show", IDS[0]),
        ("round", "show", f"event {IDS[0]}"),
    ):
        for form in ((), ("--json",)):
            out = shown(*arguments, *form).out
            assert out.replace("\n", "").isprintable()
    assert r"\x1b[2J\x9b2J\u202egnp\n\x07" in shown("movement", "show", IDS[0]).out
    assert r"\x1b]0;owned\x07" in shown("player", "show", "foreign").out
    (movement,) = json.loads(shown("movement", "show", IDS[0], "--json").out)["movements"]
    assert movement["extra_data"] == HOSTILE


def test_at_eighty_columns_every_line_fits(shown: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (
        ("player", "show", "foreign"),
        ("movement", "show", IDS[0]),
        ("round", "show", f"event {IDS[0]}"),
        ("audit",),
    ):
        for line in shown(*arguments).out.splitlines():
            assert len(line) <= 80, line
