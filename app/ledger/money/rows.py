r"""Between rows and wallet values: amounts travel as text.

So that nothing in between can round them: into the database as minor units with the currency's
exponent (`-1050e-2`), which NUMERIC reads exactly and which costs less than printing them. What is
written travels as rows in PostgreSQL's own text form, in arrays: `{"(1,\"two\",)"}`.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.facts import Wallet
from app.wallet.journal import Flag, JournalEntry, Reversal, microseconds
from app.wallet.limits import NO_LIMITS, Limits
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key, Movement
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


class RowVersion(NamedTuple):
    """One version of one row: where it stands (ctid), and which transaction wrote it (xmin)."""

    place: str
    row: str


def as_array(rows: Iterable[str]) -> str:
    """Rows as one array, as PostgreSQL writes it."""
    return "{" + ",".join(rows) + "}"


def question_row(movement: Movement, *, reads_round: bool) -> str:
    """What must be known for a movement, as a `question_row` in an array."""
    token = "" if movement.token is None else _bytes(movement.token)
    return (
        f'"({_quoted(movement.user_id)},{token},{_quoted(movement.event_id)}'
        f',{movement.rule.is_streamer},{reads_round})"'
    )


def seen_row(player_id: int, version: RowVersion, token_hash: bytes | None = None) -> str:
    """A row that was read, of `players` or `sessions`, as a `seen_row` in an array."""
    token = "" if token_hash is None else _bytes(token_hash)
    return f'"({player_id},{token},{_quoted(version.place)},{version.row})"'


def journal_row(entry: JournalEntry) -> str:
    """A new entry, as a `journal_row` in an array."""
    currency, key, before, delta = entry.currency, entry.key, entry.before, entry.delta
    unit = _UNITS[currency.scale]
    return (
        f'"({entry.player_id},{entry.position},{entry.version}'
        f",{_quoted(key.source)},{_quoted(key.transaction_id)}"
        f",{_quoted(key.facet) if key.facet else _EMPTY}"
        f",{entry.delivery.hex()},{entry.event_type},{entry.direction},{decision_of(entry)}"
        f",{_quoted(currency.code)},{currency.scale},{entry.amount}{unit}"
        f",{before.real}{unit},{before.bonus}{unit},{delta.real}{unit},{delta.bonus}{unit}"
        f",{entry.contra},{_quoted(entry.event_id)},{_known(entry.game_id)}"
        f",{_quoted(entry.bonus_code)},{_quoted(entry.extra_data)}"
        f",{_quoted(reverses_text(entry)) if entry.reverses else _EMPTY}"
        f",{_quoted(','.join(entry.flags)) if entry.flags else _EMPTY}"
        f',{microseconds(entry.event_time)},{_bytes(entry.chain)})"'
    )


def wallet_row(version: RowVersion, before: Wallet, after: Wallet) -> str:
    """What becomes of a wallet that moved, as a `wallet_row` in an array."""
    unit, pockets, usage = _UNITS[after.currency.scale], after.pockets, after.usage
    return (
        f'"({after.player_id},{_quoted(version.place)},{version.row},{before.position}'
        f",{pockets.real}{unit},{pockets.bonus}{unit},{after.version},{after.position}"
        f",{_bytes(after.chain)},{usage.day}"
        f",{usage.stake_day}{unit},{usage.stake_week}{unit},{usage.stake_month}{unit}"
        f",{usage.loss_day}{unit},{usage.loss_week}{unit},{usage.loss_month}{unit}"
        f',{after.has_refused_aborts})"'
    )


def round_row(key: RoundKey, agent: str, change: RoundChange, place: str | None) -> str:
    """What a batch adds to a round, as a `round_row` in an array.

    `place`: where the round stands; None: it was not read.
    """
    tally, currency = change.tally, change.currency
    unit = _UNITS[currency.scale]
    aborts = ",".join([f"{amount}{unit}" for amount in change.refused_aborts])
    return (
        f'"({key.player_id},{_quoted(key.event_id)},{key.is_streamer},{_quoted(agent)}'
        f",{_quoted(currency.code)},{currency.scale},{_known(change.game_id)},{change.is_settled}"
        f",{tally.bets_placed},{tally.bets_open},{tally.stake_real}{unit}"
        f",{tally.stake_bonus}{unit},{tally.staked}{unit},{tally.paid}{unit}"
        f",{tally.taken_back}{unit},{tally.cancels},{tally.uncovered}{unit}"
        f',{_quoted(f"{{{aborts}}}")},{_quoted(place)})"'
    )


def _quoted(text: str | None) -> str:
    """A text in a row in an array: each of the two asks for its own escapes; None is no text."""
    if text is None:
        return ""
    return f"""\\"{text.replace(_SLASH, _SLASHES).replace('"', _QUOTES)}\\\""""


_SLASH: Final = "\\"
_SLASHES: Final = "\\\\\\\\"
_QUOTES: Final = '\\"\\"'
_EMPTY: Final = _QUOTES
"""A text without characters."""


def _known(number: int | None) -> int | str:
    return "" if number is None else number


def _bytes(value: bytes) -> str:
    return rf"\\\\x{value.hex()}"


@lru_cache(maxsize=64)
def currency_of(code: str, scale: int) -> Currency:
    """A currency as a row names it; there are few, and each row names one."""
    return Currency(code, scale)


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
    currency = currency_of(row["currency"], row["scale"])
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
