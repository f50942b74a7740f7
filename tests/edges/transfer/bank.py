"""A wallet that is served on a real port, with a clock of our own, and two who call it over HTTP.

The operator's platform, in envelopes that share no code with the server's, and the game side.
"""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import os
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

import asyncpg
import httpx2
import uvicorn
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.composition.service import build_app
from app.server.port import Port
from app.settings import Settings
from tests.cashier.homes import home_of, rewrite

T = TypeVar("T")

CALLBACK_KEY = "unit-test-key"
AGENT, OTHER, BOUND = "casino", "rival", "bound"
KEYS = {
    AGENT: [bytes(range(32)), bytes(range(1, 33))],
    OTHER: [bytes(range(2, 34))],
    BOUND: [bytes(range(3, 35))],
}
OTHER_KEY = bytes(range(4, 36))

numbers = itertools.count(1)


def unique(word: str) -> str:
    """Make an id that no other test has."""
    return f"{word}-{next(numbers)}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwe(
    plaintext: bytes, kid: object = AGENT, key: bytes = KEYS[AGENT][0], **header: object
) -> bytes:
    """Make a compact JWE by hand; `header` adds members, or changes them (None takes one out)."""
    members = {"alg": "dir", "enc": "A256GCM", "kid": kid, **header}
    members = {name: value for name, value in members.items() if value is not None}
    protected = b64(json.dumps(members).encode())
    iv = os.urandom(12)
    sealed = AESGCM(key).encrypt(iv, plaintext, protected.encode())
    return f"{protected}..{b64(iv)}.{b64(sealed[:-16])}.{b64(sealed[-16:])}".encode()


def unjwe(body: bytes, key: bytes = KEYS[AGENT][0]) -> tuple[dict[str, Any], bytes]:
    """Open a compact JWE by hand: its header and its plaintext."""
    protected, encrypted_key, iv, ciphertext, tag = body.decode().split(".")
    assert encrypted_key == ""
    plaintext = AESGCM(key).decrypt(unb64(iv), unb64(ciphertext) + unb64(tag), protected.encode())
    return json.loads(unb64(protected)), plaintext


class Reply(NamedTuple):
    """What came back, taken out of its envelope; numbers as they were written."""

    status: int
    body: bytes
    headers: httpx2.Headers
    was_sealed: bool = False

    @property
    def said(self) -> dict[str, Any]:
        said = json.loads(self.body, parse_float=str, parse_int=str)
        assert isinstance(said, dict)
        return said

    @property
    def code(self) -> int:
        """The code, held to its HTTP status and to the shape of the contract."""
        said = self.said
        assert list(said) == ["code", "message", "data"]
        assert isinstance(said["data"], dict)
        code = int(said["code"])
        assert self.status == {0: 200, 1: 500, 103: 500}.get(code, 202)
        assert self.headers["content-type"] == (
            "application/jose" if self.was_sealed else "application/json"
        )
        assert self.was_sealed or "token" not in said["data"]
        return code

    @property
    def data(self) -> dict[str, Any]:
        data = self.said["data"]
        assert isinstance(data, dict)
        return data

    @property
    def pockets(self) -> tuple[str, str]:
        assert self.code == 0, self.body
        return self.data["real_balance"], self.data["bonus_balance"]


class Addresses(Protocol):
    """What is asked of a database: where it is."""

    @property
    def service_url(self) -> str: ...

    @property
    def superuser_url(self) -> str: ...


