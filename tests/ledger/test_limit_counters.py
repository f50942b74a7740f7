"""A counter that begins when its limit is set holds what it would have counted all along."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.audit import audit
from app.cashier.games import name_game
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.games import NAMED_AFTER, add_name
from app.ledger.money.book import Book
from app.wallet.facts import Policy
from app.wallet.limit_days import EarlierZone, LimitDays
from app.wallet.limit_terms import RaiseRules
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal
from tests.cashier.till import Till
from tests.conftest import Database

LIMITS = AccountChange(
    limits={"deposit_day": "9000", "stake_month:casino": "9000", "loss_day:sport": "9000"}
)

# event type, direction, amount, event, game; 7 has no name
STORY = (
    ("BetPlacing", "debit", "10", "e1", 1),
    ("BetPlacing", "debit", "20", "e1", 1),
    ("Win", "credit", "25", "e1", 1),
    ("BetPayedAbort", "debit", "5", "e1", 1),
    ("BetPlacing", "debit", "40", "e2", 2),
    ("BetPlacingAbort", "credit", "40", "e2", 2),
    ("SportBetCancel", "debit", "40", "e2", 2),
    ("BetPlacing", "debit", "8", "e3", 7),
    ("BetPlacingAbort", "credit", "8", "e3", 7),
    ("BetPlacing", "debit", "3", "e4", 7),
    ("Win", "credit", "50", "e4", 7),
    ("Tip", "debit", "2", "e5", 1),
    ("PromoWin", "credit", "6", "e6", 1),
    ("BetPlacing", "debit", "90000", "e7", 1),
)


async def limit(till: Till, user_id: str) -> None:
    note = ChangeNote("house", "account/update", "{}", bytes(16), datetime.now(UTC))
    after = await update_account(till.ledger, user_id, LIMITS, raises=RaiseRules(), note=note)
    assert not isinstance(after, Refusal)


async def counters(till: Till, user_id: str) -> dict[str, tuple[int, ...]]:
    rows = await till.rows(
        "SELECT counter, day::int, week::int, month::int FROM limit_counters"
        " JOIN players USING (player_id) WHERE user_id = $1",
        user_id,
    )
    return {row[0]: tuple(row[1:]) for row in rows}


@pytest.mark.parametrize("renamed", [False, True], ids=["as named", "named anew"])
async def test_begun_late_and_counted_all_along_are_the_same(
    db: Database, *, renamed: bool
) -> None:
    now = datetime.now(UTC)
    till = Till(PlacedLedger(db.service_url, clock=lambda: now), db.superuser_url)
    await name_game(till.ledger, 1, "casino", "test")
    await name_game(till.ledger, 2, "sport", "test")
    now += NAMED_AFTER
    for user_id in ("early", "late"):
        await till.player(user_id)
    await limit(till, "early")
    for user_id in ("early", "late"):
        await till.move(till.movement(user_id, "Deposit", "credit", "500"))
    for number, (kind, way, amount, event_id, game_id) in enumerate(STORY):
        if renamed and number == len(STORY) // 2:
            await name_game(till.ledger, 2, "casino", "test")
            await name_game(till.ledger, 7, "sport", "test")
            now += NAMED_AFTER
        for user_id in ("early", "late"):
            movement = till.movement(user_id, kind, way, amount, event_id=event_id)
            receipt = await till.one(movement._replace(game_id=game_id))
            assert isinstance(receipt, Posting) is (amount != "90000"), (kind, receipt)
    await limit(till, "late")
    assert await counters(till, "late") == await counters(till, "early")
    assert (await counters(till, "early"))["deposit"] == (500, 500, 500)
    await till.ledger.close()
    assert (await audit(db.service_url)).breaches == []


async def test_a_bet_that_is_decided_while_its_game_is_named_counts_and_returns_as_before(
    till: Till,
) -> None:
    await till.player("anna", "100")
    await limit(till, "anna")

    async def work(book: Book) -> None:
        await add_name(book, 1, "casino", "test")
        await till.one(till.bet())

    await till.ledger.serializable(work)
    await till.one(till.movement("anna", "BetPlacingAbort", "credit", "10"))
    for counter, sums in (await counters(till, "anna")).items():
        assert sums == ((100,) * 3 if counter == "deposit" else (0,) * 3), counter


async def test_a_limit_that_is_set_again_begins_anew(till: Till) -> None:
    await till.player("anna", "100")
    await limit(till, "anna")
    lifted = AccountChange(limits=dict.fromkeys(LIMITS.limits))
    at_once = RaiseRules(RaiseRules().cooling * 0, needs_confirmation=False)
    assert not isinstance(
        await update_account(till.ledger, "anna", lifted, raises=at_once), Refusal
    )
    await till.move(till.movement("anna", "Deposit", "credit", "70"))
    await limit(till, "anna")
    assert (await counters(till, "anna"))["deposit"] == (170, 170, 170)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Pacific/Auckland", "America/Los_Angeles"),
        ("America/Los_Angeles", "Pacific/Auckland"),
        ("Asia/Tokyo", "UTC"),
    ],
)
async def test_a_counter_that_begins_after_a_change_of_zone_is_the_same_as_one_before_it(
    db: Database, before: str, after: str
) -> None:
    now = datetime(2026, 3, 30, 4, tzinfo=UTC)
    ledger = PlacedLedger(db.service_url, clock=lambda: now)
    till = Till(ledger, db.superuser_url, policy=Policy(limit_days=zoned(before)))
    await till.rows("UPDATE decision_settings SET limit_zone = $1", before)
    names = [await till.player(f"{when}-{what}") for when in ("early", "late") for what in "ab"]
    for name in names[:2]:
        await limit(till, name)
    rezoned_at = now + timedelta(hours=40)
    for hours in range(0, 80, 7):
        now = datetime(2026, 3, 30, 4, tzinfo=UTC) + timedelta(hours=hours)
        if till.policy.limit_days.name == before and now >= rezoned_at:
            await till.rows(
                "WITH noted AS (INSERT INTO decision_setting_changes"
                " (changed_at, source, name, value_before, value_after)"
                " VALUES ($1, 'test', 'limit_zone', $2, $3))"
                " UPDATE decision_settings SET limit_zone = $3",
                rezoned_at,
                before,
                after,
            )
            earlier = (EarlierZone(rezoned_at, ZoneInfo(before)),)
            till.policy = Policy(limit_days=LimitDays(after, ZoneInfo(after), earlier))
        for name in names:
            await till.move(till.movement(name, "Deposit", "credit", "1"))
        if hours in {42, 77}:
            late, early = names[2 + (hours > 42)], names[hours > 42]
            await limit(till, late)
            assert await counters(till, late) == await counters(till, early), hours
            assert await days_of(till, late) == await days_of(till, early), hours
    await ledger.close()
    assert (await audit(db.service_url)).breaches == []


def zoned(name: str) -> LimitDays:
    return LimitDays(name, ZoneInfo(name))


async def days_of(till: Till, user_id: str) -> set[int]:
    rows = await till.rows(
        "SELECT counted_on FROM limit_counters JOIN players USING (player_id)"
        " WHERE user_id = $1 AND counter = 'deposit'",
        user_id,
    )
    return {row[0] for row in rows}
