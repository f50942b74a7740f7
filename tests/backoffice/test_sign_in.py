"""Signing in over HTTP: password and code, cookie, forms, and where it leads."""

import re
from collections.abc import Iterator

import pytest

from app.wallet.operators import Role
from tests.backoffice.office import PASSWORD, Office, open_office
from tests.conftest import Database

OWN_PASSWORD = "their very own words"


@pytest.fixture(scope="module")
def office(module_db: Database) -> Iterator[Office]:
    """A back office outside of the demo: everybody has a second factor."""
    with open_office(module_db) as office:
        for name in ("anna", "bert", "carl", "dora", "emil"):
            office.add(name, Role.SUPPORT, has_code=True)
        office.run(office.till.player("player", "10"))
        yield office


def login(office: Office, name: str, /, **changes: str) -> dict[str, str]:
    return {"name": name, "password": PASSWORD, "code": office.code(name), **changes}


def test_who_has_not_signed_in_is_led_there_and_back(office: Office) -> None:
    browser = office.browser()
    away = browser.get("/player", id="player")
    assert (away.status_code, away.headers["location"]) == (
        303,
        "/login?next=%2Fplayer%3Fid%3Dplayer",
    )
    form = browser.client.get(away.headers["location"])
    assert re.search(r'name="next" value="/player\?id=player"', form.text)
    there = browser.sign_in(**login(office, "anna", next="/player?id=player"))
    assert (there.status_code, there.headers["location"]) == (303, "/player?id=player")
    assert browser.get("/player", id="player").status_code == 200


@pytest.mark.parametrize(
    "wanted", ["//evil.test", "https://evil.test", "/\\evil.test", "", "/\x07", "javascript:x"]
)
def test_a_sign_in_leads_nowhere_else(office: Office, wanted: str) -> None:
    form = office.browser().get("/login", next=wanted)
    assert re.search(r'name="next" value="/"', form.text), form.text


def test_the_cookie_is_for_this_site_and_no_script(office: Office) -> None:
    reply = office.browser().client.post("/login", data=login(office, "bert"))
    cookie = reply.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "secure", "path=/"):
        assert part in cookie
    assert "expires" not in cookie
    assert "max-age" not in cookie


@pytest.mark.parametrize("changes", [{"password": "no"}, {"code": "000000"}, {"name": "nobody"}])
def test_what_is_wrong_is_refused_in_the_same_words(
    office: Office, changes: dict[str, str]
) -> None:
    browser = office.browser()
    reply = browser.client.post("/login", data=login(office, "carl", **changes))
    assert reply.status_code == 401
    assert "The name, the password or the code is wrong." in reply.text
    assert "set-cookie" not in reply.headers
    assert browser.get("/search").status_code == 303


def test_who_tries_too_often_is_told_to_wait(office: Office) -> None:
    client = office.browser().client
    for _ in range(5):
        assert client.post("/login", data=login(office, "dora", password="no")).status_code == 401
    reply = client.post("/login", data=login(office, "dora"))
    assert reply.status_code == 429
    assert "wait" in reply.text


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_form_from_elsewhere_signs_nobody_in(office: Office, headers: dict[str, str]) -> None:
    reply = office.browser().client.post("/login", data=login(office, "emil"), headers=headers)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


class TestAForm:
    """Of a session, with its token and from our own pages, or not at all."""

    @pytest.fixture(scope="class")
    @staticmethod
    def someone(office: Office) -> str:
        office.add("someone", Role.SUPPORT)
        return "someone"

    @pytest.fixture
    @staticmethod
    def free(module_db: Database) -> Iterator[Office]:
        from app.settings import DEMO_CALLBACK_KEY  # noqa: PLC0415

        with open_office(module_db, callback_keys=DEMO_CALLBACK_KEY) as free:
            free.keys["someone"] = None
            yield free

    @pytest.mark.parametrize("token", ["", "0" * 64, "ü" * 64, None])
    def test_without_its_sessions_token_does_nothing(
        self, someone: str, free: Office, token: str | None
    ) -> None:
        browser = free.entered_anew(someone)
        fields = {"id": "player", "reason": "forged"} | ({} if token is None else {"csrf": token})
        assert browser.client.post("/player/block", data=fields).status_code == 403
        assert free.sql("SELECT blocked FROM wallets") == [{"blocked": False}]

    def test_with_another_sessions_token_does_nothing(self, someone: str, free: Office) -> None:
        other, browser = free.entered_anew(someone), free.entered_anew(someone)
        fields = {"id": "player", "reason": "forged", "csrf": other.token()}
        assert browser.client.post("/player/block", data=fields).status_code == 403

    def test_from_another_origin_does_nothing(self, someone: str, free: Office) -> None:
        browser = free.entered_anew(someone)
        fields = {"id": "player", "reason": "forged", "csrf": browser.token()}
        for headers in ({"origin": "null"}, {"sec-fetch-site": "same-site"}):
            reply = browser.client.post("/player/block", data=fields, headers=headers)
            assert reply.status_code == 403

    def test_after_logout_does_nothing(self, someone: str, free: Office) -> None:
        browser = free.entered_anew(someone)
        token, cookies = browser.token(), dict(browser.client.cookies)
        assert browser.send("/logout").headers["location"] == "/login"
        browser.client.cookies.update(cookies)
        fields = {"id": "player", "reason": "forged", "csrf": token}
        assert browser.client.post("/player/block", data=fields).status_code == 401

    def test_that_is_too_large_is_not_read(self, someone: str, free: Office) -> None:
        browser = free.entered_anew(someone)
        assert browser.send("/player/note", id="player", reason="x" * 500_000).status_code == 400


def test_a_temporary_password_opens_nothing_but_the_form_for_a_new_one(
    module_db: Database,
) -> None:
    from app.cashier.operators import NewSecrets, create_user  # noqa: PLC0415
    from app.settings import DEMO_CALLBACK_KEY  # noqa: PLC0415
    from tests.backoffice.office import CONSOLE  # noqa: PLC0415

    with open_office(module_db, callback_keys=DEMO_CALLBACK_KEY) as free:
        made = free.run(
            create_user(free.ledger, CONSOLE, "newcomer", {Role.SUPPORT}, has_code=False)
        )
        assert isinstance(made, NewSecrets)
        browser = free.browser()
        reply = browser.sign_in(name="newcomer", password=made.password)
        assert reply.headers["location"] == "/password"
        assert browser.get("/search", q="player").headers["location"] == "/password"
        new = {"old": made.password, "new": OWN_PASSWORD, "again": OWN_PASSWORD}
        assert browser.send("/password", **(new | {"again": "other words"})).status_code == 400
        assert browser.send("/password", **new).headers["location"] == "/"
        assert browser.get("/player", id="player").status_code == 200
