"""Profiles: those that are shipped are sound, and one that contradicts itself is refused."""

from decimal import Decimal
from pathlib import Path

import pytest

from app.reconciliation.lines import LineError, line_reader, time_reader
from app.reconciliation.profile import ProfileError, load_profile, read_profile, shipped_names
from tests.reconciliation.story import HEADER, SHIPPED, profile

GENERIC = (SHIPPED / "generic.toml").read_text(encoding="utf-8")


def test_the_shipped_profiles_are_these_and_each_can_be_loaded() -> None:
    assert shipped_names() == ["betby", "fungamess", "generic", "hub88"]
    assert {load_profile(name).door for name in shipped_names()} == {"betby", "callback", "hub88"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('door = "callback"', "door = 7", "door must be text"),
        ('door = "callback"', "", "door must be named"),
        ('unit = "major"', 'unit = "cents"', "unit must be one of major, minor"),
        ('amount = "amount"\n', "", "must name the column of amount"),
        ('time = "iso"', 'zone = "Mars/Base"', "there is no time zone Mars/Base"),
        ('time = "iso"', 'encoding = "utf-16"', "cannot be read line by line"),
        ('time = "iso"', 'encoding = "klingon"', "there is no encoding klingon"),
        ('time = "iso"', 'thousands = "."', "different characters"),
        ('time = "iso"', 'delimiter = ";;"', "must be one character"),
        ('time = "iso"', 'colour = "red"', "means nothing here: colour"),
        ('tip = "Tip"', 'tip = "Win"', "that no other word names"),
        ('tip = "Tip"', 'tip = "Jackpot"', "types.tip must be one of BetPlacing"),
        ('direction = "direction"\n', "", "direction and the table"),
        ("grace_seconds = 600", "grace_seconds = -1", "from 0 to 86400"),
        ("[columns]", "[columns", "it is not TOML"),
        ('type = "type"', 'kind = "type"', "has no field kind"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(old: str, new: str, reason: str) -> None:
    assert old in GENERIC
    with pytest.raises(ProfileError, match=reason):
        read_profile("mine", GENERIC.replace(old, new, 1))


def test_a_word_that_goes_both_ways_needs_a_direction() -> None:
    text = GENERIC.replace('direction = "direction"\n', "").replace(
        '[directions]\ndebit = "debit"\ncredit = "credit"\n', ""
    )
    with pytest.raises(ProfileError, match="which way correction goes cannot be told"):
        read_profile("mine", text)
    signed = read_profile("mine", text.replace('sign = "unsigned"', 'sign = "player"'))
    read = line_reader(signed, [name for name in HEADER if name != "direction"], {})
    line = read(2, ["t", "u", "e", "correction", "-5.00", "USD", "2026-03-01T00:00:00Z", "done"])
    assert line is not None
    assert (line.direction, line.amount) == ("debit", "-5.00")


def test_no_profile_is_found_outside_of_what_is_named(tmp_path: Path) -> None:
    for name in ("nothing", str(tmp_path), "../generic", "a\0b"):
        with pytest.raises(ProfileError, match=r"There is no profile|is not TOML"):
            load_profile(name)


CELLS = ("t", "u", "e", "bet", "debit", "100.50", "USD", "2026-03-01T10:00:00Z", "done")


@pytest.mark.parametrize(
    ("settings", "written", "amount"),
    [
        ({}, "100.50", "-100.50"),
        ({"unit": '"minor"'}, "10050", "-100.50"),
        ({"unit": '"minor"'}, "5", "-0.05"),
        ({"unit": '"hundred_thousandth"'}, "10050000", "-100.50000"),
        ({"unit": '"hundred_thousandth"'}, "1", "-0.00001"),
        ({"decimal": '","', "thousands": '"."'}, "1.234,56", "-1234.56"),
        ({"thousands": '","'}, "1,234,567.8", "-1234567.8"),
        ({"thousands": '","'}, "12", "-12"),
        ({"sign": '"house"'}, "7", "-7"),
        ({"sign": '"house"'}, "-7", "7"),
        ({"sign": '"player"'}, "-7", "-7"),
    ],
)
def test_amounts_are_exact_in_every_unit(
    settings: dict[str, str], written: str, amount: str
) -> None:
    read = line_reader(profile(**settings), HEADER, {"USD": 2})
    line = read(2, [*CELLS[:5], written, *CELLS[6:]])
    assert line is not None
    assert line.amount == amount
    assert Decimal(line.amount) == Decimal(amount)


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"unit": '"minor"'}, "100.5"),
        ({"thousands": '","'}, "1,23"),
        ({"thousands": '","'}, "1,2345"),
        ({"decimal": '","'}, "1.5"),
        ({}, "1.2.3"),
        ({}, " 1"),
        ({}, "+1"),
        ({}, "١"),
    ],
)
def test_an_amount_in_another_unit_is_refused(settings: dict[str, str], written: str) -> None:
    read = line_reader(profile(**settings), HEADER, {"USD": 2})
    with pytest.raises(LineError):
        read(2, [*CELLS[:5], written, *CELLS[6:]])


@pytest.mark.parametrize(
    ("pattern", "zone", "written", "moment"),
    [
        ("iso", "UTC", "2026-03-29 01:30:00", "2026-03-29T01:30:00+00:00"),
        ("iso", "Europe/Berlin", "2026-03-29T03:30:00", "2026-03-29T03:30:00+02:00"),
        ("iso", "Europe/Berlin", "2026-03-29T03:30:00Z", "2026-03-29T03:30:00+00:00"),
        ("%d.%m.%Y %H:%M:%S", "UTC", "01.03.2026 10:00:00", "2026-03-01T10:00:00+00:00"),
        ("%Y%m%d%H%M%S.%f", "UTC", "20260301100000.25", "2026-03-01T10:00:00.250000+00:00"),
        ("%m/%d/%Y", "UTC", "3/1/2026", "2026-03-01T00:00:00+00:00"),
        ("unix", "UTC", "1772359200.123456", "2026-03-01T10:00:00.123456+00:00"),
        ("unix_ms", "UTC", "1772359200123", "2026-03-01T10:00:00.123000+00:00"),
    ],
)
def test_times_are_read_as_the_profile_says(
    pattern: str, zone: str, written: str, moment: str
) -> None:
    read = time_reader(profile(time=f'"{pattern}"', zone=f'"{zone}"'))
    assert read(written) == moment


@pytest.mark.parametrize("pattern", ["%d.%m %H:%M", "%Y-%m-%d %q", "%Y-%Y-%m-%d", "soon"])
def test_a_pattern_that_names_no_day_is_refused(pattern: str) -> None:
    with pytest.raises(LineError):
        time_reader(profile(time=f'"{pattern}"'))
