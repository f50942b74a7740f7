"""Where an audit looks: at the whole ledger, or bucket by bucket, where they are on nodes."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.ledger.audit.scope import Check
from app.ledger.connecting import NO_SETTINGS
from app.ledger.snapshot import bucket_paths
from app.wallet.buckets import bucket_of

OF_ONE_SERVER: Final = frozenset({"rows_are_in_their_bucket"})
"""Laws about the tables that buckets inherit from; on nodes they inherit nothing."""


OF_ALL_BUCKETS: Final = frozenset({"approval_has_its_movement", "sealed_head_stands"})
"""Laws about rows of the coordinator, whose players are in several buckets."""


def is_of_all_buckets(check: Check) -> bool:
    """Whether a check has to see all buckets at once, unless it is about one player."""
    return not OF_ALL_BUCKETS.isdisjoint(law.name for law in check.invariants)


class AuditedPlace(NamedTuple):
    """The connections' settings, with which the statements of every law see what they are about."""

    settings: Mapping[str, str]
    """none: the tables above the buckets show all of them"""

    is_of_player: bool = False
    """whether one player is looked at, who is in this place"""

    @property
    def is_whole(self) -> bool:
        """Whether all that the ledger has is seen from here."""
        return not self.settings

    def can_hold(self, check: Check) -> bool:
        """Whether a check is about this place."""
        if self.is_whole:
            return True
        if is_of_all_buckets(check) and not self.is_of_player:
            return False
        return OF_ONE_SERVER.isdisjoint(law.name for law in check.invariants)


async def audited_places(url: str, user_id: str | None) -> list[AuditedPlace]:
    """Return where to look, for one player or (None) for all."""
    paths = await bucket_paths(url)
    if not paths:
        return [AuditedPlace(NO_SETTINGS)]
    if user_id is not None:
        paths = [paths[bucket_of(user_id, len(paths))]]
    return [AuditedPlace({"search_path": path}, is_of_player=user_id is not None) for path in paths]
