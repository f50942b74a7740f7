"""The pages in a real browser: at a desk and on a phone, light and dark, by keyboard.

`make screenshots` keeps a picture of every page in build/screenshots.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, StorageState

from app.wallet.operators import Role
from tests.backoffice.conftest import HOSTILE, past, protected, reconciled
from tests.backoffice.office import PASSWORD, Office, open_office
from tests.browser import open_browser
from tests.conftest import Database

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXE = Path(__file__).parent / "axe" / "axe-4.14.1.min.js"
AXE_SCRIPT = AXE.read_text(encoding="utf-8")
ALL_RULES = "{resultTypes: ['violations']}"
"""Of what passes nothing is worked out but that it passed: half the time."""

COLOURS = "{resultTypes: ['violations'], runOnly: ['color-contrast']}"
"""The rule whose outcome depends on the colour scheme."""

SERIOUS = ("serious", "critical")

PHONE, DESK = 360, 1920

TAKES_PICTURES = os.environ.get("SCREENSHOTS") == "all"
LOOKS = (
    [(width, scheme) for width in (PHONE, DESK) for scheme in ("light", "dark")]
    if TAKES_PICTURES
    else [(PHONE, "light"), (DESK, "dark")]
)
"""In the suite two of the four, and no pictures, which take longer than to look at a page."""

PATHS = {
    "search": "/",
    "found": "/search?q=nick",
    "player": "/player?id=anna",
    "protected": "/player?id=vera",
    "sessions": "/player/sessions?id=vera",
    "hostile": "/player?{hostile}",
    "statement": "/player/statement?id=anna",
    "movement": "/movement?id=win-e1",
    "refused": "/movement?id=too-much",
    "round": "/round?event=e1",
    "inbox": "/inbox",
    "difference": "/inbox?kind=reconciliation_difference",
    "case": "/inbox/case?id=1",
    "adjustments": "/adjustments",
    "adjustment": "/adjustment?id=1",
    "adjust": "/adjustments/new",
    "reconciliation": "/reconciliation",
    "run": "/reconciliation/run?id=1",
    "today": "/today?by=game",
    "risk": "/risk",
    "actions": "/actions",
    "users": "/users",
    "user": "/user?name=anna",
    "password": "/password",
    "missing": "/movement?id=nothing",
}


@pytest.fixture(scope="module")
def office(module_db: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A back office outside of the demo, and one person who may do everything."""
    with open_office(module_db) as office:
        office.add("anna", *Role, has_code=True)
        office.run(past(office))
        office.run(protected(office))
        office.run(reconciled(office, tmp_path_factory.mktemp("reports")))
        yield office


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


class Seen:
    """A page, its complaints, and the hosts it asked."""

    def __init__(self, page: Page, office: Office) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, office.address))

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:")):
            self.elsewhere.append(url)

    def axe(self, what: str = ALL_RULES) -> list[tuple[str, str]]:
        """What axe finds that is serious, with where it is."""
        self.page.evaluate(AXE_SCRIPT)
        result: dict[str, Any] = self.page.evaluate(f"axe.run({what})")
        return [
            (found["id"], found["nodes"][0]["html"])
            for found in result["violations"]
            if found["impact"] in SERIOUS
        ]


