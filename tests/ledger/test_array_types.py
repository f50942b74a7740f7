"""Arrays of built-in types go to the server and come back, and the server is asked nothing else."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from app.database_url import connect_arguments
from app.ledger.array_types import ELEMENTS
from app.ledger.connecting import connect
from tests.conftest import Database

VALUES: dict[str, object] = {
    "bool": True,
    "bytea": b"\0x",
    "int2": -5,
    "int4": 70_000,
    "int8": 2**60,
    "timestamp": datetime(2026, 11, 27, 12, 0, 0, 1),  # noqa: DTZ001 - the type has no zone
    "date": date(2026, 11, 27),
    "timestamptz": datetime(2026, 11, 27, 12, tzinfo=UTC),
    "interval": timedelta(days=1, microseconds=3),
    "numeric": Decimal("12.50"),
    "uuid": UUID(int=7),
}


async def test_the_driver_looks_up_no_array_of_a_built_in_type(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await connect(connect_arguments(db.service_url))
    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", None)
    try:
        for name, value in VALUES.items():
            for sent in ([], [value, None, value]):
                assert await connection.fetchval(f"SELECT $1::{name}[]", sent) == sent
    finally:
        await connection.close()


async def test_the_numbers_of_arrays_are_those_of_the_server(db: Database) -> None:
    connection = await connect(connect_arguments(db.service_url))
    try:
        rows = await connection.fetch(
            "SELECT a.oid::bigint, e.typname::text, e.oid::bigint FROM pg_type a"
            " JOIN pg_type e ON e.oid = a.typelem WHERE a.oid::bigint = ANY($1::bigint[])",
            list(ELEMENTS),
        )
    finally:
        await connection.close()
    assert {row[0]: (row[1], row[2]) for row in rows} == ELEMENTS


async def test_other_types_are_looked_up_as_ever(db: Database) -> None:
    connection = await connect(connect_arguments(db.service_url))
    try:
        assert await connection.fetchval("SELECT $1::name[]", ["a", "b"]) == ["a", "b"]
        assert await connection.fetchval("SELECT ARRAY[1, 2]::oid[]") == [1, 2]
    finally:
        await connection.close()
