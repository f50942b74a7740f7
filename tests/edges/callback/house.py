"""A wallet that is served on a real port, and the aggregator who calls it: signed, over HTTP.

The signing here shares nothing with the server's.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import asyncpg
import httpx2
import uvicorn

from app.cashier.move_funds import move_funds
from app.cashier.players import issue_token, open_account
from app.cashier.policy import policy_of_ledger
from app.composition.service import build_app
from app.edges.callback.endpoint import CallbackApp
from app.ledger.citus.ledger import PlacedLedger
from app.server.port import Port, Served
from app.settings import Settings
from app.wallet.events import Direction, EventType
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Posting, Receipt
from app.wallet.refusals import Refusal
from tests.conftest import Database

T = TypeVar("T")

KEY = "unit-test-key"
NEXT_KEY = "next-key"
AGENT = "house"
BTC = Currency("BTC", 8)
CURRENCIES = {**ISO_CURRENCIES, "BTC": BTC}

numbers = itertools.count(1)


def unique(word: str) -> str:
    """Make an id that no other test has."""
    return f"{word}-{next(numbers)}"


def sign(fields: Mapping[str, str], key: str = KEY) -> str:
    """Sign as the contract's section 2 says, without extraData."""
    signed = {name: fields[name] for name in sorted(fields) if name != "extraData"}
    text = json.dumps(signed, separators=(",", ":")).replace("/", "\\/") if signed else "[]"
    return hashlib.sha256((text + key).encode()).hexdigest()


class Reply(NamedTuple):
    """What came back; numbers as they were written."""

    status: int
    body: bytes
    headers: httpx2.Headers

    @property
    def said(self) -> dict[str, Any]:
        said = json.loads(self.body, parse_float=str, parse_int=str)
        assert isinstance(said, dict)
        return said

    @property
    def code(self) -> int:
        """The contract's code, 0 when all is well."""
        said = self.said
        assert said["status"] is ("errors" not in said)
        return int(said["errors"]["code"]) if "errors" in said else 0

    @property
    def words(self) -> str:
        return str(self.said["errors"]["error"])

    @property
    def balance(self) -> str | None:
        balance = self.said.get("balance")
        assert balance is None or isinstance(balance, str)
        return balance

    @property
    def pockets(self) -> tuple[str, str]:
        return self.said["realBalance"], self.said["bonusBalance"]


@dataclass(frozen=True)
class Seat:
    """A player with a live token."""

    user_id: str
    token: str


