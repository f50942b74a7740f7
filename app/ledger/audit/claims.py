"""The law of claims, where buckets are on nodes: a recorded id is claimed for its player.

An id is claimed in the bucket that it hashes to, which is hardly ever its player's. A claim that is
gone lets another player in another bucket have the id as well, and no index would notice. So what
the audit looks at of a bucket's keys is looked up in the buckets of the claims.

A key is read first and its claim after it: the claim was there before.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from app.database_url import connect_arguments
from app.ledger.audit.offenders import OFFENDERS_MAX
from app.ledger.audit.scope import Invariant
from app.ledger.connecting import connect
from app.ledger.snapshot import SETTINGS, snapshot
from app.wallet.buckets import bucket_of

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
    Key = tuple[str, str, str, str]

LAW: Final = Invariant("key_is_claimed", "every id that is recorded is claimed for its player")

AT_A_TIME: Final = 10_000
"""Keys of a bucket that are looked up together, some thousands at each home."""

_KEYS: Final = """
SELECT k.source, k.transaction_id, k.facet, p.user_id
FROM transaction_keys k JOIN players p ON p.player_id = k.player_id
"""
_OF_PLAYER: Final = f"{_KEYS} WHERE p.user_id = $1"
_SINCE: Final = f"""{_KEYS}
JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
WHERE m.ledger_time >= $1
"""

_UNCLAIMED: Final = """
SELECT k.source, k.transaction_id, k.facet, k.user_id, c.user_id AS claimed_for
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS k (source, transaction_id, facet, user_id)
LEFT JOIN transaction_claims c ON c.transaction_id = k.transaction_id AND c.source = k.source
     AND c.facet = k.facet
WHERE c.user_id IS DISTINCT FROM k.user_id
"""


async def unclaimed(
    url: str, paths: Sequence[str], *, since: datetime | None = None, user_id: str | None = None
) -> list[dict[str, Any]]:
    """Return a bounded number of recorded ids that are not claimed for their player.

    `paths`: the search path of each bucket. All ids, those recorded `since` a moment, or one
    player's.
    """
    found: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        homes = []
        for path in paths:
            settings = {**SETTINGS, "search_path": path}
            # Not on a snapshot: what is claimed after it may be recorded by now.
            homes.append(await connect(connect_arguments(url), settings=settings))
            stack.push_async_callback(homes[-1].close)
        looked_at = paths if user_id is None else [paths[bucket_of(user_id, len(paths))]]
        for path in looked_at:
            async for keys in _keys_of(url, path, since, user_id):
                found += await _without_claim(homes, keys)
                if len(found) >= OFFENDERS_MAX:
                    return found[:OFFENDERS_MAX]
    return found


async def _keys_of(
    url: str, path: str, since: datetime | None, user_id: str | None
) -> "AsyncIterator[list[Key]]":
    query, arguments = _KEYS, list[object]()
    if user_id is not None:
        query, arguments = _OF_PLAYER, [user_id]
    elif since is not None:
        query, arguments = _SINCE, [since]
    async with snapshot(url, settings={"search_path": path}) as (connection,):
        cursor = await connection.cursor(query, *arguments)
        while rows := await cursor.fetch(AT_A_TIME):
            yield [(row[0], row[1], row[2], row[3]) for row in rows]


async def _without_claim(homes: "Sequence[Connection]", keys: "list[Key]") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    at_home: dict[int, list[Key]] = {}
    for key in keys:
        at_home.setdefault(bucket_of(key[1], len(homes)), []).append(key)
    for home, some in at_home.items():
        columns = [list(column) for column in zip(*some, strict=True)]
        rows = await homes[home].fetch(_UNCLAIMED, *columns)
        found += [{name: value for name, value in row.items() if value is not None} for row in rows]
    return found
