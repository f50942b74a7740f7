"""Between rows and wallet values: amounts travel as text.

So that nothing in between can round them.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.journal import Flag, JournalEntry, Reversal, microseconds
from app.wallet.limits import NO_LIMITS, Limits, Usage
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.refusals import Refusal

ACCEPTED: Final = "ACCEPTED"
"""The decision of a movement that was posted; any other decision is the name of a Refusal."""

COLUMN_SCALE: Final = 8
"""NUMERIC(26, 8) prints eight decimals, always."""

if TYPE_CHECKING:
    import asyncpg

    Row = asyncpg.Record


def minor(text: str, currency: Currency) -> Minor:
    """An amount as the database prints it, in minor units."""
    return int(text.replace(".", "")) // _DIVISORS[currency.scale]


_DIVISORS: Final[tuple[int, ...]] = tuple(
    10 ** (COLUMN_SCALE - scale) for scale in range(COLUMN_SCALE + 1)
)


def decision_of(entry: JournalEntry) -> str:
    """The journal's word for what was decided."""
    return ACCEPTED if entry.refusal is None else entry.refusal.name


def reverses_text(entry: JournalEntry) -> str:
    """`position/real/bonus` of each reversal, amounts in minor units; empty for most movements."""
    return ",".join(f"{r.position}/{r.real}/{r.bonus}" for r in entry.reverses)


def entry_of(row: "Row") -> JournalEntry:
    """A row of `movements`, amounts as text, as the wallet knows it."""
    currency = Currency(row["currency"], row["scale"])
    decision = row["decision"]
    return JournalEntry(
        player_id=row["player_id"],
        position=row["position"],
        version=row["version"],
        key=Key(row["source"], row["transaction_id"], row["facet"]),
        delivery=row["delivery"].bytes,
        event_type=EventType(row["event_type"]),
        direction=Direction(row["direction"]),
        refusal=None if decision == ACCEPTED else Refusal[decision],
        amount=minor(row["amount"], currency),
        currency=currency,
        before=_pockets(row, "before", currency),
        delta=_pockets(row, "delta", currency),
        contra=HouseAccount(row["contra"]),
        event_id=row["event_id"],
        game_id=row["game_id"],
        bonus_code=row["bonus_code"],
        extra_data=row["extra_data"],
        reverses=tuple(_reversal(part) for part in row["reverses"].split(",") if part),
        flags=tuple(Flag(part) for part in row["flags"].split(",") if part),
        event_time=row["event_time"],
        ledger_time=row["ledger_time"],
        chain=row["chain"],
    )


def usage_of(row: "Row", currency: Currency) -> Usage:
    """What the player has used of his limits."""
    return Usage(
        row["usage_day"],
        *(minor(row[name], currency) for name in Usage._fields[1:]),
    )


def limits_in_force(terms: str | None, now: datetime) -> Limits:
    """The limits that hold at `now`.

    Each limit is kept in minor units (null: none), and beside it a raise that waits for the end
    of its cooling-off period, in microseconds of the epoch: `{"stake_day": {"amount": 1000,
    "later": 5000, "from": 1790000000000000}}`.
    """
    if not terms:
        return NO_LIMITS
    moment = microseconds(now)
    return Limits(**{name: _in_force(term, moment) for name, term in json.loads(terms).items()})


def _in_force(term: Mapping[str, Any], moment: int) -> Minor | None:
    has_come = "from" in term and term["from"] <= moment
    amount: Minor | None = term["later"] if has_come else term["amount"]
    return amount


def delivery_uuid(delivery: bytes) -> UUID:
    """The delivery id as the database keeps it."""
    return UUID(bytes=delivery)


def _pockets(row: "Row", moment: str, currency: Currency) -> Pockets:
    return Pockets(minor(row[f"real_{moment}"], currency), minor(row[f"bonus_{moment}"], currency))


def _reversal(text: str) -> Reversal:
    position, real, bonus = text.split("/")
    return Reversal(int(position), int(real), int(bonus))
