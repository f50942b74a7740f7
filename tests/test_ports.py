"""A port is given to one server at a time, however many ask."""

import subprocess
import sys
from collections import Counter

from tests.ports import free_port

ASKED = 300

ANOTHER_PROCESS = f"""
from tests.ports import free_port
print(*(free_port() for _ in range({ASKED})), flush=True)
input()  # a port is held as long as its process lives
"""


def test_no_port_is_given_twice() -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", ANOTHER_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        given = [free_port() for _ in range(ASKED)]
        for other in others:
            assert other.stdout is not None
            given += map(int, other.stdout.readline().split())
    finally:
        for other in others:
            other.communicate("\n")
    assert len(given) == 3 * ASKED
    assert [port for port, times in Counter(given).items() if times > 1] == []
