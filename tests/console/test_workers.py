"""Several processes serve one address: each has its share of callers, and none waits in vain."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from app.postgres.embedded import EmbeddedPostgres
from app.server.errors import AddressTakenError
from app.server.serving import share_address, take_address
from tests.console.console import Serving, on
from tests.data_folders import copy_migrated
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux spreads connections over sockets of one address"
)

CALLERS = 64
FEW = 12
"""At random, of 64 callers one of two processes has fewer than so many once in a million runs."""

ASK = b"GET /getBalance HTTP/1.1\r\nHost: wallet\r\n\r\n"


def two_processes() -> dict[str, str]:
    """Settings without the demo, whose back office is a process, too."""
    return {
        "WALLET_CALLBACK_KEYS": "a-key-of-the-operator",
        "WALLET_PRIVATE_PORT": str(free_port(2)),
        "WALLET_WORKERS": "2",
    }


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("workers"), settings=two_processes()) as serving:
        yield serving
        assert serving.stop() == 0
        assert "Traceback" not in serving.said()


def pids(serving: Serving) -> set[int]:
    """The processes that serve: those of the parent's children that were spawned."""
    parent = serving.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    found = {pid for pid, command in commands.items() if b"spawn_main" in command}
    assert len(found) <= 2, "one of them does not serve"
    return found


def answered(serving: Serving) -> list[int]:
    """How many requests each process has answered."""
    first = int(serving.settings["WALLET_PRIVATE_PORT"])
    pages = [httpx2.get(f"http://127.0.0.1:{port}/metrics").text for port in (first, first + 1)]
    found = [
        re.findall(r"^wallet_requests_total{.*} (\d+)\.0$", page, re.MULTILINE) for page in pages
    ]
    return [sum(map(int, counts)) for counts in found]


def ask_at_once(serving: Serving, callers: int) -> None:
    """Connect all callers, then ask with each; every one is answered."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=30))
            for _ in range(callers)
        ]
        for caller in made:
            caller.sendall(ASK)
        for caller in made:
            assert caller.recv(4096).startswith(b"HTTP/1.1 200 "), serving.said()


def until_replaced(serving: Serving, gone: set[int]) -> None:
    for _ in range(400):
        now = pids(serving)
        if len(now) == 2 and not now & gone:
            return
        time.sleep(0.05)
    pytest.fail(serving.said())


def test_callers_who_come_at_once_are_spread_over_the_processes(serving: Serving) -> None:
    before = answered(serving)
    ask_at_once(serving, CALLERS)
    more = [after - earlier for after, earlier in zip(answered(serving), before, strict=True)]
    assert sum(more) == CALLERS
    assert min(more) >= FEW


def test_who_waits_at_a_process_that_dies_is_served_by_its_successor(serving: Serving) -> None:
    gone = min(pids(serving))
    os.kill(gone, signal.SIGKILL)
    ask_at_once(serving, CALLERS)
    until_replaced(serving, {gone})
    ask_at_once(serving, CALLERS)


def test_the_number_of_processes_is_a_setting_and_no_signal_changes_it(serving: Serving) -> None:
    before = pids(serving)
    for number in (signal.SIGTTOU, signal.SIGTTIN):
        os.kill(serving.process.pid, number)
    for _ in range(4):
        ask_at_once(serving, CALLERS)
    assert pids(serving) == before


def test_a_hang_up_ends_it_and_whoever_calls_then_is_refused(tmp_path: Path) -> None:
    with Serving(tmp_path, settings=two_processes()) as serving:
        os.kill(serving.process.pid, signal.SIGHUP)
        assert serving.process.wait(30) == 0
        assert serving.said().endswith("Stopped.\n")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", serving.port), timeout=5)


def test_two_that_die_at_once_leave_no_socket_without_a_process(serving: Serving) -> None:
    """The first of them is noticed while the other one's answer is still waited for."""
    first, second = sorted(pids(serving))
    os.kill(second, signal.SIGSTOP)
    time.sleep(1)
    os.kill(first, signal.SIGKILL)
    os.kill(second, signal.SIGKILL)
    until_replaced(serving, {first, second})
    # Whoever waits is served once the successors are there; then both have private ports.
    ask_at_once(serving, CALLERS)
    before = answered(serving)
    ask_at_once(serving, CALLERS)
    more = [after - earlier for after, earlier in zip(answered(serving), before, strict=True)]
    assert min(more) >= FEW


def test_a_successor_that_cannot_start_does_not_end_who_serves(tmp_path: Path) -> None:
    copy_migrated(tmp_path / "named")
    with (
        EmbeddedPostgres.start_or_join(tmp_path / "named") as named,
        Serving(tmp_path, settings=on(named, "2")) as serving,
    ):
        gone, stays = sorted(pids(serving))
        named.stop()
        os.kill(gone, signal.SIGKILL)
        for _ in range(600):
            if "failed" in serving.said() or serving.process.poll() is not None:
                break
            time.sleep(0.05)
        assert serving.process.poll() is None, serving.said()
        assert stays in pids(serving)
        assert serving.stop() == 0


def test_an_address_that_is_shared_is_in_use_for_everybody_else() -> None:
    with take_address("127.0.0.1", 0) as first, ExitStack() as stack:
        shared = [stack.enter_context(each) for each in share_address(first, 3)]
        assert len({each.getsockname() for each in shared}) == 1
        with pytest.raises(AddressTakenError, match="in use"):
            take_address(*first.getsockname())
