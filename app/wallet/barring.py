"""Whether a player may play at all: a block by the operator, or an exclusion that still runs."""

from datetime import UTC, datetime

from app.wallet.moments import FOREVER, clamped
from app.wallet.refusals import Refusal


def is_barred(*, is_blocked: bool, excluded_until: datetime | None, now: datetime) -> bool:
    """Whether play is refused: blocked until somebody lifts it, or excluded until a later time.

    `excluded_until` is as the database has it; one beyond every calendar is read as the bound.
    """
    return is_blocked or (excluded_until is not None and clamped(excluded_until) > now)


def exclusion_after(
    until: datetime | None, wanted: datetime | None, now: datetime
) -> datetime | Refusal | None:
    """Return the end of an exclusion after a request, or EXCLUSION_RUNS.

    One that is running can be made longer, up to FOREVER, and never shorter or lifted.
    """
    if until is None or until <= now:
        return wanted
    if wanted is None or wanted < until:
        return Refusal.EXCLUSION_RUNS
    return wanted


def exclusion_end(stored: datetime | None) -> datetime | None:
    """The end of an exclusion as the database has it; its driver reads `infinity` as the bound."""
    if stored is None:
        return None
    return FOREVER if stored.replace(tzinfo=UTC) == FOREVER else clamped(stored)
