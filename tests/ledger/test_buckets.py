"""A ledger with several buckets: how they are made, brought level, met by the wrong hash, split."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cashier.audit import audit
from app.cashier.batching import Batcher
from app.cashier.buckets import show_buckets
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.sealing import Sealer, seal
from app.cashier.startup_checks import check_startup
from app.cashier.watch import Watch
from app.database_url import connect_arguments
from app.ledger.buckets import TABLES, BucketsDifferError, Copied, NotSplitError
from app.ledger.buckets.splitting import split
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.connecting import connect
from app.ledger.migrations import upgrade
from app.ledger.owner_changes import SIDE_BY_SIDE, finish_upgrade
from app.ledger.pools import SESSION_SETTINGS, WHOLE_LEDGER
from app.proof.keys import make_key, public_text
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.facts import Policy
from app.wallet.outcomes import Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import Till
from tests.conftest import Database
from tests.ledger.conftest import COUNT
from tests.ledger.money.test_statements import (
    ASKED_OF_TABLES,
    crowd,
    has_condition,
    scans_of,
)

pytestmark = pytest.mark.one_bucket("it makes its own buckets")


@pytest.fixture
async def till(four: Database) -> AsyncIterator[Till]:
    ledger = PlacedLedger(four.service_url)
    yield Till(ledger, four.superuser_url)
    await ledger.close()


async def run(url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await connect(connect_arguments(url))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return rows
    finally:
        await connection.close()


def of_bucket(bucket: int, but: tuple[str, ...] = ()) -> str:
    """A player of this bucket."""
    names = (f"player-{number}" for number in range(1000))
    return next(name for name in names if bucket_of(name, COUNT) == bucket and name not in but)


class TestWhereRowsAre:
    async def test_every_row_is_in_its_player_s_bucket_and_none_above(self, till: Till) -> None:
        names = [of_bucket(bucket) for bucket in range(COUNT)]
        for name in names:
            await till.player(name, "100")
        await till.move(*(till.bet(name, "10") for name in names))
        for table in ("players", "wallets", "sessions", "movements", "rounds"):
            (above,) = await till.rows(f"SELECT count(*) FROM ONLY public.{table}")
            assert above[0] == 0, table
            for bucket, name in enumerate(names):
                rows = await till.rows(
                    f"SELECT count(*) FROM b{bucket:02}_of_04.{table} t JOIN public.players p"
                    " USING (player_id) WHERE p.user_id = $1",
                    name,
                )
                everybody = await till.rows(f"SELECT count(*) FROM b{bucket:02}_of_04.{table}")
                assert rows == everybody, (table, bucket)
                assert rows[0][0] > 0, (table, bucket)

    async def test_nothing_can_be_written_above(self, four: Database) -> None:
        for table in TABLES:
            rows = await run(
                four.superuser_url,
                "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass($1)"
                " AND conname = $2 AND connoinherit",
                f"public.{table}",
                f"ck_{table}_rows_are_in_buckets",
            )
            assert rows[0][0] == 1, table

    async def test_no_player_gets_into_another_s_bucket(self, four: Database) -> None:
        for bucket in range(COUNT):
            statement = (
                f"INSERT INTO b{bucket:02}_of_04.players (user_id, agent, currency, scale,"
                " nickname, language, created_at)"
                " VALUES ($1, 'house', 'USD', 2, 'nick', 'en', now())"
            )
            if bucket == bucket_of("anna", COUNT):
                await run(four.superuser_url, statement, "anna")
            else:
                with pytest.raises(asyncpg.CheckViolationError, match="ck_players_bucket"):
                    await run(four.superuser_url, statement, "anna")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
    @given(
        st.lists(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=64),
            min_size=20,
            max_size=20,
        )
    )
    def test_the_database_hashes_as_we_do(self, four: Database, user_ids: list[str]) -> None:
        query = "SELECT bucket_of_v1(u, 64) FROM unnest($1::text[]) WITH ORDINALITY AS x (u, n)"
        rows = asyncio.run(run(four.superuser_url, f"{query} ORDER BY n", user_ids))
        assert [row[0] for row in rows] == [bucket_of(user_id, 64) for user_id in user_ids]

    async def test_buckets_are_listed_with_their_players(self, till: Till) -> None:
        for bucket in range(COUNT):
            await till.player(of_bucket(bucket), "5")
        there = await show_buckets(till.ledger)
        assert [bucket.schema for bucket in there] == [f"b0{n}_of_04" for n in range(COUNT)]
        assert [(b.players, b.movements, b.lately) for b in there] == [(1, 1, 1)] * COUNT
        assert all(bucket.size_bytes > 0 for bucket in there)


class TestLanes:
    async def test_a_batch_is_of_one_bucket_s_players(self, till: Till, four: Database) -> None:
        names = await till.players(40, "100")
        ledger = PlacedLedger(four.service_url, buckets=COUNT)
        batcher = Batcher(ledger, PolicyInForce(till.policy), lanes=COUNT)
        bets = [till.bet(name, "1") for name in names for _ in range(3)]
        receipts = await asyncio.gather(*(batcher.move(bet) for bet in bets))
        await batcher.close()
        assert not ledger.retries, "nobody was sent back"
        await ledger.close()
        assert {type(receipt) for receipt in receipts} == {Posting}
        batches = await till.rows(
            "SELECT count(*), count(DISTINCT tableoid) FROM movements"
            " WHERE event_type = 'BetPlacing' GROUP BY xid"
        )
        assert {row[1] for row in batches} == {1}
        assert COUNT <= len(batches) <= 40, "and they go together"
        assert sum(row[0] for row in batches) == 120

    async def test_a_lane_that_has_another_s_players_answers_them_too(
        self, till: Till, four: Database
    ) -> None:
        names = await till.players(12, "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=1)
        receipts = await asyncio.gather(*(batcher.move(till.bet(name, "1")) for name in names))
        await batcher.close()
        assert [type(receipt) for receipt in receipts] == [Posting] * 12
        assert (await audit(four.superuser_url)).is_clean


class TestOneIdForAll:
    """The contract: a transaction id is one player's, whatever buckets they are in."""

    @pytest.fixture(params=[False, True], ids=["same bucket", "another bucket"])
    async def rivals(self, till: Till, request: pytest.FixtureRequest) -> tuple[str, str]:
        first = of_bucket(0)
        second = of_bucket(1 if request.param else 0, but=(first,))
        for name in (first, second):
            await till.player(name, "100")
        return first, second

    async def test_the_same_player_hears_it_again(
        self, till: Till, rivals: tuple[str, str]
    ) -> None:
        bet = till.bet(rivals[0], transaction_id="t-same")
        assert isinstance(await till.one(bet), Posting)
        again = await till.one(bet._replace(delivery=bytes(16)))
        assert isinstance(again, Replay)
        assert again.differs is None

    async def test_another_player_is_refused(self, till: Till, rivals: tuple[str, str]) -> None:
        first, second = rivals
        posted = await till.one(till.bet(first, transaction_id="t-same"))
        assert isinstance(posted, Posting)
        refused = await till.one(till.bet(second, transaction_id="t-same"))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.MOVEMENT_DIFFERS
        (count,) = await till.rows("SELECT count(*) FROM movements WHERE transaction_id = 't-same'")
        assert count[0] == 1

    async def test_of_many_at_once_one_is_posted(
        self, till: Till, rivals: tuple[str, str], four: Database
    ) -> None:
        ledgers = [PlacedLedger(four.service_url) for _ in range(2)]
        tills = [Till(each, four.superuser_url, tokens=till.tokens) for each in ledgers]
        for number in range(8):
            bets = [
                (each, till.bet(name, transaction_id=f"race-{number}"))
                for each in tills
                for name in rivals
            ]
            receipts: list[Receipt] = await asyncio.gather(*(each.one(bet) for each, bet in bets))
            assert sum(isinstance(receipt, Posting) for receipt in receipts) == 1, receipts
            assert {type(receipt) for receipt in receipts} <= {Posting, Replay, Refused}
            winners = {
                bet.user_id
                for (_, bet), receipt in zip(bets, receipts, strict=True)
                if not isinstance(receipt, Refused)
            }
            assert len(winners) == 1
        for ledger in ledgers:
            await ledger.close()
        (count,) = await till.rows(
            "SELECT count(*), count(DISTINCT transaction_id) FROM movements"
            " WHERE transaction_id LIKE 'race-%'"
        )
        assert tuple(count) == (8, 8)
        assert (await audit(four.superuser_url)).is_clean

    async def test_a_batch_of_many_buckets_is_answered_in_order(self, till: Till) -> None:
        names = await till.players(12, "100")
        bets = [till.bet(name, str(number + 1)) for number, name in enumerate(names)]
        receipts = await till.move(*bets)
        assert all(isinstance(receipt, Posting) for receipt in receipts)
        amounts = [r.entry.amount for r in receipts if isinstance(r, Posting)]
        assert amounts == [(number + 1) * 100 for number in range(12)]


