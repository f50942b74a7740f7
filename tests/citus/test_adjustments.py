"""Adjustments whose decision is on the coordinator and whose money is on another node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.cashier import adjustments
from app.cashier.adjustments import (
    Approved,
    NotAdjusted,
    Preview,
    Request,
    approve,
    latest_adjustments,
    propose,
    reject,
    show_adjustment,
)
from app.cashier.audit import audit
from app.cashier.move_funds import move_funds
from app.ledger.alone import StillAlone
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import DeadlineError, LedgerAwayError, LedgerError
from app.ledger.transaction import Ledger
from app.wallet.adjustments import Adjustment, AdjustmentReason, AdjustmentState
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of
from app.wallet.events import Direction, Pocket
from app.wallet.journal import JournalEntry
from app.wallet.operators import Operator, Role, Via
from app.wallet.outcomes import SETTLED_BY_HAND, Posting, Refused
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, meanwhile, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS

FULL, AFTER = Pockets(10_000, 2_000), Pockets(10_500, 2_000)


def person(name: str) -> Operator:
    roles = frozenset({Role.FINANCE, Role.APPROVER})
    return Operator(name, is_verified=True, roles=roles, via=Via.CONSOLE, source="tty1")


MIRA, NOAH, OLGA = person("mira"), person("noah"), person("olga")


@pytest.fixture(params=["owner", "other node"])
def any_till(request: pytest.FixtureRequest, till: Till, far_till: Till) -> Till:
    return till if request.param == "owner" else far_till


async def player(till: Till, bucket: int = 0) -> str:
    name = next(
        name for _ in range(1000) if bucket_of(name := f"adj-{next(numbers)}", BUCKETS) == bucket
    )
    return await till.player(name, real="100.00", bonus="20.00")


async def asked(till: Till, name: str, amount: str = "5.00", **more: Any) -> int:  # noqa: ANN401
    request = Request(
        name, Direction.CREDIT, Pocket.REAL, amount, AdjustmentReason.GOODWILL, "T-7"
    )._replace(**more)
    preview = await propose(till.ledger, MIRA, request)
    assert isinstance(preview, Preview), preview
    return preview.adjustment.adjustment_id


async def approved(till: Till, number: int, by: Operator = NOAH, **more: str) -> Approved:
    told = await approve(till.ledger, by, number, solo_max={}, **more)
    assert isinstance(told, Approved), told
    return told


async def is_clean(citus: Citus, name: str) -> bool:
    return (await audit(citus.superuser_url, user_id=name)).is_clean


async def movements(till: Till, name: str) -> int:
    return await till.count(
        "movements JOIN players USING (player_id)",
        f"event_type = 'Adjustment' AND user_id = '{name}'",
    )


@pytest.mark.parametrize("bucket", range(BUCKETS))
async def test_one_asks_and_another_approves_and_the_money_moves_once(
    any_till: Till, citus: Citus, bucket: int
) -> None:
    till, name = any_till, await player(any_till, bucket)
    number = await asked(till, name)
    assert await till.pockets(name) == FULL, "nothing moves before the approval"
    done = await approved(till, number, note="seen")
    assert done.entry.after == AFTER
    assert done.entry.key == ("wallet:adjustment", f"adjustment-{number}", "")
    decided = done.adjustment
    assert (decided.state, decided.decision_note) == (AdjustmentState.APPROVED, "seen")
    assert decided.decided is not None
    assert (decided.decided.name, decided.position) == ("noah", done.entry.position)
    told = await approve(till.ledger, OLGA, number, solo_max={})
    assert told == NotAdjusted(f"The adjustment {number} is approved by noah already.")
    told_too = await reject(till.ledger, OLGA, number)
    assert told_too == NotAdjusted(f"The adjustment {number} is approved by noah already.")
    assert await till.pockets(name) == AFTER
    (act,) = await till.rows(
        "SELECT actor, action, reason FROM operator_actions WHERE subject = $1 AND outcome = 'done'"
        " AND action <> 'adjustment.propose'",
        str(number),
    )
    assert tuple(act) == ("noah", "adjustment.approve", "seen")
    assert await is_clean(citus, name)


async def test_two_people_a_role_and_the_money_are_needed(till: Till) -> None:
    name = await player(till)
    number = await asked(till, name)
    told = await approve(till.ledger, MIRA, number, solo_max={"USD": "4.99"})
    assert isinstance(told, NotAdjusted)
    assert "another person has to approve it" in told.words
    nobody = Operator("nina", is_verified=True, roles=frozenset(), via=Via.PAGE, source="")
    assert isinstance(await approve(till.ledger, nobody, number, solo_max={}), NotAdjusted)
    large = await asked(till, name, "20.01", pocket=Pocket.BONUS, direction=Direction.DEBIT)
    told = await approve(till.ledger, NOAH, large, solo_max={})
    assert told == NotAdjusted(
        "Refused: not enough money (100.00 real, 20.00 bonus, USD). The request stays open."
    )
    assert await till.pockets(name) == FULL
    assert isinstance(await approve(till.ledger, MIRA, number, solo_max={"USD": "5"}), Approved)


async def test_a_rejected_one_moves_nothing_for_ever(any_till: Till) -> None:
    till, name = any_till, await player(any_till)
    number = await asked(till, name)
    told = await reject(till.ledger, NOAH, number, "no such ticket")
    assert isinstance(told, Adjustment)
    assert (told.state, told.decision_note) == (AdjustmentState.REJECTED, "no such ticket")
    again = await approve(till.ledger, NOAH, number, solo_max={})
    assert again == NotAdjusted(f"The adjustment {number} is rejected by noah already.")
    assert await till.pockets(name) == FULL


async def test_of_many_who_decide_at_once_one_is_heard(
    till: Till, far_till: Till, citus: Citus
) -> None:
    for bucket in range(BUCKETS):
        name = await player(till, bucket)
        number = await asked(till, name)
        told = await asyncio.gather(
            *(
                approve((till, far_till)[n % 2].ledger, person(by), number, solo_max={})
                for n, by in enumerate(("noah", "olga", "pete"))
            ),
            reject(far_till.ledger, NOAH, number),
        )
        assert sum(not isinstance(each, NotAdjusted) for each in told) == 1, told
        moved = any(isinstance(each, Approved) for each in told)
        assert await till.pockets(name) == (AFTER if moved else FULL)
        assert await is_clean(citus, name)


# --- a process that dies between the movement and its approval --------------------------------


class DiedError(BaseException):
    """The process is gone."""


async def dies_in_between(till: Till, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approve, and die when the movement is committed and its approval is not."""

    async def dies(_ledger: Ledger, _entry: JournalEntry) -> Adjustment:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(adjustments, "write_approval", dies)
        with pytest.raises(DiedError):
            await approve(till.ledger, NOAH, number, solo_max={"USD": "1"}, note="seen")


