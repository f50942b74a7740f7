"""Which names a new account may have: none that looks like another one."""

import unicodedata

import pytest

from app.wallet.identifiers import may_name_account

FIT = ("anna", "Anna 2", "안나", "Ångström", "אנה", "प्रिया", "u:1/2", "x" * 250, "🎲")

UNFIT_NAMES = (
    " anna",
    "anna ",
    "\u00a0anna",
    "anna\u3000",
    "an\u202ena",
    "an\u200bna",
    "an\u00adna",
    "\ufeffanna",
    "an\u2028na",
    "anna\u3164",
    "anna\u2800",
    "anna\ufe0f",
    "anna\U000e0101",
    "an\U000e0061na",
    unicodedata.normalize("NFD", "Ångström"),
    "\u212bngstrom",
)


@pytest.mark.parametrize("name", FIT)
def test_a_name_that_is_seen_as_it_is(name: str) -> None:
    assert may_name_account(name)


@pytest.mark.parametrize("name", ["", "x" * 251, "an\tna", "an\x85na", *UNFIT_NAMES])
def test_a_name_that_could_be_taken_for_another(name: str) -> None:
    assert not may_name_account(name)
