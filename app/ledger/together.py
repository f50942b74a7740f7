"""Asks several buckets at once, and goes on when all of them have ended, also if one has failed.

A connection whose statement still runs cannot be given back, nor its transaction be ended; and a
question that nobody waits for any more would still be asked while the next attempt asks it again.
The others are not cancelled, since a pool loses a connection whose statement is; each ends within
a deadline of its own.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(asked: Iterable[Awaitable[T]]) -> list[T]:
    """Return what each returned, in their order; raises the first error of any."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    answers: list[T] = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        answers.append(each)
    return answers
