"""What a seal is made of, how it is kept, and what an audit holds against it: SQL on a snapshot.

1. `heads`            the leaves of the Merkle tree: the last link of every chain, by player
2. `kept_rows`        what must not shrink
3. `keep`             the seal, and where the chains that grew stand now
4. `sealed_heads_at`  the leaves again, as they were sealed

Lists that are only added to, row by row, are in `sealed_lists`; what guards the tables in `guards`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.ledger.money.rows import entry_of
from app.ledger.money.statements import CONFIRM, ENTRY_COLUMNS
from app.ledger.pools import WHOLE_LEDGER
from app.ledger.snapshot import SETTINGS
from app.ledger.sources import SOURCES
from app.proof.seal import SignedSeal
from app.wallet.journal import JournalEntry

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

LOCK_KEY: Final = 0x7365616C
"""The advisory lock of who seals: `seal` in ASCII."""


SEALING_SECONDS_MAX: Final = 6 * 60 * 60
"""How long one sealing may take, which counts every row: a server that has vanished never ends."""

ROWS_AT_A_TIME: Final = 20_000


KEPT: Final = (
    "account_openings",
    "adjustment_decisions",
    "betby_notes",
    "closed_days",
    "early_aborts",
    "event_log",
    "exceptions",
    "game_names",
    "holds",
    "limit_hits",
    "movements",
    "operators",
    "players",
    "reconciliation_differences",
    "request_ids",
    "rounds",
    "sessions",
    "shadow_marks",
    "transaction_keys",
)
"""Tables that never lose a row; what stands in them is for the audit's laws to say."""

_LEAF: Final = """
sha256('\\x00'::bytea || convert_to(
    'head|' || player_id || '|' || position || '|' || encode(chain, 'hex'), 'UTF8'))
"""
"""`head_leaf` in SQL."""

_HEADS: Final = f"""
SELECT player_id, {_LEAF} AS leaf FROM wallets ORDER BY player_id
"""  # noqa: S608 - composed of constants

_SEALED_HEADS: Final = f"""
SELECT player_id, {_LEAF} AS leaf
FROM (SELECT DISTINCT ON (player_id) player_id, position, chain
      FROM sealed_heads WHERE number <= $1 ORDER BY player_id, position DESC) h
ORDER BY player_id
"""  # noqa: S608 - composed of constants

_KEEP: Final = """
INSERT INTO seals (number, sealed_at, seal, key, signature) VALUES ($1, $2, $3, $4, $5)
"""

_KEEP_HEADS: Final = """
INSERT INTO sealed_heads (player_id, position, chain, number)
SELECT w.player_id, w.position, w.chain, $1
FROM wallets w
WHERE NOT EXISTS (SELECT FROM sealed_heads h
                  WHERE h.player_id = w.player_id AND h.position = w.position)
"""

_SEALS: Final = "SELECT seal, key, signature FROM seals ORDER BY number"
_LAST: Final = f"{_SEALS} DESC LIMIT 1"


_HEAD_AFTER: Final = """
SELECT position, number FROM sealed_heads
WHERE player_id = $1 AND position >= $2 ORDER BY position LIMIT 1
"""

_LEAVES_BEFORE: Final = """
SELECT count(DISTINCT player_id) FROM sealed_heads WHERE player_id < $1 AND number <= $2
"""

_OF_TRANSACTION: Final = f"""{SOURCES}
SELECT k.player_id, k.position
FROM sources s JOIN transaction_keys k ON k.source = s.source AND k.transaction_id = $1
ORDER BY k.player_id, k.position
"""  # noqa: S608 — our own constants

_LINK_BEFORE: Final = """
SELECT coalesce(b.chain, CASE WHEN $2 = 1 THEN o.chain_start END)
FROM account_openings o
LEFT JOIN movements b ON b.player_id = o.player_id AND b.position = $2 - 1
WHERE o.player_id = $1
"""

_ENTRIES: Final = f"""
SELECT {ENTRY_COLUMNS} FROM movements m
WHERE m.player_id = $1 AND m.position BETWEEN $2 AND $3 ORDER BY m.position
"""  # noqa: S608 - composed of constants


