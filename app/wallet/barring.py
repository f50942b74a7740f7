"""Whether a player may play at all: a block by the operator, or an exclusion that still runs."""

from datetime import datetime


def is_barred(*, is_blocked: bool, excluded_until: datetime | None, now: datetime) -> bool:
    """Whether play is refused: a block has no end of its own, an exclusion ends by itself."""
    return is_blocked or (excluded_until is not None and excluded_until > now)
