"""What the schema's owner changes reaches every node: the end of an upgrade, the zone of limits."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import SettingsDifferError
from app.ledger.owner_changes import finish_upgrade, rezone_limits
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.facts import RuleVersion
from app.wallet.limit_terms import RaiseRules
from tests.cashier.till import Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS

SCHEMAS = [schema_of(bucket, BUCKETS) for bucket in range(BUCKETS)]

WITHOUT_DELAY = RaiseRules(timedelta(0), needs_confirmation=False)


def name_in(bucket: int) -> str:
    return next(
        name for _ in range(1000) if bucket_of(name := f"own-{next(numbers)}", BUCKETS) == bucket
    )


def zone_of_this_day() -> str:
    """Name a zone far from UTC whose day is the same: where it has ended, nothing used counts."""
    now = datetime.now(UTC)
    zones = ("Asia/Tokyo", "America/Los_Angeles")
    return next(zone for zone in zones if now.astimezone(ZoneInfo(zone)).date() == now.date())


@pytest.fixture
async def owner(citus: Citus) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(citus.owner_url, timeout=10)
    (before,) = await connection.fetch("SELECT rule_version, limit_zone FROM decision_settings")
    yield connection
    await connection.execute(
        "UPDATE decision_settings SET rule_version = $1, limit_zone = $2", *before
    )
    await connection.close()


async def settings_at_every_node(citus: Citus, name: str) -> set[object]:
    found = set()
    for at in (citus.coordinator, *citus.nodes):
        (row,) = await citus.rows(f"SELECT {name} FROM decision_settings", at=at)
        found.add(row[0])
    return found


async def test_an_upgrade_ends_in_every_bucket(
    citus: Citus, till: Till, owner: asyncpg.Connection
) -> None:
    names = [await till.player(name_in(bucket)) for bucket in range(BUCKETS)]
    last = RuleVersion.LAST_RELEASE.value
    await owner.execute("UPDATE decision_settings SET rule_version = $1", last)
    for name, schema in zip(names, SCHEMAS, strict=True):
        # One raise whose time has come, and one whose time will.
        await owner.execute(
            f"UPDATE {schema}.wallets SET limits = '{{"
            '"stake_day": {"amount": 100, "later": 200, "from": 1},'
            '"loss_day": {"amount": 100, "later": 200, "from": 99999999999999999}}\''
            f" WHERE player_id = (SELECT player_id FROM {schema}.players WHERE user_id = $1)",
            name,
        )
    assert await finish_upgrade(citus.owner_url, "test")
    assert not await finish_upgrade(citus.owner_url, "test"), "it has ended"
    assert await settings_at_every_node(citus, "rule_version") == {RuleVersion.CURRENT.value}
    for name in names:
        (row,) = await till.rows(
            "SELECT w.limits::text, c.operation, c.source FROM wallets w"
            " JOIN players p USING (player_id) JOIN account_changes c USING (player_id)"
            " WHERE user_id = $1 AND c.operation = 'migrate/finish'",
            name,
        )
        assert row["limits"] == (
            '{"loss_day": {"from": 99999999999999999, "later": 200, "amount": 100,'
            ' "confirm": true}, "stake_day": {"amount": 200}}'
        )
        assert row["source"] == "test"
    for at in (citus.coordinator, *citus.nodes):
        (row,) = await citus.rows(
            "SELECT bool_or(has_column_privilege('wallet_service', t.name, 'limits', 'UPDATE'))"
            " FROM unnest($1::text[]) AS t (name)",
            [f"{schema}.players" for schema in SCHEMAS],
            at=at,
        )
        assert row[0] is False


async def test_the_zone_changes_on_every_node_when_whoever_reads_a_wallet_is_done(
    citus: Citus, till: Till, owner: asyncpg.Connection
) -> None:
    """Whoever reads a wallet at this moment may decide by the old zone, and record it later."""
    await owner.execute("UPDATE decision_settings SET limit_zone = 'UTC'")
    names = [await till.player(name_in(bucket), "10") for bucket in range(BUCKETS)]
    zone = "Europe/Paris"
    for schema, name in zip(SCHEMAS, names, strict=True):
        assert isinstance(till.ledger, PlacedLedger)
        at = till.ledger.bucket_of(name).place
        reader = await asyncpg.connect(citus.url_for("wallet_service", at), timeout=10)
        try:
            async with asyncio.timeout(20), asyncio.TaskGroup() as group, reader.transaction():
                await reader.fetch(f"SELECT FROM {schema}.wallets LIMIT 1")
                change = group.create_task(rezone_limits(citus.owner_url, "test", zone))
                await asyncio.sleep(0.5)
                assert not change.done()
                assert zone not in await settings_at_every_node(citus, "limit_zone")
                await reader.execute("COMMIT; BEGIN")
        finally:
            await reader.close()
        assert await settings_at_every_node(citus, "limit_zone") == {zone}
        assert await rezone_limits(citus.owner_url, "test", "UTC") == zone


async def test_nobody_records_by_the_old_zone_and_new_limits_count_by_the_new_one(
    citus: Citus, till: Till, far_till: Till, owner: asyncpg.Connection
) -> None:
    await owner.execute("UPDATE decision_settings SET limit_zone = 'UTC'")
    names = [await till.player(name_in(bucket), "10") for bucket in range(BUCKETS)]
    await rezone_limits(citus.owner_url, "test", zone_of_this_day())
    for name in names:
        for each in (till, far_till):
            with pytest.raises(SettingsDifferError):
                await each.one(each.movement(name, "Deposit", "credit", "1"))
    await rezone_limits(citus.owner_url, "test", "UTC")
    for name in names:
        change = AccountChange(limits={"deposit_day": "12"})
        await update_account(till.ledger, name, change, raises=WITHOUT_DELAY)
        (row,) = await till.rows(
            "SELECT day FROM limit_counters JOIN players USING (player_id) WHERE user_id = $1", name
        )
        assert row[0] == 10, "what was deposited before counts"
