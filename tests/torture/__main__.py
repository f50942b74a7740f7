"""`make torture ARGS="--seconds 60 --seed 1 --fault server-killed"` runs the torture."""

import argparse
import asyncio
import secrets
import sys

from tests.torture.betby import BetbyHand
from tests.torture.faults import FAULTS
from tests.torture.rounds import torture


def main() -> int:
    """Torture, and say what was survived; 1 if anything was lost, doubled or wrong."""
    words = argparse.ArgumentParser(prog="make torture", description=__doc__)
    words.add_argument("--seconds", type=int, default=60, help="for about how long")
    words.add_argument("--seed", type=int, help="of the dice; none: a new one")
    words.add_argument(
        "--fault", action="append", choices=sorted(FAULTS), help="only this one; may be repeated"
    )
    words.add_argument(
        "--betby",
        type=float,
        default=BetbyHand.betby_share,
        metavar="SHARE",
        help="of the stories that go by Betby's own contract, 0 to 1 (default: %(default)s)",
    )
    asked = words.parse_args()
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    report = asyncio.run(
        torture(
            asked.seconds,
            seed,
            asked.fault or (),
            betby_share=asked.betby,
            is_talkative=True,
        )
    )
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
