"""Names of deliveries: every request is one, and a repeat of it is another."""

import os
from collections.abc import Iterator
from typing import Final

DELIVERY_BYTES: Final = 16

DRAWN_AT_ONCE: Final = 256
"""Each draw is a system call, which costs as much as reading a field."""


def delivery_names() -> Iterator[bytes]:
    """Draw random names for ever; for one process only, since a copy would draw the same."""
    while True:
        drawn = os.urandom(DRAWN_AT_ONCE * DELIVERY_BYTES)
        for at in range(0, len(drawn), DELIVERY_BYTES):
            yield drawn[at : at + DELIVERY_BYTES]
