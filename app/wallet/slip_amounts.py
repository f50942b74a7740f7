"""The amounts of a bet slip: in which units they are written, and how much they are in ours.

The sportsbook writes minor units, and a door between may have made major units of them. The stake,
which the journal knows, tells which. A crypto currency's units may be others than ours.
"""

from typing import Final

from app.wallet.money import CRYPTO_SCALE_MAX, FIAT_SCALE_MAX, Minor

POINT: Final = "."


def decimals_of(total: str | None, stake: Minor, scale: int) -> int | None:
    """Return how many decimal places a slip's whole numbers have; None: it cannot be told."""
    if total is None:
        return None
    if stake == 0:
        return 0 if POINT in total else scale
    if in_minor(total, 0) == stake:
        return scale
    if in_minor(total, scale) == stake:
        return 0
    others = range(1, CRYPTO_SCALE_MAX + 1) if scale > FIAT_SCALE_MAX else ()
    return next((n for n in others if in_minor(total, scale - n) == stake), None)


def amount_of(text: str, decimals: int | None, scale: int) -> Minor:
    """Return an amount of a slip in minor units, in the units of its stake if that is known."""
    if decimals is None:
        decimals = 0 if POINT in text else scale
    return in_minor(text, scale - decimals)


def in_minor(text: str, places: int) -> Minor:
    """Multiply a decimal text by a power of ten; what is finer than 1 is cut off."""
    whole, _, fraction = text.partition(POINT)
    places -= len(fraction)
    digits = int(whole + fraction)
    return Minor(digits * 10**places if places >= 0 else digits // 10**-places)
