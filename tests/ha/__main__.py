"""`make test-ha ARGS="--failovers 20 --seed 1"` lets nodes of a real cluster fail under load."""

import argparse
import asyncio
import secrets
import sys

from tests.ha.cluster import missing_programs
from tests.ha.events import EVENTS
from tests.ha.run import fail_over

FAILOVERS = 20
GOALS = {"postmaster-killed": 6, "switchover": 2}
"""The write gap that is aimed at, in seconds, on a machine that does nothing else."""


def main() -> int:
    """Run, and say what was survived; 1 if anything was lost, doubled or wrong."""
    names = {kind.name: kind for kind in EVENTS}
    words = argparse.ArgumentParser(prog="make test-ha", description=__doc__)
    words.add_argument("--failovers", type=int, default=FAILOVERS, help="end after so many")
    words.add_argument("--seed", type=int, help="of the dice; none: a new one")
    words.add_argument("--event", action="append", choices=sorted(names), help="only these")
    asked = words.parse_args()
    missing = missing_programs()
    if missing:
        sys.stderr.write(f"Not installed: {', '.join(missing)} (Debian's packages).\n")
        return 2
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    kinds = [names[name] for name in asked.event] if asked.event else EVENTS
    report = asyncio.run(fail_over(asked.failovers, seed, kinds, is_talkative=True))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    for name, goal in GOALS.items():
        gaps = sorted(gap for event, gap in report.gaps if event == name)
        if gaps:
            median, worst = gaps[len(gaps) // 2], gaps[-1]
            sys.stdout.write(
                f"{name:<20}median {median:.1f} s, worst {worst:.1f} s, goal {goal} s\n"
            )
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
