"""What a run costs: CPU time and memory from /proc, transactions from PostgreSQL itself."""

import os
from pathlib import Path
from typing import NamedTuple

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
UTIME, STIME, CUTIME, CSTIME = 11, 12, 13, 14
"""Where the times stand in /proc/<pid>/stat, counted after the program's name."""


class Transactions(NamedTuple):
    """What a database has committed and rolled back."""

    committed: int
    rolled_back: int


def cpu_us(pids: tuple[int, ...]) -> int:
    """CPU time of these processes so far."""
    return sum(times[UTIME] + times[STIME] for times in map(_times, pids)) * TICK_US


def postgres_cpu_us(postmaster: int) -> int:
    """CPU time of a PostgreSQL server so far: its processes, and those that have ended."""
    own = _times(postmaster)
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    alive = cpu_us(tuple(map(int, children)))
    return sum(own[UTIME : CSTIME + 1]) * TICK_US + alive


def memory_mb(pids: tuple[int, ...]) -> float:
    """The largest resident memory among these processes."""
    return max((_resident_kb(pid) for pid in pids), default=0) / 1024


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _times(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return [0] * (CSTIME + 1)
    fields = text.rpartition(")")[2].split()
    return [int(field) if field.lstrip("-").isdigit() else 0 for field in fields]
