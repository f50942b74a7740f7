"""Money as the simulator counts it: whole minor units in an int, which cannot round.

100.50 USD is 10050 units, 100 JPY is 100 units, 1 BTC is 100000000 units.
"""

import re
from decimal import Decimal

_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)


def is_amount(text: str) -> bool:
    """Whether the contract would read the text as an amount at all."""
    return _AMOUNT.fullmatch(text) is not None


def read_amount(text: str, scale: int) -> int | None:
    """Read an amount into units; None when it is finer than the currency."""
    whole, _, fraction = text.partition(".")
    if fraction[scale:].strip("0"):
        return None
    return int(whole + fraction[:scale].ljust(scale, "0"))


def print_units(units: int, scale: int) -> str:
    """Print units the way an answer must: every decimal place of the currency, no exponent."""
    digits = str(abs(units)).rjust(scale + 1, "0")
    sign = "-" if units < 0 else ""
    if scale == 0:
        return sign + digits
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def units_of(value: Decimal, scale: int) -> int:
    """Count a Decimal in units, or raise ValueError when that is not exact."""
    if not value.is_finite():
        raise ValueError("a balance is a finite number")
    # Printed without an exponent every digit is there, whatever the context's precision.
    sign = -1 if value < 0 else 1
    units = read_amount(format(value.copy_abs(), "f"), scale)
    if units is None:
        raise ValueError(f"{value} is finer than {scale} decimal places")
    return sign * units


def largest_balance(scale: int) -> int:
    """Return the largest balance, in units: 18 digits before the point, or 12 for crypto.

    A currency with eight decimal places is a crypto currency.
    """
    crypto_scale = 8
    digits = (12 if scale == crypto_scale else 18) + scale
    return int("9" * digits)
