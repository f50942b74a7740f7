"""One back office a file, with a person for each role, and a player with a past."""

from collections.abc import Iterator

import pytest

from app.settings import DEMO_CALLBACK_KEY
from app.wallet.operators import Role
from tests.backoffice.office import Office, open_office
from tests.conftest import Database

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202egnp{{7*7}}"
"""Markup, quotes, an escape sequence, a right-to-left mark and a template's braces."""

LONG = "<b>" + "x" * 244 + "end"


async def past(office: Office) -> None:
    """Players with movements of every kind the pages tell of."""
    till = office.till
    await till.player("anna", "100", "20")
    for event in ("e1", "e2"):
        await till.move(till.bet(amount="10", transaction_id=f"bet-{event}", event_id=event))
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


@pytest.fixture(scope="module")
def office(module_db: Database) -> Iterator[Office]:
    """A back office where nobody has a second factor, as in the demo."""
    with open_office(module_db, callback_keys=DEMO_CALLBACK_KEY) as office:
        for role in Role:
            office.add(role.value, role)
        office.add("everything", *Role)
        office.add("nothing")
        office.run(past(office))
        yield office
