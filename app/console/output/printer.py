"""How the console speaks: tables and colours for people on a terminal, JSON for programs.

Amounts are printed as exact texts; a program that reads them as floats does so on its own account.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

WIDTH_WITHOUT_TERMINAL = 240
"""Into a file or a pipe nothing is cut off at the eightieth column."""


def screen(*, error: bool = False) -> Console:
    """Standard output or error: as wide as the terminal, or wide enough where there is none."""
    is_terminal = (sys.stderr if error else sys.stdout).isatty()
    return Console(
        stderr=error, highlight=False, width=None if is_terminal else WIDTH_WITHOUT_TERMINAL
    )


def say(words: str) -> None:
    """Say something to whoever sits at the console, at once, also through a pipe."""
    print(words, flush=True)


def complain(words: object) -> None:
    """Say what went wrong, where complaints go."""
    print(words, file=sys.stderr, flush=True)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document for a program."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def facts_table(title: str, facts: Mapping[str, object]) -> Table:
    """A table of two columns: what it is, and how it is. Facts that are None are left out."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact is not None:
            table.add_row(name, escape(str(fact)))
    return table


def rows_table(
    title: str, headings: Iterable[str], rows: Iterable[Iterable[object]], *, amounts: str = ""
) -> Table:
    """A table of rows; headings that `amounts` names (words apart by blanks) stand to the right."""
    to_the_right = set(amounts.split())
    table = Table(title=title, title_justify="left")
    for heading in headings:
        justify = "right" if heading in to_the_right else "left"
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    return table
