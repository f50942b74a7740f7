"""Signatures of webhooks, as the specification and every receiver's library compute them."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.edges.webhooks.signing import Signer
from app.settings_parsing import EVENT_TYPES
from app.wallet.event_log import LoggedType

DOCS = Path(__file__).parents[3] / "docs"
VECTORS = json.loads((DOCS / "vectors.json").read_text(encoding="utf-8"))["webhooks"]
PAGE = (DOCS / "events.md").read_text(encoding="utf-8")
OF_ONE_SECRET = [vector for vector in VECTORS if " " not in vector["signature"]]


@pytest.mark.parametrize("vector", OF_ONE_SECRET, ids=lambda vector: vector["what"])
def test_the_signature_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    moment = datetime.fromtimestamp(vector["timestamp"], UTC)
    headers = Signer([vector["secret"]]).headers(vector["id"], moment, vector["body"])
    assert headers.decode() == (
        f"webhook-id: {vector['id']}\r\nwebhook-timestamp: {vector['timestamp']}\r\n"
        f"webhook-signature: {vector['signature']}\r\n"
    )


def test_the_receiver_of_the_page_verifies_and_refuses_what_was_changed() -> None:
    (example,) = re.findall(r"<!-- example: receiver -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - the page's own example
    secret, body = VECTORS[1]["secret"], VECTORS[1]["body"]
    lines = Signer([secret]).headers("evt_1", datetime.now(UTC), body).decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    assert names["received"](headers, body.encode(), secret)["user_id"] == "Ωanna"
    with pytest.raises(WebhookVerificationError):
        names["received"](headers, body.replace("USD", "EUR").encode(), secret)


def test_a_second_of_a_moment_is_cut_and_not_rounded() -> None:
    moment = datetime.fromtimestamp(1614265330, UTC) + timedelta(microseconds=999_999)
    assert b"webhook-timestamp: 1614265330\r\n" in Signer([VECTORS[0]["secret"]]).headers(
        "x", moment, "{}"
    )
    assert Webhook(VECTORS[0]["secret"]).sign("x", moment, "{}").startswith("v1,")


def test_the_settings_know_every_type_of_events() -> None:
    assert tuple(LoggedType) == EVENT_TYPES


def test_the_page_lists_every_type_of_events() -> None:
    assert set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", PAGE, re.MULTILINE)) == set(LoggedType)
