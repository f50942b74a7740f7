"""The metrics of a served demo change with the requests that it answers."""

import re
import subprocess
from pathlib import Path

import httpx2

from tests.console.console import Serving
from tests.ports import free_port


def test_the_numbers_of_a_served_demo_move(tmp_path: Path) -> None:
    port = free_port()
    settings = {"WALLET_PRIVATE_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    with Serving(tmp_path, ("--demo",), settings) as serving:
        private = f"http://127.0.0.1:{port}"
        said = serving.said()
        assert f"{private}/metrics" in said
        for path in ("/health/live", "/health/ready"):
            assert httpx2.get(private + path).status_code == 200, said
        bet = said[said.index("curl ") : said.index("\n\nCallback key")]
        for _ in range(2):
            subprocess.run(["sh", "-c", bet], check=True, capture_output=True, timeout=20)
        unsigned = httpx2.post(
            f"http://127.0.0.1:{serving.port}/moveFunds", data={"userId": "alice"}
        )
        assert unsigned.json()["errors"]["code"] == 400
        page = httpx2.get(f"{private}/metrics").text
        for labels, count in (
            ('code="0",contract="callback",event_type="BetPlacing"', 1),
            ('code="409",contract="callback",event_type="BetPlacing"', 1),
            ('code="400",contract="callback",event_type=""', 1),
        ):
            assert re.search(rf"wallet_requests_total{{{re.escape(labels)}.*}} {count}\.0", page)
        assert 'wallet_not_admitted_total{contract="callback",reason="signature"} 1.0' in page
        assert "wallet_money_moved_total" in page
        # What is private is not on the public port.
        for path in ("/metrics", "/health/live", "/health/ready"):
            assert httpx2.get(f"http://127.0.0.1:{serving.port}{path}").status_code == 404
        assert serving.stop() == 0


def test_each_of_several_workers_has_its_own_private_port(tmp_path: Path) -> None:
    port = free_port(2)
    settings = {"WALLET_PRIVATE_PORT": str(port), "WALLET_WORKERS": "2"}
    with Serving(tmp_path, ("--demo",), settings) as serving:
        for private in (port, port + 1):
            assert httpx2.get(f"http://127.0.0.1:{private}/health/ready").status_code == 200
            told = httpx2.get(f"http://127.0.0.1:{private}/metrics/targets")
            assert told.headers["content-type"] == "application/json"
            assert told.json() == [{"targets": [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]}]
        assert serving.stop() == 0
