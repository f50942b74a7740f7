"""Facts and rows for people, within the width there is; nothing is cut off, and an id stays whole.

A text is one line whatever its length, so that an id can be copied from a narrow terminal. A tuple
holds sentences of ours, which are wrapped between words. Rows that do not fit side by side become a
block each. No text is read as markup.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final, TypeAlias

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from app.visible import visible

Fact: TypeAlias = object
"""Shown as `str` shows it; a tuple of sentences, one below the other; None is left out."""

SENTENCE_WIDTH_MIN: Final = 20
"""However narrow the terminal is."""

WIDTH_OF_TABLES_MIN: Final = 100
"""Below this many columns every row is a block, so that all rows of a kind look alike there."""

GAP: Final = 2
UNBOUNDED: Final = 1_000_000


def line(text: str, style: str = "") -> Text:
    """One line that is neither wrapped nor cut off."""
    return Text(visible(text), style=style, no_wrap=True, overflow="ignore")


class Facts:
    """Facts below a title, one a line, their names to the left."""

    def __init__(self, title: str, facts: Mapping[str, Fact]) -> None:
        self.title = title
        self.facts = {name: fact for name, fact in facts.items() if fact is not None}

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the facts out."""
        if self.title:
            yield line(self.title, "bold")
        indent = max(map(len, self.facts), default=0) + GAP
        room = max(options.max_width - indent, SENTENCE_WIDTH_MIN)
        for name, fact in self.facts.items():
            label = visible(name)
            for shown in _lines(fact, room) or [""]:
                text = line("")
                text.append(label.ljust(indent), "dim")
                yield text.append(shown)
                label = ""


class Rows:
    """Rows below a title: a table where they fit side by side, else a block each."""

    def __init__(
        self,
        title: str,
        headings: Iterable[str],
        rows: Iterable[Sequence[Fact]],
        *,
        amounts: str = "",
    ) -> None:
        """`amounts` names the headings (words apart by blanks) that stand to the right."""
        self.title = title
        self.headings = tuple(headings)
        self.rows = [tuple(row) for row in rows]
        self.amounts = set(amounts.split())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the layout that fits."""
        if self.title:
            yield line(self.title, "bold")
        table = self._table()
        width = Measurement.get(console, options.update(max_width=UNBOUNDED), table).maximum
        if options.max_width >= WIDTH_OF_TABLES_MIN and width <= options.max_width:
            yield table
        else:
            yield from self._blocks()

    def _table(self) -> Table:
        table = Table()
        for heading in self.headings:
            justify = "right" if heading in self.amounts else "left"
            table.add_column(line(heading), justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for row in self.rows:
            table.add_row(*(line(_side_by_side(cell)) for cell in row))
        return table

    def _blocks(self) -> Iterator[RenderableType]:
        for number, row in enumerate(self.rows):
            if number:
                yield ""
            cells = zip(self.headings, row, strict=True)
            yield Facts("", {name: cell for name, cell in cells if cell != ""})


def _lines(fact: Fact, room: int) -> list[str]:
    if not isinstance(fact, tuple):
        return [visible(str(fact))]
    return [
        part
        for sentence in fact
        for part in wrap(
            visible(str(sentence)), room, break_long_words=False, break_on_hyphens=False
        )
    ]


def _side_by_side(cell: Fact) -> str:
    if cell is None:
        return ""
    return "; ".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
