"""Exact money: text in, whole minor units, the same text out."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.wallet.money import (
    AMOUNT_PATTERN,
    CRYPTO_SCALE_MAX,
    ISO_CURRENCIES,
    Currency,
)

USD, KRW, BTC = ISO_CURRENCIES["USD"], ISO_CURRENCIES["KRW"], Currency("BTC", 8)
scales = st.integers(0, CRYPTO_SCALE_MAX)


@pytest.mark.parametrize(
    "text",
    ["0", "0.0", "0.00", "00", "1", "100.50", "999999999999999999.99", "1.000000000000000000"],
)
def test_an_amount_is_one_to_eighteen_digits_and_as_many_decimals(text: str) -> None:
    assert AMOUNT_PATTERN.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "\n1",
        "1\x00",
        "1_000",
        "1,5",
        ".5",
        "5.",
        "1.2.3",
        "1e5",
        "1E+999999999",
        "0x10",
        "NaN",
        "sNaN",
        "Infinity",
        "inf",
        "1" * 19,
        "1" * 500,
        "0." + "1" * 19,
        "１２",  # full width
        "١٢",  # arabic-indic
        "1٫5",
        "²",
        "½",
        "−5",  # a minus sign that is no hyphen
        "1\u200b",
        "\ufeff1",
        "true",
        "null",
        "[1]",
    ],
)
def test_hostile_text_is_no_amount(text: str) -> None:
    assert AMOUNT_PATTERN.fullmatch(text) is None


@given(st.text(max_size=45))
@example("1\n")
@example("٣")
def test_whatever_is_an_amount_is_ascii_digits_with_at_most_one_dot(text: str) -> None:
    if AMOUNT_PATTERN.fullmatch(text):
        whole, _, fraction = text.partition(".")
        assert whole.isascii()
        assert whole.isdigit()
        assert 1 <= len(whole) <= 18
        assert fraction == "" or (fraction.isascii() and fraction.isdigit() and len(fraction) <= 18)


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        (USD, "100.50", 10050),
        (USD, "100.5", 10050),
        (USD, "0.01", 1),
        (USD, "007", 700),
        (USD, "1.230000000000000000", 123),
        (USD, "999999999999999999.99", 99999999999999999999),
        (KRW, "500.00", 500),
        (KRW, "500", 500),
        (BTC, "0.00000001", 1),
        (BTC, "999999999999.99999999", 99999999999999999999),
    ],
)
def test_an_amount_is_read_exactly(currency: Currency, text: str, minor: int) -> None:
    assert currency.minor(text) == minor


@pytest.mark.parametrize(
    ("currency", "text"),
    [(USD, "0.001"), (USD, "1.005"), (KRW, "0.1"), (KRW, "500.01"), (BTC, "0.000000001")],
)
def test_non_zero_digits_beyond_the_scale_are_too_fine(currency: Currency, text: str) -> None:
    assert currency.minor(text) is None


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [
        (USD, 12400155, "124001.55"),
        (USD, 0, "0.00"),
        (USD, 5, "0.05"),
        (USD, -5, "-0.05"),
        (USD, -10050, "-100.50"),
        (KRW, 0, "0"),
        (KRW, -500, "-500"),
        (BTC, 1, "0.00000001"),
        (USD, 99999999999999999999, "999999999999999999.99"),
        (BTC, 99999999999999999999, "999999999999.99999999"),
    ],
)
def test_an_amount_is_printed_exactly(currency: Currency, minor: int, text: str) -> None:
    assert currency.text(minor) == text


@given(scales, st.integers(-(10**26), 10**26))
def test_what_is_printed_is_the_amount_and_nothing_finer(scale: int, minor: int) -> None:
    text = Currency("XXX", scale).text(minor)
    assert Decimal(text).scaleb(scale) == minor
    _, _, fraction = text.partition(".")
    assert len(fraction) == scale
    assert "e" not in text.lower()


@given(scales, st.from_regex(AMOUNT_PATTERN, fullmatch=True))
def test_reading_agrees_with_decimal_arithmetic(scale: int, text: str) -> None:
    with localcontext(prec=50):  # an amount may have 36 digits, and 28 are usual
        exact = Decimal(text).scaleb(scale)
        is_whole = exact == exact.to_integral_value()
    assert Currency("XXX", scale).minor(text) == (int(exact) if is_whole else None)


@given(scales, st.integers(0, 10**18 - 1))
def test_what_was_printed_is_read_back(scale: int, minor: int) -> None:
    currency = Currency("XXX", scale)
    assert currency.minor(currency.text(minor)) == minor


@pytest.mark.parametrize(
    ("currency", "text"),
    [
        (USD, "999999999999999999.99"),
        (KRW, "999999999999999999"),
        (Currency("KWD", 3), "999999999999999999.999"),
        (BTC, "999999999999.99999999"),
        (Currency("SOL", 6), "999999999999.999999"),
    ],
)
def test_the_largest_balance_is_18_digits_of_fiat_and_12_of_crypto(
    currency: Currency, text: str
) -> None:
    assert currency.text(currency.maximum) == text


def test_the_ten_currencies_of_the_transfer_contract_have_their_iso_scales() -> None:
    names = ["KRW", "USD", "JPY", "CNY", "PHP", "HKD", "THB", "VND", "BDT", "INR"]
    assert sorted(ISO_CURRENCIES) == sorted(names)
    whole = {code for code, currency in ISO_CURRENCIES.items() if currency.scale == 0}
    assert whole == {"KRW", "JPY", "VND"}
    assert {c.scale for c in ISO_CURRENCIES.values()} == {0, 2}
