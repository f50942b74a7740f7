"""Names of deliveries: every request is one, and a repeat of it is another."""

import os
from binascii import hexlify
from typing import Final

DELIVERY_BYTES: Final = 16

REQUEST_ID: Final = b"request-id"
"""The header that says to a caller which delivery was answered, in hex as in the log."""

DRAWN_AT_ONCE: Final = 256
"""Each draw is a system call, which costs as much as reading a field."""


class DeliveryNames:
    """Random names, drawn many at a time; for one process, since a copy would draw the same."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        self._drawn: list[bytes] = []

    def draw(self) -> bytes:
        """Draw a name that nobody else has."""
        if not self._drawn:
            drawn = os.urandom(DRAWN_AT_ONCE * DELIVERY_BYTES)
            starts = range(0, len(drawn), DELIVERY_BYTES)
            self._drawn = [drawn[start : start + DELIVERY_BYTES] for start in starts]
        return self._drawn.pop()


def request_id_header(delivery: bytes) -> tuple[bytes, bytes]:
    """The header of the answer to this delivery."""
    return REQUEST_ID, hexlify(delivery)
