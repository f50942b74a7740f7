"""Search, movement, round, who did what, and what every answer has."""

import csv
import io
import re

import pytest

from app.ledger.ops_views import OpsRoleError, OpsViews
from app.wallet.movement import Key, Names
from app.wallet.named import event_id_of
from tests.backoffice.conftest import HOSTILE, LONG
from tests.backoffice.office import Office

LOOKS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/search", {"q": "anna"}),
    ("/search", {"q": "nothing has this"}),
    ("/search", {"q": "nick"}),
    ("/player", {"id": "anna"}),
    ("/player/statement", {"id": "anna"}),
    ("/movement", {"id": "bet-e1"}),
    ("/round", {"event": "e1"}),
    ("/player/sessions", {"id": "anna"}),
    ("/inbox", {}),
    ("/inbox/case", {"id": "1"}),
    ("/adjustments", {}),
    ("/adjustments/new", {}),
    ("/adjustment", {"id": "1"}),
    ("/reconciliation", {}),
    ("/reconciliation/run", {"id": "1"}),
    ("/today", {"by": "agent"}),
    ("/risk", {}),
    ("/users", {}),
    ("/user", {"name": "support"}),
    ("/actions", {}),
    ("/password", {}),
)


class TestSearchFinds:
    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("anna", "/player?id=anna"),
            ("bet-e1", "/movement?id=bet-e1"),
            ("too-much", "/movement?id=too-much"),
            ("e2", "/round?event=e2&player=anna"),
            ("E2", "/round?event=e2&player=anna"),
            ("  anna ", "/player?id=anna"),
            ("slip-e1", "/round?event=e1&player=anna"),
            ("SLIP-E1", "/round?event=e1&player=anna"),
        ],
    )
    def test_the_only_thing_of_that_id(self, office: Office, text: str, where: str) -> None:
        reply = office.entered("support").get("/search", q=text)
        assert (reply.status_code, reply.headers.get("location")) == (303, where)

    def test_a_movement_by_its_request_id_in_either_form(self, office: Office) -> None:
        (row,) = office.sql("SELECT delivery FROM movements WHERE transaction_id = 'win-e1'")
        browser = office.entered("support")
        for text in (row["delivery"].hex, str(row["delivery"]), row["delivery"].hex.upper()):
            reply = browser.get("/search", q=text)
            assert reply.headers.get("location") == "/movement?id=win-e1", text

    def test_an_operation_of_betbys_by_our_id_of_it(self, office: Office) -> None:
        till = office.till
        office.run(till.player("beth", "10"))
        bet = till.movement("beth", "BetbyMake", "debit", "1", transaction_id="betby-1")
        office.run(
            till.move(
                bet._replace(
                    key=Key("betby", "betby-1", ""), event_id=event_id_of("betby-1"), names=Names()
                )
            )
        )
        (row,) = office.sql(
            "SELECT player_id, position FROM movements WHERE transaction_id = 'betby-1'"
        )
        browser = office.entered("support")
        reply = browser.get("/search", q=f"{row['player_id']}-{row['position']}")
        assert reply.headers.get("location") == "/movement?id=betby-1"
        # What others asked for has no such id.
        assert "Nothing has this id" in browser.get("/search", q=f"{row['player_id']}-1").text

    def test_a_player_by_their_address(self, office: Office) -> None:
        office.run(office.till.player("mailed"))
        office.sql("UPDATE players SET email = 'Some.One@example.test' WHERE user_id = 'mailed'")
        reply = office.entered("support").get("/search", q="some.one@EXAMPLE.test")
        assert reply.headers.get("location") == "/player?id=mailed"

    def test_players_by_the_beginning_of_a_nickname_in_any_case(self, office: Office) -> None:
        page = office.entered("support").get("/search", q="NICK-")
        assert page.status_code == 200
        assert "nick-anna" in page.text

    @pytest.mark.parametrize("text", ["%", "_", "\\", "nick%", "' OR 1=1 --"])
    def test_nothing_by_a_pattern(self, office: Office, text: str) -> None:
        page = office.entered("support").get("/search", q=text)
        assert "Nothing has this id" in page.text

    def test_nothing_that_is_too_long_for_an_id(self, office: Office) -> None:
        assert office.entered("support").get("/search", q="x" * 251).status_code == 400

    def test_and_notes_what_was_looked_for(self, office: Office) -> None:
        office.entered("risk").get("/search", q="somebody")
        (last,) = office.sql("SELECT * FROM operator_actions ORDER BY action_id DESC LIMIT 1")
        assert (last["actor"], last["action"], last["subject"]) == ("risk", "search", "somebody")


def test_a_movement_tells_why_and_what_undid_it(office: Office) -> None:
    browser = office.entered("support")
    page = browser.get("/movement", id="win-e1").text
    for words in ("30.00", "in the proportion of the stakes", "undo", "undid it", "holds"):
        assert words in page, words
    refused = browser.get("/movement", id="too-much").text
    for words in ("refused for ever", "9,999.00 USD", "Nothing moved"):
        assert words in refused, words


def test_a_round_tells_its_movements_in_order(office: Office) -> None:
    page = office.entered("support").get("/round", event="e1").text
    places = [page.index(f"/movement?id={name}") for name in ("bet-e1", "win-e1", "undo")]
    assert places == sorted(places)


def test_a_sports_bets_round_tells_its_slip_with_every_leg(office: Office) -> None:
    page = office.entered("support").get("/round", event="e1").text
    for words in ("slip-e1", "combo of 2", "Home – Away", "Premier League", "Match winner", "won"):
        assert words in page, words
    assert "<script>alert(1)" not in page
    assert "Slip" not in office.entered("support").get("/round", event="e2").text


