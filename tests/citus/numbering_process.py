"""A process that numbers events without a pause, until it is killed: `python -m … URL BUCKETS`."""

import asyncio
import sys

from app.cashier.event_log import number
from app.ledger.citus.ledger import PlacedLedger


async def keep_numbering(url: str, buckets: int) -> None:
    ledger = PlacedLedger(url, pool_size=4, buckets=buckets)
    while True:
        await number(ledger, most=20)


if __name__ == "__main__":
    asyncio.run(keep_numbering(sys.argv[1], int(sys.argv[2])))