class TestMaking:
    async def test_it_is_made_once(self, four: Database) -> None:
        before = await run(four.superuser_url, "SELECT * FROM buckets")
        await upgrade(four.owner_url, buckets=COUNT)
        await upgrade(four.owner_url)
        assert await run(four.superuser_url, "SELECT * FROM buckets") == before

    async def test_the_number_never_changes(self, four: Database) -> None:
        with pytest.raises(BucketsDifferError, match="WALLET_BUCKETS=4"):
            await upgrade(four.owner_url, buckets=8)

    async def test_a_ledger_with_players_is_split_and_not_made(self, db: Database) -> None:
        ledger = PlacedLedger(db.service_url)
        await Till(ledger, db.superuser_url).player("anna")
        await ledger.close()
        with pytest.raises(BucketsDifferError, match="buckets split --into 4"):
            await upgrade(db.owner_url, buckets=COUNT)

    async def test_one_bucket_has_no_schema_of_its_own(self, db: Database) -> None:
        schemas = await run(
            db.superuser_url, "SELECT 1 FROM pg_namespace WHERE nspname LIKE 'b%_of_%'"
        )
        assert schemas == []
        (count,) = await run(db.superuser_url, "SELECT count(*) FROM pg_inherits")
        assert count[0] == 0


class TestLevel:
    async def test_what_is_made_above_is_made_in_every_bucket(self, four: Database) -> None:
        await run(four.owner_url, "ALTER TABLE rounds ADD COLUMN told text DEFAULT 'x'")
        await run(four.owner_url, "CREATE INDEX ix_rounds_told ON rounds (told)")
        await run(
            four.owner_url,
            "CREATE TRIGGER told BEFORE DELETE ON rounds FOR EACH STATEMENT"
            " EXECUTE FUNCTION forbid_change()",
        )
        await run(four.owner_url, "GRANT UPDATE (told) ON rounds TO wallet_service")
        await run(four.owner_url, "DROP INDEX ix_rounds_agent_opened_at")
        await upgrade(four.owner_url)
        for bucket in range(COUNT):
            place = f"b{bucket:02}_of_04.rounds"
            (row,) = await run(
                four.superuser_url,
                "SELECT has_column_privilege('wallet_service', $1::text::regclass, 'told',"
                " 'UPDATE'), (SELECT count(*) FROM pg_trigger WHERE tgrelid = $1::text::regclass"
                " AND tgname = 'told'),"
                " (SELECT array_agg(indexrelid::regclass::text) FROM pg_index"
                "  WHERE indrelid = $1::text::regclass)",
                place,
            )
            assert (row[0], row[1]) == (True, 1)
            assert f"b{bucket:02}_of_04.ix_rounds_told" in row[2]
            assert f"b{bucket:02}_of_04.ix_rounds_agent_opened_at" not in row[2]

    async def test_an_index_of_a_bucket_with_rows_is_made_beside_the_movements(
        self, till: Till, four: Database
    ) -> None:
        await till.player("anna", "100")
        await till.one(till.bet("anna"))
        await run(four.owner_url, "CREATE INDEX ix_rounds_paid ON rounds (paid)")
        await upgrade(four.owner_url)
        (row,) = await run(
            four.superuser_url,
            "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE c.relname = 'ix_rounds_paid' AND i.indisvalid",
        )
        assert row[0] == COUNT + 1

    async def test_what_a_run_that_was_cut_off_left_behind_is_made_anew(
        self, till: Till, four: Database
    ) -> None:
        await till.player("anna", "100")
        invalid = (
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'b03_of_04.ix_movements_xid'::regclass"
        )
        await run(four.superuser_url, invalid)
        await upgrade(four.owner_url)
        (row,) = await run(
            four.superuser_url,
            "SELECT indisvalid FROM pg_index"
            " WHERE indexrelid = 'b03_of_04.ix_movements_xid'::regclass",
        )
        assert row[0]


