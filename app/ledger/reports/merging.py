"""Merges a report's rows of several buckets by their key, into those of one statement above all.

Each bucket's rows come in the order of the key, so only the next row of each is held. Rows with the
same key are of groups that several buckets have a part of: what is counted in them is added up.
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

from app.ledger.reports.reading import LedgerReport
from app.ledger.together import together


async def merged(
    report: LedgerReport, parts: Sequence[AsyncIterator[tuple[Any, ...]]]
) -> AsyncIterator[tuple[str | None, ...]]:
    """Yield the rows of all parts in the order of their key, and without it."""
    width = len(report.columns)
    if len(parts) == 1:
        async for row in parts[0]:
            yield row[:width]
        return
    # All buckets begin at once: a bucket's first row comes when it has computed all of them.
    heads = await together(map(_next, parts))
    held: tuple[Any, ...] | None = None
    while True:
        # No two buckets have the same number, so that rows themselves are never compared.
        waiting = [(row[width:], n, row) for n, row in enumerate(heads) if row is not None]
        if not waiting:
            break
        key, first, row = min(waiting)
        heads[first] = await _next(parts[first])
        if held is not None and report.added and held[width:] == key:
            held = _sum(report, held, row)
            continue
        if held is not None:
            yield held[:width]
        held = row
    if held is not None:
        yield held[:width]


async def _next(part: AsyncIterator[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    return await anext(part, None)


def _sum(report: LedgerReport, one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add up what two buckets have of a group; both print amounts at the same scale."""
    return (
        *(
            format(Decimal(a) + Decimal(b), "f") if name in report.added else a
            for name, a, b in zip(report.columns, one, other, strict=False)
        ),
        *one[len(report.columns) :],
    )
