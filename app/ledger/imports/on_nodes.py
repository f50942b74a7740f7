"""What an import does otherwise where the buckets are on several nodes.

It is one transaction over the coordinator there, too, which commits on all nodes or on none. Rows
go to a bucket by its schema, from temporary tables of the coordinator. What differs:

1. What the ledger has already is asked of each bucket by itself, and noted in temporary tables.
2. Players are numbered before they are added.
3. Ids are claimed at their homes, each batch in a transaction of its own before its entries are
   written, and with a challenge that nobody takes for old before CLAIMED_FOR has passed. Meanwhile
   whoever wants such an id hears that it is not known; the import must be committed by then. From
   its commit on they find the entry, and ask no claim. An import that ended otherwise leaves ids
   that are free after that time, and at once to the same file.
"""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID, uuid5

from app.database_url import connect_arguments
from app.ledger.citus.places import IS_CITUS
from app.ledger.connecting import connect
from app.ledger.imports.session import SETTINGS, Connection, TakenMeanwhileError
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.movement import Key

CLAIMED_FOR: Final = "6 hours"
SECONDS_MAX: Final = 5 * 3600
"""The longest import: an hour before the first of its claims may be challenged."""

ASKED_AT_ONCE: Final = 5_000

_NAMESPACE: Final = UUID("7f4b1f0e-3c55-4f0a-9a53-0d3c9a1c2b11")

_COUNT: Final = "SELECT count(*) FROM public.buckets"

_KNOWN: Final = """
CREATE TEMPORARY TABLE import_known_players (user_id text PRIMARY KEY) ON COMMIT DROP;
CREATE TEMPORARY TABLE import_known_ids (
    source text NOT NULL, transaction_id text NOT NULL, PRIMARY KEY (source, transaction_id)
) ON COMMIT DROP
"""

_USERS: Final = "SELECT DISTINCT user_id FROM import_players ORDER BY user_id"
_IDS: Final = "SELECT DISTINCT transaction_id FROM import_moves ORDER BY transaction_id"
_SOURCES: Final = "SELECT array_agg(DISTINCT source) FROM import_moves"

_PLAYERS: Final = "SELECT user_id FROM {schema}.players WHERE user_id = ANY($1::text[])"
_TAKEN: Final = """
SELECT DISTINCT source, transaction_id FROM {schema}.transaction_keys
WHERE source = ANY($1::text[]) AND transaction_id = ANY($2::text[])
"""

_NUMBERED: Final = """
INSERT INTO import_ids (user_id, player_id, schema_name)
SELECT user_id, public.next_number_v1(), schema_name
FROM (SELECT * FROM import_players ORDER BY line) p
"""

OPEN: Final = """
INSERT INTO players (player_id, user_id, agent, currency, scale, nickname, language, email,
                     first_name, last_name, created_at)
SELECT i.player_id, p.user_id, $1, p.currency, p.scale, p.nickname, p.language, p.email,
       p.first_name, p.last_name, now()
FROM import_players p JOIN import_ids i ON i.user_id = p.user_id
WHERE i.schema_name = $2 ORDER BY p.line
"""


