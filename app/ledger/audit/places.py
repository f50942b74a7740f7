"""Where an audit looks: at the whole ledger, or bucket by bucket, where they are on nodes."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from app.ledger.audit.scope import Check
from app.ledger.connecting import NO_SETTINGS
from app.ledger.snapshot import bucket_paths
from app.wallet.buckets import bucket_of

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

    def checks(self, checks: Sequence[Check]) -> list[Check]:
        """Return those of the checks that are about this place, as they are asked here."""
        if self.is_whole:
            return [*checks]
        return [
            check if check.on_nodes is None else check._replace(query=check.on_nodes)
            for check in checks
            if self.is_of_player or not is_of_all_buckets(check)
        ]


async def audited_places(url: str, user_id: str | None) -> list[AuditedPlace]:
    """Return where to look, for one player or (None) for all."""
    paths = await bucket_paths(url)
    if not paths:
        return [AuditedPlace(NO_SETTINGS)]
    if user_id is not None:
        paths = [paths[bucket_of(user_id, len(paths))]]
    return [AuditedPlace({"search_path": path}, is_of_player=user_id is not None) for path in paths]
