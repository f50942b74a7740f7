"""A story that every law has something to say about, played once; tests break clones of it."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.adjustments import Approved, Preview, Request, approve, propose
from app.cashier.inbox import collect
from app.cashier.move_funds import move_funds
from app.cashier.operators import create_user
from app.cashier.players import IssuedToken, issue_token, open_account, token_hash
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.transaction import Ledger
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import Direction, EventType, Pocket
from app.wallet.facts import Policy
from app.wallet.holds import HoldKey
from app.wallet.limit_terms import RaiseRules
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement
from app.wallet.operators import Operator, Role, Via
from app.wallet.refusals import Refusal
from tests.audit.by_hand import PLAYERS
from tests.conftest import Database, clone

OPERATORS = ("sam", "tess")
AT_THE_CONSOLE = Operator(
    "root", is_verified=False, roles=frozenset(), via=Via.CONSOLE, source="here"
)
ADJUSTMENTS = 1
"""of each player, after the story"""

STORY = (
    # position, event type, direction, amount, event
    (1, EventType.DEPOSIT, Direction.CREDIT, "100.00", None),
    (2, EventType.BONUS_GRANT, Direction.CREDIT, "20.00", None),
    (3, EventType.BET_PLACING, Direction.DEBIT, "10.00", "e1"),
    (4, EventType.BET_PLACING, Direction.DEBIT, "5.00", "e1"),
    (5, EventType.WIN, Direction.CREDIT, "30.00", "e1"),
    (6, EventType.BET_PAYED_ABORT, Direction.DEBIT, "12.00", "e1"),
    (7, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "18.00", "e1"),
    (8, EventType.BET_PLACING, Direction.DEBIT, "7.00", "e2"),
    (9, EventType.BET_PLACING_ABORT, Direction.CREDIT, "7.00", "e2"),
    (10, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "7.00", "e2"),
    (11, EventType.BET_PLACING_ABORT, Direction.CREDIT, "7.00", "e2"),
    (12, EventType.BET_PLACING, Direction.DEBIT, "9999.00", "e3"),  # refused for ever
    (13, EventType.PROMO_STREAMERS_DEBIT, Direction.DEBIT, "3.00", "e1"),
    (14, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "500.00", "e4"),
    (15, EventType.BET_PLACING, Direction.DEBIT, "4.00", "e9"),  # its abort came before it
    (16, EventType.DEPOSIT, Direction.CREDIT, "900.00", None),
    (17, EventType.WITHDRAWAL_HOLD, Direction.DEBIT, "25.00", None),
    (18, EventType.WITHDRAWAL_SETTLE, Direction.DEBIT, "25.00", None),
    (19, EventType.BET_PLACING, Direction.DEBIT, "6.00", "e5"),
    (20, EventType.DEPOSIT, Direction.CREDIT, "9000.00", None),  # refused by a limit
)
LIMITED = 18
"""The place in the story of the first movement after limits are set."""

LIMITS: Final = {"deposit_day": "1500", "loss_week:casino": "700", "stake_month:sport": "800"}

HOLD = 16
"""The place in the story of the hold, which the last movement settles."""


CLOSES = {EventType.WITHDRAWAL_SETTLE, EventType.WITHDRAWAL_RELEASE}


def movement(user_id: str, token: bytes, number: int) -> Movement:
    _, event_type, direction, amount, event_id = STORY[number]
    return Movement(
        delivery=os.urandom(16),
        key=Key("callback" if event_id else "house", f"{user_id}-{number}", ""),
        user_id=user_id,
        event_type=event_type,
        direction=direction,
        amount=amount,
        received_at=datetime.now(UTC),
        token=token if event_id else None,
        event_id=event_id,
        game_id=1 if event_id else None,
        extra_data='{"odds": "1,5|é"}' if event_id else None,
        hold=HoldKey("house", f"{user_id}-{HOLD}") if event_type in CLOSES else None,
    )


async def play(url: str) -> None:
    ledger = PlacedLedger(url)
    for name in OPERATORS:
        await create_user(ledger, AT_THE_CONSOLE, name, {Role.SUPPORT}, password="a known password")
    for user_id in PLAYERS:
        await open_account(
            ledger,
            user_id=user_id,
            agent="house",
            currency=ISO_CURRENCIES["USD"],
            nickname=user_id,
            language="en",
        )
        issued = await issue_token(ledger, user_id, timedelta(hours=1))
        assert isinstance(issued, IssuedToken)
        token = token_hash(issued.token)
        early = movement(user_id, token, 14)._replace(
            key=Key("callback", f"{user_id}-early", ""),
            event_type=EventType.BET_PLACING_ABORT,
            direction=Direction.CREDIT,
        )
        await move_funds(ledger, [early], Policy())
        for number in range(len(STORY)):
            if number == LIMITED:
                await limit(ledger, user_id)
            await move_funds(ledger, [movement(user_id, token, number)], Policy())
        await adjust(ledger, user_id)
    await collect(ledger)
    await ledger.close()


async def limit(ledger: Ledger, user_id: str) -> None:
    note = ChangeNote("house", "account/update", "{}", os.urandom(16), datetime.now(UTC))
    change = AccountChange(limits=LIMITS)
    after = await update_account(ledger, user_id, change, raises=RaiseRules(), note=note)
    assert not isinstance(after, Refusal)


async def adjust(ledger: Ledger, user_id: str) -> None:
    """Let two people give the player 2.00 to the bonus pocket."""
    first, second = (
        Operator(name, is_verified=True, roles=frozenset(Role), via=Via.PAGE, source="here")
        for name in ("first", "second")
    )
    wanted = Request(
        user_id, Direction.CREDIT, Pocket.BONUS, "2.00", AdjustmentReason.GOODWILL, "T-1"
    )
    preview = await propose(ledger, first, wanted)
    assert isinstance(preview, Preview)
    number = preview.adjustment.adjustment_id
    assert isinstance(await approve(ledger, second, number, solo_max={}), Approved)


@pytest.fixture(scope="module")
def story(module_db: Database) -> Database:
    """The story played once; every test breaks a clone of it."""
    asyncio.run(play(module_db.service_url))
    return module_db


@pytest.fixture
def played(story: Database) -> Iterator[Database]:
    yield from clone(story.server, story.name)
