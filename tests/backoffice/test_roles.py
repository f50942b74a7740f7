"""The role matrix: each role and each page or act, allowed or refused."""

import pytest

from app.backoffice.routes import PAGES, Page
from app.wallet.operators import MAY, Role
from tests.backoffice.office import Office

ARGUMENTS = {
    "/player": {"id": "anna"},
    "/player/statement": {"id": "anna"},
    "/player/statement.csv": {"id": "anna"},
    "/movement": {"id": "bet-e1"},
    "/round": {"event": "e1"},
    "/search": {"q": "anna"},
    "/user": {"name": "support"},
}
FIELDS = {"reason": "the matrix", "limit": "stake_day", "amount": "1", "until": "2999-01-01"}
ADJUSTMENT = {
    "player": "anna",
    "direction": "credit",
    "pocket": "real",
    "amount": "1",
    "why": "goodwill",
    "ticket": "T-1",
}
ACT_FIELDS = {
    "/adjustments/propose": ADJUSTMENT,
    "/users/add": {"name": "added-by-{role}", "role": "auditor", "reason": "the matrix"},
    **{
        f"/users/{act}": {"name": "nobody-here", "reason": "the matrix"}
        for act in ("roles", "reset", "disable", "enable")
    },
}
ENDS_THE_SESSION = {"/logout", "/password"}


def name_of(page: Page) -> str:
    return f"{page.method} {page.path}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_for_those_whose_role_allows_it(office: Office, page: Page) -> None:
    if page.path in ENDS_THE_SESSION:
        return
    for role in Role:
        browser = office.entered(role.value)
        if page.method == "GET":
            reply = browser.get(page.path, **ARGUMENTS.get(page.path, {}))
        else:
            fields = {"id": f"nobody-{role}", **ACT_FIELDS.get(page.path, FIELDS)}
            reply = browser.send(
                page.path, **{name: text.format(role=role) for name, text in fields.items()}
            )
        may = page.permission is None or page.permission in MAY[role]
        # An act on nobody is allowed, and finds nobody.
        expected = {200, 303, 404} if may else {403}
        assert reply.status_code in expected, (role, reply.status_code)


def test_who_has_no_role_sees_nothing_but_their_password(office: Office) -> None:
    browser = office.entered("nothing")
    seen = {page.path: browser.get(page.path).status_code for page in PAGES if page.method == "GET"}
    assert {path for path, status in seen.items() if status == 200} == {"/password"}
    assert browser.get("/").headers["location"] == "/password"


def test_a_refused_page_is_noted_and_shows_nothing(office: Office) -> None:
    reply = office.entered("admin").get("/player", id="anna")
    assert reply.status_code == 403
    assert "look at players" in reply.text
    assert "120.00" not in reply.text
    (last,) = office.sql("SELECT * FROM operator_actions ORDER BY action_id DESC LIMIT 1")
    assert (last["actor"], last["action"], last["subject"], last["outcome"]) == (
        "admin",
        "page.refused",
        "/player",
        "refused",
    )


@pytest.mark.parametrize("path", ["/player/block", "/player/note", "/player/revoke"])
def test_an_act_that_a_role_may_not_do_changes_nothing(office: Office, path: str) -> None:
    changes = "SELECT count(*) AS n FROM account_changes"
    before = office.sql(changes)
    assert office.entered("auditor").send(path, id="anna", **FIELDS).status_code == 403
    assert office.sql(changes) == before
    assert office.sql("SELECT blocked FROM wallets ORDER BY player_id")[0] == {"blocked": False}


def test_every_route_stands_in_the_table(office: Office) -> None:
    """What is not in the table is not there, whoever asks."""
    browser = office.entered("everything")
    for path in ("/players", "/player/", "/docs", "/openapi.json", "/metrics", "/../settings"):
        assert browser.get(path).status_code == 404, path