@asynccontextmanager
async def sealing(url: str) -> AsyncIterator["Connection | None"]:
    """Hold one snapshot in which a seal can be written; None: another process is sealing.

    It is REPEATABLE READ: what is read is every wallet, which no movement should have to wait or
    run again for, and what is written has a number of its own that nobody else can take.

    Raises TimeoutError after SEALING_SECONDS_MAX, or the driver's errors.
    """
    settings = {
        **SETTINGS,
        "application_name": "wallet-seal",
        "synchronous_commit": "on",
        # By it the names of tables are written, which are part of what is sealed.
        "search_path": WHOLE_LEDGER,
    }
    connection = await connect(connect_arguments(url), settings=settings)
    # The connection is cut off, and nothing is cancelled: a commit may be waiting for its standby.
    loop = asyncio.get_running_loop()
    end = loop.call_later(SEALING_SECONDS_MAX, connection.terminate)
    try:
        # Before the transaction, whose snapshot is then taken with the lock held.
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
            yield None
            return
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        yield connection
        commit = asyncio.ensure_future(transaction.commit())
        # Who is stopped leaves it to its end; what it ends with is nobody's concern then.
        commit.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([commit])
        commit.result()
    except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
        if loop.time() < end.when():
            raise
        raise TimeoutError("the database did not answer in the time that a sealing has") from error
    except BaseException:
        # Who stops the service waits for no answer; the server rolls back what was not committed.
        connection.terminate()
        raise
    finally:
        await connection.close()
        end.cancel()


async def confirm(connection: "Connection") -> None:
    """Let the commit wait for the synchronous standby, though nothing else is written."""
    await connection.execute(CONFIRM)


async def heads(connection: "Connection") -> AsyncIterator[tuple[int, bytes]]:
    """Yield each player and the leaf of their chain's last link, by player."""
    async for row in connection.cursor(_HEADS, prefetch=ROWS_AT_A_TIME):
        yield row["player_id"], row["leaf"]


async def sealed_heads_at(
    connection: "Connection", number: int
) -> AsyncIterator[tuple[int, bytes]]:
    """Yield each player and the leaf of where their chain stood at a seal, by player."""
    async for row in connection.cursor(_SEALED_HEADS, number, prefetch=ROWS_AT_A_TIME):
        yield row["player_id"], row["leaf"]


async def last_seal(connection: "Connection") -> SignedSeal | None:
    """Return the last seal."""
    row = await connection.fetchrow(_LAST)
    return None if row is None else SignedSeal(*row)


async def every_seal(connection: "Connection") -> list[SignedSeal]:
    """Return all seals, the first first."""
    return [SignedSeal(*row) for row in await connection.fetch(_SEALS)]


async def keep(connection: "Connection", number: int, at: datetime, signed: SignedSeal) -> None:
    """Write a seal, and where the chains that grew since the one before stand."""
    await connection.execute(_KEEP, number, at, *signed)
    await connection.execute(_KEEP_HEADS, number)


async def database_clock(connection: "Connection") -> datetime:
    """Return the ledger's clock."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def kept_rows(connection: "Connection") -> dict[str, int]:
    """Count the rows of what never loses one."""
    counts = ", ".join(
        f"(SELECT count(*) FROM {name}) AS {name}"  # noqa: S608 - names of ours
        for name in KEPT
    )
    row = await connection.fetchrow(f"SELECT {counts}")
    return {} if row is None else dict(row)


async def sealed_after(
    connection: "Connection", player_id: int, position: int
) -> tuple[int, int] | None:
    """Return the first sealed position from here on, and its seal; None: not sealed yet."""
    row = await connection.fetchrow(_HEAD_AFTER, player_id, position)
    return None if row is None else (row["position"], row["number"])


async def places_of(connection: "Connection", transaction_id: str) -> list[tuple[int, int]]:
    """Return the player and the position of each movement under a transaction id."""
    rows = await connection.fetch(_OF_TRANSACTION, transaction_id)
    return [(row["player_id"], row["position"]) for row in rows]


async def leaves_before(connection: "Connection", player_id: int, number: int) -> int:
    """Count the chains of a seal that stand before a player's."""
    count: int = await connection.fetchval(_LEAVES_BEFORE, player_id, number)
    return count


async def link_before(connection: "Connection", player_id: int, position: int) -> bytes | None:
    """Return the link before an entry; None: it is lost."""
    link: bytes | None = await connection.fetchval(_LINK_BEFORE, player_id, position)
    return link


async def entries_between(
    connection: "Connection", player_id: int, first: int, last: int
) -> list[JournalEntry]:
    """Return a player's entries from one position to another."""
    rows = await connection.fetch(_ENTRIES, player_id, first, last)
    return [entry_of(row) for row in rows]
