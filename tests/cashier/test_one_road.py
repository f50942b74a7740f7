"""`move_funds` under contention: stale facts, and commits whose outcome is unknown."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import asyncpg
import pytest

from app.cashier.account_changes import AccountChange, Exclusion, update_account
from app.cashier.batching import Batcher
from app.cashier.players import IssuedToken, issue_token, revoke_tokens
from app.cashier.policy import PolicyInForce
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import DeadlineError, LedgerError
from app.ledger.money.book import Book
from app.wallet.limit_terms import RaiseRules
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.line import AtCommit, FarLedger, Line
from tests.cashier.locks import held_up, waiting
from tests.cashier.till import Till, connect, meanwhile
from tests.conftest import ON_NODES, Database

AT_ONCE = RaiseRules(timedelta(), needs_confirmation=False)

Meddling = Callable[[Till, Movement], Awaitable[object]]


def kinds(receipts: Sequence[Receipt | None]) -> list[type | None]:
    return [type(receipt) if receipt else None for receipt in receipts]


def again(movement: Movement, number: int = 0) -> Movement:
    return movement._replace(delivery=number.to_bytes(16, "big"))


async def standing(till: Till, movements: Sequence[Movement]) -> int:
    """How many of these very deliveries wrote to the journal."""
    deliveries = ", ".join(f"'{movement.delivery.hex()}'" for movement in movements)
    return await till.count("movements", f"delivery IN ({deliveries})")


class TestInOneRun:
    """A repeat, a refusal, an abort or a cancel costs itself, never its neighbours."""

    async def test_a_batch_of_everything_is_decided_at_once(self, till: Till) -> None:
        for name in ("anna", "boris", "clara"):
            await till.player(name, "100")
        old = till.bet("clara", "3")
        await till.move(old, till.bet("boris", event_id="e2"))
        batch = [
            till.bet("anna", "60"),
            till.movement("anna", "Win", "credit", "5"),
            again(old, 1),
            till.bet("clara", "5000"),
            till.movement("boris", "BetPlacingAbort", "credit", "10", event_id="e2"),
            till.movement("boris", "Win", "credit", "9", event_id="e2"),
            till.bet("nobody"),
            till.movement("anna", "SportBetCancel", "debit", "5"),
            till.bet("clara", token="unknown"),
        ]
        receipts = await till.move(*batch)
        assert kinds(receipts) == [
            *(Posting, Posting, Replay, Declined, Posting, Refused, Refused, Posting, Refused),
        ]
        assert await till.count("refusals") == 3
        assert till.ledger.retries == {}
        await till.is_sound()

    async def test_one_key_twice_in_a_batch_is_taken_once(self, till: Till) -> None:
        await till.player("anna", "100")
        bet = till.bet()
        assert kinds(await till.move(bet, again(bet))) == [Posting, Replay]
        assert await till.pockets() == (9000, 0)
        assert till.ledger.retries == {}

    async def test_one_key_of_two_players_is_taken_by_one_of_them(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        batch = [till.bet(name, transaction_id="same") for name in ("anna", "boris")]
        assert kinds(await till.move(*batch)) == [Posting, Refused]
        assert till.ledger.retries == {}
        await till.is_sound()

    async def test_an_event_of_nothing_but_early_aborts_has_an_empty_history(
        self, till: Till
    ) -> None:
        await till.player("anna", "100")
        for amount in ("10", "20"):
            abort = till.movement("anna", "BetPlacingAbort", "credit", amount)
            assert kinds(await till.move(abort)) == [Refused]
        cancel = till.movement("anna", "SportBetCancel", "debit", "5")
        assert kinds(await till.move(cancel)) == [Posting]
        rows = await till.rows("SELECT amount::int, state FROM early_aborts ORDER BY amount")
        assert [tuple(row) for row in rows] == [(10, "waiting"), (20, "waiting")]

    async def test_a_token_renewed_by_use_is_renewed_in_the_same_write(self, till: Till) -> None:
        await till.player("dora", "100")
        issued = await issue_token(till.ledger, "dora", timedelta(days=1), is_sliding=True)
        assert isinstance(issued, IssuedToken)
        await till.rows(
            "UPDATE sessions SET expires_at = expires_at - interval '2 hours'"
            " WHERE life_seconds IS NOT NULL"
        )
        assert kinds(await till.move(till.bet("dora", token=issued.token))) == [Posting]
        assert await till.count("sessions", "expires_at > now() + interval '23 hours'") == 1
        assert till.ledger.retries == {}


async def moves(till: Till, _: Movement) -> None:
    await till.one(till.bet(amount="70"))


async def gives(till: Till, _: Movement) -> None:
    await till.one(till.movement("anna", "Deposit", "credit", "5"))


async def change(till: Till, wanted: AccountChange) -> None:
    await update_account(till.ledger, "anna", wanted, raises=AT_ONCE)


async def blocks(till: Till, _: Movement) -> None:
    await change(till, AccountChange(is_suspended=True))


async def excludes(till: Till, _: Movement) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    await change(till, AccountChange(exclusion=Exclusion(until)))


async def lowers_a_limit(till: Till, _: Movement) -> None:
    await change(till, AccountChange(limits={"stake_day": "1"}))


async def renews_the_session(till: Till, bet: Movement) -> None:
    later = "UPDATE sessions SET expires_at = expires_at + interval '1 hour' WHERE token_hash = $1"
    await till.rows(later, bet.token)


async def refuses_an_abort(till: Till, bet: Movement) -> None:
    abort = till.movement("anna", "BetPlacingAbort", "credit", bet.amount)
    assert isinstance(await till.one(abort), Refused)


async def takes_the_key(till: Till, bet: Movement) -> None:
    assert isinstance(await till.one(again(bet)), Posting)


async def takes_the_key_for_clara(till: Till, bet: Movement) -> None:
    others = till.bet("clara", transaction_id=bet.key.transaction_id)
    assert isinstance(await till.one(others), Posting)


async def takes_the_key_for_a_refusal(till: Till, bet: Movement) -> None:
    refused = till.bet("clara", "5000", transaction_id=bet.key.transaction_id)
    assert isinstance(await till.one(refused), Declined)


async def revokes_the_token(till: Till, bet: Movement) -> None:
    assert bet.token is not None
    await revoke_tokens(till.ledger, "anna", bet.token)


async def rewrites_the_tables(till: Till, _: Movement) -> None:
    await till.one(till.bet("clara"))
    for table in ("players", "wallets", "sessions", "rounds"):
        await till.rows(f"VACUUM FULL {table}")


STALE = {"WF001": 1}
TAKEN = {"an id is claimed": 1} if ON_NODES else STALE
"""By a player of another bucket."""
STILL_TRUE: dict[str, int] = {}

MEDDLINGS: list[tuple[Meddling, type, Refusal | None, int, dict[str, int]]] = [
    (moves, Declined, Refusal.INSUFFICIENT_FUNDS, 3000, STALE),
    (gives, Posting, None, 4500, STALE),
    (blocks, Declined, Refusal.PLAYER_BLOCKED, 10000, STALE),
    (excludes, Declined, Refusal.PLAYER_BLOCKED, 10000, STALE),
    (lowers_a_limit, Declined, Refusal.LIMIT_EXCEEDED, 10000, STALE),
    (revokes_the_token, Refused, Refusal.TOKEN_EXPIRED, 10000, STALE),
    (refuses_an_abort, Declined, Refusal.BET_OVERTAKEN, 10000, STALE),
    (takes_the_key, Replay, None, 4000, STALE),
    (takes_the_key_for_clara, Refused, Refusal.MOVEMENT_DIFFERS, 10000, TAKEN),
    (takes_the_key_for_a_refusal, Replay, None, 10000, TAKEN),
    (renews_the_session, Posting, None, 4000, STILL_TRUE),
    (rewrites_the_tables, Posting, None, 4000, STILL_TRUE),
]
"""What another process does, and what becomes of the bet that was decided meanwhile."""


def by_another_process(
    till: Till, db: Database, work: Callable[[Till], Awaitable[object]]
) -> Callable[[], None]:
    """Let another process do this, once, while everything here stands still."""
    done: list[bool] = []

    async def elsewhere() -> None:
        ledger = PlacedLedger(db.service_url)
        try:
            await work(Till(ledger, db.superuser_url, tokens=till.tokens))
        finally:
            await ledger.close()

    def once() -> None:
        if not done:
            done.append(True)
            meanwhile(elsewhere())

    return once


class TestMeanwhile:
    """Between the read and the statement that writes, another process was there."""

    @pytest.mark.parametrize(
        ("meddle", "kind", "refusal", "left", "retries"),
        MEDDLINGS,
        ids=[meddling[0].__name__ for meddling in MEDDLINGS],
    )
    async def test_the_new_truth_decides(
        self,
        till: Till,
        db: Database,
        meddle: Meddling,
        kind: type,
        refusal: Refusal | None,
        left: int,
        retries: dict[str, int],
    ) -> None:
        for name in ("anna", "boris", "clara"):
            await till.player(name, "100")
        bet = till.bet(amount="60")
        batch = [till.bet("boris", "1"), bet, till.movement("boris", "Deposit", "credit", "2")]
        receipts = await till.move(
            *batch, has_decided=by_another_process(till, db, lambda other: meddle(other, bet))
        )
        assert till.ledger.retries == retries
        assert kinds(receipts) == [Posting, kind, Posting]
        assert getattr(receipts[1], "refusal", None) is refusal
        assert await till.pockets() == (left, 0)
        assert await till.pockets("boris") == (10100, 0)
        await till.is_sound()

    async def test_a_token_that_appears_meanwhile_stays_unknown_for_this_delivery(
        self, till: Till, db: Database
    ) -> None:
        """Sessions need no proof: a stale read of them can refuse, never wrongly accept."""
        await till.player("anna", "100")
        bet = till.bet(token="tomorrow's")

        async def issues(other: Till) -> None:
            (anna,) = await other.rows_of("anna", "SELECT player_id FROM players")
            await other.rows_of(
                "anna",
                "INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, origin)"
                " VALUES ($1, $2, now(), now() + interval '1 day', 'callback')",
                anna["player_id"],
                bet.token,
            )

        (receipt,) = await till.move(bet, has_decided=by_another_process(till, db, issues))
        assert isinstance(receipt, Refused)
        assert receipt.refusal is Refusal.TOKEN_UNKNOWN
        assert till.ledger.retries == {}
        assert kinds(await till.move(again(bet, 1))) == [Posting]

    async def test_a_payment_meanwhile_takes_the_bet_from_its_abort(
        self, till: Till, db: Database
    ) -> None:
        """Rounds and histories ride on the wallet's revision."""
        await till.player("anna", "100")
        await till.move(till.bet())
        abort = till.movement("anna", "BetPlacingAbort", "credit", "10")
        (receipt,) = await till.move(
            abort,
            has_decided=by_another_process(
                till, db, lambda other: other.one(other.movement("anna", "Win", "credit", "5"))
            ),
        )
        assert isinstance(receipt, Refused)
        assert receipt.refusal is Refusal.NO_MATCHING_MOVEMENT
        assert till.ledger.retries == STALE
        await till.is_sound()

    async def test_another_players_business_changes_no_fact(self, till: Till, db: Database) -> None:
        await till.player("anna", "100")
        await till.player("clara", "100")
        receipts = await till.move(
            till.bet(),
            has_decided=by_another_process(till, db, lambda other: other.one(other.bet("clara"))),
        )
        assert kinds(receipts) == [Posting]
        assert till.ledger.retries == {}

    async def test_a_player_changed_while_their_bet_waits_for_the_wallet_is_a_conflict(
        self, till: Till
    ) -> None:
        """Write skew: who changes the limits has read the wallet, and is committed first."""
        await till.player("anna", "100")
        bet = till.bet()
        officer = await connect(till.superuser_url)
        task: asyncio.Task[list[Receipt]] | None = None
        async with officer.transaction(isolation="serializable"):
            await officer.execute("UPDATE wallets SET blocked = true, revision = revision + 1")
            task = asyncio.create_task(till.move(bet))
            await waiting(till)
        await officer.close()
        (receipt,) = await task
        assert till.ledger.retries == {"40001": 1}
        assert isinstance(receipt, Declined)
        assert receipt.refusal is Refusal.PLAYER_BLOCKED
        await till.is_sound()


