r"""Conversion between rows and wallet values; amounts are passed as text, so nothing rounds them.

An amount is sent as minor units with the currency's exponent (`-1050e-2`), which NUMERIC reads
exactly and which costs less than formatting it. Rows are sent in PostgreSQL's text form, in arrays:
`{"(1,\"two\",)"}`. Results are read as columns, or, for entries that only some movements need, as
JSON with amounts as text and moments as microseconds of the Unix epoch.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from app.wallet.balance import Pockets
from app.wallet.early_aborts import AbortState, EarlyAbort
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.facts import Policy, Wallet
from app.wallet.further_limits import Counter
from app.wallet.journal import EPOCH, MICROSECOND, Flag, JournalEntry, Reversal, microseconds
from app.wallet.limits import LimitHit
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import HoldAfter, RoundAfter
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal
from app.wallet.rounds import RoundKey

ACCEPTED: Final = "ACCEPTED"
"""The decision of a movement that was posted; any other decision is the name of a Refusal."""

COLUMN_SCALE: Final = 8
"""NUMERIC(26, 8) is always printed with eight decimals."""

if TYPE_CHECKING:
    import asyncpg

    Row = asyncpg.Record


def as_array(rows: Iterable[str]) -> str:
    """Rows as one array, as PostgreSQL writes it."""
    return "{" + ",".join(rows) + "}"


# --- what is asked ---------------------------------------------------------------------------


def question_row(
    movement: Movement, *, is_in_round: bool, needs_history: bool, may_need_history: bool
) -> str:
    """Return the keys of a movement's facts, as a `question_row_v1` in an array."""
    token = "" if movement.token is None else _bytes(movement.token)
    source, transaction_id, _ = movement.key
    return (
        f'"({_quoted(movement.user_id)},{token},{_word(source)},{_quoted(transaction_id)}'
        f",{_quoted(movement.event_id) if is_in_round else ''},{movement.rule.is_streamer}"
        f",{needs_history}"
        f',{may_need_history})"'
    )


def settings_row(policy: Policy) -> str:
    """The settings that decide money, as a `decision_settings_v2`."""
    return (
        f"({policy.rule_version.value},{policy.key_scope},{policy.stake_order}"
        f",{policy.overtaken_bet},{policy.overtaken_window // timedelta(seconds=1)}"
        f",{policy.limit_days.name})"
    )


# --- what is written -------------------------------------------------------------------------


def journal_row(entry: JournalEntry) -> str:
    """A new entry, as a `journal_row_v1` in an array."""
    # Unpacked and joined, as the entry's canonical text is, and for the same reason.
    (player_id, position, version, key, delivery, event_type, direction, _, amount, currency,
     before, delta, contra, event_id, game_id, bonus_code, extra_data, reverses, flags,
     received, _, chain) = entry  # fmt: skip
    source, transaction_id, facet = key
    unit = _UNITS[currency.scale]
    return ",".join(
        (
            (
                f'"({player_id},{position},{version},{_word(source)},{_quoted(transaction_id)}'
                f",{_quoted(facet) if facet else _EMPTY},{delivery.hex()}"
            ),
            event_type,
            direction,
            decision_of(entry),
            (
                f"{_word(currency.code)},{currency.scale},{amount}{unit}"
                f",{before[0]}{unit},{before[1]}{unit},{delta[0]}{unit},{delta[1]}{unit}"
            ),
            contra,
            _quoted(event_id),
            "" if game_id is None else str(game_id),
            _quoted(bonus_code),
            _quoted(extra_data),
            _quoted(reverses_text(entry)) if reverses else _EMPTY,
            _quoted(",".join(flags)) if flags else _EMPTY,
            f'{microseconds(received)},{_bytes(chain)})"',
        )
    )