class TestTheTables:
    async def test_nothing_outside_of_the_buckets_refers_to_their_tables_by_a_foreign_key(
        self, db: Database
    ) -> None:
        """It would look above the buckets, where no row is."""
        rows = await run(
            db.superuser_url,
            "SELECT conrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND confrelid::regclass::text = ANY ($1)"
            " AND conrelid::regclass::text <> ALL ($1)",
            [*TABLES],
        )
        assert rows == []


class TestStatistics:
    async def test_a_table_is_analysed_above_when_it_was_in_a_bucket(
        self, till: Till, four: Database
    ) -> None:
        await till.player("anna", "100")
        watch = Watch(till.ledger)
        await watch.look()
        assert await analysed(four) == set()
        await run(four.superuser_url, "ANALYZE b03_of_04.players")
        for _ in range(3):
            await watch.look()
            assert await analysed(four) == {"players"}

    async def test_its_parts_are_left_to_autovacuum(self, till: Till, four: Database) -> None:
        """Analysed with the whole, they would be later than it, and it would be out of date."""
        await till.player("anna", "100")
        await run(four.superuser_url, "ANALYZE b03_of_04.players")
        before = await analyses_of_parts(four)
        await Watch(till.ledger).look()
        assert await analysed(four) == {"players"}
        assert await analyses_of_parts(four) == before


