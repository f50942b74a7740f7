"""What each bucket is asked for, and then merged or added up, is what one statement above says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cashier.disputes import gather
from app.cashier.staff_lookups import look_up_delivery, look_up_our_id
from app.ledger.backoffice import risk, today
from app.ledger.backoffice.today import TodayFigures
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.connecting import connect
from app.ledger.history import ROUNDS_OF_AGENT, RoundState
from app.ledger.money.book import Book
from app.ledger.ops_views import ABOVE, OpsViews
from app.ledger.reports import daily, exports, funds
from app.ledger.reports.reading import LedgerReport, rows_of
from app.ledger.snapshot import snapshot
from app.reports.reports import books
from app.wallet.buckets import bucket_of, schema_of
from tests.cashier.till import AGENT, Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS, ledger_named
from tests.conftest import apart

PERIODIC = (
    *daily.SECTIONS,
    exports.MOVEMENTS,
    exports.ROUNDS,
    exports.SESSIONS,
)
OF_MOMENT = (funds.FUNDS, funds.DEBTS)

HOUR = timedelta(hours=1)

PAGE = 20
ROUNDS = 20_000
FIRST = schema_of(0, BUCKETS)
OPENED = datetime(2026, 11, 1, tzinfo=UTC)

FILL = f"""
INSERT INTO {FIRST}.rounds (player_id, event_id, is_streamer, agent, currency, scale, game_id,
    opened_at, last_at, bets_placed, bets_standing, staked, stake_real, cancels, settled,
    refused_aborts)
SELECT p.player_id, 'e' || n, false, '{AGENT}', 'USD', 2, 1,
    timestamptz '{OPENED}' - n * interval '1 second', timestamptz '{OPENED}', 1, 1, 1, 1, 0,
    n % 2 = 0, ARRAY[]::numeric[]
