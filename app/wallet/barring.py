"""Whether a player may play at all: a block by the operator, or an exclusion that still runs."""

from datetime import datetime

from app.wallet.moments import clamped


def is_barred(*, is_blocked: bool, excluded_until: datetime | None, now: datetime) -> bool:
    """Whether play is refused: blocked until somebody lifts it, or excluded until a later time.

    `excluded_until` is as the database has it; one beyond every calendar is read as the bound.
    """
    return is_blocked or (excluded_until is not None and clamped(excluded_until) > now)
