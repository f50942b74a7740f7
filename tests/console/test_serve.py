"""`wallet serve`, as `make run` runs it: a process, a real database, real signals."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.cashier.sealing import read_seals
from app.postgres import EmbeddedPostgres
from tests.conftest import Database
from tests.console.console import ENVIRONMENT, WALLET, Serving, on, wallet
from tests.data_folders import copy_migrated
from tests.ports import free_port

DEMO = ("--demo",)


def answer(command: str) -> dict[str, object]:
    """Paste the signed curl: what it sends is sent, whether curl is here or not."""
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith("http"))
    name, _, value = words[words.index("-H") + 1].partition(": ")
    response = httpx2.post(
        url,
        content=words[words.index("-d") + 1],
        headers={name: value, "Content-Type": "application/x-www-form-urlencoded"},
        timeout=20,
    )
    assert response.status_code == 200
    answered: dict[str, object] = json.loads(response.text, parse_float=str)
    return answered


def curl_of(said: str) -> str:
    found = re.search(r"^curl .*?[^\\]$", said, flags=re.MULTILINE | re.DOTALL)
    assert found, said
    return found[0]


def psql_of(said: str) -> list[str]:
    found = re.search(r"^SQL: +(.+)$", said, flags=re.MULTILINE)
    assert found, said
    return shlex.split(found[1])


def test_the_demo_says_what_a_newcomer_needs_and_finds_its_data_again(tmp_path: Path) -> None:
    with Serving(tmp_path, DEMO) as serving:
        said = serving.said()
        assert f"http://127.0.0.1:{serving.port}" in said
        assert str(tmp_path / ".wallet") in said
        first = answer(curl_of(said))
        assert first["status"] is True
        assert first["balance"] == "1024.50"
        repeated = answer(curl_of(said))
        assert repeated["errors"] == {"code": 409, "error": repeated["errors"]["error"]}  # type: ignore[index]
        psql = [*psql_of(said), "-Atc", "SELECT current_user"]
        asked = subprocess.run(psql, capture_output=True, check=True, text=True, timeout=30)
        assert asked.stdout == "wallet_ops\n"
        assert serving.stop() == 0
        assert serving.said().endswith("Stopped.\n")
        assert "Traceback" not in serving.said()
    assert not list((tmp_path / ".wallet").glob("postgres-*/postmaster.pid"))

    with Serving(tmp_path, DEMO) as serving:
        assert re.search(r"alice +1024\.50 USD", serving.said()), serving.said()
        assert answer(curl_of(serving.said()))["balance"] == "999.00"
        assert serving.stop(signal.SIGTERM) == 0
        assert serving.said().endswith("Stopped.\n")


def test_a_killed_demo_leaves_nothing_behind_and_starts_again(tmp_path: Path) -> None:
    with Serving(tmp_path, DEMO) as serving:
        assert answer(curl_of(serving.said()))["balance"] == "1024.50"
        os.killpg(serving.process.pid, signal.SIGKILL)
        serving.process.wait(10)
    with Serving(tmp_path, DEMO) as serving:
        assert re.search(r"alice +1024\.50 USD", serving.said()), serving.said()
        assert serving.stop() == 0


def test_an_address_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with Serving(tmp_path, DEMO) as serving:
        other = tmp_path / "other"
        other.mkdir()
        done = wallet(other, "serve", "--demo", WALLET_PORT=str(serving.port))
        assert done.returncode == 1
        assert "cannot be listened on" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (other / ".wallet").exists()


def test_a_private_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = wallet(
            tmp_path, "serve", "--demo", WALLET_PRIVATE_PORT=port, WALLET_PORT=str(free_port())
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"127.0.0.1:{port} cannot be listened on: Address already in use")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".wallet").exists()


def test_a_second_start_on_the_same_data_says_at_once_who_holds_it(tmp_path: Path) -> None:
    output = tmp_path / "second"
    with Serving(tmp_path, DEMO) as first, output.open("wb") as out:
        began = time.monotonic()
        second = subprocess.Popen(
            [*WALLET, "serve", "--demo"],
            cwd=tmp_path,
            env={**ENVIRONMENT, "WALLET_PORT": str(free_port()), "WALLET_PRIVATE_PORT": "0"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: "is run by another process" in output.read_text(encoding="utf-8"))
            assert time.monotonic() - began < 10
            assert f"(process {first.process.pid}: " in output.read_text(encoding="utf-8")
            # It waits, and goes on where the first has ended.
            assert first.stop() == 0
            until(lambda: "listens on" in output.read_text(encoding="utf-8"))
        finally:
            second.send_signal(signal.SIGINT)
            assert second.wait(30) == 0
    assert "Traceback" not in output.read_text(encoding="utf-8")


def until(came: Callable[[], bool]) -> None:
    for _ in range(400):
        if came():
            return
        time.sleep(0.05)
    pytest.fail("it did not come")


def test_serve_without_a_named_database_migrates_its_own(tmp_path: Path) -> None:
    settings = {"WALLET_CALLBACK_KEYS": "a-key-of-the-operator"}
    with Serving(tmp_path, settings=settings, is_fresh=True) as serving:
        assert serving.said().endswith(f"The wallet listens on http://127.0.0.1:{serving.port}\n")
        assert "private port" in serving.said()
        joined = wallet(tmp_path, "migrate")
        assert joined.stdout.startswith("The schema already was the newest")
        assert serving.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_on_a_named_database_starts_no_other(tmp_path: Path, workers: str) -> None:
    # The wallet serves no database that may lose what it committed, so this one keeps it.
    copy_migrated(tmp_path / "named")
    with (
        EmbeddedPostgres.start_or_join(tmp_path / "named") as named,
        Serving(tmp_path, settings=on(named, workers)) as serving,
    ):
        url = f"http://127.0.0.1:{serving.port}/getBalance"
        assert httpx2.get(url, timeout=20).status_code == 200
        assert serving.stop() == 0
        assert serving.said().endswith("Stopped.\n")
        assert "Traceback" not in serving.said()
    assert not (tmp_path / ".wallet").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_may_forget_is_not_served(
    tmp_path: Path, db: Database, workers: str
) -> None:
    settings = {
        "WALLET_CALLBACK_KEYS": "a-key-of-the-operator",
        "WALLET_DATABASE_URL": db.service_url,
        "WALLET_WORKERS": workers,
    }
    with Serving(tmp_path, settings=settings) as serving:
        assert serving.process.wait(30) == 1
        assert "fsync" in serving.said()
        assert serving.said().endswith("The server did not start; its log, above, says why.\n")


def test_a_serving_process_seals_by_itself_once_a_day(tmp_path: Path) -> None:
    key, file = tmp_path / "key.pem", tmp_path / "seals.jsonl"
    assert wallet(tmp_path, "seal", "key", str(key)).returncode == 0
    settings = {"WALLET_SEAL_KEY": str(key), "WALLET_SEAL_TO": str(file)}
    for _ in range(2):
        with Serving(tmp_path, ("--demo",), settings) as serving:
            until(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("\n"))
            assert serving.stop() == 0
    assert [each.seal.number for each in read_seals(file)] == [1]


def test_a_key_that_cannot_seal_stops_the_start(tmp_path: Path) -> None:
    settings = {"WALLET_SEAL_KEY": "no/such/key", "WALLET_SEAL_TO": "seals.jsonl"}
    done = wallet(tmp_path, "serve", "--demo", **settings)
    assert done.returncode == 1
    assert done.stderr == "The key file no/such/key cannot be read: No such file or directory.\n"