async def fail_at_commit(till: Till, sqlstate: str, times: int = 1) -> None:
    """Let each server refuse so many commits of movements, and no statement before them."""
    await till.make(
        f"""
        CREATE SEQUENCE public.failures;
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF nextval('public.failures') <= {times} THEN
                RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}';
            END IF;
            RETURN NULL;
        END $$;
        """
    )
    await till.trigger(
        "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON {place}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
    )


class TestAtCommit:
    @pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
    async def test_a_conflict_there_undoes_everything_and_it_runs_again(
        self, till: Till, sqlstate: str
    ) -> None:
        names = await till.players(3, "100", together=True)
        await fail_at_commit(till, sqlstate)
        batch = [till.bet(name) for name in names]
        assert kinds(await till.move(*batch)) == [Posting] * 3
        assert till.ledger.retries == {sqlstate: 1}
        assert await standing(till, batch) == 3
        await till.is_sound()

    async def test_another_fault_there_is_told_and_nothing_stands(self, till: Till) -> None:
        await till.player("anna", "100")
        await fail_at_commit(till, "22012", times=2)
        bet = till.bet()
        with pytest.raises(asyncpg.DivisionByZeroError):
            await till.move(bet)
        assert await standing(till, [bet]) == 0
        batcher = Batcher(till.ledger, PolicyInForce(till.policy))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await batcher.move(bet)
        assert isinstance(await batcher.move(bet), Posting), "the lane goes on"
        await batcher.close()
        await till.is_sound()

    async def cut(self, till: Till, far_till: Till, line: Line, fate: AtCommit) -> list[Movement]:
        """The line of a batch is cut when its write is about to commit."""
        await till.player("anna", "100")
        await till.player("boris", "100")
        far_till.tokens = till.tokens
        line.at_commit = [fate]
        return [far_till.bet(amount="100"), far_till.bet("boris"), far_till.bet("boris", "5")]

    @pytest.mark.parametrize(("fate", "stand"), [(AtCommit.CUT_BEFORE, 0), (AtCommit.CUT_AFTER, 3)])
    async def test_cut_there_it_is_fenced_and_runs_again(
        self, till: Till, far_till: Till, line: Line, fate: AtCommit, stand: int
    ) -> None:
        batch = await self.cut(till, far_till, line, fate)
        receipts = await far_till.move(*batch)
        assert line.commits_at_once == 1, "under locks the commit has a statement of its own"
        assert kinds(receipts) == [Replay if stand else Posting] * 3
        assert all(receipt.is_own for receipt in receipts if isinstance(receipt, Replay))
        assert await standing(till, batch) == 3
        assert await till.pockets() == (0, 0)
        assert await till.pockets("boris") == (8500, 0)
        await till.is_sound()

    async def test_silence_there_is_told_and_the_next_delivery_finds_it(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        batch = await self.cut(till, far_till, line, AtCommit.SILENCE_AFTER)
        with pytest.raises(DeadlineError):
            await far_till.move(*batch)
        receipts = await far_till.move(*(again(movement, n) for n, movement in enumerate(batch)))
        assert kinds(receipts) == [Replay] * 3
        assert await standing(till, batch) == 3
        await till.is_sound()

    @pytest.mark.parametrize("fate", [AtCommit.CUT_BEFORE, AtCommit.CUT_AFTER])
    async def test_callers_hear_of_no_cut(
        self, till: Till, far_till: Till, line: Line, fate: AtCommit
    ) -> None:
        batch = await self.cut(till, far_till, line, fate)
        batcher = Batcher(far_till.ledger, PolicyInForce(far_till.policy))
        receipts = await asyncio.gather(*(batcher.move(movement) for movement in batch))
        await batcher.close()
        assert line.struck == 1
        assert set(kinds(receipts)) == {Replay if fate is AtCommit.CUT_AFTER else Posting}
        assert await standing(till, batch) == 3
        assert await till.count("unanswered") == 0
        await till.is_sound()


class TestLate:
    """The connection is lost with the statement on its way, and the statement is not."""

    async def test_whoever_heard_a_refusal_does_not_pay_afterwards(
        self, till: Till, line: Line
    ) -> None:
        await till.player("anna", "100")
        times = [datetime.now(UTC)]

        def let_time_pass() -> None:
            times.append(times[-1] + timedelta(hours=2))

        line.at_commit, line.on_commit = [AtCommit.LATE], let_time_pass
        ledger = FarLedger(line, deadline=timedelta(seconds=2), clock=lambda: times[-1])
        batcher = Batcher(ledger, PolicyInForce(till.policy))
        bet = till.bet()
        receipt = await batcher.move(bet)
        assert isinstance(receipt, Refused)
        assert receipt.refusal is Refusal.TOKEN_EXPIRED
        await line.arrive()
        assert await standing(till, [bet]) == 0
        assert await till.pockets() == (10000, 0)
        await batcher.close()
        await ledger.close()
        await till.is_sound()

    async def test_whoever_heard_that_they_paid_pays_once(self, till: Till, line: Line) -> None:
        await till.player("anna", "100")
        line.at_commit = [AtCommit.LATE]
        ledger = FarLedger(line, deadline=timedelta(seconds=2))
        batcher = Batcher(ledger, PolicyInForce(till.policy))
        bet = till.bet()
        assert isinstance(await batcher.move(bet), Posting)
        await line.arrive()
        assert await standing(till, [bet]) == 1
        assert await till.pockets() == (9000, 0)
        await batcher.close()
        await ledger.close()
        await till.is_sound()

    async def test_what_was_in_doubt_and_looked_up_is_settled_for_good(
        self, till: Till, line: Line
    ) -> None:
        await till.player("anna", "100")

        def go_down() -> None:
            line.is_down = True

        line.at_commit, line.on_commit = [AtCommit.LATE], go_down
        ledger = FarLedger(line, deadline=timedelta(seconds=1))
        batcher = Batcher(ledger, PolicyInForce(till.policy))
        bet = till.bet()
        with pytest.raises(LedgerError):
            await batcher.move(bet)
        async with asyncio.timeout(20):
            while not batcher.batch_stats.failures:  # noqa: ASYNC110 - else it may yet be decided
                await asyncio.sleep(0.01)
        line.on_commit = lambda: None
        line.come_back()
        await batcher.close()  # waits until nothing is in doubt
        await line.arrive()
        assert await standing(till, [bet]) == 0
        assert await till.count("unanswered") == 0
        assert await till.pockets() == (10000, 0)
        await ledger.close()
        await till.is_sound()


async def test_a_session_that_lost_its_settings_writes_under_locks_only(
    till: Till, db: Database
) -> None:
    """As behind a pooler that drops them: the statement would be READ COMMITTED."""
    await till.player("anna", "100")
    ledger = PlacedLedger(db.service_url, pool_size=1)
    forgetful = Till(ledger, db.superuser_url, tokens=till.tokens)

    async def forget(book: Book) -> None:
        await book.connection.execute("SET default_transaction_isolation = 'read committed'")

    # On one server all buckets have these connections in common.
    await ledger.serializable(forget, of="anna" if ON_NODES else None)
    bet = forgetful.bet()
    assert kinds(await forgetful.move(bet)) == [Posting], "under locks BEGIN says what it wants"
    assert ledger.retries == {"WF003": 1}
    await ledger.close()
    await till.is_sound()


@asynccontextmanager
async def locked(till: Till, user_id: str, table: str) -> AsyncIterator[None]:
    """Let nobody even read this table of a player's bucket."""
    home = await till.home_of(user_id)
    async with home.opened() as holder, holder.transaction():
        await holder.execute(f"LOCK TABLE {await home.table(table)} IN ACCESS EXCLUSIVE MODE")
        yield


class TestTerminated:
    """The server ends a connection, as it does when it is restarted."""

    @pytest.mark.parametrize("times", [1, 2])
    async def test_while_it_writes(self, till: Till, times: int) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy))
        async with held_up(till):
            task = asyncio.create_task(batcher.move(till.bet(amount="100")))
            for _ in range(times):
                (writer,) = await waiting(till)
                await writer.end()
        assert isinstance(await task, Posting)
        await batcher.close()
        assert till.ledger.retries.total() == times
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_while_it_reads(self, till: Till) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy))
        async with locked(till, "anna", "sessions"):
            task = asyncio.create_task(batcher.move(till.bet(amount="100")))
            (reader,) = await waiting(till)
            await reader.end()
        assert isinstance(await task, Posting)
        await batcher.close()
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_while_all_are_idle(self, till: Till) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy))
        for _ in range(3):
            assert isinstance(await batcher.move(till.bet(amount="10")), Posting)
            ended = await till.rows_of(
                "anna",
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'wallet/2' AND datname = current_database()",
            )
            assert len(ended) >= 2
        assert isinstance(await batcher.move(till.bet(amount="10")), Posting)
        await batcher.close()
        assert await till.pockets() == (6000, 0)
        await till.is_sound()


