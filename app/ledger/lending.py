"""Lends a connection for one piece of work, and takes it back if its state is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from app.ledger.connections import Connections, Kept, Raw
from app.ledger.retries import NothingStandsError, RunAgainError
from app.ledger.sqlstates import is_away


@asynccontextmanager
async def lent(connections: Connections) -> AsyncIterator[Raw]:
    """Lend a connection for one piece of work; return it to the pool if its state is known."""
    kept = await connections.take()
    try:
        yield kept.raw
    except (asyncpg.PostgresError, RunAgainError, NothingStandsError) as error:
        if is_away(error):
            # The server's last message on this connection, even if the socket is still open.
            connections.drop(kept)
        else:
            await _roll_back(connections, kept)
        raise
    except BaseException:
        # After anything but a result or an SQL error, the state of the connection is unknown.
        connections.drop(kept)
        raise
    connections.put_back(kept)


async def _roll_back(connections: Connections, kept: Kept) -> None:
    """End a transaction that failed; its connection is good if it can still say so."""
    try:
        if not kept.raw.is_closed() and kept.raw.is_in_transaction():
            await kept.raw.execute("ROLLBACK;")
    except BaseException:
        connections.drop(kept)
        raise
    connections.put_back(kept)