def wallet_row(before: Wallet, after: Wallet, *, has_refused_aborts: bool = False) -> str:
    """Return a wallet's new state, as a `wallet_row_v1` in an array.

    It is written only if the wallet still has the revision that it was read with.
    `has_refused_aborts` makes the previous release read the rounds of the player's bets.
    """
    unit = _UNITS[after.currency.scale]
    real, bonus = after.pockets
    day, stake_day, stake_week, stake_month, loss_day, loss_week, loss_month = after.usage
    return (
        f'"({after.player_id},{before.revision}'
        f",{real}{unit},{bonus}{unit},{after.version},{after.position}"
        f",{_bytes(after.chain)},{day}"
        f",{stake_day}{unit},{stake_week}{unit},{stake_month}{unit}"
        f",{loss_day}{unit},{loss_week}{unit},{loss_month}{unit}"
        f',{has_refused_aborts})"'
    )


def round_row(key: RoundKey, wallet: Wallet, after: RoundAfter) -> str:
    """A round as it stands after a batch, as a `round_row_v1` in an array."""
    round_, currency = after.round, wallet.currency
    tally, unit = round_.tally, _UNITS[currency.scale]
    untimed = _NO_AMOUNTS
    if round_.untimed_aborts:
        amounts = ",".join([f"{amount}{unit}" for amount in sorted(round_.untimed_aborts)])
        untimed = _quoted(f"{{{amounts}}}")
    return (
        f'"({key.player_id},{_quoted(key.event_id)},{key.is_streamer},{_word(wallet.agent)}'
        f",{_word(currency.code)},{currency.scale},{_known(after.game_id)},{round_.is_settled}"
        f",{tally.bets_placed},{tally.bets_open},{tally.stake_real}{unit}"
        f",{tally.stake_bonus}{unit},{tally.staked}{unit},{tally.paid}{unit}"
        f",{tally.taken_back}{unit},{tally.cancels},{tally.uncovered}{unit}"
        f',{bool(round_.early_aborts)},{untimed})"'
    )


def early_abort_row(key: RoundKey, currency: Currency, abort: EarlyAbort) -> str:
    """An early abort as it stands after a batch, as an `early_abort_row_v1` in an array."""
    return (
        f'"({key.player_id},{_quoted(key.event_id)},{key.is_streamer}'
        f",{_quoted(abort.transaction_id)},{abort.amount}{_UNITS[currency.scale]}"
        f',{microseconds(abort.first_at)},{abort.state})"'
    )


def refusal_row(record: RefusalRecord) -> str:
    """A refusal without an outcome, as a `refusal_row_v1` in an array."""
    return (
        f'"({_quoted(record.user_id)},{_quoted(record.source)},{_quoted(record.operation)}'
        f",{_quoted(record.transaction_id)},{_quoted(record.event_id)}"
        f",{_quoted(record.event_type)},{_quoted(record.direction)},{_quoted(record.amount)}"
        f",{_quoted(record.refusal)},{_quoted(record.reason)},{_quoted(record.differs)}"
        f',{_quoted(record.asked)},{record.delivery.hex()},{microseconds(record.event_time)})"'
    )


def session_row(player_id: int, token_hash: bytes, expires_at: datetime) -> str:
    """A token's renewed life, as a `session_row_v1` in an array."""
    return f'"({player_id},{_bytes(token_hash)},{microseconds(expires_at)})"'


def counter_row(player_id: int, currency: Currency, name: str, counter: Counter) -> str:
    """A counter as it stands after a batch, as a `counter_row_v1` in an array."""
    unit = _UNITS[currency.scale]
    return (
        f'"({player_id},{_quoted(name)},{counter.on_day},{counter.day}{unit},{counter.week}{unit}'
        f',{counter.month}{unit})"'
    )


def limit_hit_row(entry: JournalEntry, hit: LimitHit) -> str:
    """Which limit refused a movement, as a `limit_hit_row_v1` in an array."""
    unit = _UNITS[entry.currency.scale]
    return (
        f'"({entry.player_id},{entry.position},{_quoted(hit.limit_name)},{hit.limit}{unit}'
        f',{hit.used}{unit})"'
    )


def hold_row(after: HoldAfter, currency: Currency) -> str:
    """A hold that was made or closed, as a `hold_row_v1` in an array."""
    key, hold = after
    return (
        f'"({hold.player_id},{hold.position},{_quoted(key.source)},{_quoted(key.transaction_id)}'
        f",{hold.amount}{_UNITS[currency.scale]},{hold.state}"
        f',{_known(hold.closed_position)})"'
    )


