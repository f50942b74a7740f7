"""A player's page and the acts on it: through the cashier, with a reason, and noted."""

import csv
import io
import json
import re
from typing import Any

import pytest

from app.cashier.audit import audit
from tests.backoffice.office import Office


def last_action(office: Office) -> dict[str, Any]:
    (last,) = office.sql("SELECT * FROM operator_actions ORDER BY action_id DESC LIMIT 1")
    return last


def wallet(office: Office, user_id: str) -> dict[str, Any]:
    query = "SELECT w.* FROM wallets w JOIN players p USING (player_id) WHERE p.user_id = $1"
    (found,) = office.sql(query, user_id)
    return found


def fresh(office: Office, user_id: str) -> str:
    office.run(office.till.player(user_id, "50"))
    return user_id


def test_it_tells_pockets_movements_and_refusals(office: Office) -> None:
    page = office.entered("support").get("/player", id="anna").text
    for words in ("98.00", "20.00", "e1", "bet-e2", "not enough money", "payment taken back"):
        assert words in page, words


def test_every_look_at_a_player_is_noted(office: Office) -> None:
    office.entered("auditor").get("/player", id="anna")
    last = last_action(office)
    assert (last["actor"], last["action"], last["subject"]) == ("auditor", "player.look", "anna")
    assert last["source"] == "127.0.0.1"


def test_nobody_is_told_of_a_player_who_is_not_there(office: Office) -> None:
    assert office.entered("support").get("/player", id="no-one").status_code == 404


def test_a_block_refuses_play_and_is_its_actors(office: Office) -> None:
    user_id = fresh(office, "to-block")
    browser = office.entered("support")
    reply = browser.send("/player/block", id=user_id, reason="chargeback 4711")
    assert (reply.status_code, reply.headers["location"]) == (303, "/player?id=to-block")
    assert wallet(office, user_id)["blocked"]
    last = last_action(office)
    assert (last["actor"], last["action"], last["reason"]) == (
        "support",
        "player.block",
        "chargeback 4711",
    )
    (change,) = office.sql("SELECT * FROM account_changes WHERE delivery = $1", last["delivery"])
    assert change["source"] == "page:support"
    assert json.loads(change["asked"])["reason"] == "chargeback 4711"
    assert "chargeback 4711" in browser.get("/player", id=user_id).text
    assert browser.send("/player/unblock", id=user_id, reason="it was paid").status_code == 403
    office.entered("risk").send("/player/unblock", id=user_id, reason="it was paid")
    assert not wallet(office, user_id)["blocked"]


@pytest.mark.parametrize("path", ["block", "exclude", "limit", "revoke", "note"])
@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 1001])
def test_an_act_without_a_reason_is_not_done(office: Office, path: str, reason: str) -> None:
    fields = {"until": "2999-01-01", "limit": "stake_day", "amount": "1"}
    before = office.sql("SELECT count(*) AS n FROM operator_actions WHERE reason IS NOT NULL")
    reply = office.entered("support").send(f"/player/{path}", id="anna", reason=reason, **fields)
    assert reply.status_code == 400
    assert "Say why" in reply.text
    after = office.sql("SELECT count(*) AS n FROM operator_actions WHERE reason IS NOT NULL")
    assert before == after


def test_an_exclusion_can_be_made_longer_and_not_shorter(office: Office) -> None:
    user_id = fresh(office, "to-exclude")
    browser = office.entered("support")
    reason = "they asked for it"
    for until, status in (("2040-01-01", 303), ("2039-01-01", 400), ("2041-01-01", 303)):
        reply = browser.send("/player/exclude", id=user_id, until=until, reason=reason)
        assert reply.status_code == status, until
    assert wallet(office, user_id)["excluded_until"].year == 2041
    refused = office.sql(
        "SELECT * FROM operator_actions WHERE outcome = 'refused' AND subject = $1", user_id
    )
    assert [row["action"] for row in refused] == ["player.exclude"]


@pytest.mark.parametrize("until", ["", "2020-01-01", "tomorrow", "9999-99-99"])
def test_an_exclusion_ends_on_a_day_to_come(office: Office, until: str) -> None:
    reply = office.entered("support").send(
        "/player/exclude", id="anna", until=until, reason="a test"
    )
    assert reply.status_code == 400
    assert wallet(office, "anna")["excluded_until"] is None


