"""In the demo, Swagger UI's "Try it out" signs callbacks, and seals and opens envelopes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.settings import DEMO_AGENT_ID, DEMO_AGENT_KEY, DEMO_CALLBACK_KEY
from tests.browser import open_browser
from tests.conftest import Database
from tests.edges.transfer.bank import Bank, open_bank, unb64

KEY = unb64(DEMO_AGENT_KEY)
MILLISECONDS_MAX = 20_000


@pytest.fixture(scope="module")
def demo(module_db: Database) -> Iterator[Bank]:
    """The service under the demo's keys, with its player alice."""
    agents = json.dumps({DEMO_AGENT_ID: [DEMO_AGENT_KEY]})
    with open_bank(module_db, callback_keys=DEMO_CALLBACK_KEY, agents=agents) as bank:
        as_demo: dict[str, Any] = {"agent": DEMO_AGENT_ID, "key": KEY, "user_id": "alice"}
        opening = {"currency": "USD", "nickname": "Alice", "language": "en"}
        assert bank.ask("account/init", **as_demo, **opening).code == 0
        deposit = {"transaction_id": "first", "amount": "1000.00"}
        assert bank.ask("account/deposit", **as_demo, **deposit).code == 0
        yield bank


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(demo: Bank, browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(MILLISECONDS_MAX)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://127.0.0.1:{demo.port}/docs")
    yield page
    page.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def tried(page: Page, tag: str, operation: str, **typed: str) -> dict[str, Any]:
    """Try an operation out as it is shown, with some members typed in; return what is shown."""
    block = page.locator(f"#operations-{tag}-{operation}")
    block.locator(".opblock-summary").click()
    block.locator(".try-out__btn").click()
    if typed:
        area = block.locator("textarea.body-param__text")
        area.fill(json.dumps({**json.loads(area.input_value()), **typed}))
    block.locator("button.execute").click()
    shown = block.locator(".live-responses-table .response .highlight-code pre").first
    shown.wait_for()
    said: dict[str, Any] = json.loads(shown.inner_text())
    block.locator(".opblock-summary").click()
    return said


@pytest.mark.timeout(120)
def test_a_callback_is_signed_as_it_is_shown(page: Page) -> None:
    assert tried(page, "callback", "getUserToken")["userId"] == "alice"
    assert tried(page, "callback", "getBalance")["balance"] == 1000.0
    moved = tried(page, "callback", "moveFunds")
    assert (moved["status"], moved["balance"]) == (True, 899.5)
    assert tried(page, "callback", "maintenance") == {"status": True}


@pytest.mark.timeout(120)
def test_an_envelope_is_sealed_and_the_answer_opened(page: Page) -> None:
    assert tried(page, "transfer", "account_init")["data"]["created"] is True
    deposit = tried(page, "transfer", "account_deposit")
    assert (deposit["code"], deposit["data"]["real_balance"]) == (0, 100.5)
    launch = tried(page, "transfer", "account_session", user_id="alice")
    assert len(launch["data"]["token"]) > 20
    refused = tried(page, "transfer", "account_withdraw", amount="5000.00")
    assert (refused["code"], refused["data"]["reason"]) == (102, "not enough money")


def test_the_keys_are_on_the_demo_s_page_alone(demo: Bank, module_db: Database) -> None:
    url = f"http://127.0.0.1:{demo.port}/docs"
    assert DEMO_CALLBACK_KEY in demo.client.get(url).text
    for host in ("wallet.example", "127.0.0.1.evil.example"):
        elsewhere = demo.client.get(url, headers={"Host": host})
        assert elsewhere.status_code == 200
        assert DEMO_CALLBACK_KEY not in elsewhere.text
        assert "signing.js" not in elsewhere.text
    with open_bank(module_db) as real:
        said = real.client.get("/docs").text
    assert "swagger-ui" in said
    assert not re.search(r"signing\.js|demo-keys|<!--", said)


def test_the_demo_s_description_names_its_player(demo: Bank) -> None:
    text = demo.client.get("/openapi.json").text
    assert '"alice"' in text
    assert '"4878"' not in text