class Nodes:
    """The buckets of a ledger on several nodes, and the import's claims there."""

    def __init__(self, connection: Connection, claiming: Connection, count: int) -> None:
        """`claiming` commits each of its statements by itself."""
        self._connection = connection
        self._claiming = claiming
        self._count = count
        self._began = time.monotonic()
        self.schemas = [schema_of(bucket, count) for bucket in range(count)]

    async def prepare(self) -> None:
        """Have the nodes know what this transaction is."""
        await self._connection.execute("SET LOCAL citus.propagate_set_commands = 'local'")
        await self._connection.execute("SET LOCAL wallet.is_import = 'on'")
        await self._connection.execute(_KNOWN)

    async def note_known(self) -> None:
        """Note whom and what of the file the buckets have already."""
        users = [row[0] for row in await self._connection.fetch(_USERS)]
        for some in _parts(users):
            for bucket, schema in enumerate(self.schemas):
                theirs = [user for user in some if bucket_of(user, self._count) == bucket]
                rows = await self._connection.fetch(_PLAYERS.format(schema=schema), theirs)
                await self._connection.executemany(
                    "INSERT INTO import_known_players VALUES ($1)", [tuple(row) for row in rows]
                )
        sources = await self._connection.fetchval(_SOURCES)
        ids = [row[0] for row in await self._connection.fetch(_IDS)]
        for some in _parts(ids):
            for schema in self.schemas:
                rows = await self._connection.fetch(_TAKEN.format(schema=schema), sources, some)
                await self._connection.executemany(
                    "INSERT INTO import_known_ids VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    [tuple(row) for row in rows],
                )

    async def number_players(self) -> None:
        """Give every player of the file a number."""
        await self._connection.execute(_NUMBERED)

    async def claim(self, digest: str, keys: Iterable[tuple[Key, str]]) -> None:
        """Claim these keys, each for a player; raises TakenMeanwhileError."""
        if time.monotonic() - self._began > SECONDS_MAX:
            raise TakenMeanwhileError(
                "The import took so long that its ids may be another's by now; divide the file."
            )
        challenge = uuid5(_NAMESPACE, digest)
        at_home: dict[str, list[tuple[Key, str]]] = {}
        for key, user_id in keys:
            home = bucket_of(key.transaction_id, self._count)
            at_home.setdefault(self.schemas[home], []).append((key, user_id))
        for schema, wanted in at_home.items():
            columns = (
                [key.transaction_id for key, _ in wanted],
                [key.source for key, _ in wanted],
                [key.facet for key, _ in wanted],
                [user_id for _, user_id in wanted],
            )
            await self._claiming.execute(_CLAIM.format(schema=schema), *columns, challenge)
            if await self._claiming.fetchval(_NOT_OURS.format(schema=schema), *columns, challenge):
                raise TakenMeanwhileError(TakenMeanwhileError.__doc__)


_GIVEN: Final = (
    "unnest($1::text[], $2::text[], $3::text[], $4::text[])"
    " AS a (transaction_id, source, facet, user_id)"
)

# The same file brings the same players, and may be tried again.
_CLAIM: Final = f"""
INSERT INTO {{schema}}.transaction_claims AS c
    (transaction_id, source, facet, user_id, claimed_at, challenge, challenged_at)
SELECT a.transaction_id, a.source, a.facet, a.user_id, now(), $5::uuid,
       now() + interval '{CLAIMED_FOR}'
FROM {_GIVEN}
ON CONFLICT (transaction_id, source, facet) DO UPDATE SET challenged_at = excluded.challenged_at
WHERE c.challenge = excluded.challenge
"""  # noqa: S608 - composed of constants

_NOT_OURS: Final = f"""
SELECT EXISTS (
    SELECT FROM {_GIVEN}
    JOIN {{schema}}.transaction_claims c
      ON (c.transaction_id, c.source, c.facet) = (a.transaction_id, a.source, a.facet)
    WHERE c.user_id <> a.user_id OR c.challenge IS DISTINCT FROM $5::uuid
)
"""  # noqa: S608 - composed of constants


@asynccontextmanager
async def nodes_of(url: str, connection: Connection) -> AsyncIterator[Nodes | None]:
    """Yield the ledger's nodes; None: all its buckets are on this server."""
    count = await connection.fetchval(_COUNT)
    if not count or not await connection.fetchval(IS_CITUS):
        yield None
        return
    claiming = await connect(connect_arguments(url), settings=SETTINGS)
    try:
        nodes = Nodes(connection, claiming, count)
        await nodes.prepare()
        yield nodes
    finally:
        await claiming.close()


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(values), ASKED_AT_ONCE):
        yield values[start : start + ASKED_AT_ONCE]
