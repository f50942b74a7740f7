"""Between rows and wallet values: amounts travel as text.

So that nothing in between can round them: into the database as minor units with the currency's
exponent (`-1050e-2`), which NUMERIC reads exactly and which costs less than printing them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import msgspec

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.facts import Wallet
from app.wallet.journal import Flag, JournalEntry, Reversal, microseconds
from app.wallet.limits import NO_LIMITS, Limits, Usage
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.outcomes import RoundChange
from app.wallet.refusals import Refusal
from app.wallet.rounds import RoundKey

ACCEPTED: Final = "ACCEPTED"
"""The decision of a movement that was posted; any other decision is the name of a Refusal."""

COLUMN_SCALE: Final = 8
"""NUMERIC(26, 8) prints eight decimals, always."""

if TYPE_CHECKING:
    import asyncpg

    Row = asyncpg.Record


class JournalRow(msgspec.Struct, gc=False):
    """A new row of `movements` and of `transaction_keys`, named as RECORD reads it."""

    player_id: int
    position: int
    version: int
    source: str
    transaction_id: str
    facet: str
    delivery: str
    event_type: str
    direction: str
    decision: str
    currency: str
    scale: int
    amount: str
    real_before: str
    bonus_before: str
    real_delta: str
    bonus_delta: str
    contra: str
    event_id: str | None
    game_id: int | None
    bonus_code: str | None
    extra_data: str | None
    reverses: str
    flags: str
    event_time: datetime
    ledger_time: datetime
    chain: bytes


class RowVersion(NamedTuple):
    """One version of one row: where it stands (ctid), and which transaction wrote it (xmin)."""

    place: str
    row: str


class WalletRow(msgspec.Struct, gc=False):
    """What becomes of a row of `wallets`, named as RECORD reads it."""

    player_id: int
    place: str
    row: str
    position_before: int
    real: str
    bonus: str
    version: int
    position: int
    chain: bytes
    usage_day: int
    stake_day: str
    stake_week: str
    stake_month: str
    loss_day: str
    loss_week: str
    loss_month: str
    has_refused_aborts: bool


class RoundRow(msgspec.Struct, gc=False):
    """What is added to a row of `rounds`, named as RECORD reads it."""

    player_id: int
    event_id: str
    is_streamer: bool
    agent: str
    currency: str
    scale: int
    game_id: int | None
    at: datetime
    settled: bool
    bets_placed: int
    bets_standing: int
    stake_real: str
    stake_bonus: str
    staked: str
    paid: str
    taken_back: str
    cancels: int
    remainder: str
    refused_aborts: str
    place: str | None
    """where the round stands; None: it was not read"""


_ENCODER: Final = msgspec.json.Encoder()


def as_json(rows: Iterable[msgspec.Struct]) -> str:
    """The rows as one JSON text; bytes become base64."""
    return _ENCODER.encode(list(rows)).decode()


def journal_row(entry: JournalEntry) -> JournalRow:
    """The row of a new entry."""
    currency, key, before, delta = entry.currency, entry.key, entry.before, entry.delta
    unit = _UNITS[currency.scale]
    return JournalRow(
        entry.player_id,
        entry.position,
        entry.version,
        key.source,
        key.transaction_id,
        key.facet,
        entry.delivery.hex(),
        entry.event_type,
        entry.direction,
        decision_of(entry),
        currency.code,
        currency.scale,
        f"{entry.amount}{unit}",
        f"{before.real}{unit}",
        f"{before.bonus}{unit}",
        f"{delta.real}{unit}",
        f"{delta.bonus}{unit}",
        entry.contra,
        entry.event_id,
        entry.game_id,
        entry.bonus_code,
        entry.extra_data,
        reverses_text(entry) if entry.reverses else "",
        ",".join(entry.flags) if entry.flags else "",
        entry.event_time,
        entry.ledger_time,
        entry.chain,
    )


def wallet_row(version: RowVersion, before: Wallet, after: Wallet) -> WalletRow:
    """The row of a wallet that moved."""
    unit, usage = _UNITS[after.currency.scale], after.usage
    return WalletRow(
        after.player_id,
        *version,
        before.position,
        f"{after.pockets.real}{unit}",
        f"{after.pockets.bonus}{unit}",
        after.version,
        after.position,
        after.chain,
        usage.day,
        f"{usage.stake_day}{unit}",
        f"{usage.stake_week}{unit}",
        f"{usage.stake_month}{unit}",
        f"{usage.loss_day}{unit}",
        f"{usage.loss_week}{unit}",
        f"{usage.loss_month}{unit}",
        after.has_refused_aborts,
    )


def round_row(
    key: RoundKey, agent: str, change: RoundChange, now: datetime, place: str | None
) -> RoundRow:
    """The row of what a batch adds to a round."""
    tally, currency = change.tally, change.currency
    unit = _UNITS[currency.scale]
    return RoundRow(
        key.player_id,
        key.event_id,
        key.is_streamer,
        agent,
        currency.code,
        currency.scale,
        change.game_id,
        now,
        change.is_settled,
        tally.bets_placed,
        tally.bets_standing,
        f"{tally.stake_real}{unit}",
        f"{tally.stake_bonus}{unit}",
        f"{tally.staked}{unit}",
        f"{tally.paid}{unit}",
        f"{tally.taken_back}{unit}",
        tally.cancels,
        f"{tally.remainder}{unit}",
        "{" + ",".join(f"{amount}{unit}" for amount in change.refused_aborts) + "}",
        place,
    )


def minor(text: str, currency: Currency) -> Minor:
    """An amount as the database prints it, in minor units."""
    if text == _NOTHING:
        return 0
    return int(text.replace(".", "")) // _DIVISORS[currency.scale]


_NOTHING: Final = "0.00000000"
_DIVISORS: Final[tuple[int, ...]] = tuple(
    10 ** (COLUMN_SCALE - scale) for scale in range(COLUMN_SCALE + 1)
)
_UNITS: Final = tuple(f"e-{scale}" for scale in range(COLUMN_SCALE + 1))
"""What follows a number of minor units, by scale."""


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
