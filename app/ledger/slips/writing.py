"""Writes what was derived of rounds, in the transaction that says how far was read.

1. `advance`  says how far was read, unless somebody else has written since: then nothing is
2. `write`    puts the rounds' bets, legs, faults and mismatches in the place of what was there

Looks are counted. Whoever writes names the count that stood when they looked, or that their own
look before left: so nothing that was read earlier is written over what was read later.

Rows that say the same already are left alone, so that reading everything again writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.slips.reading import FIRST_PLAYER, OLD, Batch, RoundId

_OPEN: Final = f"""
INSERT INTO slip_progress (agent, number, after_player_id, after_position, is_at_end, movements,
    without_slip)
SELECT agent, 0, {FIRST_PLAYER}, 0, agent <> '{OLD}', 0, 0 FROM unnest($1::text[]) AS agent
ON CONFLICT DO NOTHING
"""  # noqa: S608 - composed of constants

_ADVANCE: Final = """
UPDATE slip_progress SET looks = looks + 1 WHERE agent = '*' AND looks = $1 RETURNING true
"""

_REACH: Final = """
UPDATE slip_progress SET number = $2, after_player_id = $3, after_position = $4, is_at_end = $5,
    movements = movements + $6, without_slip = without_slip + $7,
    reached_at = greatest(reached_at, $8)
WHERE agent = $1
"""

_BEGIN_ANEW: Final = f"""
UPDATE slip_progress SET number = 0, after_player_id = {FIRST_PLAYER}, after_position = 0,
    is_at_end = agent <> '{OLD}', movements = 0, without_slip = 0, reached_at = NULL,
    looks = looks + 1
"""  # noqa: S608 - composed of constants


class BetRow(NamedTuple):
    """A row of `sport_bets`; amounts and numbers as text."""

    player_id: int
    position: int
    event_id: str
    source: str
    transaction_id: str
    game_id: int | None
    currency: str
    scale: int
    slip_id: str | None
    shape: str | None
    fault: str | None
    wins_needed: int | None
    picks: int | None
    legs: int
    live: str | None
    is_quick: bool | None
    free_bet: str | None
    bonus_id: str | None
    stake: str
    stake_bonus: str
    told_stake: str | None
    total_odds: str | None
    potential_win: str | None
    status: str
    said: str | None
    turnover: str
    paid: str
    cash_out: str
    bonus_cost: str
    settlements: int
    reopenings: int
    placed_at: datetime
    settled_at: datetime | None
    last_leg_at: datetime | None


class LegRow(NamedTuple):
    """A row of `sport_legs`."""

    player_id: int
    position: int
    leg: int
    leg_id: str | None
    event_id: str | None
    sport_id: str | None
    category_id: str | None
    tournament_id: str | None
    sport: str | None
    category: str | None
    tournament: str | None
    competitors: str | None
    market: str | None
    outcome: str | None
    odds: str | None
    scheduled_at: datetime | None
    is_live: bool | None
    result: str | None


class _LegsNow(NamedTuple):
    """How many legs a bet has."""

    player_id: int
    position: int
    legs: int


class FaultRow(NamedTuple):
    """A row of `slip_faults`."""

    player_id: int
    position: int
    event_id: str
    reason: str
    happened_at: datetime


class MismatchRow(NamedTuple):
    """A row of `slip_mismatches`."""

    player_id: int
    position: int
    kind: str
    event_id: str
    bet_position: int
    expected: str | None
    told: str | None
    happened_at: datetime


class Derived(NamedTuple):
    """What rounds come to."""

    bets: list[BetRow]
    legs: list[LegRow]
    faults: list[FaultRow]
    mismatches: list[MismatchRow]
    without_bets: list[RoundId]
    """rounds that no bet is told of, whatever was written of them before"""


_KINDS: Final = {
    **dict.fromkeys(("player_id", "position", "game_id", "bet_position"), "bigint"),
    **dict.fromkeys(
        ("scale", "wins_needed", "picks", "legs", "settlements", "reopenings", "leg"), "smallint"
    ),
    **dict.fromkeys(("is_quick", "is_live"), "boolean"),
    **dict.fromkeys(
        ("placed_at", "settled_at", "last_leg_at", "scheduled_at", "happened_at"), "timestamptz"
    ),
}
_NUMBERS: Final = frozenset(
    {
        "stake",
        "stake_bonus",
        "told_stake",
        "total_odds",
        "potential_win",
        "turnover",
        "paid",
        "cash_out",
        "bonus_cost",
        "odds",
    }
)


def _upsert(table: str, row: type[Any], key: Sequence[str]) -> str:
    """Return the statement that writes rows, given column by column, where they differ."""
    names = list(row._fields)
    arrays = ", ".join(f"${n}::{_KINDS.get(name, 'text')}[]" for n, name in enumerate(names, 1))
    values = ", ".join(f"r.{name}::numeric" if name in _NUMBERS else f"r.{name}" for name in names)
    others = [name for name in names if name not in key]
    mine = ", ".join(f"t.{name}" for name in others)
    theirs = ", ".join(f"excluded.{name}" for name in others)
    return f"""
