"""A ledger to move away from, a ledger to move to, and files between them."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from app.ledger.citus.ledger import PlacedLedger
from app.takeover.exporting import export_state
from app.takeover.importing import Imported, import_state
from app.takeover.staging import Request
from app.wallet.money import ISO_CURRENCIES
from app.wallet.operators import Operator, Via
from tests.cashier.till import AGENT, Till
from tests.conftest import Database

CURRENCIES = {code: one.scale for code, one in ISO_CURRENCIES.items()} | {"BTC": 8}
SOMEBODY = Operator(
    "olga", is_verified=False, roles=frozenset(), via=Via.CONSOLE, source="a terminal"
)
HEADER = {
    "kind": "header",
    "format": "wallet-state",
    "version": 1,
    "agent": AGENT,
    "currencies": {"USD": 2, "JPY": 0, "BTC": 8},
}

Bring = Callable[..., Any]


def lines_of(*records: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """A whole file of these records."""
    lines = [header or HEADER, *records]
    return "".join(json.dumps(one) + "\n" for one in (*lines, {"kind": "end", "lines": len(lines)}))


def player(
    user_id: str = "anna", real: str = "100.00", bonus: str = "0", **more: object
) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "kind": "player",
        "user_id": user_id,
        "currency": "USD",
        "real": real,
        "bonus": bonus,
    }
    return whole | more


def bet(
    transaction_id: str, real: str, bonus: str = "0", event_id: str = "slip", **more: object
) -> dict[str, Any]:
    return {
        "kind": "bet",
        "user_id": "anna",
        "transaction_id": transaction_id,
        "event_id": event_id,
        "game_id": 1,
        "real": real,
        "bonus": bonus,
    } | more


def decided(transaction_id: str, **more: object) -> dict[str, Any]:
    return {"kind": "decided", "user_id": "anna", "transaction_id": transaction_id} | more


def token(text: str = "t-anna", user_id: str = "anna") -> dict[str, Any]:
    return {
        "kind": "token",
        "user_id": user_id,
        "token": text,
        "expires_at": "2099-01-01T00:00:00Z",
    }


async def brought_in(
    url: str, path: Path, *, dry_run: bool = False, agents: Iterable[str] = (AGENT,)
) -> Imported:
    """Import a file as the console would."""
    return await import_state(url, Request(path, frozenset(agents), CURRENCIES, SOMEBODY, dry_run))


async def exported(url: str, path: Path) -> Path:
    """Write the state of the agent's players into a file."""
    with path.open("w", encoding="utf-8") as file:
        await export_state(url, AGENT, CURRENCIES, lambda text: print(text, file=file))
    return path


@pytest.fixture
async def till(db: Database) -> AsyncIterator[Till]:
    ledger = PlacedLedger(db.service_url)
    yield Till(ledger, db.superuser_url)
    await ledger.close()


@pytest.fixture
def bring(db: Database, tmp_path: Path) -> Bring:
    """Import these records, or a whole text."""

    async def run(*records: dict[str, Any] | str, dry_run: bool = False) -> Imported:
        path = tmp_path / "state.jsonl"
        first = records[0]
        text = first if isinstance(first, str) else lines_of(*records)  # type: ignore[arg-type]
        path.write_text(text, encoding="utf-8")
        return await brought_in(db.service_url, path, dry_run=dry_run)

    return run
