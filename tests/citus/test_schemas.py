"""What `wallet migrate` makes on a cluster."""

import asyncio

import asyncpg
import pytest

from app.ledger.buckets import BucketsDifferError
from app.ledger.citus import IN_EACH, Place
from app.ledger.citus.above import assert_introduced
from app.ledger.migrations import prepared_connection
from app.wallet.buckets import bucket_of, schema_of
from tests.cashier.till import Till
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.conftest import migrate

SCHEMAS = [schema_of(bucket, BUCKETS) for bucket in range(BUCKETS)]


async def test_a_bucket_lies_whole_on_one_node_and_all_nodes_have_some(citus: Citus) -> None:
    rows = await citus.rows(
        """
        SELECT n.nspname AS schema, array_agg(DISTINCT p.groupid) AS groups,
               count(DISTINCT c.relname) AS tables
        FROM pg_dist_shard s JOIN pg_class c ON c.oid = s.logicalrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_dist_placement p ON p.shardid = s.shardid
        WHERE n.nspname = ANY($1) GROUP BY 1
        """,
        SCHEMAS,
    )
    assert sorted(row["schema"] for row in rows) == SCHEMAS
    assert {len(row["groups"]) for row in rows} == {1}
    assert {row["tables"] for row in rows} == {len(IN_EACH) + 1}, "and the claims"
    assert len({row["groups"][0] for row in rows}) == len(citus.nodes)


async def test_the_tables_above_take_no_row(citus: Citus) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="rows_are_in_buckets"):
        await citus.rows(
            "INSERT INTO public.players (user_id, agent, currency, scale, nickname, language,"
            " created_at) VALUES ('nobody', 'house', 'USD', 2, 'nickname', 'en', now())"
        )


@pytest.mark.parametrize("table", IN_EACH)
async def test_a_table_above_shows_the_rows_of_all_buckets(
    citus: Citus, till: Till, table: str
) -> None:
    anna = await till.player(f"shown-{table}", "10")
    await till.one(till.bet(anna, "1", token="not theirs", event_id=f"e-{anna}"))
    (above,) = await citus.rows(
        f"SELECT count(*) AS all, (SELECT count(*) FROM ONLY {table}) AS own FROM {table}"
    )
    parts = [await citus.rows(f"SELECT count(*) FROM {schema}.{table}") for schema in SCHEMAS]
    assert above["all"] == above["own"] + sum(row["count"] for (row,) in parts)
    assert table == "refusals" or not above["own"]


async def test_a_row_is_locked_and_changed_by_the_name_above(citus: Citus, till: Till) -> None:
    anna = await till.player("locked-1", "10")
    service = await asyncpg.connect(citus.service_url)
    other = await asyncpg.connect(citus.service_url)
    whose = "player_id = (SELECT player_id FROM players WHERE user_id = $1)"
    revision = f"SELECT revision FROM wallets WHERE {whose}"
    try:
        before = await service.fetchval(revision, anna)
        async with service.transaction():
            await service.fetchval(f"{revision} FOR UPDATE", anna)
            await other.execute("SET statement_timeout = '500ms'")
            with pytest.raises(asyncpg.QueryCanceledError):
                await other.fetchval(f"{revision} FOR UPDATE", anna)
            raised = await service.execute(
                f"UPDATE wallets SET revision = revision + 1 WHERE {whose}", anna
            )
        assert raised == "UPDATE 1"
        assert await other.fetchval(revision, anna) == before + 1
        with pytest.raises(asyncpg.PostgresError, match="permission denied"):
            await service.execute(f"UPDATE movements SET chain = chain WHERE {whose}", anna)
    finally:
        await service.close()
        await other.close()


async def test_a_cluster_that_was_not_introduced_says_what_to_run(citus: Citus) -> None:
    connection = await asyncpg.connect(citus.url_for())
    try:
        await connection.execute("ALTER SERVER buckets RENAME TO other")
        with pytest.raises(BucketsDifferError, match=r"introduce\.sql"):
            await asyncio.to_thread(introduced, citus.owner_url)
    finally:
        await connection.execute("ALTER SERVER other RENAME TO buckets")
        await connection.close()


def introduced(url: str) -> None:
    async def look() -> None:
        async with prepared_connection(url) as connection:
            await connection.run_sync(assert_introduced)

    asyncio.run(look())


async def test_a_player_cannot_be_put_into_another_bucket(citus: Citus) -> None:
    wrong = SCHEMAS[(bucket_of("anna", BUCKETS) + 1) % BUCKETS]
    with pytest.raises(asyncpg.PostgresError, match="ck_players_bucket"):
        await citus.rows(
            f"INSERT INTO {wrong}.players (user_id, agent, currency, scale, nickname, language,"
            " created_at) VALUES ('anna', 'house', 'USD', 2, 'nickname', 'en', now())"
        )


async def test_the_journal_is_only_added_to_on_whichever_node_it_is(
    citus: Citus, till: Till
) -> None:
    await till.player("journal-1", "10")
    schema = schema_of(bucket_of("journal-1", BUCKETS), BUCKETS)
    for at in (citus.coordinator, *citus.nodes):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await citus.rows(f"UPDATE {schema}.movements SET chain = chain", at=at)


async def test_no_number_is_given_to_two_players(citus: Citus, till: Till, far_till: Till) -> None:
    for number in range(12):
        await (far_till if number % 2 else till).player(f"numbered-{number}")
    rows = await citus.rows("SELECT player_id FROM players GROUP BY player_id HAVING count(*) > 1")
    assert rows == []


@pytest.mark.timeout(180)
async def test_what_a_migration_changes_reaches_every_bucket(citus: Citus) -> None:
    """A column with its default, its CHECK, its index and its privilege; then none of them."""
    owner = await asyncpg.connect(citus.owner_url)
    try:
        await owner.execute(
            "ALTER TABLE public.rounds ADD COLUMN tried text DEFAULT 'x'"
            " CONSTRAINT ck_rounds_tried CHECK (tried <> '');"
            " CREATE INDEX ix_rounds_tried ON public.rounds (tried);"
            " GRANT UPDATE (tried) ON public.rounds TO wallet_service"
        )
        migrate(citus.owner_url, BUCKETS)
        for at in (citus.coordinator, *citus.nodes):
            assert await tried(citus, at) == SCHEMAS
        assert await citus.rows("SELECT tried FROM rounds WHERE tried <> 'x'") == []
    finally:
        await owner.execute("ALTER TABLE public.rounds DROP COLUMN tried")
        await owner.close()
    migrate(citus.owner_url, BUCKETS)
    for at in (citus.coordinator, *citus.nodes):
        assert await tried(citus, at) == []


async def tried(citus: Citus, at: Place) -> list[str]:
    """Return the buckets whose rounds have the column with all that belongs to it."""
    rows = await citus.rows(
        """
        SELECT n.nspname AS schema
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tried' AND a.atthasdef
        JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = 'ck_rounds_tried'
        JOIN pg_index i ON i.indrelid = c.oid AND i.indkey::text = a.attnum::text
        WHERE c.relname = 'rounds' AND n.nspname <> 'public'
          AND has_column_privilege('wallet_service', c.oid, a.attnum, 'UPDATE')
        ORDER BY 1
        """,
        at=at,
    )
    return [row["schema"] for row in rows]
