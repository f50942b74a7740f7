"""Session tokens: whether one is good, and how long it lives: once, or renewed by use (setting)."""

from datetime import datetime, timedelta
from typing import Final

from app.wallet.refusals import Refusal

RENEWALS_PER_LIFE: Final = 24
"""A life is renewed when a 24th of it is used up, an hour of a day: so that using a token a
thousand times a minute costs one write an hour, and no use shortens a life by more than that."""


def renewed(expires_at: datetime, life: timedelta, now: datetime) -> datetime | None:
    """When a token that is used now expires then; None: its life is over, or as good as new."""
    if expires_at <= now or now + life - expires_at < life / RENEWALS_PER_LIFE:
        return None
    return now + life


def token_refusal(
    expires_at: datetime | None, now: datetime, *, must_be_live: bool
) -> Refusal | None:
    """Why a token is not good for what it is shown for; None: it is.

    `expires_at`: None if no such token was ever this player's. The order is the contract's
    (callback contract, section 4): unknown comes before expired.
    """
    if expires_at is None:
        return Refusal.TOKEN_UNKNOWN
    return Refusal.TOKEN_EXPIRED if must_be_live and expires_at <= now else None
