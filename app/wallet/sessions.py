"""Session tokens: whether one is valid, and whether using it renews its life."""

from datetime import datetime, timedelta
from typing import Final

from app.wallet.refusals import Refusal

RENEWALS_PER_LIFE: Final = 24
"""A life is renewed when a 24th of it is used up, which is an hour of a day: a token that is used a
thousand times a minute costs one write an hour, and expires at most an hour early."""


def renewed(expires_at: datetime, life: timedelta, now: datetime) -> datetime | None:
    """Return a used token's new expiry; None: it has expired, or needs no renewal yet."""
    if expires_at <= now or now + life - expires_at < life / RENEWALS_PER_LIFE:
        return None
    return now + life


def token_refusal(
    expires_at: datetime | None, now: datetime, *, must_be_live: bool
) -> Refusal | None:
    """Return why a token is not valid, or None if it is.

    `expires_at` is None if the player never had such a token. Unknown is checked before expired
    (callback contract, section 4).
    """
    if expires_at is None:
        return Refusal.TOKEN_UNKNOWN
    return Refusal.TOKEN_EXPIRED if must_be_live and expires_at <= now else None
