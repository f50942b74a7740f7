"""One back office a file, with a person for each role, and a player with a past."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.adjustments import Request as AdjustmentRequest
from app.cashier.adjustments import propose
from app.cashier.inbox import collect
from app.ledger.accounts import ChangeNote
from app.ledger.exceptions import open_exception
from app.ledger.money.book import Book
from app.reconciliation.profile import load_profile
from app.reconciliation.reconcile import Request, reconcile
from app.settings import DEMO_CALLBACK_KEY
from app.slips.projector import Projector
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import Direction, Pocket
from app.wallet.facts import RuleVersion
from app.wallet.inbox import ExceptionKind
from app.wallet.limit_terms import DEFAULT_RAISE_RULES
from app.wallet.operators import Role
from tests.backoffice.office import CONSOLE, Office, open_office
from tests.conftest import Database
from tests.slips.slip_texts import betslip, leg

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202egnp{{7919*7927}}"
"""Markup, quotes, an escape sequence, a right-to-left mark and a template's braces."""

HEADER = (
    *("transaction_id", "user_id", "event_id", "type", "direction", "amount", "currency"),
    *("time", "status"),
)

LONG = "<b>" + "x" * 244 + "end"


async def past(office: Office) -> None:
    """Players with movements of every kind the pages tell of."""
    till = office.till
    await till.player("anna", "100", "20")
    slip = betslip("slip-e1", kind="2/2", legs=[leg(1), leg(2, outcome_name=HOSTILE)])
    for event, text in (("e1", slip), ("e2", "{}")):
        await till.move(
            till.bet(amount="10", transaction_id=f"bet-{event}", event_id=event, extra_data=text)
        )
    await till.move(
        till.movement("anna", "Win", "credit", "30", transaction_id="win-e1", event_id="e1")
    )
    await till.move(
        till.movement("anna", "BetPayedAbort", "debit", "12", transaction_id="undo", event_id="e1")
    )
    await till.move(till.bet(amount="9999", transaction_id="too-much", event_id="e3"))
    await till.player(HOSTILE, "5")
    await till.move(
        till.bet(HOSTILE, "1", transaction_id=HOSTILE, event_id=HOSTILE, extra_data=HOSTILE)
    )
    await till.player(LONG, "5")
    await till.move(till.bet(LONG, "1", transaction_id=LONG, event_id=LONG))
    await Projector(office.ledger).look()


async def protected(office: Office) -> None:
    """Vera, who has limits, one of which refused, money on its way out, and cases in the inbox."""
    till, ledger = office.till, office.ledger
    await till.rows("UPDATE decision_settings SET rule_version = $1", RuleVersion.CURRENT.value)
    await till.player("vera", "100", "20")
    limits = {"stake_day": "40", "loss_week:casino": "30", "deposit_month": "200"}
    await update_account(
        ledger, "vera", AccountChange(limits=limits), raises=DEFAULT_RAISE_RULES, note=asked(limits)
    )
    raised = {"stake_day": "90"}
    await update_account(
        ledger, "vera", AccountChange(limits=raised), raises=DEFAULT_RAISE_RULES, note=asked(raised)
    )
    for number, amount in enumerate(("25", "10", "15")):
        await till.move(
            till.bet("vera", amount, transaction_id=f"v-bet-{number}", event_id=f"v-{number}")
        )
    await till.move(till.movement("vera", "WithdrawalHold", "debit", "30", transaction_id="v-hold"))
    lost = till.movement("vera", "Win", "credit", "25", transaction_id="v-win", event_id="v-none")
    await till.move(lost)
    await collect(ledger)
    await propose(
        ledger,
        CONSOLE,
        AdjustmentRequest(
            "vera", Direction.CREDIT, Pocket.REAL, "25", AdjustmentReason.GOODWILL, "T-9"
        ),
    )

    async def differs(book: Book) -> None:
        await open_exception(
            book,
            kind=ExceptionKind.RECONCILIATION_DIFFERENCE,
            key="run-1/1",
            user_id="vera",
            source="callback",
            transaction_id="v-bet-1",
            amount="10.00",
            currency="USD",
            summary="their report says 11.00 and the journal 10.00",
            happened_at=datetime.now(UTC) - timedelta(hours=30),
        )

    await ledger.serializable(differs)


async def reconciled(office: Office, folder: Path) -> None:
    """A report in which two lines are nowhere here, one of them under a hostile id."""
    path = folder / "report of <b>March.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for name, amount in (("theirs-1", "7.50"), (HOSTILE.replace("\x1b", ""), "12345.00")):
            at = datetime.now(UTC).isoformat()
            writer.writerow((name, "anna", "e1", "win", "credit", amount, "USD", at, "done"))
    begin = datetime.now(UTC) - timedelta(days=1)
    profile = replace(load_profile("generic"), grace_seconds=0)
    request = Request(path, profile, "console:test", since=begin, lists=False)
    async with reconcile(office.database.service_url, request) as run:
        assert run.outcome.differences


def asked(limits: dict[str, str]) -> ChangeNote:
    return ChangeNote(
        "house", "account/update", json.dumps({"limits": limits}), os.urandom(16), datetime.now(UTC)
    )


@pytest.fixture(scope="module")
def office(module_db: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A back office where nobody has a second factor, as in the demo."""
    with open_office(module_db, callback_keys=DEMO_CALLBACK_KEY) as office:
        for role in Role:
            office.add(role.value, role)
        office.add("everything", *Role)
        office.add("nothing")
        office.run(past(office))
        office.run(protected(office))
        office.run(reconciled(office, tmp_path_factory.mktemp("reports")))
        yield office
