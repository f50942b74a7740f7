"""The laws of a row are what the CHECKs were whose place they took, for any two odd values."""

import importlib.util
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from tests.cashier.till import connect
from tests.conftest import Database

if TYPE_CHECKING:
    import asyncpg

ROOT: Final = Path(__file__).parents[2]
MIGRATION: Final = ROOT / "migrations" / "versions" / "20261222_laws.py"

Row: TypeAlias = dict[str, str | None]

AMOUNTS: Final = (None, "NaN", "-10", "-0.001", "0", "0.00000001", "5", "20")
POSITIONS: Final = (None, "-1", "0", "1", "2", "3")
SCALES: Final = (None, "-1", "0", "8", "9")
CHAINS: Final = (None, "\\x" + "00" * 31, "\\x" + "00" * 33)

DEBIT: Final[Row] = {
    "position": "2",
    "version": "1",
    "event_type": "BetPlacing",
    "direction": "debit",
    "decision": "ACCEPTED",
    "scale": "2",
    "amount": "10",
    "real_before": "10",
    "bonus_before": "20",
    "real_delta": "-5",
    "bonus_delta": "-5",
    "real_after": "5",
    "bonus_after": "15",
    "chain": "\\x" + "00" * 32,
}
CREDIT: Final[Row] = DEBIT | {
    "event_type": "Win",
    "direction": "credit",
    "real_delta": "5",
    "bonus_delta": "5",
    "real_after": "15",
    "bonus_after": "25",
}
STILL: Final[Row] = {"real_delta": "0", "bonus_delta": "0", "real_after": "10", "bonus_after": "20"}
ZERO: Final[Row] = {"amount": "0", **STILL}
BASES: Final[Mapping[str, tuple[Row, ...]]] = {
    "movements": (
        DEBIT,
        CREDIT,
        DEBIT | STILL | {"decision": "INSUFFICIENT_FUNDS"},
        DEBIT | STILL | {"event_type": "WithdrawalSettle"},
        DEBIT | ZERO | {"event_type": "Lose"},
        CREDIT | ZERO | {"event_type": "BetbyLost"},
        DEBIT
        | {"event_type": "SportBetCancel", "real_delta": "-20", "real_after": "-10"}
        | {"amount": "20", "bonus_delta": "0", "bonus_after": "20"},
        DEBIT
        | STILL
        | {"amount": "5", "real_before": "-5", "real_after": "-5"}
        | {"bonus_delta": "-5", "bonus_after": "15"},
    ),
    "rounds": (
        {
            "event_id": "event",
            "bets_placed": "2",
            "bets_standing": "1",
            "stake_real": "5",
            "stake_bonus": "5",
            "staked": "20",
            "paid": "20",
            "taken_back": "10",
            "cancels": "0",
            "remainder": "0",
        },
    ),
    "wallets": (
        {
            "real": "10",
            "bonus": "20",
            "version": "1",
            "position": "2",
            "chain": "\\x" + "00" * 32,
            **dict.fromkeys(("stake_day", "stake_week", "stake_month"), "5"),
            **dict.fromkeys(("loss_day", "loss_week", "loss_month"), "-5"),
            "scale": "2",
        },
    ),
}
ODD: Final[Mapping[str, tuple[str | None, ...]]] = {
    **dict.fromkeys(("position", "version", "bets_placed", "bets_standing", "cancels"), POSITIONS),
    "scale": SCALES,
    "chain": CHAINS,
    "event_id": (None, "", "e" * 250, "e" * 251),
    "direction": (None, "", "debit", "credit"),
    "event_type": (
        None,
        "",
        "BetPlacing",
        "Win",
        "SportBetCancel",
        "WithdrawalSettle",
        "BetbyLost",
    ),
    "decision": (None, "", "ACCEPTED", "PLAYER_BLOCKED"),
}

MAKE: Final = """
CREATE TEMPORARY TABLE candidates AS SELECT {columns} FROM {table} LIMIT 0;
CREATE TEMPORARY TABLE earlier (LIKE candidates);
CREATE TEMPORARY TABLE later (LIKE candidates);
ALTER TABLE earlier {earlier};
ALTER TABLE later ADD CHECK ({call});
CREATE FUNCTION pg_temp.broken(place text, candidate candidates) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    law text;
BEGIN
    EXECUTE format('INSERT INTO %I SELECT $1.*', place) USING candidate;
    RETURN NULL;
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS law = CONSTRAINT_NAME;
    RETURN law;
END
$$;
"""
FOUND: Final = """
SELECT pg_temp.broken('earlier', c) AS earlier, pg_temp.broken('later', c) AS later, c.*
FROM candidates c
"""


@pytest.fixture(scope="module")
def migration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("laws_migration", MIGRATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("table", BASES)
async def test_a_row_breaks_the_law_whose_check_it_broke(
    module_db: Database, migration: ModuleType, table: str
) -> None:
    laws: dict[str, str] = migration.BEFORE[table]
    rows = list(candidates(table, migration))
    connection = await connect(module_db.superuser_url)
    try:
        await connection.execute(
            MAKE.format(
                table=table,
                columns=", ".join(BASES[table][0]),
                earlier=", ".join(
                    f"ADD CONSTRAINT ck_{table}_{name} CHECK ({condition})"
                    for name, condition in laws.items()
                ),
                call=migration.CALLS[table],
            )
        )
        await fill(connection, table, rows)
        found = await connection.fetch(FOUND)
    finally:
        await connection.close()
    assert [row for row in found if row["earlier"] != row["later"]] == []
    assert {row["earlier"] for row in found} == {None, *(f"ck_{table}_{name}" for name in laws)}


def candidates(table: str, migration: ModuleType) -> Iterator[Row]:
    """Lawful rows, with columns set to odd values, and with every word of the laws.

    Of the first rows, any two columns at once; of the others one, which takes less long.
    """
    for base, (one, other) in product(BASES[table][:2], combinations(BASES[table][0], 2)):
        values = product(ODD.get(one, AMOUNTS), ODD.get(other, AMOUNTS))
        yield from (base | {one: odd, other: as_odd} for odd, as_odd in values)
    for base in BASES[table]:
        yield base
        yield from (base | {one: odd} for one in base for odd in ODD.get(one, AMOUNTS))
    if table == "movements":
        still = product(words(migration.DEBITS + migration.CREDITS), (CREDIT, DEBIT))
        yield from (row | {"event_type": word} for word, row in still)
        for word, row in product(words(migration.BEFORE[table]["decision"]), (CREDIT, DEBIT)):
            yield row | STILL | {"decision": word}


def words(listed: str) -> list[str]:
    """The quoted words of a text in SQL."""
    return listed.split("'")[1::2]


async def fill(
    connection: "asyncpg.Connection[asyncpg.Record]",
    table: str,
    rows: list[Row],
) -> None:
    """Put rows in as text, which PostgreSQL reads as it reads any row's."""
    columns = list(BASES[table][0])
    texts = ", ".join(f"${n}::text[]" for n in range(1, len(columns) + 1))
    kinds = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'candidates'::regclass AND attnum > 0"
    )
    read = ", ".join(f"{name}::{kind}" for name, kind in kinds)
    await connection.execute(
        f"INSERT INTO candidates SELECT {read} FROM unnest({texts}) AS n ({', '.join(columns)})",
        *([row[column] for row in rows] for column in columns),
    )
