"""Administrators add people, change their roles, and give them new secrets, with a reason each."""

import re
from collections.abc import Iterator

import pyotp
import pytest

from app.cashier.audit import audit
from app.wallet.operators import Role
from tests.backoffice.office import PASSWORD, Office, open_office
from tests.conftest import Database

SECRET = re.compile(r'data-copy="([^"]+)"')
WHY = "a new colleague"


@pytest.fixture(scope="module")
def office(module_db: Database) -> Iterator[Office]:
    """A back office outside of the demo, and two administrators."""
    with open_office(module_db) as office:
        office.add("admin", Role.ADMIN, has_code=True)
        office.add("other", Role.ADMIN, Role.AUDITOR, has_code=True)
        yield office


def last_actions(office: Office, name: str) -> list[tuple[str, str, str, str]]:
    rows = office.sql(
        "SELECT * FROM operator_actions WHERE subject = $1 AND subject_kind = 'user'"
        " ORDER BY action_id",
        name,
    )
    return [(row["actor"], row["action"], row["reason"], row["outcome"]) for row in rows]


def test_a_person_who_was_added_signs_in_with_what_was_shown_once(office: Office) -> None:
    admin = office.entered("admin")
    shown = admin.send("/users/add", name="newcomer", role="support", reason=WHY)
    assert shown.status_code == 200, shown.text
    assert shown.headers["cache-control"] == "no-store"
    password, key, address = SECRET.findall(shown.text)[:3]
    assert address.startswith("otpauth://totp/")
    assert password not in admin.get("/user", name="newcomer").text
    browser = office.browser()
    reply = browser.sign_in(name="newcomer", password=password, code=str(pyotp.TOTP(key).now()))
    assert reply.headers["location"] == "/password"
    assert last_actions(office, "newcomer")[0] == ("admin", "user.add", WHY, "done")
    assert "newcomer" in admin.get("/users").text


def test_a_change_of_roles_holds_at_once_and_says_why(office: Office) -> None:
    office.add("mover", Role.SUPPORT, has_code=True)
    theirs = office.entered_anew("mover")
    assert theirs.get("/today").status_code == 403
    done = office.entered("admin").send(
        "/users/roles", name="mover", role="finance", reason="changed teams"
    )
    assert done.headers["location"] == "/user?name=mover"
    assert theirs.get("/today").status_code == 200
    page = office.entered("admin").get("/user", name="mover").text
    assert "changed teams" in page
    assert "finance" in page


def test_who_is_disabled_is_out_at_once_and_may_come_back(office: Office) -> None:
    office.add("leaver", Role.AUDITOR, has_code=True)
    theirs = office.entered_anew("leaver")
    admin = office.entered("admin")
    admin.send("/users/disable", name="leaver", reason="left")
    assert theirs.get("/actions").status_code == 303
    assert "disabled" in admin.get("/user", name="leaver").text
    admin.send("/users/enable", name="leaver", reason="is back")
    assert "may sign in" in admin.get("/user", name="leaver").text
    assert [action[1:] for action in last_actions(office, "leaver")[-2:]] == [
        ("user.disable", "left", "done"),
        ("user.enable", "is back", "done"),
    ]


def test_a_reset_ends_sessions_and_the_old_password(office: Office) -> None:
    office.add("forgetful", Role.SUPPORT, has_code=True)
    theirs = office.entered_anew("forgetful")
    shown = office.entered("admin").send("/users/reset", name="forgetful", reason="lost phone")
    assert len(SECRET.findall(shown.text)) >= 3
    assert theirs.get("/password").status_code == 303
    reply = office.browser().sign_in(
        name="forgetful", password=PASSWORD, code=office.code("forgetful")
    )
    assert reply.status_code == 401


@pytest.mark.parametrize("path", ["roles", "disable"])
def test_nobody_changes_themselves(office: Office, path: str) -> None:
    reply = office.entered("admin").send(
        f"/users/{path}", name="admin", role="approver", reason="more power"
    )
    assert reply.status_code == 400
    assert "Nobody changes their own roles" in reply.text
    assert last_actions(office, "admin")[-1][3] == "refused"
    (row,) = office.sql("SELECT roles, disabled_at FROM operators WHERE name = 'admin'")
    assert row == {"roles": ["admin"], "disabled_at": None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "X"}, "A name has 2 to 64"),
        ({"name": "admin"}, "There is a user of this name"),
        ({"role": ""}, "There is no such role"),
        ({"role": "king"}, "There is no such role"),
        ({"reason": ""}, "Say why"),
    ],
    ids=str,
)
def test_what_cannot_be_added_is_told_in_a_sentence(
    office: Office, changes: dict[str, str], words: str
) -> None:
    fields = {"name": "not-added", "role": "support", "reason": WHY} | changes
    reply = office.entered("admin").send("/users/add", **fields)
    assert reply.status_code == 400
    assert words in reply.text
    assert office.sql("SELECT name FROM operators WHERE name = 'not-added'") == []


def test_nobody_is_told_of_a_user_who_is_not_there(office: Office) -> None:
    admin = office.entered("admin")
    assert admin.get("/user", name="nobody").status_code == 404
    assert admin.send("/users/reset", name="nobody", reason=WHY).status_code == 404


def test_a_ledger_whose_people_were_changed_here_is_clean(office: Office) -> None:
    findings = office.run(audit(office.database.service_url))
    assert findings.is_clean, findings.breaches
