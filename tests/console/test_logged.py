"""The log of a served wallet: one line for a decided movement, and never a secret."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from app.postgres import EmbeddedPostgres
from app.postgres.cluster import SERVICE
from tests.console.anna import bet, seat
from tests.console.console import Serving
from tests.edges.callback.house import sign

KEY = "a-callback-key-nobody-may-read"


def test_a_decided_movement_is_one_line_and_no_line_has_a_secret(tmp_path: Path) -> None:
    settings = {"WALLET_CALLBACK_KEYS": KEY}
    with Serving(tmp_path, settings=settings) as serving:
        with (
            EmbeddedPostgres.start_or_join(tmp_path / ".wallet") as server,
            ThreadPoolExecutor(1) as executor,
        ):
            token = executor.submit(lambda: asyncio.run(seat(server.url_for(SERVICE)))).result()
        secrets = [token, KEY]
        with httpx2.Client(base_url=f"http://127.0.0.1:{serving.port}") as client:

            def ask(
                method: str, path: str, fields: dict[str, str], key: str = KEY
            ) -> httpx2.Response:
                signature = sign(fields, key)
                secrets.append(signature)
                given = {"params": fields} if method == "GET" else {"data": fields}
                headers = {"Hash-Authorization": signature}
                return client.request(method, path, headers=headers, **given)  # type: ignore[arg-type]  # one of two

            player = {"token": token, "userId": "anna"}
            assert ask("POST", "/moveFunds", bet(token, "free", "0")).json()["status"] is True
            assert (
                ask("POST", "/moveFunds", bet(token, "dear", "5")).json()["errors"]["code"] == 402
            )
            assert ask("POST", "/moveFunds", bet(token, "free", "1"), "no-key").status_code == 200
            assert ask("GET", "/sessionCheck", player).json()["status"] is True
            wrong = {"token": "a-token-nobody-issued", "userId": "anna"}
            secrets.append(wrong["token"])
            assert ask("GET", "/getBalance", wrong).json()["errors"]["code"] == 417
            fresh = ask("GET", "/getUserToken", {"userId": "anna"}).json()["token"]
            secrets.append(fresh)
        assert serving.stop() == 0
        said = serving.said()
    for secret in secrets:
        assert secret not in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    decided = [line for line in lines if line["event"] == "movement"]
    assert [(line["transaction_id"], line["code"]) for line in decided] == [
        ("free", 0),
        ("dear", 402),
    ]
    for line in decided:
        assert len(line["delivery"]) == 32
        assert {"at", "level", "event_type", "direction", "amount", "user_id"} <= line.keys()
    assert len([line for line in lines if line["event"] == "security"]) == 1
