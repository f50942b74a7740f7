"""Every answer of a port has a Request-Id of its own, also to what is no request at all."""

import re

import pytest
from structlog.testing import capture_logs

from tests.server.stub import Station, read_all

HOST = b"Host: wallet\r\n"

UNREADABLE = {
    "no HTTP": (400, b"hello\r\n\r\n"),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "a head that is too long": (431, b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000),
    "a coding that nobody knows": (
        501,
        b"POST /moveFunds HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    "another version": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "a tunnel": (501, b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n"),
}


def request_id(said: bytes) -> str:
    """The Request-Id of one answer, which has exactly one."""
    head = said.partition(b"\r\n\r\n")[0].decode("latin-1")
    (name,) = re.findall(r"^request-id: ([0-9a-f]{32})\r?$", head, re.MULTILINE | re.IGNORECASE)
    assert isinstance(name, str)
    return name


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_has_a_name_that_its_log_line_has_too(
    served: Station, what: str
) -> None:
    status, raw = UNREADABLE[what]
    with capture_logs() as lines:
        said = served.ask(raw)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    (line,) = [line for line in lines if line["event"] == "not readable"]
    assert (line["status"], line["delivery"]) == (status, request_id(said))


def test_a_head_that_does_not_come_in_time_has_one(hurried: Station) -> None:
    with hurried.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        said = read_all(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert request_id(said)


def test_an_answer_that_the_application_does_not_name_is_named_by_the_port(
    served: Station,
) -> None:
    raw = b"POST /other HTTP/1.1\r\n%bContent-Length: 3\r\nConnection: close\r\n\r\na=b" % HOST
    assert len({request_id(served.ask(raw)) for _ in range(3)}) == 3
