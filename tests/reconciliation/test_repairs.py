"""Differences go to the inbox once, and repairs are asked for once, whatever reports tell."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.cashier.adjustments import Approved, approve
from app.cashier.audit import audit
from app.cashier.inbox import collect, inbox
from app.cashier.repairs import Proposal, ProposalState, WantedRepair, propose_repairs
from app.edges.callback.answers import DuplicateReply, answer_to
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.reconciliation.runs import Difference
from app.reconciliation.profile import Profile
from app.reconciliation.reconcile import Outcome, Request, reconcile
from app.reconciliation.repairs import repair_of
from app.wallet.events import Direction
from app.wallet.inbox import ExceptionKind, ExceptionState
from app.wallet.operators import Operator, Role, Via
from tests.conftest import Database, sql
from tests.reconciliation.story import Teller, profile, write

STORY = """
1 09:00 anna Deposit           200.00 pay-1
1 10:00 anna BetPlacing         20.00 b-1   round-1  4711
1 10:01 anna Win                35.00 w-1   round-1  4711
1 11:00 anna BetPlacing         10.00 b-2   round-2  4711
1 12:00 anna Win                40.00 w-9   round-9  4711     NO_MATCHING_MOVEMENT
1 13:00 chen BetPlacing         40000 b-4   round-4  5020     INSUFFICIENT_FUNDS
"""
TRUE = (
    "1 10:00 anna bet 20.00 b-1 round-1",
    "1 10:01 anna win 35.00 w-1 round-1",
    "1 11:00 anna bet 10.00 b-2 round-2",
)
LATE = "1 19:00 anna win 7.00 x-1 round-1"
"""Their books have it, and it reaches us after the report, or never."""

MIRA, NOAH = (
    Operator(name, is_verified=True, roles=frozenset(Role), via=Via.PAGE, source="10.0.0.7")
    for name in ("mira", "noah")
)
DAY, MONTH = (datetime(2026, 3, day, tzinfo=UTC) for day in (2, 31))


def told_apart() -> Profile:
    """The generic profile, whose words stand for one event type each."""
    shipped = profile(grace_seconds="0")
    return replace(shipped, types={word: kinds[:1] for word, kinds in shipped.types.items()})


class Books:
    """A journal, reports of it, and two people who mend what differs."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.folder = folder
        self.scribe = Teller(db.service_url)
        self.ledger = PlacedLedger(db.service_url, clock=lambda: self.scribe.now)
        self.profile = told_apart()

    async def run(self, until: datetime, *lines: str) -> tuple[Outcome, list[Difference]]:
        path = write(self.folder / f"{until:%d}.csv", lines)
        day = datetime(2026, 3, 1, tzinfo=UTC)
        request = Request(path, self.profile, "console:test", since=day, until=until)
        async with reconcile(self.db.service_url, request) as found:
            return found.outcome, [each async for each in found.differences(1000)]

    async def propose(self, differences: list[Difference]) -> list[Proposal]:
        repairs = [repair_of(each, "callback", self._type_of(each.word)) for each in differences]
        wanted = [
            WantedRepair(
                each.repair_id,
                each.user_id,
                Direction(each.direction),
                each.amount,
                each.currency,
                each.event_id,
                each.stands_for_source,
                each.stands_for_transaction_id,
                each.takes_facet,
                each.reason,
            )
            for each in repairs
            if each is not None
        ]
        return await propose_repairs(self.ledger, MIRA, wanted)

    def _type_of(self, word: str | None) -> str | None:
        kinds = self.profile.types.get(word or "", ())
        return kinds[0].value if len(kinds) == 1 else None

    async def approve(self, proposals: list[Proposal]) -> None:
        for each in proposals:
            assert each.adjustment_id is not None, each.words
            done = await approve(self.ledger, NOAH, each.adjustment_id, solo_max={})
            assert isinstance(done, Approved), done

    async def in_inbox(self) -> list[tuple[str | None, ExceptionState]]:
        await collect(self.ledger)
        kind = ExceptionKind.RECONCILIATION_DIFFERENCE
        found = [
            *await inbox(self.ledger, kind=kind),
            *await inbox(self.ledger, kind=kind, is_open=False),
        ]
        return sorted((each.transaction_id, each.state) for each in found)

    async def breached(self) -> set[str]:
        """The laws that are broken, but for one: the story's tokens were asked for by nobody."""
        breaches = (await audit(self.db.superuser_url)).breaches
        return {each.invariant for each in breaches} - {"session_has_its_trail"}

    def balance(self, user_id: str = "anna") -> str:
        query = (
            "SELECT round(real, 2) FROM wallets JOIN players USING (player_id)"
            f" WHERE user_id = '{user_id}'"
        )
        return sql(self.db.server, query, self.db.name)


@pytest.fixture
async def books(db: Database, tmp_path: Path) -> AsyncIterator[Books]:
    books = Books(db, tmp_path)
    await books.scribe.open()
    await books.scribe.play(STORY)
    yield books
    await books.scribe.ledger.close()
    await books.ledger.close()