async def analyses_of_parts(four: Database) -> dict[str, int]:
    """How often each bucket's table of players was analysed by a command."""
    rows = await run(
        four.superuser_url,
        "SELECT schemaname::text, analyze_count FROM pg_stat_user_tables"
        " WHERE relname = 'players' AND schemaname <> 'public'",
    )
    return {row[0]: row[1] for row in rows}


async def analysed(four: Database) -> set[str]:
    """Which tables have statistics of all buckets."""
    rows = await run(
        four.superuser_url,
        "SELECT DISTINCT tablename::text FROM pg_stats WHERE schemaname = 'public' AND inherited",
    )
    return {row[0] for row in rows}


class TestFinish:
    async def test_raises_of_the_release_before_are_settled_in_each_bucket(
        self, till: Till, four: Database
    ) -> None:
        names = [of_bucket(bucket) for bucket in range(COUNT)]
        for name in names:
            await till.player(name, "100")
        await run(
            four.superuser_url,
            "UPDATE wallets SET limits = jsonb_build_object('stake_day',"
            " jsonb_build_object('amount', '5', 'later', '9', 'from', 1))",
        )
        await run(four.superuser_url, "UPDATE decision_settings SET rule_version = 1")
        assert await finish_upgrade(four.owner_url, "test")
        rows = await till.rows(
            "SELECT p.user_id, c.tableoid::regclass::text, w.limits #>> '{stake_day,amount}'"
            " FROM account_changes c JOIN players p USING (player_id) JOIN wallets w USING"
            " (player_id) WHERE c.operation = 'migrate/finish' ORDER BY 2"
        )
        assert [tuple(row) for row in rows] == [
            (name, f"b{bucket:02}_of_04.account_changes", "9") for bucket, name in enumerate(names)
        ]
        assert (
            await run(
                four.superuser_url,
                "SELECT tgname FROM pg_trigger WHERE tgname = ANY ($1)",
                [*SIDE_BY_SIDE],
            )
            == []
        )


