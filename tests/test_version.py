"""The version and build id, wherever they are shown."""

import json
import re
from pathlib import Path

import httpx2

from app.version import VERSION, build_id
from tests.console.console import Serving, wallet
from tests.ports import free_port
from tests.server.stub import until

OPERATOR = {"WALLET_CALLBACK_KEYS": "a-key-of-the-operator"}


def test_the_console_says_version_and_build(tmp_path: Path) -> None:
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", VERSION)
    assert re.fullmatch(r"[0-9a-f]{12}", build_id())
    done = wallet(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"wallet {VERSION} (build {build_id()})\n")


def test_a_server_says_it_in_its_log_its_numbers_and_its_health(tmp_path: Path) -> None:
    port = free_port()
    settings = {**OPERATOR, "WALLET_PRIVATE_PORT": str(port)}
    with Serving(tmp_path, settings=settings) as serving:
        private = f"http://127.0.0.1:{port}"
        for path in ("/health/live", "/health/ready"):
            answer = httpx2.get(private + path).json()
            assert (answer["version"], answer["build"]) == (VERSION, build_id())
        numbers = httpx2.get(f"{private}/metrics").text
        assert f'wallet_build_info{{build="{build_id()}",version="{VERSION}"}} 1.0' in numbers
        assert until(lambda: '"event":"start"' in serving.said())
        lines = [json.loads(line) for line in serving.said().splitlines() if line[:1] == "{"]
        (start,) = [line for line in lines if line["event"] == "start"]
        assert (start["version"], start["build"]) == (VERSION, build_id())


def test_the_demo_logs_warnings_only(tmp_path: Path) -> None:
    with Serving(tmp_path, ("--demo",)) as serving:
        signed = re.search(r"curl .*?(?=\n\n)", serving.said(), re.DOTALL)
        assert signed is not None
        url = f"http://127.0.0.1:{serving.port}/moveFunds"
        data, hashed = (re.search(p, signed[0]) for p in (r"-d '?([^'\n]+)", r"ion: ([0-9a-f]+)"))
        assert data is not None
        assert hashed is not None
        headers = {
            "Hash-Authorization": hashed[1],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        for _ in range(2):
            assert httpx2.post(url, content=data[1], headers=headers).status_code in {200, 409}
        # A warning is said all the same, and by then the log is as far as the requests before it.
        httpx2.post(url, content=data[1])
        assert until(lambda: '"level":"warning"' in serving.said())
        assert '"level":"info"' not in serving.said()
