"""What is read above all buckets is what the buckets hold."""

from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.inbox import collect
from app.cashier.lookups import HistoryPage, StatementPage, history, statement
from app.cashier.staff_lookups import (
    look_up_delivery,
    look_up_event,
    look_up_player,
    look_up_transaction,
)
from app.ledger.history import PageKey, RoundState
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.refusals import Refusal
from tests.cashier.till import AGENT, Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.citus.load import Load

SCHEMAS = [schema_of(bucket, BUCKETS) for bucket in range(BUCKETS)]

ADDED_UP = {
    "movements": ("count(*), sum(amount)", "movements WHERE decision = 'ACCEPTED'"),
    "players": ("count(*), count(DISTINCT user_id)", "players"),
    "transactions": ("count(*), count(DISTINCT transaction_id)", "transaction_keys"),
    "rounds": ("count(*), sum(length(event_id))", "rounds"),
}
"""Figures of a view, and the rows of every bucket that they are of."""


async def one_of_each(till: Till) -> list[str]:
    """Open an account in every bucket."""
    some = [f"above-{next(numbers)}" for _ in range(40)]
    names = [next(n for n in some if bucket_of(n, BUCKETS) == b) for b in range(BUCKETS)]
    for name in names:
        await till.player(name, "100")
    return names


@pytest.mark.timeout(120)
async def test_every_view_shows_what_the_buckets_hold(citus: Citus, till: Till) -> None:
    names = await one_of_each(till)
    await Load(till, names).run(2)
    for name in names:
        await till.one(till.bet(name, "5", event_id=f"e-{name}"))
        await till.one(till.bet(name, "1", token="not theirs", event_id=f"e-{name}"))
    views = await citus.rows("SELECT viewname FROM pg_views WHERE schemaname = 'ops'")
    assert len(views) > 50
    counts = {}
    for (view,) in views:
        ((counts[view],),) = await citus.rows(f"SELECT count(*) FROM ops.{view}")
    for view, (figures, table) in ADDED_UP.items():
        condition = " WHERE decision = 'accepted'" if view == "movements" else ""
        (shown,) = await citus.rows(f"SELECT {figures} FROM ops.{view}{condition}")
        of_buckets = [
            (await citus.rows(f"SELECT {figures} FROM {schema}.{table}"))[0] for schema in SCHEMAS
        ]
        held = [sum(row[i] or 0 for row in of_buckets) for i in range(2)]
        assert [*shown] == held, view
    ((out_of_balance,),) = await citus.rows(
        "SELECT count(*) FROM (SELECT sum(debits) - sum(credits) AS left FROM ops.trial_balance"
        " GROUP BY currency) t WHERE t.left <> 0"
    )
    assert out_of_balance == 0
    assert counts["refusals"] >= len(names)


async def test_everything_of_a_player_and_of_an_id_is_found(till: Till) -> None:
    for name in await one_of_each(till):
        bet = till.bet(name, "5", event_id=f"round-{name}")
        await till.one(bet)
        found = await look_up_transaction(till.ledger, bet.key.transaction_id)
        assert [each.owned.user_id for each in found.movements] == [name]
        by_delivery = await look_up_delivery(till.ledger, bet.delivery)
        assert [*by_delivery] == [bet.key.transaction_id]
        (event,) = await look_up_event(till.ledger, f"round-{name}", None)
        assert len(event.entries) == 1
        player = await look_up_player(till.ledger, name, 10)
        assert not isinstance(player, Refusal)


async def test_what_went_astray_in_any_bucket_is_in_the_inbox(citus: Citus, till: Till) -> None:
    names = await one_of_each(till)
    wins = [till.movement(name, "Win", "credit", "5", event_id=f"no-{name}") for name in names]
    receipts = await till.move(*wins)
    await collect(till.ledger)
    listed = await citus.rows(
        "SELECT user_id FROM exceptions WHERE kind = 'expected_credit' AND user_id = ANY($1)", names
    )
    assert sorted(row["user_id"] for row in listed) == sorted(names), receipts


async def test_pages_of_an_agents_rounds_are_merged_over_the_buckets(
    citus: Citus, till: Till
) -> None:
    names = await one_of_each(till)
    since = datetime.now(UTC)
    for turn in range(3):
        for name in names:
            await till.one(till.bet(name, "1", event_id=f"page-{turn}-{name}"))
    walked: list[str] = []
    after: PageKey | None = None
    for _ in range(4):
        page = await history(
            till.ledger,
            agent=AGENT,
            state=RoundState.ALL,
            user_id=None,
            since=since,
            until=since + timedelta(hours=1),
            after=after,
            count_max=5,
        )
        assert isinstance(page, HistoryPage)
        walked += [each.key.event_id for each in page.rounds]
        after = page.next_key
        if after is None:
            break
    shown = await citus.rows(
        "SELECT event_id FROM ops.rounds WHERE opened_at >= $1 AND event_id LIKE 'page-%'"
        " ORDER BY opened_at DESC",
        since,
    )
    assert walked == [event_id for (event_id,) in shown]
    assert len(walked) == 3 * BUCKETS


async def test_a_players_statement_is_read_at_their_own_bucket(till: Till) -> None:
    names = await one_of_each(till)
    since = datetime.now(UTC)
    for name in names:
        bets = [till.bet(name, "1", event_id=f"stated-{name}") for _ in range(3)]
        for bet in bets:
            await till.one(bet)
        walked: list[str] = []
        before: int | None = None
        for _ in range(2):
            page = await statement(
                till.ledger,
                agent=AGENT,
                user_id=name,
                since=since,
                until=since + timedelta(hours=1),
                before=before,
                count_max=2,
            )
            assert isinstance(page, StatementPage)
            walked += [each.transaction_id for each in page.movements]
            before = page.next_position
        assert before is None
        assert walked == [bet.key.transaction_id for bet in reversed(bets)]