class House:
    """The served wallet, direct access to it for set-up, and signed requests."""

    def __init__(self, database: Database, **settings: object) -> None:
        self.database = database
        self.settings = Settings.model_validate({"callback_keys": f"{KEY},{NEXT_KEY}", **settings})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    # --- the house's life ---------------------------------------------------------------------

    def open(self) -> None:
        self._thread.start()
        port = Port(
            self._build,
            connections=100,
            deadline=self.settings.deadline,
        )
        self._ledger = PlacedLedger(self.database.service_url, pool_size=2)
        self._listening = socket.create_server(("127.0.0.1", 0))
        # asyncio's own loop, unlike uvloop, leaves Nagle's algorithm on for a socket it is handed:
        # every answer would wait 40 ms for an acknowledgement.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self._listening.getsockname()[1]
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=30,
            limits=httpx2.Limits(max_connections=40, max_keepalive_connections=40),
        )
        self._server = uvicorn.Server(port.config(lifespan="on", timeout_graceful_shutdown=5))
        self._serving = asyncio.run_coroutine_threadsafe(self._serve(), self._loop)
        self.run(self._until_started())

    def _build(self) -> Served:
        served = build_app(self.settings, self.database.service_url, require_durability=False)
        assert isinstance(served.app, CallbackApp)
        self.requests = served.app.requests
        return served

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._serving.result(timeout=20)
        self._listening.close()
        self.run(self._ledger.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        # The way uvicorn says that a start failed.
        with contextlib.suppress(SystemExit):
            await self._server.serve(sockets=[self._listening])

    async def _until_started(self) -> None:
        while not self._server.started:
            assert not self._serving.done(), "the server did not start"
            await asyncio.sleep(0.01)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    @property
    def superuser_url(self) -> str:
        return self.database.superuser_url

    def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Look into the database, or arrange it, as superuser."""

        async def work() -> list[asyncpg.Record]:
            url = self.database.superuser_url.replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            try:
                return await connection.fetch(statement, *values)
            finally:
                await connection.close()

        return self.run(work())

    # --- players --------------------------------------------------------------------------------

    def seat(
        self,
        real: str = "0",
        bonus: str = "0",
        *,
        currency: str = "USD",
        user_id: str | None = None,
        life: timedelta = timedelta(hours=1),
        **profile: str,
    ) -> Seat:
        """Open an account, pay in, and issue a token."""
        user_id = user_id or unique("player")
        self.run(self._open(user_id, CURRENCIES[currency], profile))
        for event_type, amount in ((EventType.DEPOSIT, real), (EventType.BONUS_GRANT, bonus)):
            if amount != "0":
                self.pay(user_id, event_type, Direction.CREDIT, amount)
        return Seat(user_id, self.token(user_id, life))

    async def _open(self, user_id: str, currency: Currency, profile: Mapping[str, str]) -> None:
        await open_account(
            self._ledger,
            user_id=user_id,
            agent=AGENT,
            currency=currency,
            nickname=profile.get("nickname", f"nick-{user_id}"[:64]),
            language=profile.get("language", "en"),
            email=profile.get("email"),
            first_name=profile.get("first_name"),
            last_name=profile.get("last_name"),
        )

    def pay(self, user_id: str, event_type: EventType, way: Direction, amount: str) -> None:
        """Move money at the operator's cashier."""
        movement = Movement(
            delivery=os.urandom(16),
            key=Key(AGENT, unique("pay"), ""),
            user_id=user_id,
            event_type=event_type,
            direction=way,
            amount=amount,
            received_at=datetime.now(UTC),
        )
        (receipt,) = self.run(self._move(movement))
        assert isinstance(receipt, Posting), receipt

    async def _move(self, movement: Movement) -> list[Receipt]:
        policy = await policy_of_ledger(self._ledger)
        return await move_funds(self._ledger, [movement], policy)

    def deposit(self, seat: Seat, amount: str) -> None:
        self.pay(seat.user_id, EventType.DEPOSIT, Direction.CREDIT, amount)

    def token(self, user_id: str, life: timedelta = timedelta(hours=1)) -> str:
        """Issue a token; a life below zero has ended already."""
        issued = self.run(issue_token(self._ledger, user_id, life))
        assert not isinstance(issued, Refusal)
        return issued.token

    def expired(self, seat: Seat) -> str:
        return self.token(seat.user_id, timedelta(seconds=-1))

    def block(self, seat: Seat) -> None:
        self.sql(
            "UPDATE wallets SET blocked = true, revision = revision + 1 FROM players p"
            " WHERE p.player_id = wallets.player_id AND user_id = $1",
            seat.user_id,
        )

    def limit(self, seat: Seat, name: str, minor: int) -> None:
        limits = json.dumps({name: {"amount": minor}})
        self.sql(
            "UPDATE wallets SET limits = $2, revision = revision + 1 FROM players p"
            " WHERE p.player_id = wallets.player_id AND user_id = $1",
            seat.user_id,
            limits,
        )

    def journal(self, seat: Seat) -> list[asyncpg.Record]:
        """What the journal has of the game side's movements of a player."""
        return self.sql(
            "SELECT m.* FROM movements m JOIN players p USING (player_id)"
            " WHERE p.user_id = $1 AND m.source = 'callback' ORDER BY position",
            seat.user_id,
        )

    def refusals(self, seat: Seat) -> list[asyncpg.Record]:
        """The refusal log's entries of a player."""
        return self.sql(
            "SELECT * FROM refusals WHERE user_id = $1 ORDER BY ledger_time, refusal_id",
            seat.user_id,
        )

    # --- calls ------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send exactly this."""
        url = f"{path}?{query}" if query else path
        response = self.client.request(method, url, content=body, headers=headers)
        return Reply(response.status_code, response.content, response.headers)

    def raw(self, request: bytes) -> bytes:
        """Send these bytes, and read until the server has nothing more to say."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            said = b""
            while part := connection.recv(65536):
                said += part
        return said

    def get(self, path: str, *, key: str = KEY, **fields: str) -> Reply:
        """Ask a question, signed."""
        headers = {"Hash-Authorization": sign(fields, key)}
        return self.call("GET", path, query=urlencode(fields), headers=headers)

    def form(self, fields: Mapping[str, str], *, key: str = KEY, path: str = "/moveFunds") -> Reply:
        """Send a form, signed."""
        headers = {
            "Hash-Authorization": sign(fields, key),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.call("POST", path, body=urlencode(fields).encode(), headers=headers)

    def json(
        self, text: str, signed: Mapping[str, str], *, key: str = KEY, path: str = "/moveFunds"
    ) -> Reply:
        """Send JSON as written; `signed`: its members as text."""
        headers = {"Hash-Authorization": sign(signed, key), "Content-Type": "application/json"}
        return self.call("POST", path, body=text.encode(), headers=headers)

    def fields(self, seat: Seat, event_type: str, amount: str, **changes: str) -> dict[str, str]:
        """Make the fields of a movement in the event type's usual direction."""
        fields = {
            "token": seat.token,
            "userId": seat.user_id,
            "gameId": "1037566",
            "extraData": "{}",
            "eventId": "event-1",
            "direction": "debit" if event_type in DEBITS else "credit",
            "transactionId": unique("tx"),
            "eventType": event_type,
            "amount": amount,
        }
        return {**fields, **changes}

    def move(self, seat: Seat, event_type: str, amount: str, **changes: str) -> Reply:
        """Move funds."""
        return self.form(self.fields(seat, event_type, amount, **changes))

    def balance(self, seat: Seat) -> tuple[str, str]:
        """The pockets, as getBalance tells them."""
        return self.get("/getBalance", token=seat.token, userId=seat.user_id).pockets


DEBITS = {
    *("BetPlacing", "BetPayedAbort", "SportBetCancel", "Tip", "technicalFix"),
    *("PromoStreamersDebit", "PromoStreamersBetPayedAbort"),
}


@contextlib.contextmanager
def open_house(database: Database, **settings: object) -> Iterator[House]:
    """Serve a database until the block ends."""
    house = House(database, **settings)
    try:
        house.open()
        yield house
    finally:
        house.close()
