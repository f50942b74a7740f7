"""What moves money in several buckets of one server: few connections, and functions in each."""

import re

import asyncpg
import pytest

from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.startup_checks import check_startup
from app.ledger.buckets import COPIED, TABLES, functions
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.guards import guards
from app.ledger.migrations import upgrade
from app.ledger.money.statements import WHOLE, of_bucket
from app.ledger.pools import SESSION_SETTINGS
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.outcomes import Posting
from tests.cashier.till import Till, connect
from tests.conftest import Database
from tests.ledger.conftest import COUNT
from tests.ledger.money.test_statements import has_condition, scans_of

SCHEMAS = [schema_of(bucket, COUNT) for bucket in range(COUNT)]
NAMES = [f"player-{number}" for number in range(12)]

pytestmark = pytest.mark.one_bucket("it makes its own buckets")


async def definitions(db: Database, schema: str) -> dict[str, str]:
    """The functions of a schema by name, without what says in which they are."""
    connection = await connect(db.superuser_url)
    rows = await connection.fetch(
        "SELECT proname, pg_get_functiondef(oid) FROM pg_proc"
        " WHERE pronamespace = to_regnamespace($1) AND starts_with(proname, 'record_')",
        schema,
    )
    await connection.close()
    return {name: definition.replace(f"{schema}.", "") for name, definition in rows}


async def test_money_in_all_buckets_takes_no_more_connections_than_in_one(
    four: Database,
) -> None:
    till = Till(PlacedLedger(four.service_url), four.superuser_url)
    assert {bucket_of(name, COUNT) for name in NAMES} == set(range(COUNT))
    for name in NAMES:
        await till.player(name, "100")
    ledger = PlacedLedger(four.service_url, pool_size=3)
    apart = Till(ledger, four.superuser_url, tokens=till.tokens)
    serving = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'wallet/2'"
    )
    before = {row[0] for row in await till.rows(serving)}
    for _ in range(3):
        receipts = await apart.move(*(apart.bet(name, "1") for name in NAMES))
        assert all(isinstance(receipt, Posting) for receipt in receipts)
    opened = {row[0] for row in await till.rows(serving)} - before
    most = ledger.pool_use().most
    await ledger.close()
    await till.ledger.close()
    assert 1 <= len(opened) <= most == 3
    await till.is_sound()


NAMED = re.compile(rf"(\S*)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+\.)?({'|'.join(TABLES)})\b")


def test_every_table_of_a_bucket_s_own_is_named_with_its_schema() -> None:
    for statement in of_bucket("b01_of_04"):
        assert {schema for _, schema, _ in NAMED.findall(statement)} <= {"b01_of_04.", "public."}
    assert of_bucket("b01_of_04") != WHOLE


async def test_a_bucket_s_facts_are_found_by_key_in_the_bucket(four: Database) -> None:
    connection = await asyncpg.connect(
        four.service_url.replace("+asyncpg", ""), server_settings=SESSION_SETTINGS
    )
    for schema in SCHEMAS:
        asked = of_bucket(schema)
        for place, statement in enumerate((asked.facts, asked.further_facts, asked.lock_wallets)):
            scans = await scans_of(connection, f"{schema}_{place}", statement)
            assert [node for node in scans if not has_condition(node)] == []
            own = {node["Schema"] for node in scans if node.get("Relation Name") == "wallets"}
            assert own <= {schema}
    await connection.close()


async def test_each_bucket_has_the_functions_of_public(four: Database) -> None:
    above = await definitions(four, "public")
    wanted = {name: above[name] for name in COPIED}
    for schema in SCHEMAS:
        assert await definitions(four, schema) == wanted


