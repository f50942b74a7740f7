"""`wallet completion`: what a shell needs to complete commands and options."""

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script

from app.console.output.printer import write_out

NAME = "wallet"
VARIABLE = "_WALLET_COMPLETE"


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion_command(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that makes a shell complete commands and options: `source` it."""
    script = get_completion_script(prog_name=NAME, complete_var=VARIABLE, shell=shell.value)
    write_out(script.strip("\n") + "\n")
