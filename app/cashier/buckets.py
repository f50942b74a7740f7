"""The buckets of a ledger, for whoever operates it."""

from app.ledger.buckets.reading import Bucket, list_buckets
from app.ledger.transaction import Ledger


async def show_buckets(ledger: Ledger) -> list[Bucket]:
    """Return every bucket with its size and its rate, on one snapshot."""
    return await ledger.read_only(list_buckets, confirmed=False)
