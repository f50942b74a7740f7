"""Where an audit looks: at the whole ledger, or bucket by bucket, where they are on nodes."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.database_url import connect_arguments
from app.ledger.audit.scope import Check
from app.ledger.citus.places import IS_CITUS
from app.ledger.connecting import NO_SETTINGS, connect
from app.ledger.pools import WHOLE_LEDGER
from app.wallet.buckets import bucket_of, schema_of

_COUNT: Final = "SELECT count(*) FROM public.buckets"

OF_ONE_SERVER: Final = frozenset({"rows_are_in_their_bucket"})
"""Laws about the tables that buckets inherit from; on nodes they inherit nothing."""


class AuditedPlace(NamedTuple):
    """The connections' settings, with which the statements of every law see what they are about."""

    settings: Mapping[str, str]
    """none: the tables above the buckets show all of them"""

    @property
    def is_whole(self) -> bool:
        """Whether all that the ledger has is seen from here."""
        return not self.settings

    def can_hold(self, check: Check) -> bool:
        """Whether a check is about this place."""
        return not self.settings or OF_ONE_SERVER.isdisjoint(law.name for law in check.invariants)


async def audited_places(url: str, user_id: str | None) -> list[AuditedPlace]:
    """Return where to look, for one player or (None) for all."""
    connection = await connect(connect_arguments(url))
    try:
        count = await connection.fetchval(_COUNT)
        if not count or not await connection.fetchval(IS_CITUS):
            return [AuditedPlace(NO_SETTINGS)]
    finally:
        await connection.close()
    buckets = range(count) if user_id is None else [bucket_of(user_id, count)]
    return [
        AuditedPlace({"search_path": f"{schema_of(bucket, count)}, {WHOLE_LEDGER}"})
        for bucket in buckets
    ]
