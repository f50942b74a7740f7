"""Reads a request's body as it arrives: finds its end, and decodes its chunks.

A body has a length, or is chunked (RFC 9112, 6.3 and 7.1). The bytes after its last one belong to
the next request and are not read here.
"""

import re
from typing import Final, Protocol

from app.server.heads import HEAD_BYTES_MAX, Head, RequestError

CHUNK_LINE_BYTES_MAX: Final = 256
"""The longest line with a chunk's size and extensions; extensions are ignored."""

_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")


class BodyReader(Protocol):
    """Reads the body of one request."""

    @property
    def is_complete(self) -> bool:
        """Whether its last byte was read."""

    def read(self, data: bytes | bytearray, at: int, parts: list[bytes]) -> int:
        """Read what stands from `at` on into `parts`; return the position behind it."""


class SizedBody:
    """A body whose length the head says."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def is_complete(self) -> bool:
        """Whether its last byte was read."""
        return self._left == 0

    def read(self, data: bytes | bytearray, at: int, parts: list[bytes]) -> int:
        """Read what stands from `at` on into `parts`; return the position behind it."""
        part = bytes(data[at : at + self._left])
        if part:
            parts.append(part)
            self._left -= len(part)
        return at + len(part)


class ChunkedBody:
    """A body in chunks, and the trailer behind them, which is read and not used."""

    __slots__ = ("_is_in_trailer", "_left", "_trailer_bytes", "is_complete")

    def __init__(self) -> None:
        self.is_complete = False
        self._left = 0
        """bytes left of the current chunk and its final line break; 0: a line comes next"""
        self._is_in_trailer = False
        self._trailer_bytes = 0

    def read(self, data: bytes | bytearray, at: int, parts: list[bytes]) -> int:
        """Read what stands from `at` on into `parts`; return the position behind it.

        An incomplete line is not read; it must be passed again together with its rest.
        """
        while at < len(data) and not self.is_complete:
            after = self._read_chunk(data, at, parts) if self._left else self._read_line(data, at)
            if after == at:
                break
            at = after
        return at

    def _read_chunk(self, data: bytes | bytearray, at: int, parts: list[bytes]) -> int:
        end = min(at + self._left, len(data))
        # The last two bytes are the line break.
        content_end = min(at + self._left - 2, end)
        if content_end > at:
            parts.append(bytes(data[at:content_end]))
        ending = bytes(data[max(content_end, at) : end])
        left_before_ending = min(self._left, 2)
        if not b"\r\n"[2 - left_before_ending :].startswith(ending):
            raise RequestError(400, "A chunk is longer than it says.")
        self._left -= end - at
        return end

    def _read_line(self, data: bytes | bytearray, at: int) -> int:
        end = data.find(b"\r\n", at)
        if end < 0:
            bound = HEAD_BYTES_MAX if self._is_in_trailer else CHUNK_LINE_BYTES_MAX
            if len(data) - at > bound:
                raise RequestError(400, "A line of a chunked body is too long.")
            return at
        line = bytes(data[at:end])
        if self._is_in_trailer:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > HEAD_BYTES_MAX:
                raise RequestError(431, "The trailer is too long.")
            self.is_complete = not line
        else:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None or len(line) > CHUNK_LINE_BYTES_MAX:
                raise RequestError(400, "A chunk has no size.")
            length = int(size[1], 16)
            self._is_in_trailer = length == 0
            self._left = length + 2 if length else 0
        return end + 2


def body_of(head: Head) -> BodyReader:
    """Return the reader of the body that follows this head."""
    return ChunkedBody() if head.is_chunked else SizedBody(head.content_length)
