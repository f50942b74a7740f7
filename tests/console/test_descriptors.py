"""More callers than a process has descriptors: bets and probes are still answered."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.console.console import Serving
from tests.ports import free_port

NOFILE = 256
IDLE = 400


@contextlib.contextmanager
def few_descriptors() -> Iterator[None]:
    """What is started within has few; the tests themselves keep theirs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (NOFILE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("way", ["on", "off"])
def test_beyond_the_descriptors_bets_and_probes_are_answered(tmp_path: Path, way: str) -> None:
    private = free_port()
    settings = {
        "WALLET_FAST_PATH": way,
        "WALLET_DEADLINE_SECONDS": "20",
        "WALLET_PRIVATE_PORT": str(private),
    }
    with contextlib.ExitStack() as stack:
        with few_descriptors():
            serving = stack.enter_context(Serving(tmp_path, ("--demo",), settings=settings))
        for port in (serving.port, private):
            for _ in range(IDLE):
                idle = socket.create_connection(("127.0.0.1", port), timeout=10)
                stack.enter_context(idle)
        for _ in range(20):
            bet = httpx2.post(f"http://127.0.0.1:{serving.port}/moveFunds", timeout=10)
            assert bet.status_code == 200
            assert bet.json()["errors"]["code"] == 400
            assert (
                httpx2.get(f"http://127.0.0.1:{private}/health/live", timeout=10).status_code == 200
            )
            assert httpx2.get(f"http://127.0.0.1:{private}/metrics", timeout=10).status_code == 200
        assert "Too many open files" not in serving.said()
        assert serving.stop() == 0


def test_the_private_port_has_the_same_bounds(tmp_path: Path) -> None:
    private = free_port()
    settings = {"WALLET_DEADLINE_SECONDS": "1", "WALLET_PRIVATE_PORT": str(private)}
    with Serving(tmp_path, ("--demo",), settings=settings) as serving:
        address = ("127.0.0.1", private)
        line = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(line + b"Cookie: " + b"x" * 70_000 + b"\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(line)
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(address, timeout=10) as connection:
            assert connection.recv(65536) == b""
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(line + b"\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert serving.stop() == 0
