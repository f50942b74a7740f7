"""Changes a ledger by hand, past all that guards it, where the rows themselves are.

On one server they are reached by the names of the tables above the buckets. On a cluster each
player's are on the node of their bucket, in tables that Citus calls shards: whoever changes those
leaves the coordinator as it is. So a statement goes to the buckets of the players whom it names
(`:anna`), to that of a schema it names, or else to both players'; what is about no player goes to
the coordinator.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from app.ledger.citus import IN_EACH, ON_EVERY_NODE
from app.ledger.tables import metadata
from tests.cashier.homes import connect, homes
from tests.conftest import schema_for

if TYPE_CHECKING:
    import asyncpg

    Connected = asyncpg.Connection[asyncpg.Record]

PLAYERS: Final = ("anna", "bert")

OF_NO_PLAYER: Final = frozenset(metadata.tables) - {*IN_EACH, *ON_EVERY_NODE}

_WORD: Final = re.compile(r"[a-z_0-9]+")
_NAMED: Final = re.compile(rf":({'|'.join(PLAYERS)})\b")
_OF_FUNCTION: Final = re.compile(r"\b(CREATE OR REPLACE FUNCTION|pg_get_functiondef)\b")

_TABLES: Final = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE relkind = 'r' AND (nspname = 'public' OR nspname LIKE 'b%_of_%')
"""
_NOT_OF_NODES: Final = " AND c.oid NOT IN (SELECT logicalrelid FROM pg_dist_partition)"
_SHARDS: Final = """
SELECT c.relname, s.shardid FROM pg_dist_shard s JOIN pg_class c ON c.oid = s.logicalrelid
WHERE c.relnamespace = $1::text::regnamespace
"""


class Spot(NamedTuple):
    """A bucket at its node, and the numbers of its shards by table."""

    connection: "Connected"
    schema: str
    shards: Mapping[str, int]

    def shard(self, table: str) -> str:
        return f"{self.schema}.{table}_{self.shards[table]}"

    def at_shards(self, statement: str) -> str:
        """Return a statement with the shards in the place of their tables."""
        for table in {*_WORD.findall(statement)} & {*self.shards}:
            named = rf"(\b{self.schema}\.)?\b{table}\b(?! *=)"
            statement = re.sub(named, self.shard(table), statement)
            statement = re.sub(r"\bappend_only\b", f"append_only_{self.shards[table]}", statement)
        return statement


class Hands:
    """Who changes the ledger, connected to every place that has rows of the players."""

    def __init__(
        self, above: "Connected", numbers: Mapping[str, int], spots: Mapping[str, Spot]
    ) -> None:
        """`spots` is empty where one server has all rows."""
        self.above = above
        self._numbers = numbers
        self._spots = spots

    async def put_triggers_aside(self, change: Literal["DISABLE", "ENABLE"]) -> None:
        """Disable every trigger of the ledger's tables, or enable it again, as their owner may."""
        for row in await self.above.fetch(_TABLES + (_NOT_OF_NODES if self._spots else "")):
            await self.above.execute(f"ALTER TABLE {row[0]} {change} TRIGGER USER")
        for spot in self._spots.values():
            for table in spot.shards:
                await spot.connection.execute(
                    f"ALTER TABLE {spot.shard(table)} {change} TRIGGER USER"
                )

    def places_of(self, table: str) -> "list[tuple[Connected, str]]":
        """Return where the rows of a table are, and what it is called there."""
        if table in OF_NO_PLAYER or not self._spots:
            return [(self.above, table)]
        return [(spot.connection, spot.shard(table)) for spot in self._spots.values()]

    async def run(self, *statements: str, at_shards: bool | None = None) -> None:
        """Run each where its rows are; one that changes rows must change some.

        `at_shards`: whether it names the shards, past what Citus asks before it leads to them;
        None: unless it adds rows with defaults, which shards have not.
        """
        for statement in statements:
            numbered = _NAMED.sub(lambda named: str(self._numbers[named[1]]), statement)
            spots = self._spots_of(statement)
            if not spots:
                done = [await self.above.execute(numbered)]
            elif _names_shards(statement) if at_shards is None else at_shards:
                done = [await s.connection.execute(s.at_shards(numbered)) for s in spots]
            else:
                done = [await s.connection.execute(numbered) for s in spots]
            assert not all(tag.endswith(" 0") for tag in done), statement

    def _spots_of(self, statement: str) -> list[Spot]:
        """Return the buckets that a statement is about; none: it is for above."""
        words = {*_WORD.findall(statement)}
        is_of_function = _OF_FUNCTION.search(statement) is not None
        if not self._spots or words & OF_NO_PLAYER or not (words & {*IN_EACH} or is_of_function):
            return []
        schemas = words & {*self._spots} or {schema_for(n) for n in _NAMED.findall(statement)}
        if is_of_function:
            # Of one node; the other's stays as it was.
            schemas = {schema_for(PLAYERS[0])}
        return [self._spots[schema] for schema in schemas or self._spots]


def _names_shards(statement: str) -> bool:
    return "INSERT INTO" not in statement or "jsonb_populate_record" in statement


@asynccontextmanager
async def hands(url: str) -> AsyncIterator[Hands]:
    """Connect to every place that has rows of the players, as the role of the address."""
    async with AsyncExitStack() as stack:
        above = await connect(url)
        stack.push_async_callback(above.close)
        rows = await above.fetch("SELECT user_id, player_id FROM players")
        spots: dict[str, Spot] = {}
        for home in await homes(url):
            if home.is_node and home.schema in {schema_for(name) for name in PLAYERS}:
                there = await stack.enter_async_context(home.opened())
                await there.execute("SET citus.enable_manual_changes_to_shards = on")
                shards = {row[0]: row[1] for row in await there.fetch(_SHARDS, home.schema)}
                spots[home.schema] = Spot(there, home.schema, shards)
        yield Hands(above, {row[0]: row[1] for row in rows}, spots)
