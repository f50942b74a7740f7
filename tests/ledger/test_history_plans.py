"""A page of history reads about as many rows as it shows, however many rounds there are."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from app.ledger.history import ROUNDS_OF_AGENT, ROUNDS_OF_PLAYER, PageKey, RoundState
from app.ledger.pools import SESSION_SETTINGS
from tests.conftest import Database, sql

ROUNDS = 200_000
PAGE = 100
READ_MAX = 20 * PAGE

FILL = f"""
INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
SELECT 'p' || n, CASE n % 100 WHEN 0 THEN 'small' ELSE 'large' END, 'USD', 2, 'nick', 'en', now()
FROM generate_series(1, 1000) n;
INSERT INTO wallets (player_id, agent, currency, scale, chain)
SELECT player_id, agent, currency, scale, decode(repeat('00', 32), 'hex') FROM players;
INSERT INTO rounds (player_id, event_id, is_streamer, agent, currency, scale, game_id, opened_at,
    last_at, bets_placed, bets_standing, staked, stake_real, cancels, settled, refused_aborts)
SELECT p.player_id, 'e' || n, false, p.agent, 'USD', 2, 1, now() - n * interval '1 second',
    now(), 1, 1, 1, 1, 0, n % 997 <> 0, ARRAY[]::numeric[]
FROM generate_series(1, {ROUNDS}) n JOIN players p ON p.user_id = 'p' || (1 + n % 1000);
ANALYZE;
"""

INDEXES = {
    ("agent", RoundState.ALL): {"ix_rounds_agent_opened_at"},
    ("agent", RoundState.ENDED): {"ix_rounds_agent_opened_at"},
    ("agent", RoundState.ONGOING): {"ix_rounds_ongoing"},
    ("player", RoundState.ALL): {"ix_rounds_player_id_opened_at"},
    ("player", RoundState.ENDED): {"ix_rounds_player_id_opened_at"},
    # While few rounds are ongoing, their index may be laid over the player's.
    ("player", RoundState.ONGOING): {
        "ix_rounds_player_id_opened_at",
        "ix_rounds_ongoing",
        "pk_rounds",
    },
}


@pytest.fixture(scope="module")
def filled(module_db: Database) -> Database:
    """Many rounds: nearly all of one agent, nearly all settled."""
    sql(module_db.server, FILL, module_db.name)
    return module_db


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("state", RoundState)
@pytest.mark.parametrize(
    ("scope", "agent"), [("agent", "large"), ("agent", "small"), ("player", "large")]
)
@pytest.mark.parametrize("depth", [0, 0.5])
async def test_a_page_is_read_from_its_index(
    filled: Database, state: RoundState, scope: str, agent: str, depth: float
) -> None:
    statements = ROUNDS_OF_AGENT if scope == "agent" else ROUNDS_OF_PLAYER
    connection = await asyncpg.connect(
        filled.service_url.replace("+asyncpg", ""), server_settings=SESSION_SETTINGS
    )
    try:
        (times,) = await connection.fetch(
            "SELECT now() - interval '10 years', now() - $1 * interval '1 second'",
            int(ROUNDS * depth),
        )
        since, before = times
        key = PageKey(before, 0, "", False)  # noqa: FBT003
        arguments = [agent, since, *key, PAGE, *(["p5"] if scope == "player" else [])]
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statements[state]}"
        (row,) = await connection.fetch(explain, *arguments)
    finally:
        await connection.close()
    plan = json.loads(row[0])[0]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "rounds"]
    used = {node["Index Name"] for node in nodes(plan) if "_rounds" in node.get("Index Name", "")}
    assert used
    assert used <= INDEXES[scope, state]
    (scan,) = scans
    read = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
    assert read <= READ_MAX, f"{read} rounds were read for a page of {PAGE}"
    assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