def position_row(player_id: int, position: int) -> str:
    """A journal entry's place, as a `position_row_v1` in an array."""
    return f'"({player_id},{position})"'


def _quoted(text: str | None) -> str:
    """Quote a text in a row in an array, each of which needs escapes; None is NULL."""
    if text is None:
        return ""
    return f"""\\"{text.replace(_SLASH, _SLASHES).replace('"', _QUOTES)}\\\""""


@lru_cache(maxsize=256)
def _word(text: str) -> str:
    """Quote a text of which there are few: a source, an agent, a currency."""
    return _quoted(text)


_SLASH: Final = "\\"
_SLASHES: Final = "\\\\\\\\"
_QUOTES: Final = '\\"\\"'
_NO_AMOUNTS: Final = "{}"
_EMPTY: Final = _QUOTES
"""A text without characters."""


def _known(number: int | None) -> int | str:
    return "" if number is None else number


def _bytes(value: bytes) -> str:
    return rf"\\\\x{value.hex()}"


@lru_cache(maxsize=64)
def currency_of(code: str, scale: int) -> Currency:
    """Return a row's currency; cached, since there are few."""
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


# --- what is read ----------------------------------------------------------------------------


def entry_of(row: "Row") -> JournalEntry:
    """A row of `movements`, in the order of ENTRY_COLUMNS, amounts as text."""
    *values, delivery, event_type = row[:8]
    return _entry(
        (*values, delivery.bytes, event_type, *row[8:24]),
        row["event_time"],
        row["ledger_time"],
        row["chain"],
    )


def entry_of_json(values: Sequence[Any]) -> JournalEntry:
    """The same, out of JSON."""
    return _entry(
        (*values[:6], UUID(values[6]).bytes, *values[7:24]),
        moment_of(values[24]),
        moment_of(values[25]),
        bytes.fromhex(values[26]),
    )


def _entry(
    values: Sequence[Any], event_time: datetime, ledger_time: datetime, chain: bytes
) -> JournalEntry:
    player_id, position, version, source, transaction_id, facet, delivery, *more = values
    event_type, direction, decision, code, scale, amount, *more = more
    real_before, bonus_before, real_delta, bonus_delta, contra, *more = more
    event_id, game_id, bonus_code, extra_data, reverses, flags = more
    currency = currency_of(code, scale)
    return JournalEntry(
        player_id,
        position,
        version,
        Key(source, transaction_id, facet),
        delivery,
        EventType(event_type),
        Direction(direction),
        None if decision == ACCEPTED else Refusal[decision],
        minor(amount, currency),
        currency,
        Pockets(minor(real_before, currency), minor(bonus_before, currency)),
        Pockets(minor(real_delta, currency), minor(bonus_delta, currency)),
        HouseAccount(contra),
        event_id,
        game_id,
        bonus_code,
        extra_data,
        tuple(_reversal(part) for part in reverses.split(",") if part),
        tuple(Flag(part) for part in flags.split(",") if part),
        event_time,
        ledger_time,
        chain,
    )


def early_abort_of(values: Sequence[Any], currency: Currency) -> EarlyAbort:
    """An early abort out of JSON."""
    transaction_id, amount, first_at, state = values
    return EarlyAbort(
        transaction_id, minor(amount, currency), moment_of(first_at), AbortState(state)
    )


def limit_hit_of(values: Sequence[Any], currency: Currency) -> LimitHit:
    """Which limit refused a movement, out of JSON."""
    name, limit, used = values
    return LimitHit(name, minor(limit, currency), minor(used, currency))


def moment_of(microseconds_of_epoch: int) -> datetime:
    """A moment out of JSON, exact."""
    return EPOCH + microseconds_of_epoch * MICROSECOND


def delivery_uuid(delivery: bytes) -> UUID:
    """The delivery id as the database keeps it."""
    return UUID(bytes=delivery)


def _reversal(text: str) -> Reversal:
    position, real, bonus = text.split("/")
    return Reversal(int(position), int(real), int(bonus))
