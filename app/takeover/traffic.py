"""A copy of another wallet's traffic: one exchange a line, the request and the answer it got.

    {"at": "2026-11-27T03:00:00Z", "method": "POST", "path": "/moveFunds",
     "headers": {"Content-Type": "application/json", "Hash-Authorization": "…"},
     "body": "…", "status": 200, "answer": "…"}

Bodies are texts as they went over the wire, since the signature is over those. `at` may be missing.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from app.takeover.fields import LineError
from app.takeover.staging import numbered_lines
from app.wallet.moments import moment_from_text

STATUS_MIN, STATUS_MAX = 100, 599
METHODS: Final = ("GET", "POST")
MEMBERS: Final = frozenset({"at", "method", "path", "headers", "body", "status", "answer"})

BAD_KEPT_MAX: Final = 1000


class Exchange(NamedTuple):
    """A request, and what the other wallet answered."""

    line: int
    at: datetime | None
    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    status: int
    answer: str

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the request that name what it is about, whatever form it has."""
        text = self.body or self.path.partition("?")[2]
        if text.lstrip().startswith("{"):
            try:
                members = json.loads(text, parse_float=str, parse_int=str)
            except (ValueError, RecursionError):
                return {}
            return {name: value for name, value in members.items() if isinstance(value, str)}
        return dict(parse_qsl(text, keep_blank_values=True))


class Traffic(NamedTuple):
    """What a first reading of a file found."""

    exchanges: int
    bad: list[tuple[int, str]]
    """the first lines that are wrong, each with words that go after its number"""
    bad_count: int


def look_through(path: Path) -> Traffic:
    """Read a file once, to know that all of it can be read."""
    exchanges = bad_count = 0
    bad: list[tuple[int, str]] = []
    for number, text in numbered_lines(path):
        try:
            read_exchange(number, text)
        except LineError as error:
            bad_count += 1
            if len(bad) < BAD_KEPT_MAX:
                bad.append((number, str(error)))
        else:
            exchanges += 1
    return Traffic(exchanges, bad, bad_count)


def exchanges_of(path: Path) -> Iterator[Exchange]:
    """Yield the exchanges of a file that was looked through."""
    for number, text in numbered_lines(path):
        yield read_exchange(number, text)


def read_exchange(number: int, text: str | None) -> Exchange:
    """Read one line; raise LineError."""
    if text is None:
        raise LineError("is too long, or is no UTF-8")
    try:
        members: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError("is no JSON object") from error
    if not isinstance(members, dict):
        raise LineError("is no JSON object")
    for name in members.keys() - MEMBERS:
        raise LineError(f"has {name}, which an exchange does not have")
    method, path, status = members.get("method"), members.get("path"), members.get("status")
    if method not in METHODS:
        raise LineError("must have method, one of GET, POST")
    if not isinstance(path, str) or not path.startswith("/") or not path.isascii():
        raise LineError("must have path, such as /moveFunds")
    if not isinstance(status, int) or not STATUS_MIN <= status <= STATUS_MAX:
        raise LineError("must have status, the HTTP status of the answer")
    return Exchange(
        number,
        _moment(members.get("at")),
        method,
        path,
        _headers(members.get("headers", {})),
        _text(members, "body"),
        status,
        _text(members, "answer"),
    )


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    found = moment_from_text(value) if isinstance(value, str) else None
    if found is None:
        raise LineError("must have at as a moment such as 2026-11-27T03:00:00Z")
    return found


def _headers(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise LineError("must have headers as an object of names and texts")
    for name, text in value.items():
        if not isinstance(text, str) or not (name + text).isascii() or "\n" in name + text:
            raise LineError("must have headers as an object of names and texts")
    return value


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise LineError(f"must have {name} as a text, as it went over the wire")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LineError(f"has half a character in {name}") from error
    return value