def test_what_is_not_there_is_not_found(office: Office) -> None:
    browser = office.entered("everything")
    for path, arguments in (("/movement", {"id": "x"}), ("/round", {"event": "x"}), ("/x", {})):
        reply = browser.get(path, **arguments)
        assert reply.status_code == 404
        assert "There is no such page." in reply.text


@pytest.mark.parametrize(("path", "arguments"), LOOKS, ids=str)
def test_every_page_forbids_what_is_not_ours(
    office: Office, path: str, arguments: dict[str, str]
) -> None:
    reply = office.entered("everything").client.get(path, params=arguments, follow_redirects=True)
    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert len(reply.headers["request-id"]) == 32
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", reply.text)
    assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script(?![^>]* src=)", reply.text)


@pytest.mark.parametrize("text", [HOSTILE, LONG], ids=["hostile", "long"])
def test_a_hostile_text_is_shown_and_nothing_else(office: Office, text: str) -> None:
    browser = office.entered("everything")
    for path, arguments in (
        ("/player", {"id": text}),
        ("/movement", {"id": text}),
        ("/round", {"event": text}),
        ("/search", {"q": text}),
        ("/actions", {"subject": text}),
        ("/player/statement", {"id": text}),
        ("/player/sessions", {"id": text}),
        ("/inbox", {"player": text}),
        ("/adjustments", {"player": text}),
        ("/adjustments/new", {"player": text}),
    ):
        page = browser.get(path, **arguments)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<b>xx" not in page.text, path
        assert "62773913" not in page.text, path
        # In an attribute a button copies it as it is; a reader sees the escapes.
        shown = re.sub(r'(?:data-copy|value)="[^"]*"', "", page.text)
        assert "\x1b" not in shown, path
        assert "\u202e" not in shown, path


def test_who_did_what_is_filtered_and_taken_out(office: Office) -> None:
    office.entered("support").send("/player/note", id="anna", reason="to be found")
    browser = office.entered("auditor")
    page = browser.get("/actions", actor="support", action="player.note", subject="anna").text
    assert "to be found" in page
    assert "to be found" not in browser.get("/actions", actor="finance").text
    assert "to be found" in browser.get("/actions", action="player").text
    assert "to be found" not in browser.get("/actions", until="2020-01-01").text
    rows = list(csv.DictReader(io.StringIO(browser.get("/actions.csv", actor="support").text)))
    assert "to be found" in {row["reason"] for row in rows}
    (last,) = office.sql("SELECT * FROM operator_actions ORDER BY action_id DESC LIMIT 1")
    assert last["action"] == "actions.export"


@pytest.mark.parametrize("arguments", [{"since": "soon"}, {"before": "x"}, {"before": "9" * 30}])
def test_a_filter_that_is_none_is_told(office: Office, arguments: dict[str, str]) -> None:
    assert office.entered("auditor").get("/actions", **arguments).status_code == 400


def test_a_csv_holds_no_formula(office: Office) -> None:
    office.entered("support").send("/player/note", id="anna", reason="=HYPERLINK(1)")
    text = office.entered("auditor").get("/actions.csv", subject="anna").text
    assert "'=HYPERLINK(1)" in text


async def test_the_pages_role_reaches_no_table(office: Office) -> None:
    views = OpsViews(office.database.ops_url)
    await views.check_role()
    for statement in ("SELECT * FROM public.players", "SELECT * FROM public.operators"):
        with pytest.raises(Exception, match="permission denied"):
            await views.fetch(statement)
    with pytest.raises(Exception, match=r"permission denied|read-only"):
        await views.fetch("DELETE FROM ops.operators")
    await views.close()


async def test_a_role_that_reaches_a_table_is_not_served(office: Office) -> None:
    views = OpsViews(office.database.service_url)
    with pytest.raises(OpsRoleError, match="wallet_ops"):
        await views.check_role()
    await views.close()


def test_static_files_are_ours_and_there(office: Office) -> None:
    client = office.browser().client
    page = client.get("/login").text
    files = re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", page)
    assert len(files) == 5
    for file in files:
        assert client.get(file).status_code == 200, file
    assert client.get("/static/../guard.py").status_code == 404


class TestReconciliation:
    def test_tells_who_owes_whom_and_leads_to_each_movement(self, office: Office) -> None:
        browser = office.entered("finance")
        runs = browser.get("/reconciliation").text
        assert "/reconciliation/run?id=1" in runs
        assert "report of &lt;b&gt;March.csv" in runs
        page = browser.get("/reconciliation/run", id="1").text
        for words in (
            "we owe players",
            "only theirs: we were never asked",
            "12,345<",
            "/movement?id=theirs-1",
            "/movement?id=bet-e1",
        ):
            assert words in page, words

    @pytest.mark.parametrize("number", ["0", "999", "x", "-1", "1e1", "9" * 30, ""])
    def test_an_unknown_run_is_not_found(self, office: Office, number: str) -> None:
        assert office.entered("finance").get("/reconciliation/run", id=number).status_code == 404

    def test_a_look_at_a_run_is_noted(self, office: Office) -> None:
        office.entered("auditor").get("/reconciliation/run", id="1")
        (last,) = office.sql("SELECT * FROM operator_actions ORDER BY action_id DESC LIMIT 1")
        noted = (last["actor"], last["action"], last["subject"])
        assert noted == ("auditor", "reconciliation.look", "1")
