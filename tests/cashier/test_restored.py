"""A restored ledger: nobody is served before somebody has said yes, and then money comes back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.audit import audit
from app.cashier.event_log import number
from app.cashier.inbox import collect, inbox
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.readiness import why_not_ready
from app.cashier.restored import Accepted, Marked, NotDone, mark, state
from app.cashier.startup_checks import check_startup
from app.ledger import exception_collection
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.timelines import Witness
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of
from app.wallet.events import RULES, Direction, EventType, Part
from app.wallet.facts import Policy, RuleVersion
from app.wallet.inbox import ExceptionKind
from app.wallet.journal import Flag
from app.wallet.operators import Operator, Role, Via
from app.wallet.outcomes import Posting, Refused
from app.wallet.refusals import Refusal
from app.wallet.timelines import TimelineKind
from tests.cashier.homes import homes
from tests.cashier.till import Till, connect
from tests.cashier.yes import look_and_accept
from tests.conftest import BUCKETS, Database

MIRA = Operator("mira", True, frozenset({Role.ADMIN}), Via.CONSOLE, "pts/1")  # noqa: FBT003
NOAH = MIRA._replace(name="noah", roles=frozenset({Role.FINANCE}))
DAY = timedelta(days=1)
NEVER = datetime.min.replace(tzinfo=UTC)
OF_BOTH_NODES = ("clara", "anna")
"""Where the buckets are on two nodes."""
LOST = "a token that was issued in the lost time"


@pytest.fixture
async def serving(db: Database) -> AsyncIterator[Ledger]:
    """The ledger of a process that serves."""
    ledger = PlacedLedger(db.service_url, serves=True)
    yield ledger
    await ledger.close()


async def until_served(ledger: Ledger) -> None:
    """Wait until a process has noticed that somebody said yes."""
    for _ in range(200):
        if await why_not_ready(ledger) is None:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never served again")


async def hear(till: Till, serving: Ledger | None = None) -> None:
    """Return when both know what was said of the ledger: with the next movement, on one server.

    On nodes whoever serves asks the coordinator every second, others with each new connection.
    """
    if await till.ledger.is_on_nodes():
        till.ledger.timeline.doubt()
        for _ in range(200):
            if serving is None or await why_not_ready(serving) is not None:
                return
            await asyncio.sleep(0.02)


def is_a_yes(told: Accepted | NotDone) -> bool:
    """Whether the second time line may be served, with every claim and event as it was."""
    if not isinstance(told, Accepted) or (told.numbers, list(told.voided)) != ([2], []):
        return False
    claims = told.claims
    return claims is None or (claims.claimed, list(claims.twice), dict(claims.lost)) == (0, [], {})


async def restore(till: Till, money_for: timedelta = DAY) -> None:
    """Mark the ledger as restored, and say yes."""
    assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
    await restore_is_answered(till, money_for)


async def restore_is_answered(till: Till, money_for: timedelta = DAY) -> None:
    """Say yes."""
    assert is_a_yes(await look_and_accept(till.ledger, MIRA, "the disk was lost", money_for))
    await hear(till)


class TestNobodyIsServed:
    async def test_before_somebody_says_yes_and_everybody_after(
        self, till: Till, serving: Ledger, db: Database
    ) -> None:
        await till.player("anna", "100")
        served = Till(serving, till.superuser_url, tokens=till.tokens)
        assert isinstance(await served.one(served.bet()), Posting)
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        await hear(till, serving)
        for one in (till, served):
            with pytest.raises(LedgerRestoredError, match="wallet restored accept"):
                await one.one(one.bet())
        reason = await why_not_ready(serving)
        assert reason is not None
        assert "storage was rolled back" in reason
        newcomer = PlacedLedger(db.service_url, serves=True)
        with pytest.raises(LedgerUnfitError, match="nobody has said that it may be served"):
            await check_startup(newcomer, PolicyInForce(Policy()), require_durability=False)
        await newcomer.close()
        assert is_a_yes(await look_and_accept(till.ledger, MIRA, "the disk was lost", DAY))
        await until_served(serving)
        assert isinstance(await served.one(served.bet()), Posting)
        till.ledger.timeline._refused_at = -(10**12)
        assert isinstance(await till.one(till.bet()), Posting)
        assert (await audit(db.superuser_url)).is_clean

    async def test_whoever_else_looks_first_leaves_no_sign_of_life(
        self, till: Till, db: Database
    ) -> None:
        """By one, a restored ledger that nobody has noticed would be taken for a standby's."""
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        signs = (
            "SELECT c.ran_at, e.looked_at FROM exception_collections c CROSS JOIN"
            " event_log_progress e"
        )
        before = await till.rows(signs)
        console = PlacedLedger(db.service_url)
        await collect(console)
        with pytest.raises(LedgerRestoredError):
            await number(console)
        await console.close()
        assert await till.rows(signs) == before
        await restore_is_answered(till)
        await collect(till.ledger)
        assert await till.rows(signs) != before

    @pytest.mark.one_server("on nodes the yes has more to do, and half an hour for it")
    async def test_a_yes_that_cannot_be_written_is_given_up_within_the_deadline(
        self, till: Till, db: Database
    ) -> None:
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        console = PlacedLedger(db.service_url, deadline=timedelta(seconds=1))
        held = await connect(till.superuser_url)
        try:
            async with held.transaction():
                await held.execute("LOCK TABLE ledger_timeline_answers IN EXCLUSIVE MODE")
                async with asyncio.timeout(4):
                    with pytest.raises(LedgerError):
                        await look_and_accept(console, MIRA, "the disk was lost", DAY)
        finally:
            await held.close()
            await console.close()
        assert (await state(till.ledger)).is_waiting

    async def test_the_yes_is_a_named_persons_with_a_reason_and_stands_for_ever(
        self, till: Till
    ) -> None:
        for name in OF_BOTH_NODES:
            await till.player(name, "100")
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        twice = await mark(till.ledger, MIRA, "again")
        assert isinstance(twice, NotDone)
        refused = await look_and_accept(till.ledger, NOAH, "I want to go home", DAY)
        assert isinstance(refused, NotDone)
        assert "None of the roles of noah" in refused.words
        assert (await state(till.ledger)).is_waiting
        assert is_a_yes(await look_and_accept(till.ledger, MIRA, "the disk was lost", DAY))
        assert isinstance(await look_and_accept(till.ledger, MIRA, "again", DAY), NotDone)
        line, first = (await state(till.ledger)).timelines
        assert (line.kind, line.by, line.reason) == (
            TimelineKind.RESTORED,
            "mira",
            "the disk was lost",
        )
        assert first.kind is TimelineKind.FIRST
        assert line.last_movement_at is not None
        (row,) = await till.rows("SELECT * FROM ops.time_lines WHERE number = 2")
        assert (row["by"], row["is_waiting"], row["noticed_by"]) == ("mira", False, "console:mira")
        actions = await till.rows(
            "SELECT action, subject, outcome FROM operator_actions ORDER BY action_id"
        )
        assert [tuple(action) for action in actions] == [
            ("restore.mark", "", "done"),
            ("restore.accept", "", "refused"),
            ("restore.accept", "2", "done"),
        ]

    async def test_a_movement_that_was_answered_and_is_missing_stops_everybody(
        self, till: Till, serving: Ledger
    ) -> None:
        """As after a failover to a standby that lacked it; `tests/standby` does that in earnest."""
        await till.player("anna", "100")
        served = Till(serving, till.superuser_url, tokens=till.tokens)
        await served.one(served.bet())
        guard = (await serving.parts()).get(bucket_of("anna", BUCKETS), serving).timeline
        guard.remember(Witness(1, 99, bytes(32)))
        guard._started_at = None
        with pytest.raises(LedgerRestoredError, match="1 of the movements"):
            await served.one(served.bet())
        await hear(till)
        with pytest.raises(LedgerRestoredError):
            await till.one(till.bet())
        await look_and_accept(till.ledger, MIRA, "it was one deposit, and it was paid by hand", DAY)
        await until_served(serving)
        assert isinstance(await served.one(served.bet()), Posting)

    async def test_processes_that_notice_at_once_write_one_time_line(
        self, till: Till, db: Database
    ) -> None:
        await till.player("anna")
        await till.rows(
            "INSERT INTO ledger_timelines SELECT 2, 'taken_over', system_identifier, 4000000000,"
            " 'as if it was another', 'test', now() FROM pg_control_system()"
        )
        ledgers = [PlacedLedger(db.service_url, serves=True) for _ in range(4)]
        for ledger in ledgers:
            assert await why_not_ready(ledger) is not None
        assert await till.count("ledger_timelines") == 3
        for ledger in ledgers:
            await ledger.close()


