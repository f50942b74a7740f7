"""Work that only one process does at a time: it holds a place, an advisory lock, meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Final, TypeAlias

from app.ledger.connections import Connections
from app.ledger.errors import DeadlineError, LedgerAwayError, LedgerBusyError
from app.ledger.lending import lent
from app.ledger.sqlstates import LOST, is_conflict

StillAlone: TypeAlias = Callable[[], Awaitable[None]]

LEAVE_SECONDS: Final = 1
"""How long leaving waits for the server; it ends what it knows of a connection that is closed."""

TAKE_PLACE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


@asynccontextmanager
async def alone(
    connections: Connections, name: str, *, deadline: timedelta
) -> AsyncIterator[StillAlone]:
    """Hold the place of this name on a connection of these, which are closed at the end.

    The connection may be lost. What is given raises LedgerAwayError then; after it has returned,
    whoever comes next came later than that. Raises LedgerBusyError: others held it too long, or
    DeadlineError. What was done is done, however the place is left.
    """
    try:
        async with AsyncExitStack() as stack:
            with _told_as_ledger_error():
                async with asyncio.timeout(deadline.total_seconds()):
                    raw = await stack.enter_async_context(lent(connections))
                    await raw.execute("BEGIN")
                    await raw.execute(TAKE_PLACE, name)

            async def still() -> None:
                with _told_as_ledger_error():
                    async with asyncio.timeout(deadline.total_seconds()):
                        await raw.fetchval("SELECT 1")

            yield still
            with suppress(*LOST):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await raw.execute("ROLLBACK")
    finally:
        await connections.close()


@contextmanager
def _told_as_ledger_error() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise DeadlineError from error
    except LOST as error:
        raise (LedgerBusyError if is_conflict(error) else LedgerAwayError) from error
