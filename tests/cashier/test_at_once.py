"""Decided on a glance: whatever the glance was of must still stand when it is written."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import asyncpg
import pytest

from app.cashier.account_changes import AccountChange, Exclusion, update_account
from app.cashier.batching import Batcher
from app.cashier.move_funds import AtOnce
from app.cashier.players import IssuedToken, issue_token
from app.ledger.errors import DeadlineError, LedgerError
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.journal import Flag
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.line import AtCommit, Line
from tests.cashier.locks import held_up, waiting
from tests.cashier.till import Till, connect
from tests.conftest import Database

Meddling = Callable[[Till, Movement], Awaitable[object]]


def kinds(receipts: Sequence[Receipt | None]) -> list[type | None]:
    return [type(receipt) if receipt else None for receipt in receipts]


def again(movement: Movement, number: int = 0) -> Movement:
    return movement._replace(delivery=number.to_bytes(16, "big"))


async def standing(till: Till, movements: Sequence[Movement]) -> int:
    """How many of these very deliveries wrote to the journal."""
    deliveries = ", ".join(f"'{movement.delivery.hex()}'" for movement in movements)
    return await till.count("movements", f"delivery IN ({deliveries})")


async def journal_of(till: Till, user_id: str, kind: str = "BetPlacing") -> list[str]:
    """The transaction ids of a player's movements, in the order of his journal."""
    rows = await till.rows(
        "SELECT transaction_id FROM movements JOIN players USING (player_id)"
        " WHERE user_id = $1 AND event_type = $2 ORDER BY position",
        user_id,
        kind,
    )
    return [row[0] for row in rows]


