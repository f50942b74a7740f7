"""The buckets of a ledger, for whoever operates it."""

from app.ledger.buckets.reading import Bucket, list_buckets
from app.ledger.citus import NotPlacedError, Place
from app.ledger.citus.places import find_places, list_nodes, move
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger


async def show_buckets(ledger: Ledger) -> list[Bucket]:
    """Return every bucket with its size and its rate, on one snapshot."""
    return await ledger.read_only(list_buckets, confirmed=False)


async def move_bucket(ledger: Ledger, owner_url: str, bucket: int, to: Place) -> Place:
    """Move a bucket to another node of the cluster, and return the node that it was on.

    It is served all the while; writes wait for the last moment. Raises NotPlacedError, with nothing
    moved.
    """

    async def work(book: Book) -> tuple[dict[int, Place], list[Place]]:
        places = dict(await find_places(book))
        return places, await list_nodes(book) if places else []

    places, nodes = await ledger.read_only(work, confirmed=False)
    if not places:
        raise NotPlacedError(
            "The buckets of this ledger are not on the nodes of a Citus cluster: there is nowhere"
            " to move one to."
        )
    if bucket not in places:
        raise NotPlacedError(f"This ledger has the buckets 0 to {len(places) - 1}.")
    if to not in nodes:
        known = ", ".join(str(node) for node in nodes)
        raise NotPlacedError(f"The cluster has no node {to} for buckets; it has {known}.")
    if places[bucket] != to:
        await move(owner_url, bucket, len(places), to)
    return places[bucket]
