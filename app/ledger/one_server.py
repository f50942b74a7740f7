"""What a ledger answers whose buckets, one or several, are all on one server.

Where each bucket is on a node of its own, `citus.ledger` answers otherwise.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from app.ledger.money.book import RequestClaim
from app.ledger.standby import Standby

if TYPE_CHECKING:
    from app.ledger.citus.restoring import LastOfNodes, Rebuilt
    from app.ledger.transaction import Ledger


class OneServer:
    """Every transaction reaches all buckets."""

    async def placed(self, user_ids: Collection[str]) -> list[tuple[str | None, set[str]]]:
        """Return who can be worked for in one transaction, and whom that work names in `of`."""
        return [(None, set(user_ids))]

    async def parts(self) -> "Mapping[int, Ledger]":
        """Return the ledgers of the buckets that are on nodes of their own; else none."""
        return {}

    async def holder_of(self, source: str, transaction_id: str) -> str | None:
        """Return whom look-ups of an id name in `of`; None: nobody, one look sees all buckets."""
        del source, transaction_id
        return None

    async def is_on_nodes(self) -> bool:
        """Whether a transaction reaches one bucket only, because each is on some node."""
        return False

    async def apart(self) -> list[str | None]:
        """Return whom work names in `of`, each in turn, that is about every row of a table."""
        return [None]

    async def claim_request(self, agent: str, request_id: str, of: str) -> RequestClaim | None:
        """Return what holds a request's id for a player; None: the id's own row does."""
        del agent, request_id, of
        return None

    async def last_of_nodes(self) -> "LastOfNodes | None":
        """Return up to when no node lacks a movement; None: there is one server."""
        return None

    async def rebuild_claims(self, restored_to: datetime | None) -> "Rebuilt | None":
        """Claim again what a restored node lacks; None: no id is claimed here."""
        del restored_to
        return None

    @property
    def bucket_standbys(self) -> Mapping[int, Standby]:
        """What is known of the standbys of buckets that are on nodes of their own."""
        return {}
