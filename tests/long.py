"""Whose tests take seconds each: they are handed out one by one, the longest first."""

from typing import Final

LONG: Final = (
    "tests/restore/",
    "tests/takeover/test_shadow_simulator.py",
    "tests/torture/",
    "tests/ha/",
    "tests/model/",
    "tests/console/test_deliveries.py",
    "tests/edges/transfer/test_docs.py",
    "tests/console/test_serve.py",
    "tests/console/test_descriptors.py",
    "tests/fuzz/",
    "tests/console/test_streams.py",
    "tests/console/test_console.py",
    "tests/edges/webhooks/test_deliveries.py",
    "tests/postgres/",
)
"""The beginnings of their files' paths; none has a fixture of its file that takes long to make."""


def turn(nodeid: str) -> int:
    """Return a test's place among those that are handed out one by one; all others come before."""
    return next((n for n, path in enumerate(LONG) if nodeid.startswith(path)), -1)
