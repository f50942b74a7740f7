"""Prove a movement: gather what leads from its entry to the seal that covers it."""

from typing import TYPE_CHECKING, Final

from app.ledger.seals import (
    entries_between,
    every_seal,
    leaves_before,
    link_before,
    places_of,
    sealed_after,
    sealed_heads_at,
)
from app.ledger.snapshot import read_by_key, snapshot
from app.proof.evidence import Proof
from app.proof.merkle import Tree
from app.proof.seal import SignedSeal

if TYPE_CHECKING:
    from app.ledger.snapshot import Connection

ENTRIES_MAX: Final = 100_000
"""Of one player between two seals; more belong to no player, and into no file."""


class NoProofError(Exception):
    """There is no proof; the message says why, in one sentence."""


async def prove(url: str, transaction_id: str) -> list[Proof]:
    """Return a proof of each movement under a transaction id.

    Raises NoProofError, or the driver's errors if the database cannot be reached.
    """
    async with snapshot(url) as (connection,):
        await read_by_key(connection)
        places = await places_of(connection, transaction_id)
        if not places:
            raise NoProofError(
                f"Nothing was decided under the transaction id {transaction_id}: there is nothing "
                "to prove."
            )
        seals = await every_seal(connection)
        return [
            await _proof(connection, transaction_id, player_id, position, seals)
            for player_id, position in places
        ]


async def _proof(
    connection: "Connection",
    transaction_id: str,
    player_id: int,
    position: int,
    seals: list[SignedSeal],
) -> Proof:
    sealed = await sealed_after(connection, player_id, position)
    if sealed is None:
        raise NoProofError(
            f"The movement {transaction_id} is not sealed yet: the next seal covers it, and "
            "`wallet seal` makes one now."
        )
    last, number = sealed
    if last - position >= ENTRIES_MAX:
        raise NoProofError(
            f"More than {ENTRIES_MAX} movements of the player stand between {transaction_id} and "
            "the seal that covers it: seal more often."
        )
    entries = await entries_between(connection, player_id, position, last)
    before = await link_before(connection, player_id, position)
    leaf = await leaves_before(connection, player_id, number)
    tree = Tree(leaf)
    async for _, head in sealed_heads_at(connection, number):
        tree.add(head)
    root, path = tree.finish()
    if before is None or len(seals) < number or seals[number - 1].seal.root != root.hex():
        raise NoProofError(
            f"What covers the movement {transaction_id} is not what was sealed: run `wallet audit`."
        )
    texts = tuple(entry.canonical() for entry in entries)
    return Proof(before, texts, leaf, tuple(path), seals[number - 1])
