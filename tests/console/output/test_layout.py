import io

import pytest
from rich.console import Console

from app.console.output.layout import Facts, Rows

LONG_ID = "tx-" + "0123456789" * 24 + "-end"


def laid_out(part: Facts | Rows, width: int, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width, markup=False, emoji=False).print(part, crop=False)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [1, 20, 40, 80, 99, 100, 240])
def test_an_id_is_never_wrapped_nor_cut_off(width: int) -> None:
    rows = [(LONG_ID, "1.00"), ("short", "2.00")]
    assert LONG_ID in laid_out(Rows(LONG_ID, ("id", "amount"), rows), width)
    shown = laid_out(Facts(f"About {LONG_ID}", {"id": LONG_ID}), width)
    assert f"About {LONG_ID}" in shown
    assert f"id  {LONG_ID}" in shown


@pytest.mark.parametrize("width", [40, 80, 99])
def test_below_a_hundred_columns_every_row_is_a_block(width: int) -> None:
    shown = laid_out(Rows("Rows", ("id", "amount"), [("a", "1.00"), ("b", None)]), width)
    assert shown.splitlines() == ["Rows", "id      a", "amount  1.00", "", "id  b"]


def test_from_a_hundred_columns_rows_stand_side_by_side_if_they_fit() -> None:
    rows = [("a", "1.00", ("accepted", "late"))]
    shown = laid_out(Rows("Rows", ("id", "amount", "why"), rows, amounts="amount"), 100)
    assert "a" in shown
    assert "accepted; late" in shown
    assert "┃" in shown
    fitting = laid_out(Rows("", ("a", "b"), [("x" * 60, "y" * 60)]), 100)
    assert "┃" not in fitting


@pytest.mark.parametrize("width", [40, 80])
def test_a_sentence_is_wrapped_between_words(width: int) -> None:
    sentence = "The player owes what was missing: this movement must succeed, whatever is there."
    shown = laid_out(Facts("", {"why": (sentence, "Nothing moved.")}), width)
    assert all(len(line) <= width for line in shown.splitlines())
    assert " ".join(shown.split()) == f"why {sentence} Nothing moved."


def test_no_text_is_read_as_markup_or_a_terminals_command() -> None:
    for foreign in ("a[/b]c", "[red]x", "tx:id:7", "[link=http://x]y[/link]"):
        rows = Rows(foreign, (foreign,), [(foreign,)])
        for shown in (laid_out(rows, 240), laid_out(rows, 80)):
            assert shown.count(foreign) == 3
        assert laid_out(Facts(foreign, {foreign: foreign}), 80).count(foreign) == 3
    shown = laid_out(Facts("\x1b[2J", {"mail": "\x1b]0;owned\x07", "name": "\u202egnp"}), 80)
    assert shown.replace("\n", "").isprintable()


def test_a_table_has_a_frame_that_the_encoding_can_write() -> None:
    assert laid_out(Rows("Rows", ("id",), [("a",)]), 240, "ascii").isascii()
