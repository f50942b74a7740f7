"""The contract's examples: files of a request and its answer, compared byte for byte.

They are one story, told in the order of their names; `docs/contracts/callback.md` shows them all.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import schema_for
from tests.edges.callback.house import House, Seat, sign

FOLDER = Path(__file__).with_name("examples")
FILES = sorted(FOLDER.glob("*.http"))
DOCS = Path(__file__).parents[3] / "docs" / "contracts" / "callback.md"


class Example(NamedTuple):
    """A request as it is sent, and the answer that belongs to it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes


def read(path: Path) -> Example:
    request, answer = path.read_text(encoding="utf-8").split("\n\n---\n")
    head, _, body = request.partition("\n\n")
    first, *headers = head.splitlines()
    method, _, target = first.partition(" ")
    bare, _, query = target.partition("?")
    status, _, answered = answer.rstrip("\n").partition("\n\n")
    return Example(
        method,
        bare,
        query,
        dict(line.split(": ", 1) for line in headers),
        body.encode(),
        int(status),
        answered.encode(),
    )


@pytest.fixture(scope="module")
def player(house: House) -> Seat:
    """Seat the player of the examples, with tokens that everybody knows."""
    seat = house.seat("124102.05", user_id="4878", nickname="Maria", language="pt")
    now = datetime.now(UTC)
    for token, expires_at in {"tok-1": now + timedelta(days=1), "tok-0": now}.items():
        house.sql(
            f"INSERT INTO {schema_for(seat.user_id)}.sessions"
            " (player_id, token_hash, issued_at, expires_at, origin)"
            " SELECT player_id, $2, $3, $4, 'callback' FROM players WHERE user_id = $1",
            seat.user_id,
            hashlib.sha256(token.encode()).digest(),
            now,
            expires_at,
        )
    return seat


def test_the_examples_are_answered_byte_for_byte(house: House, player: Seat) -> None:
    assert len(FILES) >= 16
    for path in FILES:
        example = read(path)
        reply = house.call(
            example.method,
            example.path,
            query=example.query,
            body=example.body or None,
            headers=example.headers,
        )
        assert (path.name, reply.status, reply.body) == (path.name, example.status, example.answer)
    assert house.balance(player) == ("124151.30", "0.00")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_examples_are_shown_in_the_docs(path: Path) -> None:
    assert path.read_text(encoding="utf-8").strip() in DOCS.read_text(encoding="utf-8")


def test_the_first_bet_is_signed_as_in_the_vectors() -> None:
    fields = {
        "userId": "4878",
        "token": "tok-1",
        "gameId": "1037566",
        "eventId": "ev-1",
        "direction": "debit",
        "transactionId": "tx-1",
        "eventType": "BetPlacing",
        "amount": "100.50",
    }
    (bet,) = (path for path in FILES if path.stem.endswith("-bet"))
    assert read(bet).headers["Hash-Authorization"] == sign(fields)
