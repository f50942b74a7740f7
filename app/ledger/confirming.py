"""Sends one confirmation: a commit that waits for the synchronous standby, within bounds.

What was visible before it is on the standby when it is answered, since commits reach it in order.
It is never cancelled; where it is not answered in time, it goes on without anybody.
"""

import asyncio
from collections import Counter

from app.ledger.connections import Connections
from app.ledger.errors import DeadlineError, LedgerAwayError
from app.ledger.lending import lent
from app.ledger.money.statements import CONFIRM
from app.ledger.outage import Outage
from app.ledger.retries import Retries
from app.ledger.sqlstates import LOST
from app.ledger.standby import (
    COMMITS_WAITING,
    COMMITS_WAITING_MAX,
    CONFIRM_SECONDS,
    SILENT,
    Standby,
)


async def commit_once(
    standby: Standby, connections: Connections, counts: Counter[str], outage: Outage
) -> None:
    """Commit once; a DeadlineError says that it was sent, and not answered in time."""
    retries = Retries(counts, connections, outage)
    while retries.may_try():
        try:
            async with lent(connections) as raw, asyncio.timeout(CONFIRM_SECONDS):
                # The question, too: a server that hangs ends no statement, and as long as it is
                # being asked nobody asks another.
                if standby.is_silent:
                    waiting = await raw.fetchval(COMMITS_WAITING)
                    if waiting >= COMMITS_WAITING_MAX:
                        raise LedgerAwayError(SILENT)
                await connections.commit(raw, CONFIRM)
        except TimeoutError as error:
            raise DeadlineError from error
        except LOST as error:
            retries.outcome_after(error)
        else:
            outage.end()
            return
        await retries.wait()
    raise retries.given_up()
