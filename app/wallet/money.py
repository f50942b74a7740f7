"""Exact money: an amount is a whole number of its currency's minor units.

Integers have no context, rounding mode or exponent that could lose a cent, and a player's currency
never changes, so a player's amounts are never mixed with another currency's. Only `Currency` reads
and prints amounts.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

Minor: TypeAlias = int
"""An amount in minor units of the player's currency.

10050 is 100.50 USD, 10050 JPY or 0.00010050 BTC.
"""

AMOUNT_PATTERN: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
"""The text of an amount (callback contract, section 1): no sign, no exponent, nothing around it."""

FIAT_SCALE_MAX: Final = 4
"""The largest scale in ISO 4217; a currency with a larger one is a crypto currency."""

CRYPTO_SCALE_MAX: Final = 8
"""The scale of the journal's NUMERIC(26, 8)."""

FIAT_INTEGER_DIGITS: Final = 18
CRYPTO_INTEGER_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: its code and the number of decimals of its minor unit."""

    code: str
    scale: int

    def minor(self, text: str) -> Minor | None:
        """Read an amount in major units that matches AMOUNT_PATTERN; return minor units.

        Returns None if the amount is finer than the minor unit. Zeros beyond the scale are
        accepted: `500.00` is 500 KRW.
        """
        whole, _, fraction = text.partition(".")
        significant = fraction.rstrip("0")
        if len(significant) > self.scale:
            return None
        return int(whole + significant.ljust(self.scale, "0"))

    def text(self, amount: Minor) -> str:
        """Print an amount in major units at the currency's scale: `-0.05`, `100.50`, `500`."""
        if not self.scale:
            return str(amount)
        scale = self.scale
        digits = str(amount).zfill(scale + 1 + (amount < 0))
        return f"{digits[:-scale]}.{digits[-scale:]}"

    @property
    def maximum(self) -> Minor:
        """The largest balance that the contract can print: 18+2 digits, or 12+8 for crypto."""
        return _MAXIMA[self.scale]


def _maximum(scale: int) -> Minor:
    whole = FIAT_INTEGER_DIGITS if scale <= FIAT_SCALE_MAX else CRYPTO_INTEGER_DIGITS
    return Minor(10 ** (whole + scale) - 1)


_MAXIMA: Final = tuple(_maximum(scale) for scale in range(CRYPTO_SCALE_MAX + 1))

ISO_CURRENCIES: Final = {
    currency.code: currency
    for currency in (
        Currency("KRW", 0),
        Currency("USD", 2),
        Currency("JPY", 0),
        Currency("CNY", 2),
        Currency("PHP", 2),
        Currency("HKD", 2),
        Currency("THB", 2),
        Currency("VND", 0),
        Currency("BDT", 2),
        Currency("INR", 2),
    )
}
"""The currencies of the transfer contract, at ISO 4217's scale; more come by setting."""
