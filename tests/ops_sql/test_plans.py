"""Each view finds its way by an index when a day, a player or an id is named.

A small database would be scanned whole, so scans are forbidden here: what is held is that the
condition reaches the index through the view, which no statistics can bring about.
"""

import pytest

from tests.ops_sql.conftest import Psql

DAY = "day = '2026-03-01'"
PLAYER = "user_id = 'anna'"


@pytest.mark.one_server("conditions are sent to the nodes, which find the index")
@pytest.mark.parametrize(
    ("view", "condition", "index"),
    [
        ("movements", DAY, "ix_movements_ledger_day"),
        ("statement", DAY, "ix_movements_ledger_day"),
        ("daily_movements", DAY, "ix_movements_ledger_day"),
        ("daily_revenue", DAY, "ix_movements_ledger_day"),
        ("daily_streamer_revenue", DAY, "ix_movements_ledger_day"),
        ("daily_players", DAY, "ix_movements_ledger_day"),
        ("movements", PLAYER, "Index Cond: (player_id = p.player_id)"),
        ("statement", PLAYER, "Index Cond: (player_id = p.player_id)"),
        ("daily_players", PLAYER, "uq_players_user_id"),
        ("daily_balances", DAY, "pk_movements"),
        pytest.param(
            "daily_balances",
            PLAYER,
            "uq_players_user_id",
            marks=pytest.mark.one_bucket("the tables above the buckets have no statistics yet"),
        ),
        ("negative_balances", "true", "pk_movements"),
        ("movements", f"{PLAYER} AND event_id = 'bet-11'", "ix_movements_player_id_event_id"),
        ("transactions", "source = 'callback' AND transaction_id = 'b-1'", "pk_transaction_keys"),
        ("sport_bet_cancels", "true", "ix_movements_remarkable"),
        ("bets_after_abort", "true", "ix_movements_remarkable"),
        ("refusals", "is_final", "ix_movements_remarkable"),
    ],
)
def test_a_condition_reaches_its_index(psql: Psql, view: str, condition: str, index: str) -> None:
    plan = psql.says(
        "SET enable_seqscan = off; SET enable_mergejoin = off;"
        f"EXPLAIN (COSTS OFF) SELECT * FROM ops.{view} WHERE {condition}"
    )
    assert index in plan, plan


def test_every_view_answers(psql: Psql) -> None:
    for (view,) in psql.rows("SELECT viewname FROM pg_views WHERE schemaname = 'ops'"):
        psql.rows(f"SELECT count(*) FROM ops.{view}")
