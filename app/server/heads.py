"""Reads one request head, and refuses heads that two servers could interpret differently.

The parser gets a complete head and nothing that follows it: where a request ends is decided here
once, by `content_length` or `is_chunked`, and an offered Upgrade cannot make the parser treat a
body as another protocol.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import httptools

Headers = Sequence[tuple[bytes, bytes]]

STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}

HEAD_BYTES_MAX: Final = 64 * 1024
"""A longer head is answered with 431. A signed bet has a head of about 300 bytes."""

HEAD_END: Final = b"\r\n\r\n"
BLANKS: Final = b" \t"
"""Blanks around a header's value, which are not part of it (RFC 9110, 5.5)."""

_FRAMING: Final = frozenset({b"transfer-encoding", b"connection", b"expect"})
"""Rare headers that decide how to read the request."""

_OF_THE_CONNECTION: Final = frozenset(
    {b"connection", b"upgrade", b"http2-settings", b"keep-alive", b"proxy-connection"}
)
"""Headers of this connection that are not forwarded to the application."""


class RequestError(Exception):
    """A request cannot be read; it is answered with this status and the connection is closed."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words

    def answer(self, dated: Headers, request_id: str) -> bytes:
        """Return the answer; `dated` are the server's header lines, with the date."""
        words = self.words.encode()
        lines = b"".join([b"%b: %b\r\n" % header for header in dated])
        return (
            b"%b%brequest-id: %b\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINES[self.status], lines, request_id.encode(), len(words), words)
        )


class Head:
    """One request head: its line, its headers, and where its body ends."""

    method = b""
    target = b""
    is_http_1_1 = True
    is_complete = False
    hosts = 0
    content_length = 0
    is_chunked = False
    keep_alive = True
    expects_continue = False

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        """names in lower case, in the order received; values without surrounding blanks"""
        self.framing: list[tuple[bytes, bytes]] = []
        """those of the headers that are in _FRAMING"""

    def on_url(self, target: bytes) -> None:
        """Note the request target; the parser calls this."""
        if self.target:
            raise RequestError(400, "A head ends once.")
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note one header; the parser calls this, and has checked that a length is one number."""
        name = name.lower()
        if value[-1:] <= b" ":
            value = value.strip(BLANKS)  # The parser keeps trailing blanks.
        self.headers.append((name, value))
        if name == b"content-length":
            self.content_length = int(value)
        elif name == b"host":
            self.hosts += 1
        elif name in _FRAMING:
            self.framing.append((name, value))

    def on_headers_complete(self) -> None:
        """Note the end of the head; the parser calls this."""
        self.is_complete = True

    # --- for the application behind ---------------------------------------------------------------

    def forwarded(self) -> bytes:
        """Return the head as it is forwarded to uvicorn.

        Headers of the connection are left out: an Upgrade that we do not support is ignored (RFC
        9110, 7.8), and one `Connection` header states whether the connection stays open.
        """
        if self.method == b"CONNECT":
            raise RequestError(501, "There is no tunnel here.")
        if b"#" in self.target:
            raise RequestError(400, "A request target has no fragment.")
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, value in self.headers
            if name not in _OF_THE_CONNECTION
            # An HTTP/1.0 caller would take an interim answer for the answer (RFC 9110, 10.1.1).
            and (name != b"expect" or self.is_http_1_1)
        ]
        if self.is_http_1_1 and not self.keep_alive:
            lines.append(b"connection: close\r\n")
        version = b"1.1" if self.is_http_1_1 else b"1.0"
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.method, self.target, version, b"".join(lines))


def read_head(data: bytes) -> Head:
    """Read a complete head, with its empty line; raise RequestError if it cannot be read."""
    head = Head()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        # The parser would stop here. It was given the head only, and the rest is read as if no
        # other protocol had been offered.
        pass
    except httptools.HttpParserError as error:
        cause = error.__context__
        if isinstance(cause, RequestError):
            raise cause from None
        raise RequestError(400, "The request is no HTTP.") from None
    if not head.is_complete:
        raise RequestError(400, "The request is no HTTP.")
    head.method = parser.get_method()
    version_at = len(head.method) + 1 + len(head.target)
    if data.startswith(b" HTTP/1.0\r\n", version_at):
        head.is_http_1_1 = head.keep_alive = False
    elif not data.startswith(b" HTTP/1.1\r\n", version_at):
        raise RequestError(505, "Only HTTP/1.1 and HTTP/1.0 are understood.")
    if head.framing:
        _understand(head)
    if head.hosts != 1 and (head.hosts > 1 or head.is_http_1_1):
        raise RequestError(400, "A request names its Host once.")
    return head


def _understand(head: Head) -> None:
    """Interpret the rare headers about the connection and the body."""
    for name, value in head.framing:
        if name == b"expect":
            head.expects_continue = value.lower() == b"100-continue"
        elif name == b"connection":
            if b"close" in {token.strip(BLANKS).lower() for token in value.split(b",")}:
                head.keep_alive = False
        elif value.lower() != b"chunked" or head.is_chunked:
            raise RequestError(501, "Of transfer codings only chunked is understood.")
        else:
            head.is_chunked = True
    if head.is_chunked and not head.is_http_1_1:
        raise RequestError(400, "HTTP/1.0 has no chunks.")