class Bank:
    """The served wallet, and the ways in."""

    def __init__(self, database: Addresses, **settings: object) -> None:
        self.database = database
        agents = {name: {"keys": [b64(key) for key in keys]} for name, keys in KEYS.items()}
        agents[BOUND]["networks"] = ["192.0.2.0/24"]
        self.settings = Settings.model_validate(
            {
                "callback_keys": CALLBACK_KEY,
                "agents": json.dumps(agents),
                "proxy_networks": "127.0.0.1/32,198.51.100.0/24",
                "currencies": "BTC:8",
                **settings,
            }
        )
        self.ahead = timedelta(0)
        """how far the service's clock, and the ledger's, go ahead of ours"""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    # --- its life -------------------------------------------------------------------------------

    def open(self) -> None:
        self._thread.start()
        port = Port(
            lambda: build_app(
                self.settings,
                self.database.service_url,
                clock=self.now,
                require_durability=False,
                private_port="private_port" in self.settings.model_fields_set,
            ),
            connections=100,
            deadline=self.settings.deadline,
        )
        listening = socket.create_server(("127.0.0.1", 0))
        # asyncio sets this only where a socket knows its protocol, which one made so does not; an
        # answer in two parts would wait 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        self._server = uvicorn.Server(port.config(lifespan="on", timeout_graceful_shutdown=5))
        self._serving = asyncio.run_coroutine_threadsafe(
            self._server.serve(sockets=[listening]), self._loop
        )
        self.run(self._until_started())
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=30,
            limits=httpx2.Limits(max_connections=40, max_keepalive_connections=40),
        )

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._serving.result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _until_started(self) -> None:
        while not self._server.started:
            assert not self._serving.done(), self._serving.exception()
            await asyncio.sleep(0.01)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    @property
    def superuser_url(self) -> str:
        return self.database.superuser_url

    def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Look into the database, or arrange it, as superuser."""

        async def work() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database.superuser_url.replace("+asyncpg", ""))
            try:
                return await connection.fetch(statement, *values)
            finally:
                await connection.close()

        return self.run(work())

    def rewrite(self, statement: str, *values: object) -> None:
        """Change rows that nobody may change, where they are."""
        self.run(rewrite(self.superuser_url, statement, *values))

    @contextlib.contextmanager
    def without(self, table: str, user_id: str) -> Iterator[None]:
        """Take a table away from the server that has a player's rows; above it nobody looks."""
        home = self.run(home_of(self.superuser_url, user_id))
        name = self.run(home.table(table))
        away = f"{table}_away"

        async def rename(old: str, new: str) -> None:
            async with home.opened() as connection:
                await connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

        schema, _, plain = name.rpartition(".")
        self.run(rename(name, away))
        try:
            yield
        finally:
            self.run(rename(f"{schema}.{away}" if schema else away, plain))

    def numbers(self, name: str) -> dict[str, int]:
        """Read a counter from the private port, by its labels."""
        page = httpx2.get(f"http://127.0.0.1:{self.settings.private_port}/metrics").text
        lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
        counts = {}
        for line in lines:
            labels, value = line.removeprefix(f"{name}{{").split("} ")
            counts[labels] = int(value.removesuffix(".0"))
        return counts

    # --- the operator's platform ----------------------------------------------------------------

    def send(self, operation: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Send exactly this."""
        response = self.client.post(
            f"/transfer/v1/{operation}",
            content=body,
            headers={"Content-Type": "application/jose", **(headers or {})},
        )
        return Reply(response.status_code, response.content, response.headers)

    def iat(self) -> int:
        return int(self.now().timestamp())

    def text(self, operation: str, text: str, *, agent: str = AGENT) -> Reply:
        """Send this plaintext; `IAT` in it stands for the time and the operation's name."""
        named = f'{self.iat()},"op":{json.dumps(operation)}'
        plaintext = text.replace("IAT", named).encode()
        return self.send(operation, jwe(plaintext, agent, KEYS[agent][0]))

    def ask(self, operation: str, /, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
        """Ask for an operation as a good client would; `agent` is who asks, under `key`."""
        agent = fields.pop("agent", AGENT)
        key = fields.pop("key", None) or KEYS[agent][0]
        named = {"iat": self.iat(), "op": operation, "jti": unique("jti"), **fields}
        if "since" in named:
            named["from"] = named.pop("since")
        reply = self.send(operation, jwe(json.dumps(named).encode(), agent, key))
        if reply.headers["content-type"] != "application/jose":
            return reply
        return reply._replace(body=unjwe(reply.body, key)[1], was_sealed=True)

    def player(
        self, real: str = "0", bonus: str = "0", *, currency: str = "USD", agent: str = AGENT
    ) -> str:
        """Open an account, and pay in."""
        user_id = unique("customer")
        opened = self.ask(
            "account/init",
            agent=agent,
            user_id=user_id,
            currency=currency,
            nickname=user_id,
            language="en",
        )
        assert opened.code == 0, opened.body
        if real != "0":
            self.move("account/deposit", user_id, real, agent=agent)
        if bonus != "0":
            self.move("bonus/grant", user_id, bonus, agent=agent)
        return user_id

    def move(
        self,
        operation: str,
        user_id: str,
        amount: object,
        transaction_id: str | None = None,
        *,
        agent: str = AGENT,
        **fields: object,
    ) -> Reply:
        """Move money."""
        if operation.startswith("bonus/"):
            fields.setdefault("reason", "a gift")
        return self.ask(
            operation,
            agent=agent,
            user_id=user_id,
            transaction_id=transaction_id or unique("cash"),
            amount=amount,
            **fields,
        )

    def token(self, user_id: str, **fields: object) -> str:
        reply = self.ask("account/session", user_id=user_id, **fields)
        assert reply.code == 0, reply.body
        token = reply.data["token"]
        assert isinstance(token, str)
        return token

    def balance(self, user_id: str) -> tuple[str, str]:
        return self.ask("account/balance", user_id=user_id).pockets

    def refusals_of(self, user_id: str) -> list[tuple[str, str]]:
        """The operation and the refusal of each request of a player that was refused."""
        rows = self.sql(
            "SELECT operation, refusal FROM refusals WHERE user_id = $1 ORDER BY refusal_id",
            user_id,
        )
        return [(row["operation"], row["refusal"]) for row in rows]

    # --- the game side --------------------------------------------------------------------------

    def game(self, method: str, **fields: str) -> dict[str, Any]:
        """Ask the callback API, signed: GET, and moveFunds as a form."""
        signed = json.dumps(
            {name: fields[name] for name in sorted(fields) if name != "extraData"},
            separators=(",", ":"),
        ).replace("/", "\\/")
        signature = hashlib.sha256((signed + CALLBACK_KEY).encode()).hexdigest()
        headers = {"Hash-Authorization": signature}
        if method == "moveFunds":
            response = self.client.post(f"/{method}", data=fields, headers=headers)
        else:
            response = self.client.get(f"/{method}", params=fields, headers=headers)
        assert response.status_code == 200, response.text
        said = json.loads(response.content, parse_float=str, parse_int=str)
        assert isinstance(said, dict)
        return said

    def play(
        self,
        user_id: str,
        token: str,
        event_type: str,
        amount: str,
        event_id: str = "event-1",
        transaction_id: str | None = None,
    ) -> int:
        """Move funds, and return the code: 0 when all is well."""
        is_debit = event_type in {"BetPlacing", "Tip", "SportBetCancel", "BetPayedAbort"}
        said = self.game(
            "moveFunds",
            token=token,
            userId=user_id,
            gameId="1037566",
            extraData="{}",
            eventId=event_id,
            direction="debit" if is_debit else "credit",
            transactionId=transaction_id or unique("tx"),
            eventType=event_type,
            amount=amount,
        )
        return 0 if said["status"] else int(said["errors"]["code"])


@contextlib.contextmanager
def open_bank(database: Addresses, **settings: object) -> Iterator[Bank]:
    """Serve a database until the block ends."""
    bank = Bank(database, **settings)
    bank.open()
    try:
        yield bank
    finally:
        bank.close()