class TestSeals:
    async def test_a_seal_covers_every_bucket_and_what_guards_it(
        self, till: Till, four: Database, tmp_path: Path
    ) -> None:
        for bucket in range(COUNT):
            await till.player(of_bucket(bucket), "5")
        sealer = Sealer(make_key(tmp_path / "key.pem"), tmp_path / "seals.jsonl")
        keys = [public_text(sealer.key.public_key())]
        made = await seal(four.service_url, sealer)
        assert made is not None
        assert made.chains == COUNT
        assert (await audit(four.service_url, keys=keys)).is_clean
        await run(four.superuser_url, "GRANT UPDATE ON b02_of_04.movements TO wallet_service")
        found = {each.invariant for each in (await audit(four.service_url, keys=keys)).breaches}
        assert found == {"guards_are_as_sealed"}


class TestAudit:
    async def test_a_row_in_another_bucket_is_found(self, till: Till, four: Database) -> None:
        await till.player("anna", "100")
        await till.one(till.bet("anna"))
        assert (await audit(four.superuser_url)).is_clean
        await run(
            four.superuser_url,
            "WITH gone AS (DELETE FROM b03_of_04.rounds RETURNING *)"
            " INSERT INTO b01_of_04.rounds SELECT * FROM gone",
        )
        found = await audit(four.superuser_url)
        (breach,) = found.breaches
        assert breach.invariant == "rows_are_in_their_bucket"
        assert breach.offender["place"] == "b01_of_04.rounds"

    async def test_a_bucket_s_guard_that_is_missing_is_found(
        self, till: Till, four: Database
    ) -> None:
        await till.player("anna", "100")
        for statement, missing in (
            ("ALTER TABLE b02_of_04.players DROP CONSTRAINT ck_players_bucket", "players"),
            ("DROP TRIGGER append_only ON b02_of_04.movements", "movements"),
        ):
            await run(four.superuser_url, statement)
            found = [str(breach.offender) for breach in (await audit(four.superuser_url)).breaches]
            assert any(f"b02_of_04.{missing}" in offender for offender in found), found


class TestAnotherNumber:
    async def test_such_a_server_does_not_start(self, four: Database) -> None:
        for ours in (1, 2):
            ledger = PlacedLedger(four.service_url, buckets=ours)
            with pytest.raises(LedgerUnfitError, match="WALLET_BUCKETS=4"):
                await check_startup(ledger, PolicyInForce(Policy()), require_durability=False)
            await ledger.close()

    async def test_such_a_process_moves_nothing(self, till: Till, four: Database) -> None:
        await till.player("anna", "100")
        before = await till.rows("SELECT * FROM movements")
        no_schema = (asyncpg.UndefinedTableError, r"b0\d_of_0[28].players")
        for ours, (error, said) in {
            1: (asyncpg.CheckViolationError, "rows_are_in_buckets"),
            2: no_schema,
            8: no_schema,
        }.items():
            ledger = PlacedLedger(four.service_url, buckets=ours)
            wrong = Till(ledger, four.superuser_url, tokens=till.tokens)
            with pytest.raises(error, match=said):
                await wrong.one(till.bet("anna"))
            await ledger.close()
        assert await till.rows("SELECT * FROM movements") == before
        assert isinstance(await till.one(till.bet("anna")), Posting)


