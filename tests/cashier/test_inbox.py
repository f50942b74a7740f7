"""The inbox: what goes astray is listed once, and leaves it by a person or by the ledger alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.adjustments import Approved, Preview, Request, approve, propose
from app.cashier.audit import audit
from app.cashier.in_doubt import Delivery, list_unknown_outcomes
from app.cashier.inbox import (
    Case,
    NotDone,
    collect,
    inbox,
    open_counts,
    release,
    resolve,
    show_case,
    take,
)
from app.cashier.refusal_log import log_refusal
from app.ledger.exceptions import open_exception
from app.ledger.money.book import Book
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import Direction, Pocket
from app.wallet.inbox import Exceptional, ExceptionKind, ExceptionState
from app.wallet.outcomes import Declined, Posting
from app.wallet.refusal_record import RefusalRecord
from tests.cashier.test_adjustments import MIRA, NOAH
from tests.cashier.till import Till, connect


@pytest.fixture
async def anna(till: Till) -> Till:
    await till.player("anna", real="100.00", bonus="20.00")
    return till


async def found(till: Till, *, is_open: bool = True) -> Sequence[Exceptional]:
    await collect(till.ledger)
    return await inbox(till.ledger, is_open=is_open)


async def only(till: Till) -> Exceptional:
    (exception,) = await found(till)
    return exception


async def expected_credit(till: Till, transaction_id: str = "w-1") -> int:
    win = till.movement("anna", "Win", "credit", "7.00", transaction_id=transaction_id)
    await till.one(win)
    return (await found(till))[-1].exception_id


class TestWhatGoesAstray:
    async def test_a_credit_that_was_refused(self, anna: Till) -> None:
        win = anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1")
        await anna.one(win)
        await anna.one(win._replace(delivery=bytes(16)))
        exception = await only(anna)
        assert exception.kind is ExceptionKind.EXPECTED_CREDIT
        assert exception.summary == "no matching movement in this event"
        asked = (exception.user_id, exception.transaction_id, exception.amount, exception.currency)
        assert asked == ("anna", "w-1", "7.00", "USD")

    async def test_a_credit_of_nothing_is_expected_by_nobody(self, anna: Till) -> None:
        await anna.one(anna.movement("anna", "Lose", "credit", "0.00"))
        assert await found(anna) == []

    async def test_a_credit_of_an_unknown_type(self, anna: Till) -> None:
        record = RefusalRecord(
            "anna", "callback", "moveFunds", "x-1", "e", "CashOut", "credit", "3.00", "FORMAT",
            "eventType is none of the contract's", None, "{}", bytes(16),
            anna.bet().received_at,
        )  # fmt: skip
        await log_refusal(anna.ledger, record)
        assert (await only(anna)).kind is ExceptionKind.EXPECTED_CREDIT
        await log_refusal(
            anna.ledger, record._replace(transaction_id="x-2", event_type="Win", amount="1,5")
        )
        assert len(await found(anna)) == 1, "a known type that is ill-formed is sent again"

    async def test_other_content_under_one_id(self, anna: Till) -> None:
        bet = anna.bet(amount="5.00")
        await anna.one(bet)
        await anna.one(bet._replace(amount="6.00", delivery=bytes(16)))
        exception = await only(anna)
        assert exception.kind is ExceptionKind.OTHER_CONTENT
        assert exception.summary.endswith("(amount)")
        assert exception.amount == "6.00"

    async def test_a_bet_that_its_abort_overtook(self, anna: Till) -> None:
        abort = anna.movement("anna", "BetPlacingAbort", "credit", "9.00", transaction_id="a-1")
        await anna.one(abort)
        assert isinstance(await anna.one(anna.bet(amount="9.00")), Declined)
        # The abort is spent, so its credit is expected by nobody.
        exception = await only(anna)
        assert exception.kind is ExceptionKind.OVERTAKEN_BET
        # Its next delivery hears that nothing is left: both sides agree.
        await anna.one(abort._replace(delivery=bytes(16)))
        assert await found(anna) == []

    async def test_a_bet_that_was_accepted_after_its_abort(self, anna: Till) -> None:
        abort = anna.movement("anna", "BetPlacingAbort", "credit", "9.00")
        await anna.one(abort)
        await anna.rows("UPDATE early_aborts SET first_at = first_at - interval '1 hour'")
        assert isinstance(await anna.one(anna.bet(amount="9.00")), Posting)
        kinds = {exception.kind for exception in await found(anna)}
        assert kinds == {ExceptionKind.OVERTAKEN_BET, ExceptionKind.EXPECTED_CREDIT}
        await anna.one(abort._replace(delivery=bytes(16)))
        assert await found(anna) == []

    async def test_an_outcome_that_nobody_asked_for_again(self, anna: Till) -> None:
        bet = anna.bet(amount="5.00")
        await anna.one(bet)
        await list_unknown_outcomes(anna.ledger, [Delivery(bet.key, bet.delivery, "anna")])
        assert await found(anna) == [], "callers have some minutes to ask again"
        await anna.rows("UPDATE unanswered SET told_at = told_at - interval '6 minutes'")
        assert (await only(anna)).kind is ExceptionKind.UNKNOWN_OUTCOME
        await anna.one(bet._replace(delivery=bytes(16)))
        assert await found(anna) == []

    async def test_a_cancel_of_more_than_was_paid_and_a_debt(self, anna: Till) -> None:
        await anna.one(anna.movement("anna", "SportBetCancel", "debit", "130.00"))
        kinds = {exception.kind for exception in await found(anna)}
        assert kinds == {ExceptionKind.UNCOVERED_CANCEL, ExceptionKind.NEGATIVE_BALANCE}
        await anna.move(anna.movement("anna", "Deposit", "credit", "50.00"))
        (left,) = await found(anna)
        assert left.kind is ExceptionKind.UNCOVERED_CANCEL, "a person has to look into it"

    async def test_a_second_debt_is_another_case(self, anna: Till) -> None:
        for _ in range(2):
            await anna.one(anna.movement("anna", "SportBetCancel", "debit", "500.00"))
            await found(anna)
            await anna.move(anna.movement("anna", "Deposit", "credit", "600.00"))
            await found(anna)
        closed = await inbox(anna.ledger, is_open=False, kind=ExceptionKind.NEGATIVE_BALANCE)
        assert [case.state for case in closed] == [ExceptionState.SETTLED] * 2

    async def test_what_another_part_has_found(self, anna: Till) -> None:
        async def work(book: Book) -> tuple[int | None, int | None]:
            kind = ExceptionKind.RECONCILIATION_DIFFERENCE
            now = anna.bet().received_at
            first, again = [
                await open_exception(
                    book, kind, "day|w-1", summary="missing here", happened_at=now, user_id="anna"
                )
                for _ in range(2)
            ]
            return first, again

        first, again = await anna.ledger.serializable(work)
        assert first is not None
        assert again is None
        assert (await only(anna)).exception_id == first


class TestWhatTheLedgerSettles:
    async def test_leaves_by_itself_and_says_so(self, anna: Till) -> None:
        number = await expected_credit(anna)
        await anna.one(anna.bet(amount="1.00"))
        await anna.one(anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1"))
        assert await found(anna) == []
        case = await show_case(anna.ledger, number)
        assert isinstance(case, Case)
        assert (case.exception.state, case.exception.closed_by) == ("settled", "ledger")
        assert [(step.step, step.by) for step in case.steps] == [("settled", "ledger")]

    async def test_an_adjustment_settles_the_credit_that_it_is_for(self, anna: Till) -> None:
        await expected_credit(anna)
        request = Request(
            "anna", Direction.CREDIT, Pocket.REAL, "7.00", AdjustmentReason.REFUSED_MOVEMENT,
            "T-1", settles="w-1",
        )  # fmt: skip
        preview = await propose(anna.ledger, MIRA, request)
        assert isinstance(preview, Preview)
        number = preview.adjustment.adjustment_id
        assert isinstance(await approve(anna.ledger, NOAH, number, solo_max={}), Approved)
        assert await found(anna) == []
        # Its later delivery hears 409, which puts nothing into the inbox.
        await anna.one(anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1"))
        assert await found(anna) == []

    async def test_what_a_person_resolved_stays_resolved(self, anna: Till) -> None:
        number = await expected_credit(anna)
        await resolve(anna.ledger, NOAH, number, "paid by bank transfer")
        await anna.one(anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1"))
        assert await found(anna) == []
        case = await show_case(anna.ledger, number)
        assert isinstance(case, Case)
        assert case.exception.state is ExceptionState.RESOLVED


class TestAPerson:
    async def test_takes_releases_and_resolves_and_every_step_is_kept(self, anna: Till) -> None:
        number = await expected_credit(anna)
        taken = await take(anna.ledger, MIRA, number)
        assert isinstance(taken, Case)
        assert (taken.exception.state, taken.exception.taken_by) == ("taken", "mira")
        assert isinstance(await release(anna.ledger, MIRA, number, "on holiday"), Case)
        assert isinstance(await take(anna.ledger, NOAH, number), Case)
        closed = await resolve(anna.ledger, NOAH, number, "the supplier withdrew it")
        assert isinstance(closed, Case)
        assert [(step.step, step.by, step.note) for step in closed.steps] == [
            ("taken", "mira", None),
            ("released", "mira", "on holiday"),
            ("taken", "noah", None),
            ("resolved", "noah", "the supplier withdrew it"),
        ]
        assert closed.exception.closed_by == "noah"
        assert await found(anna) == []

    async def test_needs_a_note_and_an_exception_that_is_open(self, anna: Till) -> None:
        number = await expected_credit(anna)
        told = await resolve(anna.ledger, NOAH, number, " ")
        assert told == NotDone("A resolved exception needs a note that says what was done.")
        assert isinstance(await release(anna.ledger, NOAH, number), NotDone)
        await resolve(anna.ledger, NOAH, number, "done")
        told = await take(anna.ledger, MIRA, number)
        assert told == NotDone(f"The exception {number} was resolved by noah.")
        assert isinstance(await take(anna.ledger, MIRA, 999), NotDone)
        assert isinstance(await show_case(anna.ledger, 999), NotDone)


async def test_what_is_open_waits_since_it_was_listed(anna: Till) -> None:
    counts = await open_counts(anna.ledger)
    assert {kind: tuple(count) for kind, count in counts.items()} == dict.fromkeys(
        ExceptionKind, (0, 0)
    )
    first = await expected_credit(anna, "w-1")
    await expected_credit(anna, "w-2")
    await resolve(anna.ledger, NOAH, await expected_credit(anna, "w-3"), "done")
    await anna.rows(
        "UPDATE exceptions SET opened_at = opened_at - interval '1 hour',"
        " happened_at = happened_at - interval '30 days' WHERE exception_id = $1",
        first,
    )
    counts = await open_counts(anna.ledger)
    number, oldest = counts[ExceptionKind.EXPECTED_CREDIT]
    assert number == 2
    assert 3600 <= oldest < 3660


async def test_a_look_finds_what_was_committed_while_the_last_one_looked(anna: Till) -> None:
    """A movement carries the moment of its decision, and appears a little later."""
    await expected_credit(anna)
    await anna.rows("SELECT pg_sleep(0)")
    connection = await connect(anna.superuser_url)
    await connection.execute(
        "INSERT INTO refusals (user_id, source, operation, transaction_id, event_id, event_type,"
        " direction, amount, refusal, reason, delivery, event_time, ledger_time)"
        " SELECT user_id, source, operation, 'late', event_id, event_type, direction, amount,"
        " refusal, reason, delivery, event_time, ledger_time - interval '1 minute' FROM refusals"
    )
    await connection.close()
    assert [case.transaction_id for case in await found(anna)] == ["late", "w-1"]


@pytest.mark.timeout(240)
async def test_years_are_looked_through_a_day_at_a_time(anna: Till) -> None:
    """On nodes each of the days costs a tenth of a second, and more where much else is going on."""
    await anna.one(anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1"))
    long_ago = datetime.now(UTC) - timedelta(days=400)
    await anna.rewrite("UPDATE refusals SET ledger_time = $1", long_ago)
    assert (await only(anna)).transaction_id == "w-1"


async def test_a_look_shortly_after_another_is_none(anna: Till) -> None:
    await collect(anna.ledger)
    await anna.one(anna.movement("anna", "Win", "credit", "7.00"))
    await collect(anna.ledger, not_within=timedelta(minutes=1))
    assert await inbox(anna.ledger) == []
    await collect(anna.ledger)
    assert len(await inbox(anna.ledger)) == 1


async def test_looking_takes_no_predicate_locks_so_no_movement_waits_or_runs_again(
    anna: Till,
) -> None:
    await expected_credit(anna)
    locks: list[int] = []

    async def work(book: Book) -> None:
        await book.connection.fetch("SELECT * FROM refusals WHERE ledger_time > 'epoch'")
        locks.append(
            await book.connection.fetchval(
                # Not those that earlier transactions of the connection have left behind.
                "SELECT count(*) FROM pg_locks l JOIN pg_locks own USING (pid, virtualtransaction)"
                " WHERE l.mode = 'SIReadLock' AND own.locktype = 'virtualxid'"
                " AND pid = pg_backend_pid()"
            )
        )

    await anna.ledger.beside_money(work)
    await anna.ledger.serializable(work)
    assert locks[0] == 0
    assert locks[1] > 0, "the test would see them"


async def test_the_inbox_is_no_breach(anna: Till) -> None:
    await resolve(anna.ledger, NOAH, await expected_credit(anna), "done")
    assert (await audit(anna.superuser_url)).is_clean
