"""A back office that is served on a real port, and people who sign in to it over HTTP."""

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import pyotp
import uvicorn

from app.cashier.operators import NewSecrets, create_user
from app.composition.backoffice import build_backoffice
from app.ledger.citus.ledger import PlacedLedger
from app.server.port import Port
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.wallet.operators import Operator, Role, Via
from tests.cashier.till import Till, connect
from tests.conftest import Database

T = TypeVar("T")

PASSWORD = "the password of everybody here"
CONSOLE = Operator("root", False, frozenset(), Via.CONSOLE, "here")  # noqa: FBT003
FORM_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Office:
    """The served back office, its people, and a till to make players and movements with."""

    def __init__(self, database: Database, **settings: object) -> None:
        self.database = database
        self.settings = Settings.model_validate({"callback_keys": "unit-test-key", **settings})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.keys: dict[str, str | None] = {}
        self._browsers: list[Browser] = []
        self._entered: dict[str, Browser] = {}

    def open(self) -> None:
        # Before the back office, which in a demo would let this process log warnings only.
        configure_logs()
        self._thread.start()
        self.ledger = PlacedLedger(self.database.service_url, pool_size=2)
        self.till = Till(self.ledger, self.database.superuser_url)
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        port = Port(
            lambda: build_backoffice(
                self.settings, self.database.service_url, self.database.ops_url
            ),
            connections=100,
            deadline=self.settings.deadline,
        )
        self._server = uvicorn.Server(port.config(lifespan="on", timeout_graceful_shutdown=5))
        self._serving = asyncio.run_coroutine_threadsafe(
            self._server.serve([listening]), self._loop
        )
        self.run(self._started())

    def close(self) -> None:
        for browser in self._browsers:
            browser.client.close()
        self._server.should_exit = True
        self._serving.result(20)
        self.run(self.ledger.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _started(self) -> None:
        async with asyncio.timeout(20):
            while not self._server.started:
                assert not self._serving.done(), self._serving.exception()
                await asyncio.sleep(0.01)

    def add(self, name: str, *roles: Role, has_code: bool = False) -> None:
        """Add a person with a password of their own; without a code, as in the demo."""
        made = self.run(
            create_user(self.ledger, CONSOLE, name, roles, password=PASSWORD, has_code=has_code)
        )
        assert isinstance(made, NewSecrets), made
        self.keys[name] = made.totp_key

    def code(self, name: str) -> str:
        key = self.keys[name]
        return "" if key is None else str(pyotp.TOTP(key).now())

    def browser(self) -> "Browser":
        browser = Browser(
            httpx2.Client(base_url=self.address, timeout=30, headers={"origin": self.address})
        )
        self._browsers.append(browser)
        return browser

    def entered(self, name: str) -> "Browser":
        """A browser in which this person has signed in; tests share it."""
        if name not in self._entered:
            self._entered[name] = self.entered_anew(name)
        return self._entered[name]

    def entered_anew(self, name: str) -> "Browser":
        browser = self.browser()
        reply = browser.sign_in(name=name, password=PASSWORD, code=self.code(name))
        assert reply.status_code == 303, reply.text
        return browser

    def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            connection = await connect(self.database.superuser_url)
            try:
                return [dict(row) for row in await connection.fetch(query, *values)]
            finally:
                await connection.close()

        return self.run(ask())


@dataclass
class Browser:
    """A client with a session's cookie, which sends forms as a page would."""

    client: httpx2.Client

    def sign_in(self, **fields: str) -> httpx2.Response:
        """Sign in, and keep a cookie for TLS as a browser does on this machine."""
        reply = self.client.post("/login", data=fields)
        if "set-cookie" in reply.headers:
            name, _, rest = reply.headers["set-cookie"].partition("=")
            self.client.cookies.clear()
            self.client.cookies.set(name, rest.partition(";")[0])
        return reply

    def get(self, path: str, **parameters: str) -> httpx2.Response:
        return self.client.get(path, params=parameters)

    def token(self) -> str:
        found = FORM_TOKEN.search(self.client.get("/password").text)
        assert found
        return found[1]

    def send(self, path: str, **fields: str) -> httpx2.Response:
        return self.client.post(path, data={"csrf": self.token(), **fields})


@contextmanager
def open_office(database: Database, **settings: object) -> Iterator[Office]:
    office = Office(database, **settings)
    office.open()
    try:
        yield office
    finally:
        office.close()
