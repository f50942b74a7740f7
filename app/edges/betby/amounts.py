"""Amounts in whole units of Betby's: minor units of a currency, or sub-units by setting."""

from collections.abc import Mapping
from typing import Final

from app.edges.betby.codes import Code, RefusedError
from app.wallet.money import AMOUNT_PATTERN, Currency, Minor

WHOLE_DIGITS_MAX: Final = 18
"""Before the point, by the form of an amount."""


class Units:
    """How many decimals Betby's unit of each currency has."""

    def __init__(self, currencies: Mapping[str, Currency], scales: Mapping[str, int]) -> None:
        """`scales`: where the unit is not the currency's minor unit."""
        self._scales = {code: currency.scale for code, currency in currencies.items()} | dict(
            scales
        )
        self._by_setting = dict(scales)

    def knows(self, code: str) -> bool:
        """Whether a setting says how many decimals a currency has."""
        return code in self._scales

    def major(self, units: str, code: str, theirs: Currency | None = None) -> str:
        """Return an amount in major units; RefusedError for one of too many digits.

        `theirs`: the player's currency, which may be one that no setting names any more. Of a
        currency that nobody has here it is 0: the ledger refuses its movement whatever the amount.
        """
        scale = self._scales.get(code)
        if scale is None and theirs is not None and theirs.code == code:
            scale = theirs.scale
        if scale is None:
            return "0"
        digits = units.zfill(scale + 1)
        whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
        text = f"{whole.lstrip('0') or '0'}.{fraction}" if scale else whole.lstrip("0") or "0"
        if not AMOUNT_PATTERN.fullmatch(text):
            raise RefusedError(Code.BAD_REQUEST, f"amount has more than {WHOLE_DIGITS_MAX} digits")
        return text

    def units(self, amount: Minor, currency: Currency) -> int:
        """Return an amount of the ledger in whole units, never more than there is."""
        scale = self._by_setting.get(currency.code, currency.scale)
        if scale >= currency.scale:
            return amount * _power(scale - currency.scale)
        return amount // _power(currency.scale - scale)


def _power(exponent: int) -> int:
    return int(f"1{'0' * exponent}")
