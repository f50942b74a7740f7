"""Asks several buckets at once, and goes on when all of them have ended, also if one has failed.

A connection whose statement still runs cannot be given back, nor its transaction be ended.
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