INSERT INTO {table} AS t ({", ".join(names)})
SELECT {values} FROM unnest({arrays}) AS r ({", ".join(names)})
ON CONFLICT ({", ".join(key)}) DO UPDATE SET ({", ".join(others)}) = ROW ({theirs})
WHERE ({mine}) IS DISTINCT FROM ({theirs})
"""  # noqa: S608 - composed of the rows' own names


BET_KEY: Final = ("player_id", "position")
LEG_KEY: Final = ("player_id", "position", "leg")
FAULT_KEY: Final = ("player_id", "position")
MISMATCH_KEY: Final = ("player_id", "position", "kind")

_WRITE: Final = {
    "sport_bets": _upsert("sport_bets", BetRow, BET_KEY),
    "sport_legs": _upsert("sport_legs", LegRow, LEG_KEY),
    "slip_faults": _upsert("slip_faults", FaultRow, FAULT_KEY),
    "slip_mismatches": _upsert("slip_mismatches", MismatchRow, MISMATCH_KEY),
}

# Rows that no longer hold are looked up by key, row by row, and deleted by their keys: joined with
# what was derived, PostgreSQL may go through all that was ever projected, each time.
_BY_KEY: Final = "SELECT set_config('enable_seqscan', 'off', true)"

_LEGS_BEYOND: Final = """
SELECT l.player_id, l.position, l.leg
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS b (player_id, position, legs)
CROSS JOIN LATERAL (
    SELECT player_id, position, leg FROM sport_legs
    WHERE player_id = b.player_id AND position = b.position AND leg > b.legs OFFSET 0
) l
"""

_OF_ROUNDS: Final = """
SELECT x.* FROM unnest($1::bigint[], $2::text[]) AS r (player_id, event_id)
CROSS JOIN LATERAL (
    SELECT {key} FROM {table} WHERE player_id = r.player_id AND event_id = r.event_id OFFSET 0
) x
"""


async def open_progress(book: Book, agents: Sequence[str]) -> None:
    """Begin to read these agents' events."""
    await book.connection.execute(_OPEN, list(agents))


async def begin_anew(book: Book) -> None:
    """Read everything again from the beginning."""
    await book.connection.execute(_BEGIN_ANEW)


async def advance(book: Book, batch: Batch) -> bool:
    """Say how far was read; False: somebody else has been there, and the batch is theirs."""
    if not await book.connection.fetchval(_ADVANCE, batch.before.looks):
        return False
    after = batch.after
    await book.connection.execute(
        _REACH,
        after.agent,
        after.number,
        after.after_player_id,
        after.after_position,
        after.is_at_end,
        batch.movements,
        batch.without_slip,
        batch.reached_at,
    )
    return True


async def write(book: Book, rounds: Sequence[RoundId], derived: Derived) -> None:
    """Put what was derived of these rounds in the place of what was there."""
    if not rounds:
        return
    execute = book.connection.execute
    await execute(_BY_KEY)
    legs_now = {(bet.player_id, bet.position): bet.legs for bet in derived.bets}
    if derived.without_bets:
        gone = await _standing(book, "sport_bets", BET_KEY, derived.without_bets)
        legs_now |= dict.fromkeys(gone, 0)
        await _delete(book, "sport_bets", BET_KEY, gone)
    if legs_now:
        keys = [(*key, legs) for key, legs in legs_now.items()]
        beyond = await book.connection.fetch(_LEGS_BEYOND, *_columns(keys, _LegsNow))
        await _delete(book, "sport_legs", LEG_KEY, [tuple(row) for row in beyond])
    for table, key, row_type, rows in (
        ("slip_faults", FAULT_KEY, FaultRow, derived.faults),
        ("slip_mismatches", MISMATCH_KEY, MismatchRow, derived.mismatches),
    ):
        hold = {tuple(getattr(row, name) for name in key) for row in rows}
        there = await _standing(book, table, key, rounds)
        await _delete(book, table, key, [each for each in there if each not in hold])
        if rows:
            await execute(_WRITE[table], *_columns(rows, row_type))
    if derived.bets:
        await execute(_WRITE["sport_bets"], *_columns(derived.bets, BetRow))
    if derived.legs:
        await execute(_WRITE["sport_legs"], *_columns(derived.legs, LegRow))


async def _standing(
    book: Book, table: str, key: Sequence[str], rounds: Sequence[RoundId]
) -> list[tuple[Any, ...]]:
    """Return the keys of the rows that stand of these rounds."""
    query = _OF_ROUNDS.format(table=table, key=", ".join(key))
    rows = await book.connection.fetch(query, *_columns(rounds, RoundId))
    return [tuple(row) for row in rows]


async def _delete(
    book: Book, table: str, key: Sequence[str], gone: Sequence[tuple[Any, ...]]
) -> None:
    if gone:
        where = " AND ".join(f"{name} = ${n}" for n, name in enumerate(key, 1))
        await book.connection.executemany(f"DELETE FROM {table} WHERE {where}", gone)  # noqa: S608


def _columns(rows: Sequence[tuple[Any, ...]], of: type[Any]) -> list[list[Any]]:
    if not rows:
        return [[] for _ in of._fields]
    return [list(column) for column in zip(*rows, strict=True)]