class TestOrdinary:
    async def test_a_bet_its_win_and_a_deposit_are_decided_at_once(self, till: Till) -> None:
        await till.player("anna", "100")
        batch = [
            till.bet(amount="60"),
            till.movement("anna", "Win", "credit", "5"),
            till.movement("anna", "Deposit", "credit", "7"),
        ]
        told = await till.move_at_once(*batch)
        assert kinds(told.receipts) == [Posting] * 3
        assert told.suspects == set()
        assert await till.pockets() == (5200, 0)
        assert [type(r) for r in await till.move(*(again(m) for m in batch))] == [Replay] * 3
        await till.is_sound()

    async def test_a_round_is_continued(self, till: Till) -> None:
        await till.player("anna", "100")
        for movement in (
            till.bet(),
            till.bet(amount="1"),
            till.movement("anna", "Win", "credit", "5"),
            till.movement("anna", "Lose", "credit", "0"),
        ):
            assert kinds((await till.move_at_once(movement)).receipts) == [Posting]
        (row,) = await till.rows("SELECT bets_placed, staked::int, paid::int, settled FROM rounds")
        assert tuple(row) == (2, 11, 5, True)
        assert await till.pockets() == (9400, 0)

    async def test_only_the_unusual_is_left_and_with_it_all_that_its_player_asked_for(
        self, till: Till
    ) -> None:
        for name in ("anna", "boris", "clara", "dora"):
            await till.player(name, "100")
        await till.player("emil")
        issued = await issue_token(till.ledger, "dora", timedelta(days=1), is_sliding=True)
        assert isinstance(issued, IssuedToken)
        await till.rows(
            "UPDATE sessions SET expires_at = expires_at - interval '2 hours'"
            " WHERE life_seconds IS NOT NULL"
        )
        batch = [
            till.bet("anna"),
            till.bet("boris"),
            till.movement("boris", "BetPlacingAbort", "credit", "10", event_id="unknown"),
            till.bet("clara"),
            till.bet("clara", "5000"),
            till.bet("dora", token=issued.token),
            till.bet("nobody"),
            till.movement("anna", "Win", "credit", "5"),
            till.movement("emil", "Deposit", "credit", "7"),
            till.movement("boris", "Win", "credit", "1"),
        ]
        told = await till.move_at_once(*batch)
        ordinary = {0, 7, 8}
        assert {n for n, receipt in enumerate(told.receipts) if receipt} == ordinary
        assert set(kinds(told.receipts)) == {Posting, None}
        assert told.suspects == set()
        assert await standing(till, batch) == 3
        assert await till.count("refusals") == 0
        await till.is_sound()
        receipts = await till.finish(batch, told)
        assert [type(receipt) for receipt in receipts] == [
            *(Posting, Posting, Refused, Posting, Declined),
            *(Posting, Refused, Posting, Posting, Posting),
        ]
        assert await journal_of(till, "clara") == [m.key.transaction_id for m in batch[3:5]]
        assert await till.count("sessions", "expires_at > now() + interval '23 hours'") == 1
        assert await standing(till, batch) == 8
        await till.is_sound()

    @pytest.mark.parametrize(
        ("kind", "way"),
        [
            ("BetPlacingAbort", "credit"),
            ("BetPayedAbort", "debit"),
            ("SportBetCancel", "debit"),
        ],
    )
    async def test_what_undoes_is_left_and_its_neighbours_are_not(
        self, till: Till, kind: str, way: str
    ) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        await till.move(till.bet())
        if kind != "BetPlacingAbort":
            await till.move(till.movement("anna", "Win", "credit", "10"))
        batch = [till.movement("anna", kind, way, "10"), till.bet("boris")]
        told = await till.move_at_once(*batch)
        assert kinds(told.receipts) == [None, Posting]
        assert kinds(await till.finish(batch, told)) == [Posting, Posting]
        await till.is_sound()

    async def test_a_repeat_is_left_and_suspected(self, till: Till) -> None:
        await till.player("anna", "100")
        bet, other = till.bet(), till.bet(amount="1")
        await till.move_at_once(bet)
        batch = [again(bet), other]
        told = await till.move_at_once(*batch)
        assert told == AtOnce([None, None], frozenset({bet.key}))
        assert await standing(till, batch) == 0
        assert kinds(await till.finish(batch, told)) == [Replay, Posting]
        assert "key taken" not in till.ledger.retries, "who is suspected is looked up first"
        await till.is_sound()

    async def test_one_key_twice_in_a_batch_is_left(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        bet = till.bet()
        batch = [bet, again(bet), till.bet("boris", transaction_id="b")]
        told = await till.move_at_once(*batch)
        assert kinds(told.receipts) == [None, None, Posting]
        assert kinds(await till.finish(batch, told)) == [Posting, Replay, Posting]
        assert await till.pockets() == (9000, 0)

    async def test_one_key_of_two_players_is_taken_by_one_of_them(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        batch = [till.bet(name, transaction_id="same") for name in ("anna", "boris")]
        told = await till.move_at_once(*batch)
        assert kinds(told.receipts) == [Posting, None]
        receipts = await till.finish(batch, told)
        assert kinds(receipts) == [Posting, Refused]
        await till.is_sound()


async def moves(till: Till, _: Movement) -> None:
    await till.one(till.bet(amount="70"))


async def gives(till: Till, _: Movement) -> None:
    await till.one(till.movement("anna", "Deposit", "credit", "5"))


async def change(till: Till, wanted: AccountChange) -> None:
    await update_account(till.ledger, "anna", wanted, cooling=timedelta())


async def blocks(till: Till, _: Movement) -> None:
    await change(till, AccountChange(is_suspended=True))


async def excludes(till: Till, _: Movement) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    await change(till, AccountChange(exclusion=Exclusion(until)))


async def lowers_a_limit(till: Till, _: Movement) -> None:
    await change(till, AccountChange(limits={"stake_day": "1"}))


async def speaks_another_language(till: Till, _: Movement) -> None:
    await change(till, AccountChange(language="de"))


async def ends_the_session(till: Till, bet: Movement) -> None:
    sooner = "UPDATE sessions SET expires_at = issued_at WHERE token_hash = $1"
    await till.rows(sooner, bet.token)


async def renews_the_session(till: Till, bet: Movement) -> None:
    later = "UPDATE sessions SET expires_at = expires_at + interval '1 hour' WHERE token_hash = $1"
    await till.rows(later, bet.token)


async def deletes_the_session(till: Till, bet: Movement) -> None:
    await till.rows("DELETE FROM sessions WHERE token_hash = $1", bet.token)


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


async def rewrites_the_tables(till: Till, _: Movement) -> None:
    await till.one(till.bet("clara"))
    for table in ("players", "wallets", "sessions", "rounds"):
        await till.rows(f"VACUUM FULL {table}")


async def put_another_in_its_place(till: Till, table: str, change: str) -> None:
    """The only row is gone, and another stands in its place: only its transaction is another."""
    owner = await connect(till.superuser_url)
    await owner.execute(
        f"""
        SET session_replication_role = replica;
        CREATE TABLE kept AS SELECT * FROM {table};
        CREATE TABLE place AS SELECT ctid AS place FROM {table};
        UPDATE kept SET {change};
        DELETE FROM {table};
        """
    )
    places: list[asyncpg.Record] = []
    for _ in range(100):
        if places:
            break
        # What somebody may still look at, autovacuum for one, is not swept away.
        await owner.execute(f"DELETE FROM {table}")
        await owner.execute(f"VACUUM {table}")
        await owner.execute(
            f"""
            DO $$ BEGIN
                FOR n IN 1..100 LOOP
                    DELETE FROM {table};
                    INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept;
                    EXIT WHEN EXISTS (SELECT FROM place JOIN {table} _ ON _.ctid = place);
                END LOOP;
            END $$
            """
        )
        places = await owner.fetch(f"SELECT FROM place JOIN {table} _ ON _.ctid = place")
    await owner.close()
    assert len(places) == 1


MEDDLINGS: list[tuple[Meddling, type, Refusal | None, int]] = [
    (moves, Declined, Refusal.INSUFFICIENT_FUNDS, 3000),
    (gives, Posting, None, 4500),
    (blocks, Declined, Refusal.PLAYER_BLOCKED, 10000),
    (excludes, Declined, Refusal.PLAYER_BLOCKED, 10000),
    (lowers_a_limit, Declined, Refusal.LIMIT_EXCEEDED, 10000),
    (speaks_another_language, Posting, None, 4000),
    (ends_the_session, Refused, Refusal.TOKEN_EXPIRED, 10000),
    (renews_the_session, Posting, None, 4000),
    (deletes_the_session, Refused, Refusal.TOKEN_UNKNOWN, 10000),
    (refuses_an_abort, Posting, None, 4000),
    (takes_the_key, Replay, None, 4000),
    (takes_the_key_for_clara, Refused, Refusal.MOVEMENT_DIFFERS, 10000),
    (takes_the_key_for_a_refusal, Replay, None, 10000),
    (rewrites_the_tables, Posting, None, 4000),
]


def by_another_process(till: Till, db: Database, work: Callable[[Till], Awaitable[object]]) -> None:
    """Let another process do this, and be done with it, while everything here stands still."""

    async def elsewhere() -> None:
        ledger = Ledger(db.service_url)
        try:
            await work(Till(ledger, db.superuser_url, tokens=till.tokens))
        finally:
            await ledger.close()

    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: asyncio.run(elsewhere())).result()


class TestMeanwhile:
    """Between the glance and the statement that writes, another process was there."""

    @pytest.mark.parametrize(
        ("meddle", "kind", "refusal", "left"),
        MEDDLINGS,
        ids=[meddling[0].__name__ for meddling in MEDDLINGS],
    )
    async def test_nothing_stands_of_what_was_decided_and_the_new_truth_decides(
        self,
        till: Till,
        db: Database,
        meddle: Meddling,
        kind: type,
        refusal: Refusal | None,
        left: int,
    ) -> None:
        for name in ("anna", "boris", "clara"):
            await till.player(name, "100")
        bet = till.bet(amount="60")
        batch = [till.bet("boris", "1"), bet, till.movement("boris", "Deposit", "credit", "2")]
        told = await till.move_at_once(
            *batch,
            before_writing=lambda: by_another_process(till, db, lambda other: meddle(other, bet)),
        )
        assert told.receipts == [None] * 3
        assert await standing(till, batch) == 0
        taken = await till.count("transaction_keys", f"transaction_id = '{bet.key.transaction_id}'")
        assert told.suspects == ({bet.key} if taken else set())
        assert till.ledger.retries == {"WF001": 1}
        receipts = await till.finish(batch, told)
        assert kinds(receipts) == [Posting, kind, Posting]
        assert getattr(receipts[1], "refusal", None) is refusal
        assert await till.pockets() == (left, 0)
        assert await till.pockets("boris") == (10100, 0)
        assert await till.count("movements", "flags <> ''") == (meddle is refuses_an_abort)
        await till.is_sound()

    async def test_a_bet_that_its_abort_overtook_is_flagged(self, till: Till, db: Database) -> None:
        await till.player("anna", "100")
        bet = till.bet()
        told = await till.move_at_once(
            bet,
            before_writing=lambda: by_another_process(
                till, db, lambda other: refuses_an_abort(other, bet)
            ),
        )
        (receipt,) = await till.finish([bet], told)
        assert isinstance(receipt, Posting)
        assert receipt.entry.flags == (Flag.ABORT_OVERTOOK,)

    @pytest.mark.parametrize(
        ("table", "put", "kind"),
        [
            ("wallets", "real = 20", Declined),
            ("players", "blocked = true", Declined),
            ("sessions", "expires_at = issued_at", Refused),
        ],
    )
    async def test_a_row_put_in_the_place_of_another_is_another(
        self, till: Till, db: Database, table: str, put: str, kind: type
    ) -> None:
        await till.player("anna", "100")
        bet = till.bet(amount="60")
        told = await till.move_at_once(
            bet,
            before_writing=lambda: by_another_process(
                till, db, lambda other: put_another_in_its_place(other, table, put)
            ),
        )
        assert told == AtOnce([None])
        assert till.ledger.retries == {"WF001": 1}
        assert kinds(await till.finish([bet], told)) == [kind]

    async def test_a_row_that_a_rewrite_put_there_is_another(
        self, till: Till, db: Database
    ) -> None:
        """Players who were imported together share a transaction, and a place is used again."""
        owner = await connect(till.superuser_url)
        await owner.execute(
            """
            INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
                SELECT name, 'house', 'USD', 2, 'nick', 'en', now()
                FROM unnest(ARRAY['anna', 'boris']) name;
            INSERT INTO wallets (player_id, chain)
                SELECT player_id, decode(repeat('00', 32), 'hex') FROM players;
            INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, origin)
                SELECT player_id, sha256(user_id::bytea), now(), now() + interval '1 day',
                    'callback'
                FROM players;
            """
        )
        await owner.close()
        till.tokens |= {"anna": "anna", "boris": "boris"}
        await till.one(till.movement("anna", "Deposit", "credit", "100"))

        async def blocks_and_rewrites(other: Till) -> None:
            await blocks(other, bet)
            await other.rows("VACUUM FULL players")

        bet = till.bet(amount="60")
        told = await till.move_at_once(
            bet, before_writing=lambda: by_another_process(till, db, blocks_and_rewrites)
        )
        assert told == AtOnce([None])
        assert kinds(await till.finish([bet], told)) == [Declined]

    async def test_a_round_that_is_elsewhere_now_is_found_with_care(
        self, till: Till, db: Database
    ) -> None:
        await till.player("anna", "100")
        await till.move(till.bet())
        win = till.movement("anna", "Win", "credit", "5")
        told = await till.move_at_once(
            win,
            before_writing=lambda: by_another_process(
                till, db, lambda other: other.rows("UPDATE rounds SET last_at = now()")
            ),
        )
        assert told == AtOnce([None])
        assert kinds(await till.finish([win], told)) == [Posting]
        (row,) = await till.rows("SELECT paid::int, settled FROM rounds")
        assert tuple(row) == (5, True)

    async def test_another_players_business_changes_no_fact(self, till: Till, db: Database) -> None:
        await till.player("anna", "100")
        await till.player("clara", "100")
        told = await till.move_at_once(
            till.bet(),
            before_writing=lambda: by_another_process(
                till, db, lambda other: other.one(other.bet("clara"))
            ),
        )
        assert kinds(told.receipts) == [Posting]
        assert till.ledger.retries == {}

    async def test_a_player_changed_while_his_bet_waits_for_the_wallet_is_a_conflict(
        self, till: Till
    ) -> None:
        """Write skew: who changes the player has read the wallet, and is committed first."""
        await till.player("anna", "100")
        bet = till.bet()
        officer = await connect(till.superuser_url)
        async with held_up(till):
            task = asyncio.create_task(till.move_at_once(bet))
            await waiting(till)
            async with officer.transaction(isolation="serializable"):
                await officer.execute("SELECT FROM wallets")
                await officer.execute("UPDATE players SET blocked = true")
        await officer.close()
        told = await task
        assert told == AtOnce([None])
        assert till.ledger.retries == {"40001": 1}
        (receipt,) = await till.finish([bet], told)
        assert isinstance(receipt, Declined)
        assert receipt.refusal is Refusal.PLAYER_BLOCKED
        await till.is_sound()


async def fail_at_commit(till: Till, sqlstate: str, times: int = 1) -> None:
    """Let the database refuse so many commits of movements, and no statement before them."""
    owner = await connect(till.superuser_url)
    await owner.execute(
        f"""
        CREATE SEQUENCE failures;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF nextval('failures') <= {times} THEN
                RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}';
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON movements
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
        """
    )
    await owner.close()


class TestTheImplicitCommit:
    @pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
    async def test_a_conflict_there_undoes_everything(self, till: Till, sqlstate: str) -> None:
        names = await till.players(3, "100")
        await fail_at_commit(till, sqlstate)
        batch = [till.bet(name) for name in names]
        told = await till.move_at_once(*batch)
        assert told == AtOnce([None] * 3)
        assert till.ledger.retries == {sqlstate: 1}
        assert await standing(till, batch) == 0
        assert kinds(await till.finish(batch, told)) == [Posting] * 3
        await till.is_sound()

    async def test_another_fault_there_is_told_and_nothing_stands(self, till: Till) -> None:
        await till.player("anna", "100")
        await fail_at_commit(till, "22012", times=3)
        bet = till.bet()
        with pytest.raises(asyncpg.DivisionByZeroError):
            await till.move_at_once(bet)
        assert await standing(till, [bet]) == 0
        batcher = Batcher(till.ledger, till.policy)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await batcher.move(bet)
        assert isinstance(await batcher.move(bet), Posting), "the lane goes on"
        await batcher.close()
        await till.is_sound()

    async def cut(self, till: Till, far_till: Till, line: Line, fate: AtCommit) -> list[Movement]:
        """The line of a batch that is about to be decided at once is cut there."""
        await till.player("anna", "100")
        await till.player("boris", "100")
        far_till.tokens = till.tokens
        line.at_commit = [fate]
        return [far_till.bet(amount="100"), far_till.bet("boris"), far_till.bet("boris", "5")]

    @pytest.mark.parametrize(("fate", "stand"), [(AtCommit.CUT_BEFORE, 0), (AtCommit.CUT_AFTER, 3)])
    async def test_cut_there_nobody_knows_and_everybody_is_suspected(
        self, till: Till, far_till: Till, line: Line, fate: AtCommit, stand: int
    ) -> None:
        batch = await self.cut(till, far_till, line, fate)
        told = await far_till.move_at_once(*batch)
        keys = frozenset(movement.key for movement in batch)
        assert told == AtOnce([None] * 3, keys, is_on_its_way=True)
        assert line.commits_at_once == 1
        receipts = await far_till.finish(batch, told)
        assert kinds(receipts) == [Replay if stand else Posting] * 3
        assert all(receipt.is_own for receipt in receipts if isinstance(receipt, Replay))
        assert "key taken" not in far_till.ledger.retries, "who is suspected is looked up first"
        assert await standing(till, batch) == 3
        assert await till.pockets() == (0, 0)
        assert await till.pockets("boris") == (8500, 0)
        await till.is_sound()

    async def test_silence_there_is_told_and_the_next_delivery_finds_it(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        batch = await self.cut(till, far_till, line, AtCommit.SILENCE_AFTER)
        with pytest.raises(DeadlineError):
            await far_till.move_at_once(*batch)
        assert line.commits_at_once == 1
        receipts = await far_till.move(*(again(movement, n) for n, movement in enumerate(batch)))
        assert kinds(receipts) == [Replay] * 3
        assert await standing(till, batch) == 3
        await till.is_sound()

    @pytest.mark.parametrize("fate", [AtCommit.CUT_BEFORE, AtCommit.CUT_AFTER])
    async def test_callers_of_the_tellers_hear_of_no_cut(
        self, till: Till, far_till: Till, line: Line, fate: AtCommit
    ) -> None:
        batch = await self.cut(till, far_till, line, fate)
        batcher = Batcher(far_till.ledger, far_till.policy)
        receipts = await asyncio.gather(*(batcher.move(movement) for movement in batch))
        await batcher.close()
        assert line.struck == line.commits_at_once == 1
        assert "key taken" not in far_till.ledger.retries
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
        ledger = Ledger(line.url, deadline=timedelta(seconds=2), clock=lambda: times[-1])
        batcher = Batcher(ledger, till.policy)
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

    async def test_whoever_heard_that_he_paid_pays_once(self, till: Till, line: Line) -> None:
        await till.player("anna", "100")
        line.at_commit = [AtCommit.LATE]
        ledger = Ledger(line.url, deadline=timedelta(seconds=2))
        batcher = Batcher(ledger, till.policy)
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
        ledger = Ledger(line.url, deadline=timedelta(seconds=1))
        batcher = Batcher(ledger, till.policy)
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


async def test_a_session_that_lost_its_settings_writes_nothing_at_once(
    till: Till, db: Database
) -> None:
    """As behind a pooler that drops them: the statement would be READ COMMITTED."""
    await till.player("anna", "100")
    ledger = Ledger(db.service_url, pool_size=1)
    forgetful = Till(ledger, db.superuser_url, tokens=till.tokens)

    async def forget(book: Book) -> None:
        await book.connection.execute("SET default_transaction_isolation = 'read committed'")

    await ledger.serializable(forget)
    bet = forgetful.bet()
    with pytest.raises(asyncpg.RaiseError, match="serializable"):
        await forgetful.move_at_once(bet)
    assert await standing(till, [bet]) == 0
    batcher = Batcher(ledger, till.policy)
    assert isinstance(await batcher.move(bet), Posting), "with care: BEGIN says what it wants"
    await batcher.close()
    await ledger.close()
    await till.is_sound()


@asynccontextmanager
async def locked(till: Till, table: str) -> AsyncIterator[None]:
    """Let nobody even read this table."""
    holder = await connect(till.superuser_url)
    try:
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await holder.close()


class TestTerminated:
    """The server ends a connection, as it does when it is restarted."""

    @pytest.mark.parametrize("times", [1, 2])
    async def test_while_it_writes(self, till: Till, times: int) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, till.policy)
        async with held_up(till):
            task = asyncio.create_task(batcher.move(till.bet(amount="100")))
            for _ in range(times):
                (pid,) = await waiting(till)
                await till.rows("SELECT pg_terminate_backend($1, 5000)", pid)
        assert isinstance(await task, Posting)
        await batcher.close()
        assert till.ledger.retries.total() == times
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_while_it_glances(self, till: Till) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, till.policy)
        async with locked(till, "sessions"):
            task = asyncio.create_task(batcher.move(till.bet(amount="100")))
            (pid,) = await waiting(till)
            await till.rows("SELECT pg_terminate_backend($1, 5000)", pid)
        assert isinstance(await task, Posting)
        await batcher.close()
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_while_all_are_idle(self, till: Till) -> None:
        await till.player("anna", "100")
        batcher = Batcher(till.ledger, till.policy)
        for _ in range(3):
            assert isinstance(await batcher.move(till.bet(amount="10")), Posting)
            ended = await till.rows(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'wallet' AND datname = current_database()"
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
    both = [Batcher(each.ledger, each.policy) for each in (till, other_till)]
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