@pytest.fixture(scope="module")
def state(office: Office, browser: Browser) -> StorageState:
    """The cookie of somebody who signed in with password and code, by the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{office.address}/player?id=anna")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code of your authenticator app").fill(office.code("anna"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/player?id=anna")
    state = context.storage_state()
    context.close()
    return state


def look(
    browser: Browser,
    office: Office,
    state: StorageState | None,
    width: int = 1280,
    scheme: str = "light",
) -> Seen:
    context = browser.new_context(
        storage_state=state,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    return Seen(context.new_page(), office)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_fits_asks_nobody_else_and_can_be_read_by_everybody(
    browser: Browser, office: Office, state: StorageState | None, width: int, scheme: str
) -> None:
    seen = look(browser, office, state, width, scheme)
    page = seen.page
    found: dict[str, object] = {}
    for name, path in PATHS.items():
        page.goto(office.address + path.format(hostile=urlencode({"id": HOSTILE})))
        page.wait_for_load_state("load")
        # All rules once, on the phone in light colours; what is drawn differently, everywhere.
        if (serious := seen.axe(ALL_RULES if (width, scheme) == LOOKS[0] else COLOURS)) != []:
            found[name] = serious
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found[f"{name} is too wide"] = wide
        if TAKES_PICTURES:
            page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
    page.context.close()
    assert found == {}
    assert seen.elsewhere == []
    # The browser itself tells of an answer that is none of success.
    assert [words for words in seen.complaints if "404" not in words] == []


def test_the_sign_in_page_can_be_read_by_everybody(browser: Browser, office: Office) -> None:
    seen = look(browser, office, None, PHONE)
    seen.page.goto(f"{office.address}/login")
    assert seen.axe() == []
    if TAKES_PICTURES:
        seen.page.screenshot(path=SCREENSHOTS / f"login-light-{PHONE}.png")
    seen.page.context.close()


def test_a_player_is_found_and_blocked_by_keyboard_alone(
    browser: Browser, office: Office, state: StorageState | None
) -> None:
    office.run(office.till.player("keyboard", "10"))
    seen = look(browser, office, state)
    page = seen.page
    page.goto(office.address)
    page.keyboard.press("/")
    page.keyboard.type("keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url("**/player?id=keyboard")
    page.locator("summary:text-is('Block')").focus()
    page.keyboard.press("Enter")
    form = page.locator("form[action='/player/block']")
    form.get_by_label("Reason").fill("chargeback")
    form.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    page.locator(".badges").get_by_text("blocked").wait_for()
    assert page.get_by_text("chargeback").first.is_visible()
    assert office.sql(
        "SELECT w.blocked FROM wallets w JOIN players p USING (player_id)"
        " WHERE p.user_id = 'keyboard'"
    ) == [{"blocked": True}]
    page.context.close()


def enter(browser: Browser, office: Office, name: str) -> Page:
    """A page of somebody who has just signed in by the form."""
    page = browser.new_context().new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{office.address}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code of your authenticator app").fill(office.code(name))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{office.address}/")
    return page


def test_two_people_settle_a_refused_win_from_the_inbox_to_resolved(
    browser: Browser, office: Office
) -> None:
    for name, role in (("asker", Role.FINANCE), ("second", Role.APPROVER)):
        office.add(name, role, has_code=True)
    asker, second = enter(browser, office, "asker"), enter(browser, office, "second")

    asker.get_by_role("link", name="Inbox").click()
    asker.get_by_role("row").filter(has_text="v-win").get_by_role("link").first.click()
    asker.get_by_role("button", name="Take it").click()
    asker.get_by_text("taken").first.wait_for()
    case = asker.url
    asker.get_by_role("link", name="Ask for an adjustment").click()
    assert asker.get_by_label("Player", exact=True).input_value() == "vera"
    assert asker.get_by_label("Amount, in the player's currency").input_value() == "25"
    asker.get_by_label("Reason").select_option("refused_movement")
    asker.get_by_label("Ticket").fill("T-4711")
    asker.get_by_role("button", name="Ask for approval").click()
    asker.get_by_text("What it would do now").wait_for()
    assert asker.get_by_role("button", name="Approve").count() == 0

    second.goto(asker.url)
    second.get_by_role("button", name="Approve, and move 25.00 USD").click()
    second.locator(".badges").get_by_text("approved").wait_for()

    asker.goto(case)
    if asker.get_by_role("button", name="Resolve").count():
        asker.get_by_label("What was done").fill("paid by the adjustment")
        asker.get_by_role("button", name="Resolve").click()
    asker.locator(".badges").get_by_text(re.compile("resolved|settled")).wait_for()
    paid = "SELECT count(*) AS n FROM ops.movements WHERE user_id = 'vera' AND amount = 25"
    assert office.sql(f"{paid} AND event_type = 'Adjustment'") == [{"n": 1}]
    for page in (asker, second):
        page.context.close()


def test_hostile_text_runs_nowhere(
    browser: Browser, office: Office, state: StorageState | None
) -> None:
    seen = look(browser, office, state)
    ran: list[str] = []
    seen.page.on("dialog", lambda dialog: ran.append(dialog.message))
    for path in ("/player", "/movement"):
        seen.page.goto(f"{office.address}{path}?{urlencode({'id': HOSTILE})}")
        assert HOSTILE.split("&")[0].split("\x1b")[0] in seen.page.inner_text("main")
    seen.page.context.close()
    assert ran == []
    assert seen.complaints == []


def test_today_refreshes_itself(
    browser: Browser, office: Office, state: StorageState | None
) -> None:
    seen = look(browser, office, state)
    seen.page.goto(f"{office.address}/today")
    with seen.page.expect_response(lambda response: "/today" in response.url, timeout=15_000) as r:
        pass
    assert r.value.status == 200
    assert "hx-request" in r.value.request.headers
    seen.page.context.close()
    assert seen.complaints == []


def test_an_id_is_copied_as_it_is(
    browser: Browser, office: Office, state: StorageState | None
) -> None:
    seen = look(browser, office, state)
    seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.page.goto(f"{office.address}/movement?id=win-e1")
    seen.page.get_by_role("button", name="Copy win-e1").first.click()
    seen.page.wait_for_selector("button.copied")
    assert seen.page.evaluate("navigator.clipboard.readText()") == "win-e1"
    seen.page.context.close()
