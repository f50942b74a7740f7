"""The story of docs/ops.md, and two days more: every event type, re-settlements of other days."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typing_extensions import override

from app.cashier.adjustments import Approved, Preview, Request, approve, propose
from app.cashier.move_funds import move_funds
from app.postgres import EmbeddedPostgres
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import RULES, Direction, EventType, Pocket
from app.wallet.holds import HoldKey
from app.wallet.movement import Key, Movement, Names, facet_of_type
from app.wallet.named import event_id_of
from app.wallet.operators import Operator, Role, Via
from app.wallet.outcomes import Posting
from tests.conftest import Database, clone
from tests.console.conftest import Console, Done
from tests.console.conftest import in_process as console_fixture
from tests.ops_sql.story import AGENT, POLICY, Storyteller

in_process = console_fixture

MORE = """
6 08:00 bora Deposit            60.00 pay-6
6 09:00 bora BetPlacing         10.00 b-20  round-20 4711
6 09:05 bora Win                30.00 w-20  round-20 4711
6 10:00 dina PromoStreamersBetPayedAbort   250.00 p-3  stream-1 4711   accepted
6 10:05 dina PromoStreamersBetPlacingAbort 100.00 p-4  stream-1 4711   accepted
6 11:00 bora +technicalFix       1.00 fix-2 round-20 4711
6 12:00 bora WithdrawalHold     20.00 hold-1
6 12:01 bora WithdrawalHold      5.00 hold-2
6 13:01 bora WithdrawalRelease   5.00 back-2   hold-2
7 07:00 bora WithdrawalSettle   20.00 paid-1   hold-1
7 08:00 bora WithdrawalHold      8.00 hold-3
7 09:00 bora Win                50.00 w-21  bet-7    1037566
7 10:00 bora SportBetCancel    100.00 s-22  bet-7    1037566
7 11:00 bora Adjustment         30.00 T-140 debt_forgiven
7 11:30 bora Adjustment          2.00 T-141 goodwill
"""
"""What the first five days lack: payments into a round of another day, withdrawals under way, and a
debt of which two people forgive a part."""

BETBY = """
8 09:00 anna BetbyMake           4.00 y-1
8 09:01 anna BetbyWin            4.00 y-2 y-1
8 09:02 anna BetbyRollback       4.00 y-3 y-1 y-2
8 09:03 anna BetbyWinAgain       4.00 y-4 y-1 y-3
8 09:04 anna BetbyNoEffect       4.00 y-5 y-1 y-3
8 10:00 anna BetbyMake           2.00 z-1
8 10:01 anna BetbyLost           0.00 z-2 z-1
8 10:02 anna BetbyNoRisk         2.00 z-3 z-1
8 10:03 anna BetbyNoRiskRollback 2.00 z-4 z-1 z-3
8 10:04 anna BetbyNoRiskAgain    2.00 z-5 z-1 z-4
8 11:00 anna BetbyMake           3.00 v-1
8 11:01 anna BetbyRefund         3.00 v-2 v-1
8 11:02 anna BetbyRollback       3.00 v-3 v-1 v-2
8 11:03 anna BetbyRefundAgain    3.00 v-4 v-1 v-3
8 12:00 anna BetbyMake           1.00 u-1
8 12:01 anna BetbyDiscard        1.00 u-1 u-1
"""
"""Bets that Betby places itself: the bet of each operation, and what a rollback undoes."""

NO_PLAY = ("Withdrawal", "Adjustment")


class Longer(Storyteller):
    """Plays the story, and goes on."""

    @override
    async def tell(self) -> None:
        await super().tell()
        self.ledger = type(self.ledger)(self.url, clock=lambda: self.now)
        try:
            for line in MORE.strip().splitlines():
                words = line.split()
                await (self._by_people if words[3].startswith(NO_PLAY) else self._line)(*words)
            for line in BETBY.strip().splitlines() if self.with_betby else ():
                await self._by_betby(*line.split())
        finally:
            await self.ledger.close()

    def __init__(self, url: str, *, with_betby: bool = False) -> None:
        super().__init__(url)
        self.url = url
        self.with_betby = with_betby
        self.places: dict[str, int] = {}

    async def _by_betby(
        self,
        day: str,
        time: str,
        user_id: str,
        what: str,
        amount: str,
        name: str,
        bet: str = "",
        parent: str = "",
    ) -> None:
        """Move money as Betby does."""
        hour, minute = map(int, time.split(":"))
        self.now = datetime(2026, 3, int(day), hour, minute, tzinfo=UTC)
        # What has no effect is asked for as something that would have one.
        kind = EventType.BETBY_WIN_AGAIN if what == "BetbyNoEffect" else EventType(what)
        (direction,) = RULES[kind].directions
        facet = facet_of_type(kind, direction) if kind is EventType.BETBY_DISCARD else ""
        movement = Movement(
            delivery=bytes(8) + int(self.now.timestamp()).to_bytes(8),
            key=Key("betby", name, facet),
            user_id=user_id,
            event_type=kind,
            direction=direction,
            amount=amount,
            received_at=self.now,
            event_id=event_id_of(bet or name),
            names=Names(self.places.get(bet), self.places.get(parent)),
        )
        (receipt,) = await move_funds(self.ledger, [movement], POLICY)
        assert isinstance(receipt, Posting), receipt
        assert receipt.entry.event_type.value == what
        self.places[name] = receipt.entry.position

    async def _by_people(
        self,
        day: str,
        time: str,
        user_id: str,
        what: str,
        amount: str,
        name: str,
        about: str = "",
    ) -> None:
        """Move money as the operator's platform or its people do."""
        hour, minute = map(int, time.split(":"))
        self.now = datetime(2026, 3, int(day), hour, minute, tzinfo=UTC)
        kind = EventType(what)
        if kind is EventType.ADJUSTMENT:
            await self._adjust(user_id, amount, name, AdjustmentReason(about))
            return
        movement = Movement(
            delivery=bytes(8) + int(self.now.timestamp()).to_bytes(8),
            key=Key(AGENT, name, ""),
            user_id=user_id,
            event_type=kind,
            direction=next(iter(RULES[kind].directions)),
            amount=amount,
            received_at=self.now,
            hold=HoldKey(AGENT, about) if about else None,
        )
        (receipt,) = await move_funds(self.ledger, [movement], POLICY)
        assert isinstance(receipt, Posting), receipt

    async def _adjust(
        self, user_id: str, amount: str, ticket: str, reason: AdjustmentReason
    ) -> None:
        mira, noah = (
            Operator(name, is_verified=True, roles=frozenset(Role), via=Via.PAGE, source="10.0.0.7")
            for name in ("mira", "noah")
        )
        request = Request(user_id, Direction.CREDIT, Pocket.REAL, amount, reason, ticket)
        preview = await propose(self.ledger, mira, request)
        assert isinstance(preview, Preview), preview
        number = preview.adjustment.adjustment_id
        assert isinstance(await approve(self.ledger, noah, number, solo_max={}), Approved)


@pytest.fixture(scope="session")
def longer(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which all of it was played."""
    for db in clone(postgres, template):
        with ThreadPoolExecutor(1) as outside:
            outside.submit(asyncio.run, Longer(db.service_url).tell()).result()
        yield db


@pytest.fixture
def wallet(
    in_process: Console, longer: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Commands on the story's database, in a folder of their own."""
    monkeypatch.setenv("WALLET_DATABASE_URL", longer.service_url)
    monkeypatch.chdir(tmp_path)
    return in_process