async def test_a_copy_names_its_tables_and_needs_no_path_of_its_own(four: Database) -> None:
    owner = await connect(four.owner_url)
    for schema in SCHEMAS:
        rows = await owner.fetch(
            "SELECT proname, proconfig, prosrc FROM pg_proc"
            " WHERE pronamespace = to_regnamespace($1) AND proname = ANY ($2)",
            schema,
            COPIED,
        )
        named = {
            name: [found for _, *found in NAMED.findall(text)] for name, _, text in map(tuple, rows)
        }
        assert {of for found in named.values() for of, _ in found} == {f"{schema}."}
        assert {table for _, table in named["record_movements_v2"]} >= {"wallets", "movements"}
        # With a path of its own, whatever it calls would have its plans made anew.
        assert [row["proconfig"] for row in rows] == [None] * len(COPIED)
        adjusts = next(row["prosrc"] for row in rows if row["proname"] == "record_adjustment_v1")
        assert f"PERFORM {schema}.record_movements_v2(" in adjusts
    await owner.close()


async def test_a_migration_passes_on_what_it_changed_and_touches_nothing_else(
    four: Database,
) -> None:
    owner = await connect(four.owner_url)
    versions = "SELECT oid::regprocedure::text, xmin::text FROM pg_proc WHERE proname = $1"
    before = await owner.fetch(versions, COPIED[1])
    changed, same = COPIED[0], COPIED[1]
    definition = await owner.fetchval("SELECT pg_get_functiondef($1::regproc)", changed)
    await owner.execute(definition.replace("BEGIN", "BEGIN\n    -- changed", 1))
    await owner.execute(
        f"CREATE FUNCTION {SCHEMAS[2]}.record_movements_v0() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    await upgrade(four.owner_url, buckets=COUNT)
    above = await definitions(four, "public")
    assert "-- changed" in above[changed]
    for schema in SCHEMAS:
        assert await definitions(four, schema) == {name: above[name] for name in COPIED}
    assert await owner.fetch(versions, same) == before
    await owner.close()


async def test_what_only_the_release_before_calls_stays_as_long_as_public_has_it(
    four: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It calls the copy by its schema, and goes on until the upgrade has ended."""
    monkeypatch.setattr(functions, "COPIED", COPIED[1:])
    owner = await connect(four.owner_url)
    definition = await owner.fetchval("SELECT pg_get_functiondef($1::regproc)", COPIED[0])
    await owner.execute(definition.replace("BEGIN", "BEGIN\n    -- changed", 1))
    await upgrade(four.owner_url, buckets=COUNT)
    for schema in SCHEMAS:
        assert "-- changed" in (await definitions(four, schema))[COPIED[0]]
    await owner.close()


async def test_a_ledger_whose_migration_was_cut_off_before_a_bucket_is_not_served(
    four: Database,
) -> None:
    owner = await connect(four.owner_url)
    signature = "SELECT oid::regprocedure::text FROM pg_proc WHERE oid = $1::regproc"
    named = await owner.fetchval(signature, f"{SCHEMAS[2]}.{COPIED[0]}")
    ledger = PlacedLedger(four.service_url)
    policy = PolicyInForce(Till(ledger, four.superuser_url).policy)
    await check_startup(ledger, policy, require_durability=False)
    await owner.execute(f"DROP FUNCTION {named}")
    with pytest.raises(LedgerUnfitError, match=f"bucket {SCHEMAS[2]}"):
        await check_startup(ledger, policy, require_durability=False)
    await upgrade(four.owner_url, buckets=COUNT)
    await check_startup(ledger, policy, require_durability=False)
    await ledger.close()
    await owner.close()


async def test_a_replaced_function_of_a_bucket_is_another_guard(four: Database) -> None:
    owner = await connect(four.superuser_url)
    before = await guards(owner)
    definition = await owner.fetchval(
        f"SELECT pg_get_functiondef('{SCHEMAS[1]}.{COPIED[0]}'::regproc)"
    )
    await owner.execute(definition.replace("w.revision = n.revision", "true", 1))
    assert await guards(owner) != before
    await owner.close()