def test_a_limit_can_be_lowered_and_not_raised(office: Office) -> None:
    user_id = fresh(office, "to-limit")
    browser = office.entered("risk")
    for amount, status in (("100", 303), ("200", 400), ("100", 400), ("50.5", 303), ("1.234", 400)):
        reply = browser.send(
            "/player/limit", id=user_id, limit="stake_day", amount=amount, reason="a test"
        )
        assert reply.status_code == status, amount
    (term,) = json.loads(wallet(office, user_id)["limits"]).values()
    assert (term["amount"], term["set"][0]) == (5050, "page:risk")


def test_a_limit_of_one_product_and_of_deposits_is_set_here_too(office: Office) -> None:
    user_id = fresh(office, "to-limit-more")
    browser = office.entered("support")
    for limit, product, status in (
        ("loss_week", "casino", 303),
        ("deposit_day", "", 303),
        ("deposit_day", "casino", 400),
        ("stake_day", "Casino!", 400),
        ("stake_year", "", 400),
    ):
        reply = browser.send(
            "/player/limit", id=user_id, limit=limit, product=product, amount="20", reason="a test"
        )
        assert reply.status_code == status, (limit, product)
    terms = json.loads(wallet(office, user_id)["limits"])
    assert {name: term["amount"] for name, term in terms.items()} == {
        "loss_week:casino": 2000,
        "deposit_day": 2000,
    }


def test_an_exclusion_for_ever_stays(office: Office) -> None:
    user_id = fresh(office, "to-exclude-for-ever")
    browser = office.entered("support")
    done = browser.send("/player/exclude", id=user_id, forever="yes", reason="they asked for it")
    assert done.status_code == 303
    assert "excluded for ever" in browser.get("/player", id=user_id).text
    shorter = browser.send("/player/exclude", id=user_id, until="2999-01-01", reason="regret")
    assert shorter.status_code == 400
    assert "never shorter or lifted" in shorter.text


def test_what_protects_a_player_stands_on_their_page(office: Office) -> None:
    browser = office.entered("support")
    page = browser.get("/player", id="vera").text
    for words in (
        "90.00 asked for; may be confirmed from",
        "by house",
        "Limits hit",
        "v-bet-2",
        "Withdrawals under way",
        "v-hold",
        "pending",
        "a limit of the player would be exceeded",
    ):
        assert words in page, words
    used = re.search(r"stake day.*?</td><td[^>]*>(.*?)<meter", page, re.DOTALL)
    assert used
    assert used[1] == "25.00"
    played = browser.get("/player/sessions", id="vera").text
    assert "25.00" in played
    assert last_action(office)["action"] == "player.sessions"


def test_revoked_tokens_play_no_more(office: Office) -> None:
    user_id = fresh(office, "to-revoke")
    live = (
        "SELECT count(*) AS n FROM sessions s JOIN players p USING (player_id)"
        " WHERE p.user_id = $1 AND s.expires_at > now()"
    )
    assert office.sql(live, user_id) == [{"n": 1}]
    office.entered("support").send("/player/revoke", id=user_id, reason="their phone was stolen")
    assert office.sql(live, user_id) == [{"n": 0}]
    assert last_action(office)["action"] == "player.revoke"


def test_a_note_stands_on_the_page(office: Office) -> None:
    browser = office.entered("finance")
    browser.send("/player/note", id="anna", reason="asked about their <b>bonus</b>")
    assert "asked about their &lt;b&gt;bonus&lt;/b&gt;" in browser.get("/player", id="anna").text


def test_a_statement_is_the_journal_line_by_line(office: Office) -> None:
    browser = office.entered("finance")
    text = browser.get("/player/statement.csv", id="anna").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["what"] for row in rows] == [
        "deposit",
        "bonus granted",
        "bet",
        "bet",
        "win",
        "payment taken back",
    ] or len(rows) == 6
    assert rows[-1]["balance"] == "118.00"
    page = browser.get("/player/statement", id="anna").text
    figures = re.findall(r"<span>([^<]+)</span><strong>([^<]+)</strong>", page)
    assert figures == [
        ("Balance before", "0.00"),
        ("In", "150.00"),
        ("Out", "32.00"),
        ("Balance after", "118.00"),
    ]
    empty = browser.get("/player/statement.csv", id="anna", since="2001-01-01", until="2001-01-31")
    assert len(empty.text.splitlines()) == 1


@pytest.mark.parametrize("since", ["2030-01-01", "soon"])
def test_a_statement_has_days_that_follow_each_other(office: Office, since: str) -> None:
    reply = office.entered("finance").get("/player/statement", id="anna", since=since)
    assert reply.status_code == 400


def test_what_was_done_here_leaves_a_ledger_that_is_clean(office: Office) -> None:
    findings = office.run(audit(office.database.service_url))
    assert findings.is_clean, findings.breaches
