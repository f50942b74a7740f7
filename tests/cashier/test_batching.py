"""Group commit: the order of movements, bounds on waiting, and outcomes after failures."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.cashier import batching as batching_module
from app.cashier import in_doubt as in_doubt_module
from app.cashier import turns as turns_module
from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.cashier.turns import Turns
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import DeadlineError, LedgerBusyError, LedgerError
from app.wallet.alarms import Alarm
from app.wallet.buckets import bucket_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Replay
from tests.cashier.line import AtCommit, Line
from tests.cashier.locks import held_up, waiting
from tests.cashier.till import Till
from tests.conftest import Database

NUL_IN_EXTRA_DATA = '{"a": "\x00"}'
"""PostgreSQL refuses NUL in text; the edge turns such a request away before it comes here."""


@pytest.fixture
async def batcher(till: Till) -> AsyncIterator[Batcher]:
    """One lane, so that everybody meets."""
    batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=1)
    yield batcher
    await batcher.close()


def submit(
    batcher: Batcher,
    movements: Sequence[Movement],
    seconds: float = 5,
) -> "list[asyncio.Task[Receipt]]":
    deadline = timedelta(seconds=seconds)
    return [asyncio.create_task(batcher.move(m, deadline=deadline)) for m in movements]


async def batches(till: Till, user_ids: Sequence[str]) -> list[list[str]]:
    """Whose movements were written by which transaction, in the order of commit."""
    rows = await till.rows_of_each(
        "SELECT m.ledger_time, m.xmin::text, p.user_id FROM movements m JOIN players p"
        " USING (player_id) WHERE m.event_type = 'BetPlacing' AND p.user_id = ANY($1)"
        " ORDER BY m.ledger_time, m.xmin::text::bigint, m.position",
        list(user_ids),
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["xmin"], []).append(row["user_id"])
    return list(found.values())


async def test_a_lone_movement_starts_at_once(till: Till, batcher: Batcher) -> None:
    await till.player("anna", "100")
    await batcher.move(till.bet())
    commits = []
    for _ in range(5):
        began = time.monotonic()
        assert isinstance(await batcher.move(till.bet()), Posting)
        commits.append(time.monotonic() - began)
    assert min(commits) < 0.05, "nobody waits for company"
    assert [len(batch) for batch in await batches(till, ["anna"])] == [1] * 6


async def test_what_arrives_while_a_transaction_runs_goes_together_in_the_next(
    till: Till, batcher: Batcher
) -> None:
    names = await till.players(6, "100", together=True)
    async with held_up(till, names[0]):
        tasks = submit(batcher, [till.bet(names[0])])
        await waiting(till)
        tasks += submit(batcher, [till.bet(name) for name in names[1:]])
        await asyncio.sleep(0.02)
    receipts = await asyncio.gather(*tasks)
    assert all(isinstance(receipt, Posting) for receipt in receipts)
    sizes = [len(batch) for batch in await batches(till, names)]
    assert sizes == [1, 5]


async def test_everybody_is_answered_after_his_own_commit(till: Till, batcher: Batcher) -> None:
    names = await till.players(20, "100")

    async def bet_and_look(name: str) -> int:
        bet = till.bet(name)
        await batcher.move(bet)
        return await till.count("movements", f"delivery = '{bet.delivery.hex()}'")

    assert await asyncio.gather(*(bet_and_look(name) for name in names)) == [1] * 20


async def test_each_gets_his_own_receipt(till: Till, batcher: Batcher) -> None:
    names = await till.players(10, "100")
    bets = [till.bet(name, str(number + 1)) for number, name in enumerate(names)]
    receipts = await asyncio.gather(*submit(batcher, bets))
    for bet, receipt in zip(bets, receipts, strict=True):
        assert isinstance(receipt, Posting)
        assert (receipt.entry.key, receipt.entry.delivery) == (bet.key, bet.delivery)


async def test_a_batch_has_a_largest_size_and_no_player_starves_a_lane(
    till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_module, "BATCH_MAX", 8)
    hot, *others = await till.players(4, "1000", together=True)
    bets = [till.bet(hot, "1") for _ in range(41)]
    async with held_up(till, hot):
        tasks = submit(batcher, bets[:1])
        await waiting(till)
        tasks += submit(batcher, bets[1:])
        beside = await asyncio.gather(*submit(batcher, [till.bet(name) for name in others]))
        assert not any(task.done() for task in tasks), "forty in front of them, and they went"
    receipts = await asyncio.gather(*tasks)
    assert all(isinstance(receipt, Posting) for receipt in (*receipts, *beside))
    found = await batches(till, [hot, *others])
    assert sorted(found[1]) == sorted(others)
    assert [len(batch) for batch in found] == [1, 3, 8, 8, 8, 8, 8]
    rows = await till.rows(
        "SELECT transaction_id FROM movements JOIN players USING (player_id)"
        " WHERE user_id = $1 AND event_type = 'BetPlacing' ORDER BY position",
        hot,
    )
    assert [row[0] for row in rows] == [bet.key.transaction_id for bet in bets]


async def test_whoever_waits_longest_goes_first_whoever_else_has_much_to_ask(
    till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_module, "BATCH_MAX", 4)
    # Of batches that are written beside each other, either may be the first.
    monkeypatch.setattr(batching_module, "BESIDE_MIN", 100)
    monkeypatch.setattr(batching_module, "PATIENCE_SECONDS", 5)
    hot, *others = await till.players(9, "1000", together=True)
    async with held_up(till, hot):
        tasks = submit(batcher, [till.bet(hot, "1")])
        await waiting(till)
        tasks += submit(batcher, [till.bet(name) for name in others])
        tasks += submit(batcher, [till.bet(hot, "1") for _ in range(10)])
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    found = await batches(till, [hot, *others])
    assert [sorted(batch) for batch in found[1:3]] == [sorted(others[:4]), sorted(others[4:])]


async def test_a_players_movements_are_decided_in_the_order_of_their_arrival(
    till: Till, batcher: Batcher
) -> None:
    await till.player("anna", "100")
    moves = [till.bet(amount="1") for _ in range(30)]
    await asyncio.gather(*submit(batcher, moves))
    rows = await till.rows(
        "SELECT transaction_id FROM movements WHERE event_type = 'BetPlacing' ORDER BY position"
    )
    assert [row[0] for row in rows] == [m.key.transaction_id for m in moves]


async def test_long_free_texts_make_smaller_batches(
    till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_module, "BATCH_BYTES_MAX", 1000)
    names = await till.players(5, "100", together=True)
    async with held_up(till, names[0]):
        tasks = submit(batcher, [till.bet(names[0])])
        await waiting(till)
        tasks += submit(batcher, [till.bet(name, extra_data="x" * 600) for name in names[1:]])
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    assert [len(batch) for batch in await batches(till, names)] == [1, 2, 2]


async def test_a_full_queue_turns_away_at_once_with_nothing_half_done(
    till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching_module, "QUEUE_MAX", 3)
    await till.player("anna", "100")
    async with held_up(till):
        first = submit(batcher, [till.bet()])
        await waiting(till)
        queued = submit(batcher, [till.bet() for _ in range(3)])
        await asyncio.sleep(0)
        began = time.monotonic()
        refused = till.bet()
        with pytest.raises(LedgerBusyError):
            await batcher.move(refused)
        assert time.monotonic() - began < 0.05
    receipts = await asyncio.gather(*first, *queued)
    assert all(isinstance(receipt, Posting) for receipt in receipts)
    assert await till.pockets() == (6000, 0)
    assert isinstance(await batcher.move(refused), Posting), "under the same transaction id"


async def test_who_is_not_begun_by_his_deadline_is_dropped_for_good(
    till: Till, batcher: Batcher
) -> None:
    await till.player("anna", "100")
    async with held_up(till):
        (begun,) = submit(batcher, [till.bet()])
        await waiting(till)
        late = till.bet()
        with pytest.raises(DeadlineError):
            await batcher.move(late, deadline=timedelta(seconds=0.05))
    assert isinstance(await begun, Posting)
    await batcher.move(till.bet())
    assert await till.count("movements", f"delivery = '{late.delivery.hex()}'") == 0
    assert await till.count("unanswered") == 0
    assert await till.pockets() == (8000, 0)


async def test_who_hangs_up_before_his_turn_is_dropped_too(till: Till, batcher: Batcher) -> None:
    await till.player("anna", "100")
    async with held_up(till):
        (begun,) = submit(batcher, [till.bet()])
        await waiting(till)
        (gone,) = submit(batcher, [till.bet()])
        await asyncio.sleep(0)
        gone.cancel()
    await begun
    await batcher.close()
    assert await till.count("movements", "event_type = 'BetPlacing'") == 1


class TestAmongOtherProcesses:
    """A process that shares its machine waits a moment for the callers that it has answered."""

    @pytest.fixture
    async def among(self, till: Till) -> AsyncIterator[Batcher]:
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=1, gathers=True)
        yield batcher
        await batcher.close()

    async def test_callers_who_ask_again_and_again_all_go_together(
        self, till: Till, among: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "GATHER_SHARE", 1000)
        monkeypatch.setattr(batching_module, "GATHER_SECONDS_MAX", 1)
        # To see that the first one waits takes long where buckets are on nodes.
        monkeypatch.setattr(batching_module, "PATIENCE_SECONDS", 10)
        names = await till.players(6, "1000", together=True)

        async def ask(name: str) -> None:
            for _ in range(4):
                await among.move(till.bet(name))

        # The first one asks alone, and has asked enough when the others ask for the last time.
        async with held_up(till, names[0]):
            first = asyncio.create_task(ask(names[0]))
            await waiting(till)
            others = [asyncio.create_task(ask(name)) for name in names[1:]]
            await asyncio.sleep(0)
        await asyncio.gather(first, *others)
        assert [len(batch) for batch in await batches(till, names)] == [1, 6, 6, 6, 5]

    async def test_nobody_waits_long_for_callers_who_do_not_come_back(
        self, till: Till, among: Batcher
    ) -> None:
        names = await till.players(6, "1000", together=True)
        await asyncio.gather(*submit(among, [till.bet(name) for name in names]))
        async with asyncio.timeout(2):
            assert isinstance(await among.move(till.bet(names[0])), Posting)

    async def test_few_callers_are_not_waited_for(
        self, till: Till, among: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "GATHER_SHARE", 100_000)
        monkeypatch.setattr(batching_module, "GATHER_SECONDS_MAX", 60)
        await till.player("anna", "100")
        async with asyncio.timeout(30):
            for _ in range(3):
                assert isinstance(await among.move(till.bet()), Posting)


class TestBatchesUnderWay:
    """Some are written, the next is read and decided, and no player is in two."""

    async def test_a_slow_write_keeps_nobody_else_waiting(
        self, till: Till, batcher: Batcher
    ) -> None:
        slow, *others = await till.players(5, "100")
        async with held_up(till, slow):
            tasks = submit(batcher, [till.bet(slow), till.bet(slow)])
            await waiting(till)
            for _ in range(2):
                bets = [till.bet(name) for name in others]
                receipts = await asyncio.gather(*submit(batcher, bets))
                assert all(isinstance(receipt, Posting) for receipt in receipts)
            assert len(await waiting(till)) == 1, "no movement waits for its own process"
            assert not any(task.done() for task in tasks)
        receipts = await asyncio.gather(*tasks)
        assert all(isinstance(receipt, Posting) for receipt in receipts)
        assert till.ledger.retries == {}

    async def test_there_are_never_more_than_so_many(
        self, till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "UNDER_WAY_MAX", 2)
        one, two, *others = await till.players(5, "100")
        async with held_up(till, one), held_up(till, two):
            tasks = submit(batcher, [till.bet(one)])
            await waiting(till)
            tasks += submit(batcher, [till.bet(two)])
            await waiting(till, 2)
            tasks += submit(batcher, [till.bet(name) for name in (one, two, *others)])
            await asyncio.sleep(2 * batching_module.PATIENCE_SECONDS)
            assert not any(task.done() for task in tasks)
            assert [lane.length for lane in batcher.waiting()] == [5]
        receipts = await asyncio.gather(*tasks)
        assert all(isinstance(receipt, Posting) for receipt in receipts)

    async def test_another_begins_beside_it_when_enough_wait(
        self, till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "BESIDE_MIN", 3)
        monkeypatch.setattr(batching_module, "PATIENCE_SECONDS", 5)
        slow, *others = await till.players(4, "100", together=True)
        async with held_up(till, slow):
            tasks = submit(batcher, [till.bet(slow)])
            await waiting(till)
            few = submit(batcher, [till.bet(name) for name in others[:2]])
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in few), "two are fewer than three"
            await asyncio.gather(*few, *submit(batcher, [till.bet(others[2])]))
            assert not any(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        assert [len(batch) for batch in await batches(till, [slow, *others])] == [1, 3]

    async def test_nobody_waits_long_for_a_batch_that_is_held_up(
        self, till: Till, batcher: Batcher
    ) -> None:
        slow, other = await till.players(2, "100")
        async with held_up(till, slow):
            (held,) = submit(batcher, [till.bet(slow)])
            await waiting(till)
            async with asyncio.timeout(2):
                assert isinstance(await batcher.move(till.bet(other)), Posting)
            assert not held.done()
        assert isinstance(await held, Posting)

    async def test_of_many_who_wait_half_go_first(
        self, till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "BATCH_WHOLE", 2)
        monkeypatch.setattr(batching_module, "BESIDE_MIN", 1)
        names = await till.players(12, "100", together=True)
        await asyncio.gather(*submit(batcher, [till.bet(name) for name in names]))
        found = await batches(till, names)
        # They are written beside each other, and a smaller one may be the first.
        assert sorted(map(len, found), reverse=True) == [6, 3, 2, 1]
        assert sorted(name for batch in found for name in batch) == sorted(names)

    async def test_where_one_asks_for_much_all_of_it_goes_together(
        self, till: Till, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching_module, "BATCH_WHOLE", 2)
        monkeypatch.setattr(batching_module, "BESIDE_MIN", 1)
        await till.player("anna", "100")
        await asyncio.gather(*submit(batcher, [till.bet(amount="1") for _ in range(12)]))
        assert [len(batch) for batch in await batches(till, ["anna"])] == [12]

    async def test_whoever_waits_for_a_lock_is_in_no_other_batch_meanwhile(
        self, till: Till, batcher: Batcher
    ) -> None:
        poor, other = await till.players(2, "100")
        bets = [till.bet(poor, "5000"), *(till.bet(poor, "1") for _ in range(3))]
        async with held_up(till, poor):
            tasks = submit(batcher, bets[:1])
            await waiting(till)
            tasks += submit(batcher, bets[1:])
            assert isinstance(await batcher.move(till.bet(other)), Posting)
            assert len(await waiting(till)) == 1
        receipts = await asyncio.gather(*tasks)
        assert [type(receipt) for receipt in receipts] == [Declined, Posting, Posting, Posting]
        rows = await till.rows(
            "SELECT transaction_id FROM movements JOIN players USING (player_id)"
            " WHERE user_id = $1 AND event_type = 'BetPlacing' ORDER BY position",
            poor,
        )
        assert [row[0] for row in rows] == [bet.key.transaction_id for bet in bets]

    async def test_closing_finishes_both(self, till: Till) -> None:
        one, two = await till.players(2, "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy))
        async with held_up(till, one), held_up(till, two):
            tasks = submit(batcher, [till.bet(one), till.bet(one)])
            await waiting(till)
            tasks += submit(batcher, [till.bet(two), till.bet(two)])
            await waiting(till, 2)
            closing = asyncio.create_task(batcher.close())
            await asyncio.sleep(0.02)
            assert not closing.done()
        await closing
        assert all(isinstance(task.result(), Posting) for task in tasks)
        await till.is_sound()

    async def test_who_gave_up_while_his_was_written_is_listed_and_nobody_else(
        self, till: Till, batcher: Batcher
    ) -> None:
        slow, other = await till.players(2, "100")
        bet = till.bet(slow)
        with capture_logs() as logged:
            async with held_up(till, slow):
                (task,) = submit(batcher, [bet], seconds=0.2)
                await waiting(till)
                assert isinstance(await batcher.move(till.bet(other)), Posting)
                with pytest.raises(DeadlineError):
                    await task
            await batcher.close()
        lines = [(line["event"], line["transaction_id"], line["receipt"]) for line in logged]
        assert lines == [("decided after its caller gave up", bet.key.transaction_id, "Posting")]
        listed = await till.rows(
            "SELECT delivery FROM unanswered JOIN movements USING (player_id, position)"
        )
        assert [row[0].bytes for row in listed] == [bet.delivery]

    async def test_the_alarm_of_a_movement_is_logged_though_its_caller_gave_up(
        self, till: Till, batcher: Batcher
    ) -> None:
        slow, other = await till.players(2, "100")
        bet = till.bet(other)
        await batcher.move(bet)
        another = bet._replace(delivery=till.bet(other).delivery, amount="11")
        with capture_logs() as logged:
            async with held_up(till, slow):
                tasks = submit(batcher, [till.bet(slow), another], seconds=0.2)
                await waiting(till)
                await asyncio.wait(tasks)
            await batcher.close()
        (alarm,) = [line for line in logged if line["event"] == "alarm"]
        assert alarm["alarm"] == Alarm.OTHER_CONTENT.value
        assert (alarm["transaction_id"], alarm["differs"]) == (bet.key.transaction_id, "amount")
        assert all(isinstance(task.exception(), DeadlineError) for task in tasks)


async def test_what_is_in_doubt_is_not_lost_where_it_cannot_be_looked_up(
    till: Till, batcher: Batcher
) -> None:
    """The database refuses the look-up itself, which no rule of waiting foresees."""
    await till.player("anna", "100")
    bet = till.bet()
    await batcher.move(bet)
    home = await till.home_of("anna")
    unanswered = await home.table("unanswered")
    async with home.opened() as owner:
        await owner.execute(f"REVOKE INSERT ON {unanswered} FROM wallet_service")
        with capture_logs() as logged:
            batcher._in_doubt.keep([bet])
            async with asyncio.timeout(5):
                while not logged:  # noqa: ASYNC110 - nobody is told of it
                    await asyncio.sleep(0.01)
        assert [(line["event"], line["error"]) for line in logged] == [
            ("failed", "InsufficientPrivilegeError")
        ]
        await owner.execute(f"GRANT INSERT ON {unanswered} TO wallet_service")
    await settled(batcher)
    assert await till.count("unanswered") == 1


async def test_what_is_being_looked_up_at_the_end_is_logged(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(in_doubt_module, "list_unknown_outcomes", hangs)
    monkeypatch.setattr(till.ledger, "deadline", timedelta(milliseconds=50))
    in_doubt, bet = in_doubt_module.InDoubt(till.ledger), till.bet()
    in_doubt.keep([bet])
    with capture_logs() as logged:
        await in_doubt.finish()
    assert [(line["event"], line["transaction_ids"]) for line in logged] == [
        ("left in doubt", [bet.key.transaction_id])
    ]


async def test_where_too_many_are_in_doubt_the_oldest_are_dropped(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = asyncio.Event()

    async def hangs(*_: object) -> None:
        under_way.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(in_doubt_module, "list_unknown_outcomes", hangs)
    monkeypatch.setattr(in_doubt_module, "IN_DOUBT_MAX", 3)
    monkeypatch.setattr(till.ledger, "deadline", timedelta(milliseconds=50))
    in_doubt, bets = in_doubt_module.InDoubt(till.ledger), [till.bet() for _ in range(4)]
    in_doubt.keep(bets[:2])
    await under_way.wait()
    in_doubt.keep(bets[2:])
    await in_doubt.finish()
    kept = [each.delivery for each in in_doubt._deliveries]
    assert kept == [bet.delivery for bet in bets[1:]]


async def settled(batcher: Batcher) -> None:
    """Wait until what is in doubt was looked up."""
    task = batcher._in_doubt._task
    if task is not None:
        await asyncio.wait({task}, timeout=5)
    assert not len(batcher._in_doubt)


class TestBegunAndThenTheCallerIsGone:
    """One begun is decided, and listed for ops until its caller comes back."""

    async def listed(self, till: Till) -> list[tuple[str, bool]]:
        rows = await till.rows(
            "SELECT m.transaction_id, u.came_back_at IS NOT NULL FROM unanswered u"
            " JOIN movements m USING (player_id, position) ORDER BY m.position"
        )
        return [tuple(row) for row in rows]

    @pytest.mark.parametrize("amount", ["10", "5000"])
    @pytest.mark.parametrize("hangs_up", [True, False])
    async def test_it_is_decided_and_listed_and_taken_off_when_he_comes_back(
        self, till: Till, batcher: Batcher, amount: str, *, hangs_up: bool
    ) -> None:
        await till.player("anna", "100")
        bet = till.bet(amount=amount, transaction_id="id")
        async with held_up(till):
            (task,) = submit(batcher, [bet], seconds=5 if hangs_up else 0.2)
            await waiting(till)
            if hangs_up:
                task.cancel()
            with pytest.raises((DeadlineError, asyncio.CancelledError)):
                await task
        # The lane takes the next one only when it is done with this one.
        await batcher.move(till.bet())
        await settled(batcher)
        assert await self.listed(till) == [("id", False)]
        receipt = await batcher.move(bet._replace(delivery=bytes(16)))
        assert isinstance(receipt, Replay)
        assert await self.listed(till) == [("id", True)]

    async def test_who_was_answered_is_not_listed(self, till: Till, batcher: Batcher) -> None:
        names = await till.players(3, "100")
        await asyncio.gather(*submit(batcher, [till.bet(name) for name in names]))
        assert await self.listed(till) == []

    async def test_a_repeat_with_other_content_is_not_his_return(
        self, till: Till, batcher: Batcher
    ) -> None:
        await till.player("anna", "100")
        bet = till.bet(transaction_id="id")
        async with held_up(till):
            (task,) = submit(batcher, [bet])
            await waiting(till)
            task.cancel()
        await batcher.move(till.bet())
        await batcher.move(bet._replace(delivery=bytes(16), amount="11"))
        await settled(batcher)
        assert await self.listed(till) == [("id", False)]

    async def test_it_is_listed_when_the_commit_was_confirmed_only_by_a_second_look(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        """The answer to COMMIT is lost; by the time the database is back, the caller is not."""
        await till.player("anna", "100")
        far_till.tokens = till.tokens
        batcher = Batcher(far_till.ledger, PolicyInForce(far_till.policy))
        await batcher.move(far_till.bet())

        def go_down() -> None:
            line.is_down = True
            asyncio.get_running_loop().call_later(0.5, line.come_back)

        line.at_commit, line.on_commit = [AtCommit.CUT_AFTER], go_down
        with pytest.raises(DeadlineError):
            await batcher.move(far_till.bet(transaction_id="id"), deadline=timedelta(seconds=0.2))
        await batcher.close()
        assert await till.count("movements", "transaction_id = 'id'") == 1
        assert await self.listed(till) == [("id", False)]

    async def test_it_is_listed_when_the_answer_to_its_commit_never_came(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        await till.player("anna", "100")
        far_till.tokens = till.tokens
        batcher = Batcher(far_till.ledger, PolicyInForce(far_till.policy))
        await batcher.move(far_till.bet())
        line.at_commit = [AtCommit.SILENCE_AFTER]
        with pytest.raises(LedgerError):
            await batcher.move(far_till.bet(transaction_id="id"))
        await batcher.close()
        assert await till.count("movements", "transaction_id = 'id'") == 1
        assert await self.listed(till) == [("id", False)]


async def test_only_the_culprit_of_a_batch_fails(till: Till, batcher: Batcher) -> None:
    names = await till.players(5, "100", together=True)
    async with held_up(till, names[0]):
        first = submit(batcher, [till.bet(names[0])])
        await waiting(till)
        good = [till.bet(name) for name in names]
        culprit = till.bet(names[2], extra_data=NUL_IN_EXTRA_DATA)
        tasks = submit(batcher, [*good[:3], culprit, *good[3:]])
        await asyncio.sleep(0.02)
    results = await asyncio.gather(*first, *tasks, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    assert len(failed) == 1
    assert results[4] is failed[0]
    assert not isinstance(failed[0], LedgerError)
    posted = [result for result in results if isinstance(result, Posting)]
    assert len(posted) == 6
    assert await till.count("movements", f"delivery = '{culprit.delivery.hex()}'") == 0
    await till.is_sound()
    assert isinstance(await batcher.move(till.bet(names[2])), Posting), "the lane goes on"


async def test_a_culprit_alone_fails_alone(till: Till, batcher: Batcher) -> None:
    await till.player("anna", "100")
    with pytest.raises(asyncpg.DataError):
        await batcher.move(till.bet(extra_data=NUL_IN_EXTRA_DATA))
    assert await till.pockets() == (10000, 0)
    assert isinstance(await batcher.move(till.bet()), Posting)


async def test_closing_finishes_what_was_taken_and_takes_nothing_new(till: Till) -> None:
    names = await till.players(8, "100")
    batcher = Batcher(till.ledger, PolicyInForce(till.policy))
    async with held_up(till, names[0]):
        tasks = submit(batcher, [till.bet(name) for name in names])
        await waiting(till)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.02)
        assert not closing.done()
        with pytest.raises(LedgerBusyError):
            await batcher.move(till.bet(names[0]))
    await closing
    assert all(task.done() for task in tasks)
    assert all(isinstance(task.result(), Posting) for task in tasks)
    await till.is_sound()


async def test_closing_twice_and_closing_an_idle_batcher_does_no_harm(till: Till) -> None:
    batcher = Batcher(till.ledger, PolicyInForce(till.policy))
    await batcher.close()
    await batcher.close()


async def test_while_the_database_is_away_everybody_hears_so_and_the_lane_goes_on(
    till: Till, far_till: Till, line: Line
) -> None:
    names = await till.players(3, "100")
    far_till.tokens = till.tokens
    batcher = Batcher(far_till.ledger, PolicyInForce(far_till.policy), lanes=1)
    line.is_down = True
    line.cut()
    results = await asyncio.gather(
        *submit(batcher, [far_till.bet(name) for name in names]), return_exceptions=True
    )
    assert all(isinstance(result, LedgerError) for result in results)
    line.is_down = False
    receipts = await asyncio.gather(*submit(batcher, [far_till.bet(name) for name in names]))
    assert all(isinstance(receipt, Posting) for receipt in receipts)
    await batcher.close()
    await till.is_sound()


async def test_two_processes_on_one_wallet(till: Till, db: Database) -> None:
    await till.player("anna", "50")
    ledgers = [PlacedLedger(db.service_url) for _ in range(2)]
    both = [Batcher(ledger, PolicyInForce(till.policy)) for ledger in ledgers]
    bets = [till.bet() for _ in range(20)]
    repeats = [bet._replace(delivery=n.to_bytes(16, "big")) for n, bet in enumerate(bets)]
    receipts = await asyncio.gather(*submit(both[0], bets, 10), *submit(both[1], repeats, 10))
    posted = [receipt for receipt in receipts if isinstance(receipt, Posting)]
    assert len(posted) == 5
    assert sum(isinstance(receipt, Declined) for receipt in receipts) == 15
    assert sum(isinstance(receipt, Replay) for receipt in receipts) == 20
    assert await till.pockets() == (0, 0)
    for batcher in both:
        await batcher.close()
    for ledger in ledgers:
        await ledger.close()
    await till.is_sound()


@pytest.mark.own_node(
    "another one asks for the rows by a plan of its own, which reads more of them"
)
async def test_two_processes_and_players_of_their_own_are_never_in_each_others_way(
    till: Till, db: Database
) -> None:
    names = await till.players(40, "100")
    ledgers = [PlacedLedger(db.service_url) for _ in range(2)]
    both = [Batcher(ledger, PolicyInForce(till.policy)) for ledger in ledgers]
    for number in range(6):
        event = f"event-{number}"
        bets = [till.bet(name, event_id=event) for name in names]
        wins = [till.movement(name, "Win", "credit", "1", event_id=event) for name in names]
        receipts = await asyncio.gather(
            *(task for moves in (bets, wins) for task in submit(both[0], moves[::2], 10)),
            *(task for moves in (bets, wins) for task in submit(both[1], moves[1::2], 10)),
        )
        assert all(isinstance(receipt, Posting) for receipt in receipts)
    assert [ledger.retries for ledger in ledgers] == [{}, {}]
    for batcher, ledger in zip(both, ledgers, strict=True):
        await batcher.close()
        await ledger.close()
    await till.is_sound()


async def test_many_players_in_many_lanes_come_to_the_same_money(till: Till) -> None:
    names = await till.players(15, "100")
    batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4)
    bets = [till.bet(name, "30") for name in names for _ in range(5)]
    receipts = await asyncio.gather(*submit(batcher, bets, 10))
    await batcher.close()
    assert sum(isinstance(receipt, Posting) for receipt in receipts) == 45
    assert sum(isinstance(receipt, Declined) for receipt in receipts) == 30
    (row,) = await till.rows("SELECT sum(real)::int FROM wallets")
    assert row[0] == 150
    await till.is_sound()


class TestTurns:
    """Several lanes take turns, so that the movements of each gather meanwhile."""

    async def test_batches_that_are_blocked_hold_up_no_other_lane(self, till: Till) -> None:
        names = [
            next(name for number in range(100) if bucket_of(name := f"p{number}", 4) == lane)
            for lane in range(4)
        ]
        for name in names:
            await till.player(name, "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4, take_turns=True)
        first, second, *others = names
        async with held_up(till, first), held_up(till, second):
            blocked = submit(batcher, [till.bet(first), till.bet(second)], 10)
            await waiting(till, 2)
            receipts = await asyncio.gather(*submit(batcher, [till.bet(name) for name in others]))
            assert {type(receipt) for receipt in receipts} == {Posting}
            assert not any(task.done() for task in blocked)
        assert {type(receipt) for receipt in await asyncio.gather(*blocked)} == {Posting}
        await batcher.close()
        await till.is_sound()

    async def test_who_comes_again_while_they_are_served_takes_nobodys_turn(
        self, till: Till
    ) -> None:
        """Until their first movement is written, there is nothing to begin for them."""
        first, other = next(
            (one, two)
            for one, two in pairwise(f"player-{number}" for number in range(100))
            if bucket_of(one, 4) != bucket_of(two, 4)
        )
        for name in (first, other):
            await till.player(name, "1000")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4, take_turns=True)
        tasks: list[asyncio.Task[Receipt]] = []

        async def come_again() -> None:
            while True:
                tasks.extend(submit(batcher, [till.bet(first, "1")], 20))
                await asyncio.sleep(0.005)

        async with held_up(till, first):
            tasks += submit(batcher, [till.bet(first, "1")], 20)
            await waiting(till)
            await asyncio.sleep(2 * batching_module.PATIENCE_SECONDS)
            coming = asyncio.create_task(come_again())
            await asyncio.sleep(0.02)
            async with asyncio.timeout(2):
                assert isinstance(await batcher.move(till.bet(other)), Posting)
            assert not any(task.done() for task in tasks)
            coming.cancel()
        assert {type(receipt) for receipt in await asyncio.gather(*tasks)} == {Posting}
        await batcher.close()
        await till.is_sound()

    async def test_a_read_that_does_not_end_holds_the_others_up_for_a_moment_only(self) -> None:
        turns, called = Turns(), asyncio.Event()

        class Waiting:
            def begin_soon(self) -> None:
                called.set()

        assert turns.take(Waiting())
        assert not turns.take(Waiting())
        async with asyncio.timeout(5):
            await called.wait()

    async def test_who_waits_for_a_turn_is_served_before_the_service_stops(
        self, till: Till
    ) -> None:
        names = await till.players(24, "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4, take_turns=True)
        tasks = submit(batcher, [till.bet(name) for name in names for _ in range(3)], 10)
        await asyncio.sleep(0)
        await batcher.close()
        assert {type(receipt) for receipt in await asyncio.gather(*tasks)} == {Posting}

    async def test_one_lane_reads_at_a_time_while_another_writes(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Nothing counts as held up here, however slow the machine is.
        monkeypatch.setattr(turns_module, "TURN_NANOSECONDS_MAX", 30 * 10**9)
        names = await till.players(24, "100")
        batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4, take_turns=True)
        tasks = submit(batcher, [till.bet(name) for name in names for _ in range(5)], 20)
        reading = under_way = 0
        while not all(task.done() for task in tasks):
            reading = max(reading, sum(lane._reading is not None for lane in batcher._lanes))
            under_way = max(under_way, sum(bool(lane._under_way) for lane in batcher._lanes))
            await asyncio.sleep(0)
        assert reading == 1
        assert 1 < under_way <= turns_module.LANES_AT_ONCE
        await batcher.close()
