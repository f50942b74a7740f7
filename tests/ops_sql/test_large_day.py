"""A day's figures cost one pass over the day, however many movements there are beside it.

A ledger of ten days is generated, with statistics, so that PostgreSQL plans as it does for a large
one; what is held is the plan that was run, not the time it took on this machine.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Database, sql
from tests.ops_sql.conftest import Psql

pytestmark = pytest.mark.one_bucket("it writes rows by hand")

PLAYERS, MOVEMENTS, DAYS = 500, 100_000, 10
DAY = MOVEMENTS // DAYS

GENERATE = f"""
INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
SELECT 'player-' || n, 'house', 'USD', 2, 'nick', 'en', '2026-10-01'
FROM generate_series(1, {PLAYERS}) AS n;
INSERT INTO movements
SELECT 1 + n % {PLAYERS}, 1 + n / {PLAYERS}, 1 + n / {PLAYERS}, 'callback', 't' || n, '',
       gen_random_uuid(), kind.name, kind.way, 'ACCEPTED', 'USD', 2, 10, 1000, 0, kind.delta, 0,
       1000 + kind.delta, 0, 'house:games', 'event-' || n / 2, 1 + n % 20, NULL, '{{}}', '', '',
       at.moment, at.moment, decode(repeat('00', 32), 'hex')
FROM generate_series(0, {MOVEMENTS - 1}) AS n
CROSS JOIN LATERAL (
    SELECT timestamptz '2026-11-01 00:00:00Z' + n * interval '{DAYS} days' / {MOVEMENTS} AS moment
) AS at
JOIN (VALUES (0, 'Win', 'credit', 10), (1, 'Lose', 'credit', 10), (2, 'BetPlacing', 'debit', -10),
             (3, 'BetPlacing', 'debit', -10)) AS kind (turn, name, way, delta)
    ON kind.turn = n % 4;
"""
# The smallest ranges, and workers from the first page on: 100,000 rows shall look like millions.
LIKE_MILLIONS = """
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
"""


@pytest.fixture(scope="module")
def large(module_db: Database) -> Psql:
    sql(module_db.server, GENERATE, module_db.name)
    sql(
        module_db.server,
        "DROP INDEX ix_movements_ledger_day;"
        " CREATE INDEX ix_movements_ledger_day ON movements"
        " USING brin (((ledger_time AT TIME ZONE 'UTC')::date)) WITH (pages_per_range = 8)",
        module_db.name,
    )
    sql(module_db.server, "ANALYZE", module_db.name)
    return Psql(module_db)


def run(psql: Psql, query: str) -> list[dict[str, Any]]:
    """Every node of the plan that was run."""
    asked = f"{LIKE_MILLIONS} EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}"
    code, printed = psql.run(asked, options="-A -t -q")
    assert code == 0, printed
    return list(nodes(json.loads(printed)[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


@pytest.mark.parametrize("view", ["daily_players", "daily_revenue", "daily_movements"])
def test_a_day_is_read_by_its_index_and_added_up_by_several_processes(
    large: Psql, view: str
) -> None:
    found = run(large, f"SELECT * FROM ops.{view} WHERE day = '2026-11-04'")
    assert not [node for node in found if node.get("Subplan Name")], "nothing runs for each row"
    scans = [node for node in found if node.get("Relation Name") == "movements"]
    assert scans
    for scan in scans:
        assert scan["Node Type"] in {"Bitmap Heap Scan", "Index Scan"}, scan
        read = scan["Actual Rows"] + scan.get("Rows Removed by Index Recheck", 0)
        assert read * scan["Actual Loops"] <= 1.5 * DAY, scan
    assert [node for node in found if node.get("Partial Mode") == "Partial"], "workers add up"
    sorts = [node for node in found if "Sort" in node["Node Type"]]
    for sort in sorts:
        assert sort["Actual Rows"] * sort["Actual Loops"] <= 3 * PLAYERS, "no movement is sorted"


@pytest.mark.parametrize("condition", ["user_id = 'player-7'", "user_id IN ('player-7', 'zoe')"])
def test_a_player_s_days_are_read_by_the_player(large: Psql, condition: str) -> None:
    found = run(large, f"SELECT * FROM ops.daily_players WHERE {condition}")
    scans = [node for node in found if node.get("Relation Name") == "movements"]
    assert {scan.get("Index Name") for scan in scans} <= {"pk_movements", None}
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) <= 3 * (
        MOVEMENTS // PLAYERS
    )


def test_the_generated_day_adds_up(large: Psql) -> None:
    assert large.rows(
        "SELECT sum(movements), sum(bets), sum(turnover), sum(ggr), count(*)"
        " FROM ops.daily_players WHERE day = '2026-11-04'"
    ) == [(str(DAY), str(DAY // 2), "50000.00", "0.00", str(PLAYERS))]