class TestMoneyUnderLostTokens:
    @pytest.mark.parametrize(
        ("event_type", "direction"),
        [
            (kind, direction)
            for kind, rule in RULES.items()
            for direction in rule.directions
            if not (rule.is_cashier or rule.is_manual or rule.is_named)
        ],
    )
    async def test_what_may_come_under_an_expired_one_comes_under_an_unknown_one(
        self, till: Till, event_type: EventType, direction: Direction
    ) -> None:
        await till.player("anna", "100")
        rule = RULES[event_type]
        bet = "PromoStreamersDebit" if rule.is_streamer else "BetPlacing"
        win = "PromoStreamersCredit" if rule.is_streamer else "Win"
        await till.one(till.movement("anna", bet, "debit", "10"))
        if rule.part in {Part.PAYMENT_ABORT, Part.CANCEL}:
            await till.one(till.movement("anna", win, "credit", "10"))
        amount = "0" if direction in rule.zero_only else "10"
        late = till.movement("anna", event_type, direction, amount, token=LOST)
        refused = await till.one(late)
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.TOKEN_UNKNOWN
        await restore(till)
        told = await till.one(late._replace(delivery=bytes(16)))
        if rule.is_play:
            assert isinstance(told, Refused)
            assert told.refusal is Refusal.TOKEN_UNKNOWN
            return
        assert isinstance(told, Posting)
        assert Flag.TOKEN_UNKNOWN in told.entry.flags
        await collect(till.ledger)
        kind = ExceptionKind.UNKNOWN_TOKEN
        (listed,) = await inbox(till.ledger, kind=kind)
        assert listed.transaction_id == late.key.transaction_id

    async def test_ends_when_its_time_is_over(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.one(till.bet())
        await restore(till, timedelta(0))
        told = await till.one(till.movement("anna", "Win", "credit", "10", token=LOST))
        assert isinstance(told, Refused)
        assert told.refusal is Refusal.TOKEN_UNKNOWN

    async def test_waits_for_the_end_of_an_upgrade(self, till: Till) -> None:
        """A process of the previous release cannot read the flag."""
        await till.player("anna", "100")
        await till.rows("UPDATE decision_settings SET rule_version = 1")
        till.policy = Policy(rule_version=RuleVersion.LAST_RELEASE)
        await till.one(till.bet())
        await restore(till)
        told = await till.one(till.movement("anna", "Win", "credit", "10", token=LOST))
        assert isinstance(told, Refused)

    async def test_a_known_token_is_not_flagged(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.one(till.bet())
        await restore(till)
        told = await till.one(till.movement("anna", "Win", "credit", "10"))
        assert isinstance(told, Posting)
        assert told.entry.flags == ()


class TestUnknownPlayers:
    async def test_are_listed_once_each_with_all_that_came_for_them(self, till: Till) -> None:
        await till.player("anna", "100")
        for early in ("Win", "BetPlacing"):
            direction = "credit" if early == "Win" else "debit"
            await till.one(till.movement("early", early, direction, "5"))
        await restore(till)
        for _ in range(2):
            await till.one(till.movement("boris", "Win", "credit", "5", transaction_id="w-1"))
        await till.one(till.movement("boris", "SportBetCancel", "debit", "4"))
        await till.one(till.movement("clara", "BetPlacing", "debit", "4"))
        await collect(till.ledger)
        await collect(till.ledger)
        (listed,) = await inbox(till.ledger, kind=ExceptionKind.UNKNOWN_PLAYER)
        assert (listed.user_id, listed.transaction_id) == ("boris", "w-1")
        (row,) = await till.rows("SELECT * FROM ops.unknown_players")
        assert (row["user_id"], row["movements"], row["is_known_now"]) == ("boris", 2, False)
        (named,) = (await state(till.ledger)).unknown_players
        assert (named.user_id, named.movements) == ("boris", 2)
        await till.player("boris")
        assert (await state(till.ledger)).unknown_players == []

    async def test_are_bounded_in_the_inbox(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        most = exception_collection.UNKNOWN_PLAYERS_MAX
        few = tuple(one.replace(str(most), "2") for one in exception_collection.OPEN)
        monkeypatch.setattr(exception_collection, "OPEN", few)
        await till.player("anna")
        await restore(till)
        for _ in range(2):
            for name in range(4):
                await till.one(till.movement(f"lost-{name}", "Win", "credit", "5"))
            await collect(till.ledger)
        assert len(await inbox(till.ledger, kind=ExceptionKind.UNKNOWN_PLAYER)) == 2
        assert len(await till.rows("SELECT * FROM ops.unknown_players")) == 4


async def test_what_must_be_asked_begins_before_the_last_movement(till: Till) -> None:
    for name in OF_BOTH_NODES:
        await till.player(name, "100")
    await till.one(till.bet(amount="12.50"))
    await till.one(till.movement("anna", "WithdrawalHold", "debit", "20"))
    assert (await state(till.ledger)).ask_from is None
    await restore(till)
    asked = await state(till.ledger)
    last: dict[str, datetime] = {}
    for home in await homes(till.superuser_url):
        async with home.opened() as connection:
            at = await connection.fetchval("SELECT max(ledger_time) FROM movements")
        last[home.url] = max(last.get(home.url, NEVER), at or NEVER)
    # Of two servers it is asked from where the first of them ends.
    assert asked.ask_from == min(last.values()) - exception_collection.OVERLAP
    (open_,) = asked.open_rounds
    assert (open_.currency, open_.rounds, str(open_.staked)) == ("USD", 1, "12.50")
    assert asked.pending_holds == 1


@pytest.mark.parametrize("says", ["mark", "accept"])
async def test_a_ledger_that_was_served_since_its_restore_is_asked_from_the_moment_that_people_name(
    till: Till, says: str
) -> None:
    for name in OF_BOTH_NODES:
        await till.player(name, "100")
    named = datetime.now(UTC) - timedelta(hours=3)
    marks, accepts = (named, None) if says == "mark" else (None, named)
    assert isinstance(await mark(till.ledger, MIRA, "its disk", restored_to=marks), Marked)
    done = await look_and_accept(till.ledger, MIRA, "it was served", DAY, restored_to=accepts)
    assert isinstance(done, Accepted)
    found = await state(till.ledger)
    assert not found.is_waiting
    assert found.ask_from == named - exception_collection.OVERLAP
    assert done.numbers == ([2] if says == "mark" else [2, 3])
    if done.claims is not None:
        assert done.claims.last == named


async def test_a_moment_after_the_last_movement_says_nothing_new(till: Till) -> None:
    for name in OF_BOTH_NODES:
        await till.player(name, "100")
    now = datetime.now(UTC)
    assert isinstance(await mark(till.ledger, MIRA, "its disk", restored_to=now), Marked)
    done = await look_and_accept(till.ledger, MIRA, "not served", DAY, restored_to=now)
    assert isinstance(done, Accepted)
    assert done.numbers == [2]
    assert ((await state(till.ledger)).timelines[0].last_movement_at or now) < now


async def test_where_nothing_is_left_everything_must_be_asked_for(till: Till) -> None:
    await till.player("anna")
    await restore(till)
    asked = await state(till.ledger)
    first = asked.timelines[-1]
    assert first.kind is TimelineKind.FIRST
    assert asked.ask_from == first.noticed_at - exception_collection.OVERLAP
