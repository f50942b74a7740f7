"""The figures of Today: kept from one look to the next, and the same as if they were not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.ledger.backoffice.growing import SETTLED, SLICE, Growing
from app.ledger.backoffice.today import Today, TodayFigures
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.ops_views import OpsViews
from tests.backoffice.office import Office
from tests.cashier.till import Till

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Log:
    """Numbers, each with its moment, and what was asked for of them."""

    def __init__(self) -> None:
        self.numbers: list[tuple[datetime, int]] = []
        self.asked: list[tuple[datetime, datetime]] = []
        self.growing = Growing(self.ask, list[int].extend, list[int])

    async def ask(self, since: datetime, until: datetime) -> list[int]:
        self.asked.append((since, until))
        return [number for moment, number in self.numbers if since <= moment < until]

    async def whole(self, since: datetime, until: datetime, now: datetime) -> list[int]:
        kept, fresh = await self.growing.between(since, until, now)
        return [*kept, *fresh]


async def test_what_is_kept_and_what_is_asked_again_is_the_whole() -> None:
    log = Log()
    midnight = NOON.replace(hour=0)
    for step in range(200):
        now = NOON + timedelta(seconds=37 * step)
        # One of them is seen only now, though its moment has passed.
        log.numbers += [(now, 2 * step), (now - SETTLED + timedelta(seconds=10), 2 * step + 1)]
        whole = [number for moment, number in log.numbers if moment < now]
        assert sorted(await log.whole(midnight, now, now)) == sorted(whole)
    assert all(until - since < SETTLED + timedelta(minutes=2) for since, until in log.asked[13:])


async def test_a_day_that_ends_is_forgotten() -> None:
    log = Log()
    for hours in range(0, 48, 5):
        now = NOON + timedelta(hours=hours)
        log.numbers.append((now - timedelta(minutes=5), hours))
        midnight = now.replace(hour=0)
        whole = [number for moment, number in log.numbers if midnight <= moment < now]
        assert await log.whole(midnight, now, now) == whole


async def test_a_day_before_is_read_once_but_for_its_last_minute() -> None:
    log = Log()
    midnight = NOON.replace(hour=0) - DAY
    for step in range(20):
        now = NOON + timedelta(seconds=5 * step)
        await log.whole(midnight, now - DAY, now)
    spans = [until - since for since, until in log.asked]
    assert spans[:12] == [SLICE] * 12
    assert max(spans[12:]) <= timedelta(minutes=1)


def told(today: Today) -> list[Any]:
    """What the page shows, without the moment of the look."""
    return [
        [sorted(map(str, day.figures)) + sorted(map(str, day.players)) for day in today.days],
        [minute[:2] for minute in today.pace],
        today.refused,
    ]


async def test_a_later_look_tells_what_a_first_look_would(office: Office) -> None:
    async def play(ago: timedelta, name: str) -> None:
        moment = datetime.now(UTC) - ago
        ledger = PlacedLedger(office.database.service_url, pool_size=1, clock=lambda: moment)
        till = Till(ledger, office.database.superuser_url)
        await till.player(name, "100")
        await till.move(till.bet(name, "7", event_id=name))
        await till.move(till.bet(name, "9999", event_id=f"{name}-refused"))
        await ledger.close()

    views = OpsViews(office.database.ops_url)
    days = TodayFigures(views)
    for ago in (7 * DAY, DAY, timedelta(minutes=4)):
        await play(ago + timedelta(minutes=1), f"played-{ago // timedelta(seconds=1)}")
    before = await days.now()
    await play(timedelta(seconds=20), "played-now")
    later, first = await days.now(), await TodayFigures(views).now()
    assert told(later) == told(first) != told(before)
    assert all(sum(row.sums["turnover"] for row in day.figures) >= 7 for day in later.days)
    assert {row.refusal for row in later.refused} >= {"INSUFFICIENT_FUNDS"}
    await views.close()
