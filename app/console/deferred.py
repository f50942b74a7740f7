"""Commands that are listed by name and summary, and whose code is imported when one is invoked.

Importing the code of every command takes more than a second, and every command would wait for it.
The list stands in `command_table`; `wallet --help`, the help of a group and the completion of names
need nothing else.
"""

from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer._click.core import Command, Context
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

FOLDER = "app.console.commands"


class Row(NamedTuple):
    """A command, or a group of commands, as it is listed."""

    words: str
    """what is typed: `player show`"""
    code: str
    """where it is, as `module:attribute`: a function, or the Typer of its group"""
    summary: str


class Deferred(TyperCommand):
    """A command whose code is not imported yet."""

    def __init__(self, row: Row, panel: str | None = None) -> None:
        name = row.words.rpartition(" ")[2]
        super().__init__(name=name, help=row.summary, rich_help_panel=panel)
        self._row = row

    @cached_property
    def command(self) -> Command:
        """The command itself; its code is imported now."""
        module, _, attribute = self._row.code.partition(":")
        found = getattr(import_module(f"{FOLDER}.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            return group.commands[self.name or ""] if " " in self._row.words else group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)

    @override
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Context | None = None,
        **extra: Any,
    ) -> Context:
        # What follows asks the context for its command, and so never comes back here.
        return self.command.make_context(info_name, args, parent=parent, **extra)


def add_rows(root: TyperGroup, rows: tuple[Row, ...], panel: str) -> None:
    """List commands and groups under a heading; a group's row comes before its commands'."""
    groups = {row.words.partition(" ")[0] for row in rows if " " in row.words}
    for row in rows:
        group_name, _, name = row.words.partition(" ")
        if name:
            group = root.commands[group_name]
            if not isinstance(group, TyperGroup):
                raise TypeError(f"{group_name} has commands, and its row must come before theirs")
            group.add_command(Deferred(row))
        elif row.words in groups:
            root.add_command(
                TyperGroup(
                    name=row.words, help=row.summary, no_args_is_help=True, rich_help_panel=panel
                )
            )
        else:
            root.add_command(Deferred(row, panel))