async def test_what_was_left_half_done_is_shown_so_and_finished_by_whoever_approves_it(
    any_till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, name = any_till, await player(any_till)
    number = await asked(till, name)
    await dies_in_between(till, number, monkeypatch)
    assert await till.pockets(name) == AFTER, "the money has moved"
    assert not await is_clean(citus, name), "and nobody stands behind it yet"

    shown = await show_adjustment(till.ledger, number)
    assert isinstance(shown, Preview)
    assert shown.adjustment.moved_by == "noah"
    listed = await latest_adjustments(till.ledger, user_id=name)
    assert [(each.adjustment_id, each.moved_by) for each in listed] == [(number, "noah")]
    told = await reject(till.ledger, OLGA, number)
    assert told == NotAdjusted(
        f"The money of the adjustment {number}, which noah approved, has moved: "
        f"`wallet adjust approve {number}` writes that down."
    )

    done = await approved(till, number, OLGA)
    assert done.adjustment.decided is not None
    assert done.adjustment.decided.name == "noah", "whoever approved it, and not who finished it"
    assert done.adjustment.decision_note == "seen"
    assert done.adjustment.moved_by is None
    assert await till.pockets(name) == AFTER
    assert await movements(till, name) == 1
    assert await is_clean(citus, name)


@pytest.mark.parametrize("error", [LedgerAwayError, DeadlineError])
async def test_a_node_that_is_away_hides_no_list_and_nothing_of_the_others(
    till: Till, monkeypatch: pytest.MonkeyPatch, error: type[LedgerError]
) -> None:
    away, near = [await player(till, bucket) for bucket in (0, 1)]
    asked_for = {name: await asked(till, name) for name in (away, near)}
    for number in asked_for.values():
        await dies_in_between(till, number, monkeypatch)
    read_only = BucketLedger.read_only

    async def fails(self: BucketLedger, *arguments: Any, **named: Any) -> object:  # noqa: ANN401
        if self is till.ledger.bucket_of(away):  # type: ignore[attr-defined]
            raise error
        return await read_only(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(BucketLedger, "read_only", fails)
        listed = await latest_adjustments(till.ledger)
    moved_by = {each.adjustment_id: each.moved_by for each in listed}
    assert [moved_by[asked_for[name]] for name in (away, near)] == [None, "noah"]
    for number in asked_for.values():
        await approved(till, number, OLGA)


async def test_it_is_finished_however_late(
    till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await player(till)
    number = await asked(till, name)
    await dies_in_between(till, number, monkeypatch)
    connection = await asyncpg.connect(citus.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        # So late that nothing could be approved any more: one millisecond after the movement.
        await connection.execute(
            "UPDATE adjustments SET expires_at = (SELECT m.ledger_time + interval '1 ms'"
            " FROM movements m WHERE m.transaction_id = $2) WHERE adjustment_id = $1",
            number,
            f"adjustment-{number}",
        )
    finally:
        await connection.close()
    (expired,) = await latest_adjustments(till.ledger, state=AdjustmentState.EXPIRED, user_id=name)
    assert expired.moved_by == "noah"
    assert (await approved(till, number)).adjustment.state is AdjustmentState.APPROVED
    assert await is_clean(citus, name)


async def test_one_that_nobody_decided_expires(till: Till, citus: Citus) -> None:
    name = await player(till)
    number = await asked(till, name)
    connection = await asyncpg.connect(citus.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            "UPDATE adjustments SET proposed_at = proposed_at - $2::interval,"
            " expires_at = expires_at - $2::interval WHERE adjustment_id = $1",
            number,
            timedelta(days=7),
        )
    finally:
        await connection.close()
    told = await approve(till.ledger, NOAH, number, solo_max={})
    assert told == NotAdjusted(f"The adjustment {number} is expired already.")
    assert await till.pockets(name) == FULL


# --- a process that has lost its place, and does not know -------------------------------------


@asynccontextmanager
async def nobody_minds(_ledger: Ledger, _number: int) -> AsyncIterator[StillAlone]:
    """The place of somebody who lost it, as seen by those who come after them."""

    async def still() -> None:
        return None

    yield still


@pytest.mark.parametrize("lost", ["before it looked", "after it looked"])
async def test_who_rejects_is_not_overtaken_by_a_movement_that_was_under_way(
    till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Noah's process loses its place after the facts were read: before or after it looked."""
    name = await player(till)
    number = await asked(till, name)
    rejected: list[object] = []

    async def rejects() -> None:
        ledger = PlacedLedger(citus.service_url, buckets=BUCKETS)
        try:
            rejected.append(await reject(ledger, OLGA, number))
        finally:
            await ledger.close()

    @asynccontextmanager
    async def loses_it(_ledger: Ledger, _number: int) -> AsyncIterator[StillAlone]:
        async def still() -> None:
            if rejected:
                raise LedgerAwayError
            meanwhile(rejects())
            if lost == "before it looked":
                raise LedgerAwayError

        yield still

    places = iter((loses_it, nobody_minds))

    def place_of(ledger: Ledger, number: int) -> AbstractAsyncContextManager[StillAlone]:
        return next(places)(ledger, number)

    monkeypatch.setattr(adjustments, "alone_with", place_of)
    with pytest.raises(LedgerAwayError):
        await approve(till.ledger, NOAH, number, solo_max={})
    (answer,) = rejected
    assert isinstance(answer, Adjustment)
    assert answer.state is AdjustmentState.REJECTED
    assert await till.pockets(name) == FULL
    assert await movements(till, name) == 0


async def test_a_place_that_was_lost_is_noticed_before_anything_is_recorded(
    till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await player(till)
    number = await asked(till, name)

    async def in_vain(*given: Any, may_record: Any, **more: Any) -> object:  # noqa: ANN401
        async def after_its_end(moment: Any) -> None:  # noqa: ANN401
            await citus.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid <> pg_backend_pid() AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await may_record(moment)

        return await move_funds(*given, may_record=after_its_end, **more)

    with monkeypatch.context() as patch:
        patch.setattr(adjustments, "move_funds", in_vain)
        with pytest.raises(LedgerAwayError):
            await approve(till.ledger, NOAH, number, solo_max={})
    assert await till.pockets(name) == FULL
    assert await movements(till, name) == 0
    assert (await approved(till, number)).entry.after == AFTER


# --- movements that were refused --------------------------------------------------------------


async def test_it_takes_the_key_of_the_refused_movement_that_it_settles(
    any_till: Till, citus: Citus
) -> None:
    till, name = any_till, await player(any_till, 1)
    taken = f"w-{next(numbers)}"
    win = till.movement(name, "Win", "credit", "7.00", transaction_id=taken)
    assert isinstance(await till.one(win), Refused)
    done = await approved(till, await asked(till, name, "7.00", settles=taken))
    assert done.entry.key == ("callback", taken, "Win:credit")
    assert isinstance(await till.one(till.bet(name, "1.00")), Posting)
    receipt = await till.one(win._replace(delivery=bytes(16)))
    assert isinstance(receipt, Refused)
    assert (receipt.refusal, receipt.detail) == (Refusal.MOVEMENT_DIFFERS, SETTLED_BY_HAND)
    assert await is_clean(citus, name)


async def test_it_is_made_once_however_many_ask(any_till: Till) -> None:
    till, name = any_till, await player(any_till, 2)
    taken = f"w-{next(numbers)}"
    await till.one(till.movement(name, "Win", "credit", "7.00", transaction_id=taken))
    first, second = [await asked(till, name, "7.00", settles=taken) for _ in range(2)]
    await approved(till, first)
    told = await approve(till.ledger, NOAH, second, solo_max={})
    assert isinstance(told, NotAdjusted)
    assert "meanwhile" in told.words
    shown = await show_adjustment(till.ledger, second)
    assert isinstance(shown, Preview)
    assert shown.adjustment.moved_by is None, "the movement under this key is the other's"


async def test_no_late_bet_pays_for_an_abort_that_it_settled(any_till: Till, citus: Citus) -> None:
    till, name = any_till, await player(any_till, 3)
    taken = f"a-{next(numbers)}"
    abort = till.movement(name, "BetPlacingAbort", "credit", "9.00", transaction_id=taken)
    assert isinstance(await till.one(abort), Refused)
    await approved(till, await asked(till, name, "9.00", settles=taken))
    (row,) = await till.rows("SELECT state FROM early_aborts WHERE transaction_id = $1", taken)
    assert row[0] == "settled"
    assert isinstance(await till.one(till.bet(name, "9.00")), Posting)
    assert await is_clean(citus, name)


async def test_an_id_of_another_player_elsewhere_is_not_settled(till: Till) -> None:
    """Asked for, or not: the movement is another's by now, and nothing moves."""
    name, other = await player(till, 0), await player(till, 1)
    taken = f"w-{next(numbers)}"
    await till.one(till.movement(name, "Win", "credit", "7.00", transaction_id=taken))
    number = await asked(till, name, "7.00", settles=taken)
    event = f"e-{taken}"
    await till.move(till.bet(other, "1.00", event_id=event))
    win = till.movement(other, "Win", "credit", "7.00", transaction_id=taken, event_id=event)
    assert isinstance(await till.one(win), Posting)
    told = await approve(till.ledger, NOAH, number, solo_max={})
    assert isinstance(told, NotAdjusted)
    assert "has been accepted or settled meanwhile" in told.words
    assert await till.pockets(name) == FULL
    request = Request(
        name, Direction.CREDIT, Pocket.REAL, "7.00", AdjustmentReason.GOODWILL, "T-7", None, taken
    )
    proposed = await propose(till.ledger, MIRA, request)
    assert proposed == NotAdjusted(f"The Win {taken} was accepted since.")


@pytest.mark.timeout(120)
async def test_an_audit_of_everything_sees_requests_and_movements_of_all_buckets(
    till: Till, citus: Citus
) -> None:
    for bucket in range(BUCKETS):
        await approved(till, await asked(till, await player(till, bucket)))
    laws = {breach.invariant for breach in (await audit(citus.superuser_url)).breaches}
    assert laws.isdisjoint({"approval_has_its_movement", "adjustment_has_its_two_people"})
    # An approval that has no movement is found, wherever its player is.
    (row,) = await citus.rows("SELECT max(adjustment_id) + 1 FROM adjustment_decisions")
    await citus.rows(
        "INSERT INTO adjustment_decisions (adjustment_id, decision, decided_by,"
        " decided_is_verified, decided_via, decided_from, decided_at, solo_max, player_id,"
        " position) SELECT $1, 'approved', 'x', true, 'page', '', now(), 0, player_id, 999"
        " FROM players LIMIT 1",
        row[0],
    )
    laws = {breach.invariant for breach in (await audit(citus.superuser_url)).breaches}
    connection = await asyncpg.connect(citus.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            "DELETE FROM adjustment_decisions WHERE adjustment_id = $1", row[0]
        )
    finally:
        await connection.close()
    assert "approval_has_its_movement" in laws