async def test_a_day_and_a_month_pay_once_and_a_late_delivery_hears_409(books: Books) -> None:
    _, day = await books.run(DAY, *TRUE, LATE)
    _, month = await books.run(MONTH, *TRUE, LATE)
    (first,) = await books.propose(day)
    (second,) = await books.propose(month)
    assert (first.state, second.state) == (ProposalState.PROPOSED, ProposalState.KNOWN)
    assert first.adjustment_id == second.adjustment_id
    assert books.balance() == "205.00"
    await books.approve([first])
    assert books.balance() == "212.00"

    outcome, differences = await books.run(MONTH, *TRUE, LATE)
    assert outcome.agrees
    assert outcome.verdicts == {"settled_by_hand": 1}
    (third,) = await books.propose(day)
    assert (third.state, third.adjustment_id) == (ProposalState.KNOWN, first.adjustment_id)

    await books.scribe.play("3 09:00 anna Win 7.00 x-1 round-1 4711 MOVEMENT_DIFFERS")
    receipt = books.scribe.told["x-1"]
    assert answer_to(receipt, DuplicateReply.CONFLICT).code == 409
    assert books.balance() == "212.00"
    assert await books.breached() == set()
    assert differences == []


async def test_what_came_late_is_not_repaired_any_more(books: Books) -> None:
    _, day = await books.run(DAY, *TRUE, LATE)
    (asked,) = await books.propose(day)
    await books.scribe.play("2 09:00 anna Win 7.00 x-1 round-1 4711")
    (again,) = await books.propose(day)
    assert again.state is ProposalState.NOT_PROPOSED
    assert asked.adjustment_id is not None
    refused = await approve(books.ledger, NOAH, asked.adjustment_id, solo_max={})
    assert not isinstance(refused, Approved)
    assert "accepted or settled meanwhile" in refused.words
    assert books.balance() == "212.00"


CASES = {
    "refused by us": ((*TRUE, "1 12:00 anna win 40.00 w-9 round-9"), "245.00"),
    "another amount": ((*TRUE[:2], "1 11:00 anna bet 12.00 b-2 round-2"), "203.00"),
    "only ours": (TRUE[:2], "215.00"),
    "booked twice there": ((*TRUE, "1 10:00:05 anna bet 20.00 b-1 round-1"), "185.00"),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_repair_that_was_made_settles_every_later_report(books: Books, case: str) -> None:
    lines, after = CASES[case]
    _, differences = await books.run(DAY, *lines)
    assert len(differences) == 1
    await books.approve(await books.propose(differences))
    assert books.balance() == after
    outcome, differences = await books.run(MONTH, *lines)
    assert (outcome.agrees, differences) == (True, [])
    assert {state for _, state in await books.in_inbox()} == {ExceptionState.SETTLED}
    assert await books.breached() == set()


async def test_a_part_of_the_amount_is_no_repair(books: Books) -> None:
    lines = (*TRUE[:2], "1 11:00 anna bet 12.00 b-2 round-2")
    _, differences = await books.run(DAY, *lines)
    await books.approve(await books.propose(differences))
    more = (*TRUE[:2], "1 11:00 anna bet 13.00 b-2 round-2")
    outcome, _ = await books.run(MONTH, *more)
    assert not outcome.agrees


async def test_a_word_of_several_types_is_left_to_people(books: Books) -> None:
    books.profile = profile(grace_seconds="0")
    _, differences = await books.run(DAY, *TRUE, LATE)
    (left,) = await books.propose(differences)
    assert left.state is ProposalState.NOT_PROPOSED
    assert "several event types" in left.words
    # What was refused here says itself what it was.
    _, differences = await books.run(DAY, *TRUE, "1 12:00 anna win 40.00 w-9 round-9")
    (asked,) = await books.propose(differences)
    assert asked.state is ProposalState.PROPOSED


async def test_a_difference_is_one_exception_until_the_ledger_settles_it(books: Books) -> None:
    lines = (*TRUE, LATE, "1 10:00:05 anna bet 20.00 b-1 round-1")
    day, _ = await books.run(DAY, *lines)
    month, _ = await books.run(MONTH, *lines)
    assert (day.listed, month.listed) == (2, 0)
    assert await books.in_inbox() == [("b-1", ExceptionState.OPEN), ("x-1", ExceptionState.OPEN)]
    await books.run(MONTH, *TRUE)
    assert await books.in_inbox() == [("b-1", ExceptionState.OPEN), ("x-1", ExceptionState.OPEN)]
    await books.scribe.play("2 09:00 anna Win 7.00 x-1 round-1 4711")
    assert await books.in_inbox() == [("b-1", ExceptionState.OPEN), ("x-1", ExceptionState.SETTLED)]


async def test_another_amount_is_another_exception(books: Books) -> None:
    await books.run(DAY, *TRUE[:2], "1 11:00 anna bet 12.00 b-2 round-2")
    outcome, _ = await books.run(MONTH, *TRUE[:2], "1 11:00 anna bet 13.00 b-2 round-2")
    assert outcome.listed == 1


async def test_a_trial_lists_nothing(books: Books, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [*TRUE, LATE])
    request = Request(path, books.profile, "console:test", lists=False)
    async with reconcile(books.db.service_url, request) as found:
        assert found.outcome.differences == 1
    assert await books.in_inbox() == []
