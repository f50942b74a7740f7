"""Amounts and balances in whole units, exact whatever their size."""

from decimal import Decimal

import pytest

from app.simulator.units import is_amount, largest_balance, print_units, read_amount, units_of


@pytest.mark.parametrize(
    ("text", "scale", "units"),
    [
        ("100.5", 2, 10050),
        ("100.50", 2, 10050),
        ("000100.500000", 2, 10050),
        ("500.00", 0, 500),
        ("0", 8, 0),
        ("999999999999999999.99", 2, 99999999999999999999),
        ("0.00000001", 8, 1),
        ("1.001", 2, None),
        ("0.1", 0, None),
    ],
)
def test_an_amount_is_read_unless_it_is_too_fine(text: str, scale: int, units: int | None) -> None:
    assert is_amount(text)
    assert read_amount(text, scale) == units


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1 ", "1.", ".5", "1e2", "\uff11", "9" * 19]
)
def test_what_is_no_amount_is_not_read(text: str) -> None:
    assert not is_amount(text)


@pytest.mark.parametrize(
    ("units", "scale", "text"),
    [
        (10050, 2, "100.50"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (-1300, 2, "-13.00"),
        (100, 0, "100"),
        (0, 0, "0"),
        (1, 8, "0.00000001"),
    ],
)
def test_units_are_printed_at_the_currencys_scale(units: int, scale: int, text: str) -> None:
    assert print_units(units, scale) == text


@pytest.mark.parametrize(
    ("value", "scale", "units"),
    [
        ("100.5", 2, 10050),
        ("0E-8", 2, 0),
        ("-7.10", 2, -710),
        ("1E+3", 0, 1000),
        ("999999999999.99999999", 8, 99999999999999999999),
    ],
)
def test_a_starting_balance_is_counted_exactly(value: str, scale: int, units: int) -> None:
    assert units_of(Decimal(value), scale) == units


@pytest.mark.parametrize("value", ["0.001", "NaN", "Infinity"])
def test_a_balance_that_cannot_be_counted_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"balance|finer"):
        units_of(Decimal(value), 2)


def test_the_largest_balance_has_the_contracts_digits() -> None:
    assert print_units(largest_balance(2), 2) == "999999999999999999.99"
    assert print_units(largest_balance(8), 8) == "999999999999.99999999"
