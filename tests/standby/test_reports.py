"""Long reads go to a replica where one is named, and a missing standby is told where one is due."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.ledger.ops_views import OpsViews
from app.postgres.cluster import DATABASE, OPS, SERVICE
from tests.edges.transfer.bank import Bank, open_bank
from tests.standby.pair import Pair, PairDatabase, until


def audited(pair: Pair) -> dict[str, Any]:
    """Run `wallet audit` with the standby as the place for reports."""
    environment = {name: value for name, value in os.environ.items() if name[:7] != "WALLET_"}
    environment["WALLET_DATABASE_URL"] = pair.url_for(SERVICE)
    environment["WALLET_REPORTS_DATABASE_URL"] = pair.standby.address.url_for(SERVICE, DATABASE)
    done = subprocess.run(
        [sys.executable, "-m", "app", "audit", "--json"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return said


def test_the_audit_reads_the_replica_that_is_named_for_reports(bank: Bank, pair: Pair) -> None:
    player = bank.player("100")
    count = "SELECT count(*) FROM movements"
    on_primary = pair.primary.sql(count, DATABASE)
    until(lambda: pair.standby.sql(count, DATABASE) == on_primary)
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    until(lambda: pair.standby.sql("SELECT pg_get_wal_replay_pause_state()") == "paused")
    bank.move("account/deposit", player, "1")
    assert pair.primary.sql(count, DATABASE) == str(int(on_primary) + 1)
    said = audited(pair)
    pair.standby.sql("SELECT pg_wal_replay_resume()")
    assert (said["clean"], said["movements"]) == (True, int(on_primary))


@pytest.mark.parametrize("wanted", [True, False])
def test_a_standby_that_is_expected_and_missing_is_told_at_the_start(
    pair: Pair, *, wanted: bool
) -> None:
    pair.wait_for_standby(wanted=wanted)
    with (
        capture_logs() as heard,
        open_bank(PairDatabase(pair), expect_sync="on"),
    ):
        pass
    told = [line for line in heard if "WALLET_EXPECT_SYNC" in str(line.get("warning"))]
    assert len(told) == (0 if wanted else 1)


async def test_the_back_office_reads_its_views_on_a_standby(bank: Bank, pair: Pair) -> None:
    player = bank.player("100")
    views = OpsViews(pair.standby.address.url_for(OPS, DATABASE))
    await views.check_role()
    balance = "SELECT balance FROM ops.players WHERE user_id = $1"
    rows = await views.fetch(balance, player)
    for _ in range(500):
        if rows:
            break
        await asyncio.sleep(0.02)
        rows = await views.fetch(balance, player)
    assert [row["balance"] for row in rows] == [100]
    by_index = await views.fetch(balance, player, by_index=True)
    assert by_index == rows
    await views.close()
