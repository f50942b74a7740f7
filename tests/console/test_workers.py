"""Several processes serve one address: each has its share of callers, and none waits in vain."""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from app.postgres.cluster import OWNER, SERVICE
from app.postgres.embedded import EmbeddedPostgres
from app.server.errors import AddressTakenError
from app.server.serving import share_address, take_address
from tests.console.anna import bet, seat
from tests.console.console import Serving, on
from tests.data_folders import copy_migrated
from tests.edges.callback.house import sign
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux spreads connections over sockets of one address"
)

CALLERS = 64
FEW = 12
"""At random, of 64 callers one of two processes has fewer than so many once in a million runs."""

ASK = b"GET /getBalance HTTP/1.1\r\nHost: wallet\r\n\r\n"

STANDS_STILL = """
import signal, time

def stand_still(*_):
    print("It stands still.", flush=True)
    while True:
        time.sleep(1)

signal.signal(signal.SIGUSR1, stand_still)
"""
"""What every interpreter does first whose path leads to it: at a signal its main thread, in which
the event loop runs, goes no further, while its other threads do."""


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
            stack.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=60))
            for _ in range(callers)
        ]
        for caller in made:
            caller.sendall(ASK)
        for caller in made:
            assert caller.recv(4096).startswith(b"HTTP/1.1 200 "), serving.said()


def until(serving: Serving, is_so: Callable[[], bool], seconds: int = 20) -> None:
    for _ in range(seconds * 20):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail(serving.said())


def until_replaced(serving: Serving, gone: set[int]) -> None:
    def is_so() -> bool:
        now = pids(serving)
        return len(now) == 2 and not now & gone

    until(serving, is_so)


@contextmanager
def orphans_killed(serving: Serving) -> Iterator[None]:
    """Leave no process behind whose parent a test has killed."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(serving.process.pid, signal.SIGKILL)


def kill_the_parent(serving: Serving) -> None:
    serving.process.kill()
    serving.process.wait(10)


def is_free(serving: Serving) -> bool:
    """Whether the address is free for the next start."""
    try:
        take_address("127.0.0.1", serving.port).close()
    except AddressTakenError:
        return False
    return True


def are_gone(left: set[int]) -> bool:
    """Whether all have ended; who adopts them may not have noticed yet."""
    return not any(state_of(pid) not in {"", "Z"} for pid in left)


def state_of(pid: int) -> str:
    """Return the letter of a process's state as Linux tells it; nothing: it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return ""


@contextmanager
def movements_held(named: EmbeddedPostgres) -> Iterator[Callable[[], bool]]:
    """Hold movements back in the database until the block ends; yield whether one waits there."""
    psql = subprocess.Popen(
        [*shlex.split(named.psql_command(OWNER)), "-qAt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert psql.stdin is not None
    assert psql.stdout is not None
    told, said = psql.stdin, psql.stdout

    def waits() -> bool:
        told.write("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted;\n")
        told.flush()
        return said.readline() == "t\n"

    with psql:
        told.write("BEGIN; LOCK TABLE wallets IN ACCESS EXCLUSIVE MODE;\n")
        yield waits


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


@pytest.mark.timeout(120)
def test_one_whose_event_loop_is_stuck_is_replaced_and_its_callers_are_served(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STANDS_STILL, encoding="utf-8")
    with Serving(tmp_path, settings={**two_processes(), "PYTHONPATH": str(tmp_path)}) as serving:
        stuck, other = sorted(pids(serving))
        os.kill(stuck, signal.SIGUSR1)
        # Callers whom it has accepted are cut off when it is killed, as by any crash.
        until(serving, lambda: "It stands still." in serving.said())
        ask_at_once(serving, CALLERS)
        until_replaced(serving, {stuck})
        assert other in pids(serving)
        said = serving.said()
        assert f"[{stuck}] has not answered" in said
        assert f"[{stuck}] does not end, it is killed" in said
        assert "in stand_still" in said
        assert f"[{other}]" not in said
        assert serving.stop() == 0


def test_processes_whose_parent_is_killed_answer_and_give_the_address_free(tmp_path: Path) -> None:
    copy_migrated(tmp_path / "named")
    with (
        EmbeddedPostgres.start_or_join(tmp_path / "named") as named,
        ThreadPoolExecutor(1) as executor,
    ):
        settings, port = on(named, "2"), free_port()
        token = executor.submit(lambda: asyncio.run(seat(named.url_for(SERVICE)))).result()
        fields = bet(token, "under-way", "0")

        def move() -> dict[str, object]:
            answer: dict[str, object] = httpx2.post(
                f"http://127.0.0.1:{port}/moveFunds",
                data=fields,
                headers={"Hash-Authorization": sign(fields, settings["WALLET_CALLBACK_KEYS"])},
                timeout=20,
            ).json()
            return answer

        with Serving(tmp_path, settings=settings, port=port) as serving, orphans_killed(serving):
            left = pids(serving)
            with movements_held(named) as waits:
                moved = executor.submit(move)
                until(serving, waits)
                kill_the_parent(serving)
                until(serving, lambda: is_free(serving), 5)
                assert not moved.done()
            assert moved.result()["status"] is True
            until(serving, lambda: are_gone(left), 5)
        with Serving(tmp_path, settings=settings, port=port) as serving:
            assert "listens on" in serving.said()
            assert "409" in str(move()["errors"])
            assert serving.stop() == 0


def test_one_that_is_still_starting_ends_with_its_parent(tmp_path: Path) -> None:
    copy_migrated(tmp_path / "named")
    with (
        EmbeddedPostgres.start_or_join(tmp_path / "named") as named,
        Serving(tmp_path, settings=on(named, "2")) as serving,
        orphans_killed(serving),
    ):
        assert named._kept is not None
        postmaster = named._kept.process
        postmaster.send_signal(signal.SIGSTOP)
        try:
            gone = min(pids(serving))
            os.kill(gone, signal.SIGKILL)
            until_replaced(serving, {gone})
            left = pids(serving)
            kill_the_parent(serving)
            until(serving, lambda: is_free(serving) and are_gone(left), 5)
        finally:
            postmaster.send_signal(signal.SIGCONT)


def test_an_address_that_is_shared_is_in_use_for_everybody_else() -> None:
    with take_address("127.0.0.1", 0) as first, ExitStack() as stack:
        shared = [stack.enter_context(each) for each in share_address(first, 3)]
        assert len({each.getsockname() for each in shared}) == 1
        with pytest.raises(AddressTakenError, match="in use"):
            take_address(*first.getsockname())
