"""Bounds several steps of work by one deadline, whatever each of them has for itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.ledger.errors import DeadlineError


@asynccontextmanager
async def within(deadline: timedelta) -> AsyncIterator[None]:
    """Do all of this before the deadline; raises DeadlineError: it is unknown what was done."""
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            yield
    except TimeoutError as error:
        raise DeadlineError from error