async def test_two_processes_and_whatever_may_happen_to_four_players(
    till: Till, other_till: Till
) -> None:
    """Every transaction id comes to both; each is decided once, and both say the same."""
    names = await till.players(4, "30")
    dice = Random(4)  # noqa: S311 - a test
    both = [Batcher(each.ledger, PolicyInForce(each.policy)) for each in (till, other_till)]
    asked: list[Movement] = []
    for number in range(120):
        kind, way, amount = dice.choice(
            [
                *[("BetPlacing", "debit", "5")] * 4,
                ("BetPlacing", "debit", "29"),
                ("Win", "credit", "4"),
                ("BetPlacingAbort", "credit", "5"),
                ("BetPayedAbort", "debit", "4"),
                ("Deposit", "credit", "3"),
                ("Withdrawal", "debit", "6"),
            ]
        )
        event = f"event-{dice.randrange(3)}"
        movement = till.movement(dice.choice(names), kind, way, amount, event_id=event)
        asked += [movement, again(movement, number)]
    dice.shuffle(asked)
    receipts = await asyncio.gather(
        *(
            both[number % 2].move(movement, deadline=timedelta(seconds=20))
            for number, movement in enumerate(asked)
        )
    )
    written = Counter(
        receipt.entry.key for receipt in receipts if isinstance(receipt, (Posting, Declined))
    )
    entries: dict[object, set[object]] = {}
    for receipt in receipts:
        if not isinstance(receipt, Refused):
            entries.setdefault(receipt.entry.key, set()).add(receipt.entry)
    assert set(written.values()) == {1}
    assert all(len(said) == 1 for said in entries.values())
    assert entries.keys() == written.keys()
    assert await till.count("movements") == 4 + len(written)
    for batcher in both:
        await batcher.close()
    await till.is_sound()
