"""The inbox to its end, and an adjustment by two people, over HTTP."""

import re

import pytest

from app.cashier.audit import audit
from app.cashier.inbox import collect
from app.wallet.refusals import Refusal
from tests.backoffice.office import Browser, Office


@pytest.fixture(scope="module", autouse=True)
def refused(office: Office) -> str:
    """A win that was refused because nothing in its event matched."""
    till = office.till
    office.run(till.player("owed", "10"))
    win = till.movement("owed", "Win", "credit", "25", transaction_id="late-win", event_id="e9")
    (receipt,) = office.run(till.move(win))
    assert getattr(receipt, "refusal", None) is Refusal.NO_MATCHING_MOVEMENT
    office.run(collect(office.ledger))
    return "late-win"


def number_of(address: str) -> str:
    found = re.search(r"id=(\d+)", address)
    assert found, address
    return found[1]


def case_of(browser: Browser, user_id: str) -> str:
    found = re.search(r"/inbox/case\?id=(\d+)", browser.get("/inbox", player=user_id).text)
    assert found
    return found[1]


def ask(office: Office, name: str = "finance", **changes: str) -> str:
    fields = {
        "player": "owed",
        "direction": "credit",
        "pocket": "real",
        "amount": "25",
        "why": "goodwill",
        "ticket": "T-1",
    } | changes
    reply = office.entered(name).send("/adjustments/propose", **fields)
    assert reply.status_code == 303, reply.text
    return number_of(reply.headers["location"])


def balance(office: Office, user_id: str = "owed") -> str:
    (row,) = office.sql("SELECT balance::text FROM ops.players WHERE user_id = $1", user_id)
    return str(row["balance"])


def test_an_exception_goes_from_open_to_taken_to_resolved(office: Office) -> None:
    browser = office.entered("support")
    number = case_of(browser, "owed")
    case = browser.get("/inbox/case", id=number).text
    for words in ("late-win", "25", "Nobody has looked after it yet."):
        assert words in case, words
    assert browser.send("/inbox/take", id=number).status_code == 303
    assert "support" in browser.get("/inbox", player="owed").text
    assert browser.send("/inbox/resolve", id=number, reason="").status_code == 400
    assert browser.send("/inbox/resolve", id=number, reason="paid by hand").status_code == 303
    assert "late-win" not in browser.get("/inbox", player="owed").text
    closed = browser.get("/inbox", player="owed", state="closed").text
    assert "late-win" in closed
    assert "paid by hand" in browser.get("/inbox/case", id=number).text
    again = browser.send("/inbox/resolve", id=number, reason="once more")
    assert again.status_code == 400
    assert "was resolved by support" in again.text


def test_a_difference_of_the_books_waits_in_the_inbox_with_its_age(office: Office) -> None:
    browser = office.entered("finance")
    page = browser.get("/inbox", kind="reconciliation_difference").text
    for words in ("the books do not agree", "their report says 11.00", "v-bet-1", "1 d"):
        assert words in page, words
    number = re.search(r"/inbox/case\?id=(\d+)", page)
    assert number
    case = browser.get("/inbox/case", id=number[1])
    assert "the journal 10.00" in case.text
    assert "Resolve" in case.text


def test_an_adjustment_takes_two_people_and_moves_once(office: Office) -> None:
    before = balance(office)
    number = ask(office, why="refused_movement", settles="late-win")
    page = office.entered("approver").get("/adjustment", id=number).text
    assert "What it would do now" in page
    assert "35.00" in page
    assert balance(office) == before, "nothing has moved"
    assert office.entered("finance").send("/adjustment/approve", id=number).status_code == 403
    done = office.entered("approver").send("/adjustment/approve", id=number)
    assert done.status_code == 303, done.text
    assert (before, balance(office)) == ("10.00", "35.00")
    again = office.entered("approver").send("/adjustment/approve", id=number)
    assert again.status_code == 400
    assert balance(office) == "35.00"
    shown = office.entered("support").get("/movement", id="late-win").text
    assert "Adjustment" in shown


def test_nobody_approves_what_they_asked_for(office: Office) -> None:
    before = balance(office)
    number = ask(office, "everything", amount="1")
    reply = office.entered("everything").send("/adjustment/approve", id=number)
    assert reply.status_code == 400
    assert "another person" in reply.text
    assert balance(office) == before
    assert (
        office.entered("everything")
        .send("/adjustment/reject", id=number, reason="asked by mistake")
        .status_code
        == 303
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1e3"},
        {"amount": "1.001"},
        {"ticket": ""},
        {"why": "because"},
        {"direction": "up"},
        {"pocket": "purse"},
        {"player": "nobody"},
        {"settles": "no-such-id"},
    ],
    ids=str,
)
def test_what_cannot_be_asked_for_is_told_in_a_sentence(
    office: Office, changes: dict[str, str]
) -> None:
    count = "SELECT count(*) AS n FROM adjustments"
    before = office.sql(count)
    fields = {
        "player": "owed",
        "direction": "credit",
        "pocket": "real",
        "amount": "25",
        "why": "goodwill",
        "ticket": "T-1",
    } | changes
    reply = office.entered("finance").send("/adjustments/propose", **fields)
    assert reply.status_code == 400
    assert office.sql(count) == before


def test_a_ledger_that_was_adjusted_is_clean(office: Office) -> None:
    findings = office.run(audit(office.database.service_url))
    assert findings.is_clean, findings.breaches
