"""The one transaction of an import: its settings, its end, and how rows get into its tables."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from app.database_url import connect_arguments
from app.ledger.connecting import connect

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection: TypeAlias = object

SETTINGS: Final = {
    "application_name": "wallet-import",
    "timezone": "UTC",
    "work_mem": "64MB",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "synchronous_commit": "on",
    "search_path": "public, pg_temp",
    # The longest statement sorts the whole file.
    "statement_timeout": "30min",
    "lock_timeout": "60s",
    # Read by the trigger that notes an account's opening: no event tells of it.
    "wallet.is_import": "on",
}

LOCK_KEY: Final = 0x696D706F7274
"""The advisory lock of who imports: `import` in ASCII."""


class ImportedBeforeError(Exception):
    """The same file was imported already."""

    def __init__(self, imported_at: datetime, by: str) -> None:
        super().__init__()
        self.imported_at = imported_at
        self.by = by


class TakenMeanwhileError(Exception):
    """Another process opened an account or took an id of this file meanwhile; run it again."""


class ImportRunsError(Exception):
    """Another import is under way; run this one when it has ended."""


@asynccontextmanager
async def importing(url: str, *, commits: bool) -> AsyncIterator[Connection]:
    """Open the one transaction of an import; it is rolled back unless it `commits`."""
    connection = await connect(connect_arguments(url), settings=SETTINGS)
    try:
        transaction = connection.transaction(isolation="read_committed")
        await transaction.start()
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK_KEY):
            raise ImportRunsError(ImportRunsError.__doc__)
        yield connection
        await (transaction.commit() if commits else transaction.rollback())
    except asyncpg.UniqueViolationError as error:
        raise TakenMeanwhileError(TakenMeanwhileError.__doc__) from error
    except asyncpg.InternalServerError as error:
        # What another node has found arrives as its words alone.
        if "duplicate key" not in str(error):
            raise
        raise TakenMeanwhileError(TakenMeanwhileError.__doc__) from error
    finally:
        # What was not committed ends with the connection.
        await connection.close()


async def copy_into(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Copy rows into a table, in the text format of COPY."""
    text = "".join(["\t".join(map(_cell, row)) + "\n" for row in rows]).encode()
    if not text:
        return

    async def blocks() -> AsyncIterator[bytes]:
        yield text

    await connection.copy_to_table(table, source=blocks(), columns=columns, format="text")


def _cell(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    text = str(value)
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(character, escape)
    return text