class TestSplit:
    @pytest.fixture(autouse=True)
    async def played(self, db: Database) -> Till:
        """A ledger with one bucket, used and left."""
        ledger = PlacedLedger(db.service_url)
        till = Till(ledger, db.superuser_url)
        for name in [of_bucket(bucket) for bucket in range(COUNT)]:
            await till.player(name, "100")
            await till.one(till.bet(name, transaction_id=f"bet-{name}"))
        await ledger.close()
        return till

    async def test_everything_is_as_before_but_where_it_is(
        self, db: Database, played: Till
    ) -> None:
        queries = [f"SELECT t::text FROM {table} t ORDER BY 1" for table in TABLES]
        before = [await played.rows(query) for query in queries]
        told: list[Copied] = []
        await split(db.owner_url, COUNT, told.append)
        assert [await played.rows(query) for query in queries] == before
        assert {each.table: each.rows for each in told} == {
            table: len(rows) for table, rows in zip(TABLES, before, strict=True)
        }
        assert (await audit(db.superuser_url)).is_clean
        ledger = PlacedLedger(db.service_url)
        till = Till(ledger, db.superuser_url, tokens=played.tokens)
        name = of_bucket(2)
        again = await till.one(till.bet(name, transaction_id=f"bet-{name}"))
        assert isinstance(again, Replay)
        assert isinstance(await till.one(till.bet(name)), Posting)
        assert await till.player("somebody new", "1")
        await ledger.close()
        assert (await audit(db.superuser_url)).is_clean

    async def test_it_is_as_one_that_had_them_from_the_beginning(
        self, db: Database, four: Database
    ) -> None:
        await split(db.owner_url, COUNT, lambda _: None)
        shape = """
            SELECT n.nspname, c.relname, c.reloptions::text,
                   (SELECT array_agg(pg_get_constraintdef(k.oid) ORDER BY k.conname)
                    FROM pg_constraint k WHERE k.conrelid = c.oid)::text,
                   (SELECT array_agg(pg_get_triggerdef(t.oid) ORDER BY t.tgname)
                    FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)::text,
                   (SELECT array_agg(pg_get_indexdef(i.indexrelid)
                                     ORDER BY i.indexrelid::regclass::text)
                    FROM pg_index i WHERE i.indrelid = c.oid)::text,
                   (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a)::text,
                   (SELECT array_agg(f.attname || coalesce(f.attacl::text, '')
                                     || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
                                     ORDER BY f.attname)
                    FROM pg_attribute f LEFT JOIN pg_attrdef d
                      ON d.adrelid = f.attrelid AND d.adnum = f.attnum
                    WHERE f.attrelid = c.oid AND f.attnum > 0)::text
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND (n.nspname = 'public' OR n.nspname LIKE 'b%_of_%')
            ORDER BY 1, 2
        """
        assert await run(db.superuser_url, shape) == await run(four.superuser_url, shape)

    async def test_what_is_asked_of_a_bucket_goes_by_key_there_and_above(
        self, db: Database, played: Till
    ) -> None:
        await crowd(played)
        await split(db.owner_url, COUNT, lambda _: None)
        path = {"search_path": f"{schema_of(1, COUNT)}, {WHOLE_LEDGER}"}
        connection = await asyncpg.connect(
            db.service_url.replace("+asyncpg", ""),
            server_settings=SESSION_SETTINGS | path,
        )
        blind = {}
        for name, statement in ASKED_OF_TABLES.items():
            scans = await scans_of(connection, name, statement)
            blind[name] = [node for node in scans if not has_condition(node)]
        await connection.close()
        assert blind == {name: [] for name in ASKED_OF_TABLES}

    async def test_nobody_may_be_connected(self, db: Database) -> None:
        ledger = PlacedLedger(db.service_url)
        await show_buckets(ledger)
        with pytest.raises(NotSplitError, match="1 connections of the wallet are open"):
            await split(db.owner_url, COUNT, lambda _: None)
        await ledger.close()

    async def test_a_row_of_no_player_stops_it_and_nothing_is_left(self, db: Database) -> None:
        await run(
            db.superuser_url,
            "INSERT INTO early_aborts VALUES (999, 'e', false, 't', 1, now(), 'waiting')",
        )
        with pytest.raises(NotSplitError, match="Of 1 rows of early_aborts, 0 arrived"):
            await split(db.owner_url, COUNT, lambda _: None)
        assert await run(db.superuser_url, "SELECT * FROM buckets") == []
        (row,) = await run(db.superuser_url, "SELECT count(*) FROM ONLY public.players")
        assert row[0] == COUNT

    async def test_it_is_split_once(self, four: Database) -> None:
        with pytest.raises(NotSplitError, match="has 4 buckets already"):
            await split(four.owner_url, 8, lambda _: None)
