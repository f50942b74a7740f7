"""HAProxy before several wallets: a player's requests go to one, whichever way they come."""

import asyncio
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml  # type: ignore[import-untyped]  # as in files

from tests.deploy.files import ROOT
from tests.ports import free_port
from tests.torture.caller import read_reply

BALANCE = ROOT / "deploy" / "balance"
CONFIG = (BALANCE / "haproxy.cfg").read_text(encoding="utf-8")
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
PLAYERS = [f"player-{number}" for number in range(40)]
FORM = "application/x-www-form-urlencoded"

needs_haproxy = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")


@dataclass
class Upstream:
    """Says who it is, and what it was sent."""

    name: str
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    """target, X-Forwarded-For and body"""
    port: int = 0
    is_ready: bool = True

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.rstrip().split("\r\n")
                names = [each.lower().partition(": ")[::2] for each in fields]
                length = int(dict(names).get("content-length", "0"))
                body = await reader.readexactly(length)
                target = line.split(" ")[1]
                status = "200 OK"
                if target == "/health/ready":
                    status = status if self.is_ready else "503 Unavailable"
                else:
                    forwarded = ",".join(v for name, v in names if name == "x-forwarded-for")
                    self.heard.append((target, forwarded, body))
                said = self.name.encode()
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(said)}\r\n\r\n".encode())
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Balanced:
    """HAProxy as deployed, before upstreams of the test's own."""

    def __init__(self, port: int, upstreams: list[Upstream]) -> None:
        self.port = port
        self.upstreams = upstreams
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, method: str, target: str, body: bytes = b"", kind: str = FORM) -> str:
        """Send one request over one of three connections, and return who answered."""
        if len(self._connections) < 3:
            self._connections.append(await asyncio.open_connection("127.0.0.1", self.port))
        reader, writer = self._connections[0]
        self._connections.append(self._connections.pop(0))
        head = f"{method} {target} HTTP/1.1\r\nHost: wallet\r\nContent-Type: {kind}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        reply, _ = await read_reply(reader)
        assert reply.status == 200
        return reply.body.decode()

    async def form(self, user_id: str) -> str:
        fields = {"token": "t", "userId": user_id, "amount": "1.00"}
        return await self.send("POST", "/moveFunds", urlencode(fields).encode())

    async def until_spread(self, wanted: dict[str, str]) -> bool:
        """Wait until each player's requests go where they should."""
        for _ in range(200):
            if {user_id: await self.form(user_id) for user_id in wanted} == wanted:
                return True
            await asyncio.sleep(0.02)
        return False

    def close(self) -> None:
        for _, writer in self._connections:
            writer.close()


@asynccontextmanager
async def balanced(folder: Path) -> AsyncIterator[Balanced]:
    upstreams = [Upstream("wallet"), Upstream("wallet2")]
    async with AsyncExitStack() as stack:
        for upstream in upstreams:
            server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
            upstream.port = server.sockets[0].getsockname()[1]
            stack.callback(server.close)
        port, text = free_port(), CONFIG.replace("check port 8081 inter 1s", "check inter 50ms")
        text = text.replace("bind *:8080", f"bind 127.0.0.1:{port}")
        for upstream in upstreams:
            there = f"{upstream.name}:8080"
            text = text.replace(f" {there}", f" 127.0.0.1:{upstream.port}")
        file = folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        assert HAPROXY is not None
        process = await asyncio.create_subprocess_exec(HAPROXY, "-db", "-f", str(file))
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        balance = Balanced(port, upstreams)
        stack.callback(balance.close)
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield balance


@needs_haproxy
async def test_a_players_requests_go_to_one_wallet_whichever_way_they_come(tmp_path: Path) -> None:
    async with balanced(tmp_path) as balance:
        chosen = {user_id: await balance.form(user_id) for user_id in PLAYERS}
        spread = Counter(chosen.values())
        assert min(spread["wallet"], spread["wallet2"]) >= len(PLAYERS) // 5
        for user_id, wallet in chosen.items():
            query = urlencode({"token": "t", "userId": user_id})
            assert await balance.form(user_id) == wallet
            assert await balance.send("GET", f"/getBalance?{query}") == wallet
            body = json.dumps({"token": "t", "userId": user_id}).encode()
            assert await balance.send("POST", "/moveFunds", body, "application/json") == wallet


@needs_haproxy
async def test_what_was_signed_is_passed_on_to_the_byte_and_the_caller_is_named(
    tmp_path: Path,
) -> None:
    async with balanced(tmp_path) as balance:
        body = b"userId=anna&extraData=%7B%22a%22%3A+%22%C3%A9%2F+%22%7D&amount=1.50"
        wallet = await balance.send("POST", "/moveFunds?x=%20y", body)
        (upstream,) = [one for one in balance.upstreams if one.name == wallet]
        assert upstream.heard == [("/moveFunds?x=%20y", "127.0.0.1", body)]


@needs_haproxy
async def test_a_wallet_that_is_not_ready_leaves_its_players_to_the_other(tmp_path: Path) -> None:
    async with balanced(tmp_path) as balance:
        chosen = {user_id: await balance.form(user_id) for user_id in PLAYERS}
        balance.upstreams[0].is_ready = False
        assert await balance.until_spread(dict.fromkeys(PLAYERS, "wallet2"))
        balance.upstreams[0].is_ready = True
        assert await balance.until_spread(chosen)


@needs_haproxy
def test_haproxy_itself_understands_the_file(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    text = CONFIG.replace(" wallet:8080", " 127.0.0.1:1").replace(" wallet2:8080", " 127.0.0.1:2")
    file.write_text(text, encoding="utf-8")
    assert HAPROXY is not None
    done = subprocess.run(
        [HAPROXY, "-c", "-f", str(file)], capture_output=True, check=False, text=True, timeout=20
    )
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr


def test_the_overlays_wallets_are_those_that_haproxy_knows_and_are_alike() -> None:
    overlay = yaml.safe_load((BALANCE / "docker-compose.yml").read_text(encoding="utf-8"))
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services: dict[str, Any] = overlay["services"]
    for name in ("wallet", "wallet2"):
        assert CONFIG.count(f"server {name} {name}:8080") == 2
    first = {**whole["services"]["wallet"]["environment"], **services["wallet"]["environment"]}
    assert services["wallet2"]["environment"] == first
    front = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    assert "{$BALANCER:wallet:8080}" in front
    assert services["caddy"]["environment"]["BALANCER"] == "balancer:8080"
    assert services["balancer"]["networks"]["inside"]["ipv4_address"] == "172.30.0.11"
    assert first["WALLET_PROXY_NETWORKS"] == "172.30.0.10/31"