FROM unnest($1::bigint[]) AS p (player_id) CROSS JOIN generate_series(1, {ROUNDS // 10}) n
"""


@pytest.fixture
async def names(till: Till) -> list[str]:
    """Two players in every bucket, who have played: won, lost, been refused, and owe money."""
    some = [f"added-{next(numbers)}" for _ in range(80)]
    names = [n for b in range(BUCKETS) for n in [n for n in some if bucket_of(n, BUCKETS) == b][:2]]
    assert len(names) == 2 * BUCKETS
    for order, name in enumerate(names):
        await till.player(name, "100")
        event_id = f"of-{name}"
        await till.one(till.bet(name, "9", event_id=event_id))
        await till.one(till.bet(name, "9999", event_id=event_id))
        if order % 2:
            await till.one(till.movement(name, "Win", "credit", f"{order + 10}", event_id=event_id))
    return names


async def rows_above(citus: Citus, report: LedgerReport, *arguments: object) -> list[Any]:
    """Ask one statement, above the buckets, as on one server."""
    async with snapshot(citus.service_url) as (connection,):
        rows = rows_of(connection, report, *arguments)
        return [row[: len(report.columns)] async for row in rows]


@pytest.mark.timeout(120)
async def test_every_report_has_the_rows_of_one_statement_in_its_order(
    citus: Citus, names: list[str]
) -> None:
    now = datetime.now(UTC)
    since, until = now - HOUR, now + HOUR
    async with books(citus.service_url) as opened:
        assert len(opened.connections) == BUCKETS
        moment = opened.position.moment
        ((count,),) = await citus.rows(
            "SELECT count(*) FROM movements WHERE ledger_time <= $1", moment
        )
        assert opened.position.movements == count
        for report in (*PERIODIC, *OF_MOMENT):
            period = (since, until) if report in PERIODIC else ()
            merged = [row async for row in opened.rows(report, *period)]
            assert merged == await rows_above(citus, report, moment, *period), report.name
            assert merged or report in {daily.RESETTLEMENTS, funds.DEBTS}
        for report, arguments in (
            (exports.STATEMENT, (names[-1], since, until)),
            (exports.BALANCE, (names[-1],)),
        ):
            merged = [row async for row in opened.rows(report, *arguments)]
            assert merged == await rows_above(citus, report, moment, *arguments)
            assert merged


class Above(OpsViews):
    """Asks the views of the whole ledger for what each bucket is asked for."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._places = [ABOVE]


@pytest.mark.usefixtures("names")
@pytest.mark.timeout(120)
async def test_figures_of_the_buckets_add_up_to_those_above_them(citus: Citus) -> None:
    url = citus.url_for("wallet_ops")
    apart, above = OpsViews(url), Above(url)
    now = datetime.now(UTC)
    try:
        told = []
        for views in (apart, above):
            figures = TodayFigures(views)
            told.append(
                (
                    await figures._ask_sums(now - HOUR, now),
                    await figures._ask_players(now - HOUR, now),
                    sorted(await figures._pace(now)),
                    sorted(await risk._results(views, now - HOUR, 3)),
                )
            )
        assert len(apart._places or []) == BUCKETS
    finally:
        await apart.close()
        await above.close()
    of_buckets, of_all = told
    assert of_buckets[:3] == of_all[:3]
    # Of each bucket there are its own best and worst, among which are those of all.
    assert set(of_all[3]) <= set(of_buckets[3])
    assert all(of_buckets)


@pytest.mark.usefixtures("names")
async def test_figures_are_added_at_the_nodes(citus: Citus) -> None:
    connection = await connect_ops(citus)
    try:
        for query, arguments in (
            (today._FIGURES, 2),
            (today._PLAYERS, 2),
            (today._PACE, 1),
        ):
            of_bucket = query.replace("ops.", f"ops_{schema_of(0, BUCKETS)}.")
            moments = [datetime.now(UTC) - HOUR, datetime.now(UTC)][:arguments]
            ((plan,),) = await connection.fetch(f"EXPLAIN (FORMAT json) {of_bucket}", *moments)
            (top,) = json.loads(plan)
            assert top["Plan"]["Node Type"] == "Foreign Scan", plan
    finally:
        await connection.close()


async def connect_ops(citus: Citus) -> Any:  # noqa: ANN401 - the driver's
    return await connect(
        {"dsn": citus.url_for("wallet_ops")},  # type: ignore[typeddict-unknown-key]
        settings={"plan_cache_mode": "force_custom_plan"},
    )


async def test_a_dispute_and_what_a_request_left_are_found_wherever_the_player_is(
    till: Till, names: list[str]
) -> None:
    for name in names[::2]:
        bet = till.bet(name, "3", event_id=f"disputed-{name}")
        await till.one(bet)
        dispute = await gather(till.ledger, bet.key.transaction_id, 2)
        (disputed,) = dispute.movements
        assert disputed.details.owned.user_id == name
        assert [each.account.user_id for each in dispute.rounds] == [name]
        (line,) = dispute.time_lines
        assert line.user_id == name
        assert disputed.details.owned.entry in [each.entry for each in line.entries]
        assert [*await look_up_delivery(till.ledger, bet.delivery)] == [bet.key.transaction_id]
        entry = disputed.details.owned.entry
        # It is no movement of Betby's, which alone is told such ids.
        assert await look_up_our_id(till.ledger, f"{entry.player_id}-{entry.position}") == {}


def tasks(plan: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yield every step of a plan, those of the nodes' own plans with them."""
    if isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for value in plan.values():
            yield from tasks(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from tasks(value)


@pytest.fixture(scope="module")
def large() -> Iterator[Citus]:
    """A ledger of its own, whose first bucket has many rounds that no movement has opened."""
    for made in ledger_named("large"):
        apart(fill(made))
        yield made


async def fill(made: Citus) -> None:
    ledger = PlacedLedger(made.service_url, buckets=BUCKETS)
    till = Till(ledger, made.superuser_url)
    some = [f"large-{number}" for number in range(80)]
    for name in [name for name in some if bucket_of(name, BUCKETS) == 0][:10]:
        await till.player(name, "0")
    await ledger.close()
    players = [
        row["player_id"] for row in await made.rows(f"SELECT player_id FROM {FIRST}.players")
    ]
    await made.rows(FILL, players, then=f"ANALYZE {FIRST}.rounds; ANALYZE {FIRST}.players")


@pytest.mark.parametrize("state", RoundState)
async def test_a_page_at_a_node_is_read_from_an_index_as_far_as_it_goes(
    large: Citus, state: RoundState
) -> None:
    async def work(book: Book) -> str:
        plan: str = await book.connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT json) {ROUNDS_OF_AGENT[state]}",
            *(AGENT, OPENED - 100 * HOUR, OPENED, 2**62, "", False, PAGE),
        )
        return plan

    ledger = PlacedLedger(large.service_url, buckets=BUCKETS)
    try:
        plan = json.loads(await ledger.read_only(work, of=(await ledger.apart())[0]))
    finally:
        await ledger.close()
    steps = list(tasks(plan))
    kinds = [step["Node Type"] for step in steps]
    (rounds,) = [step for step in steps if step.get("Relation Name", "").startswith("rounds_")]
    assert "Limit" in kinds, kinds
    assert rounds["Node Type"] == "Index Scan", rounds
    assert PAGE <= rounds["Actual Rows"] <= 2 * PAGE, rounds
    assert not {"Seq Scan", "Sort"} & set(kinds), kinds
