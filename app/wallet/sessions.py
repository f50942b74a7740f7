"""How long a token lives: once from its issue, or again and again while it is used (setting)."""

from datetime import datetime, timedelta
from typing import Final

RENEWALS_PER_LIFE: Final = 24
"""A life is renewed when a 24th of it is used up, an hour of a day: so that using a token a
thousand times a minute costs one write an hour, and no use shortens a life by more than that."""


def renewed(expires_at: datetime, life: timedelta, now: datetime) -> datetime | None:
    """When a token that is used now expires then; None: its life is over, or as good as new."""
    if expires_at <= now or now + life - expires_at < life / RENEWALS_PER_LIFE:
        return None
    return now + life
