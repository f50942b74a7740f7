import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.visible import visible, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tx[/b]1", "tx[/b]1"),
        ("[red]x", "[red]x"),
        ("tx:id:7", "tx:id:7"),
        ("Zoë Ω 玩家 😀", "Zoë Ω 玩家 😀"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("a\u200bb\u2066c\ufeff", r"a\u200bb\u2066c\ufeff"),
        ("a\nb\rc\td\x00", r"a\nb\rc\td\x00"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("\u2028", r"\u2028"),
    ],
)
def test_a_text_is_shown_as_it_is_and_what_does_not_print_as_its_escape(
    text: str, shown: str
) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_whatever_comes_in_what_is_shown_prints(text: str) -> None:
    assert visible(text).isprintable()


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters())))
def test_json_stays_the_same_document_and_prints(document: dict[str, str]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    for ascii_only in (False, True):
        shown = visible_json(text, ascii_only=ascii_only)
        assert json.loads(shown) == document
        assert shown.replace("\n", "").isprintable()
        assert shown.isascii() or not ascii_only
