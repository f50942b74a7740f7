"""The time zone of limits: chosen so that all agree about its clock, and changed between movements.

PostgreSQL reads CET as an abbreviation, one hour ahead of UTC in summer, too; the IANA database has
a zone of this name with summer time.
"""

import asyncio
from contextlib import AsyncExitStack
from zoneinfo import ZoneInfo

import pytest

from app.cashier.policy import LedgerUnfitError, PolicyInForce, policy_in_force
from app.cashier.startup_checks import check_startup
from app.ledger.owner_changes import OwnerChangeError, rezone_limits
from app.wallet.facts import Policy
from app.wallet.limit_days import LimitDays
from tests.cashier.till import Till
from tests.conftest import Database

WAITING = """
SELECT count(*) FROM pg_locks WHERE relation = 'wallets'::regclass AND NOT granted
"""


def in_zone(name: str) -> PolicyInForce:
    return PolicyInForce(Policy(limit_days=LimitDays(name, ZoneInfo(name))))


async def start(till: Till, zone: str) -> tuple[str, ...]:
    found = await check_startup(till.ledger, in_zone(zone), require_durability=False)
    return tuple(warning for warning in found if "time zone" in warning)


async def zone_of(till: Till) -> str | None:
    ((zone,),) = await till.rows("SELECT limit_zone FROM decision_settings")
    assert zone is None or isinstance(zone, str)
    return zone


async def test_a_zone_that_the_database_knows_otherwise_is_not_stored_at_the_first_start(
    till: Till,
) -> None:
    with pytest.raises(LedgerUnfitError, match=r"do not agree what time it is in CET on 20"):
        await start(till, "CET")
    assert await zone_of(till) is None
    assert await start(till, "Europe/Berlin") == ()
    assert await zone_of(till) == "Europe/Berlin"


async def test_a_zone_that_is_stored_and_differs_by_now_is_served_with_a_warning(
    till: Till,
) -> None:
    """Time zone data are updated on one side first, and nobody is to be turned away for it."""
    await policy_in_force(till.ledger, in_zone("CET").policy)
    (warning,) = await start(till, "CET")
    assert "do not agree" in warning


async def test_limits_are_not_rezoned_to_a_zone_that_the_database_knows_otherwise(
    till: Till, db: Database
) -> None:
    await start(till, "UTC")
    with pytest.raises(OwnerChangeError, match="do not agree"):
        await rezone_limits(db.owner_url, "test", "CET")
    assert await zone_of(till) == "UTC"
    assert await rezone_limits(db.owner_url, "test", "Europe/Paris") == "UTC"
    assert await rezone_limits(db.owner_url, "test", "UTC") == "Europe/Paris"


async def test_the_zone_changes_after_everything_that_was_decided_by_the_old_one(
    till: Till, db: Database
) -> None:
    """Whoever reads a wallet at this moment may decide by the old zone, and record it later."""
    await start(till, "UTC")
    home = await till.home_of("anna")
    async with AsyncExitStack() as open_ones:
        reader, watch = [await open_ones.enter_async_context(home.opened()) for _ in range(2)]
        async with asyncio.timeout(10), asyncio.TaskGroup() as group, reader.transaction():
            await reader.fetch("SELECT count(*) FROM wallets")
            group.create_task(rezone_limits(db.owner_url, "test", "Europe/Paris"))
            # The server has no event for it.
            while not await watch.fetchval(WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            decided_at = await watch.fetchval("SELECT clock_timestamp()")
    ((changed_at,),) = await till.rows("SELECT max(changed_at) FROM decision_setting_changes")
    assert changed_at > decided_at
