"""Work that only one process does at a time: it holds a place, an advisory lock, meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

from app.ledger.connections import Connections
from app.ledger.errors import LedgerAwayError, LedgerBusyError
from app.ledger.lending import lent
from app.ledger.sqlstates import LOST, is_conflict

StillAlone: TypeAlias = Callable[[], Awaitable[None]]

TAKE_PLACE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


@asynccontextmanager
async def alone(connections: Connections, name: str) -> AsyncIterator[StillAlone]:
    """Hold the place of this name on a connection of these, which are closed at the end.

    The connection may be lost. What is given raises LedgerAwayError then; after it has returned,
    whoever comes next came later than that. Raises LedgerBusyError: others held it too long.
    """
    try:
        async with lent(connections) as raw:
            with _told_as_ledger_error():
                await raw.execute("BEGIN")
                await raw.execute(TAKE_PLACE, name)

            async def still() -> None:
                with _told_as_ledger_error():
                    await raw.fetchval("SELECT 1")

            yield still
            await raw.execute("ROLLBACK")
    finally:
        await connections.close()


@contextmanager
def _told_as_ledger_error() -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise (LedgerBusyError if is_conflict(error) else LedgerAwayError) from error
