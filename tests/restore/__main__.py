"""`make test-restore ARGS="--seconds 5"` restores a ledger that was killed under load."""

import argparse
import asyncio
import sys

from tests.restore.run import drill

NAMED_MAX = 20


def main() -> int:
    """Run the drill, and name what a restore to a moment lacks; 1 if anything is wrong."""
    words = argparse.ArgumentParser(prog="make test-restore", description=__doc__)
    words.add_argument("--seconds", type=float, default=5, help="how long each part is played")
    report = asyncio.run(drill(words.parse_args().seconds))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    missing = sorted(report.restores[0].missing, key=lambda movement: movement.at)
    for movement in missing[:NAMED_MAX]:
        fields = movement.fields
        sys.stdout.write(f"missing  {movement.at.isoformat()}  {fields['transaction_id']}\n")
    if len(missing) > NAMED_MAX:
        sys.stdout.write(f"missing  and {len(missing) - NAMED_MAX} more\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
