"""A page of a statement reads what it shows and a dozen look-ups, however long the journal is."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.ledger.account_statement import BEYOND_ALL, STATEMENT
from app.ledger.pools import SESSION_SETTINGS
from app.postgres import EmbeddedPostgres
from app.wallet.journal import EPOCH
from app.wallet.moments import LATEST
from tests.conftest import Database, clone, sql, template_with

PLAYERS, MOVEMENTS = 5, 100_000
OF_EACH = MOVEMENTS // PLAYERS
PAGE = 100
LOOK_UPS_MAX = 2 * OF_EACH.bit_length()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

FILL = f"""
INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
SELECT 'p' || n, 'house', 'USD', 2, 'nick', 'en', now() FROM generate_series(1, {PLAYERS}) n;
INSERT INTO wallets (player_id, agent, currency, scale, chain, position)
SELECT player_id, agent, currency, scale, decode(repeat('00', 32), 'hex'), {OF_EACH} FROM players;
INSERT INTO movements (player_id, position, version, source, transaction_id, facet,
    delivery, event_type, direction, decision, currency, scale, amount, real_before,
    bonus_before, real_delta, bonus_delta, real_after, bonus_after, contra, event_id,
    reverses, flags, event_time, ledger_time, chain)
SELECT p.player_id, n, n, 'callback', 't-' || p.player_id || '-' || n, '',
    '00000000-0000-0000-0000-000000000001', 'Win', 'credit', 'ACCEPTED', 'USD', 2, 0, 0, 0, 0, 0,
    0, 0, 'house:games', 'event-1', '', '', at.moment, at.moment, decode(repeat('00', 32), 'hex')
FROM generate_series(1, {OF_EACH}) n
CROSS JOIN players p
CROSS JOIN LATERAL (
    SELECT timestamptz '{BEGIN.isoformat()}' + n * interval '1 minute' AS moment
) at;
"""


@pytest.fixture(
    scope="module",
    params=[f"{FILL} ANALYZE", f"ANALYZE; {FILL}"],
    ids=["analysed", "analysed while empty"],
)
def filled(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Few players with long journals, and what the planner knows of them, or thinks it knows."""
    for database in clone(postgres, template_with(postgres, 1), 1):
        sql(database.server, request.param, database.name)
        yield database


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def at(position: int) -> datetime:
    """When the movement at a position was decided."""
    return BEGIN + position * timedelta(minutes=1)


@pytest.mark.parametrize(
    ("since", "until", "before", "last"),
    [
        (EPOCH, LATEST, BEYOND_ALL, OF_EACH),
        (EPOCH, LATEST, OF_EACH // 2, OF_EACH // 2 - 1),
        (EPOCH, at(PAGE + 1), BEYOND_ALL, PAGE),
        (at(9000), at(11_000), BEYOND_ALL, 10_999),
        (at(9000), at(11_000), 9500, 9499),
    ],
    ids=["first page", "a page halfway", "the oldest", "a period", "a page of a period"],
)
async def test_a_page_is_read_from_the_journal_s_key(
    filled: Database, since: datetime, until: datetime, before: int, last: int
) -> None:
    connection = await asyncpg.connect(
        filled.service_url.replace("+asyncpg", ""), server_settings=SESSION_SETTINGS
    )
    arguments = (3, since, until, before, PAGE)
    try:
        shown = await connection.fetch(STATEMENT, *arguments)
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {STATEMENT}"
        (row,) = await connection.fetch(explain, *arguments)
    finally:
        await connection.close()
    assert [line["position"] for line in shown] == list(range(last, last - PAGE, -1))
    plan = json.loads(row[0])[0]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "movements"]
    assert [scan["Index Name"] for scan in scans] == ["pk_movements"] * 2
    assert not [node for node in nodes(plan) if node["Node Type"] in {"Seq Scan", "Sort"}]
    look_ups, page = sorted(scans, key=lambda scan: scan["Actual Loops"], reverse=True)
    assert look_ups["Actual Loops"] <= LOOK_UPS_MAX
    assert (page["Actual Loops"], page["Actual Rows"]) == (1, PAGE)
    assert not page.get("Rows Removed by Filter")
