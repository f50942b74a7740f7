"""Every command of the console, and command lines that give one parameter a hostile value."""

from collections.abc import Iterator, Mapping
from typing import Final

from typer._click.core import Command
from typer.core import TyperGroup

from app.console.cli import commands
from app.console.deferred import Deferred

NOISE: Final = "noise.bin"
DEEP: Final = "deep.json"
REPORT: Final = "report.csv"
PROOF: Final = "proof.json"
SEAL_KEY: Final = "seal.key"
SEAL_KEY_PUBLIC: Final = f"{SEAL_KEY}.pub"
"""Files in the folder of the fuzz; the test lays them there."""

HOSTILE: Final = (
    *("", " ", "-", "--", "-1", "0", "1", "7.001", "1e400", "NaN", "9" * 400, "9" * 5000, "٣"),
    *("[/b]", "[red]x", "a:id:7", "{", "[" * 100_000, "=", ":=", "a=b", "x:=[[", "x.y:=1"),
    *("\x1b[2J", "\x9b2J", "a\nb", "\u202egnp", "\udcff", "\x00", "x" * 251, "Ω😀", "a b"),
    *("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.9999999Z", "2020-01-01", "2199-01-01"),
    *("callback", "Callback", "demo", "../../etc", "PATH", "USD", "stake_day=1", "stake_day=-1"),
    *("http://a..b", "http://[::1", "http://127.0.0.1:1", "http://127.0.0.1:99999", "ftp://x"),
    *(".", "/dev/full", "/dev/null/x", NOISE, DEEP, "t-1", "fuzzed"),
)

ORDINARY: Final = {
    "user_id": "fuzzed",
    "amount": "1.00",
    "currency": "USD",
    "nickname": "Nick",
    "transaction_id": "t-1",
    "event_id": "e-1",
    "operation": "account/balance",
    "number": "1",
    "direction": "credit",
    "reason": "goodwill",
    "ticket": "T-1",
    "note": "done",
    "text": "full",
    "method": "getBalance",
    "given": "0" * 64,
    "found_id": "t-1",
    "event": "e-1",
    "shell": "bash",
    "agent": "house",
    "name": "anna.b",
    "zone": "UTC",
    "game_id": "1037566",
    "product": "casino",
    "until": "2199-01-01",
    "hold": "h-1",
    "day": "2026-01-01",
    "report": REPORT,
    "profile": "generic",
    "file": PROOF,
    "key": SEAL_KEY_PUBLIC,
    "settings change name": "stake_order",
    "settings change value": "real_first",
    "seal key file": "another.key",
}
"""What the required parameters are when another one is hostile; by command where they differ."""

OPTIONS: Final[Mapping[str, tuple[frozenset[str], tuple[str, ...]]]] = {
    "tail": (frozenset({"seconds"}), ("--seconds", "0")),
    "deliveries replay": (frozenset({"after", "everything"}), ("--all",)),
    "shadow": (frozenset({"file", "begin"}), ("--begin",)),
    "user add": (frozenset({"roles"}), ("--role", "support")),
}
"""Options without which a command is not tried itself, unless one of these is hostile.

`tail` would follow for ever.
"""

NOBODY: Final = "http://127.0.0.1:1"


def leaves(command: Command, path: str = "") -> Iterator[tuple[str, Command]]:
    """Every command that does something, by its words."""
    if isinstance(command, Deferred):
        command = command.command
    if isinstance(command, TyperGroup):
        if command.invoke_without_command:
            yield path, command
        for name, child in command.commands.items():
            yield from leaves(child, f"{path} {name}".strip())
    else:
        yield path, command


COMMANDS: Final = dict(leaves(commands()))


def ordinary(path: str, name: str) -> str:
    """A value that the parameter may have, so that the hostile one is what is tried."""
    return ORDINARY.get(f"{path} {name}", ORDINARY.get(name, "1"))


def line_for(path: str, hostile: Mapping[str, str]) -> list[str]:
    """The command line that gives some parameters hostile values."""
    options, arguments = [], []
    names = {parameter.name for parameter in COMMANDS[path].params}
    if "url" in names and "url" not in hostile:
        options += ["--url", NOBODY]
    unless, words = OPTIONS.get(path, (frozenset(), ()))
    if not unless & set(hostile):
        options += words
    for parameter in COMMANDS[path].params:
        name = parameter.name or ""
        if name in hostile:
            given = hostile[name]
        elif parameter.required:
            given = ordinary(path, name)
        else:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(given)
        elif getattr(parameter, "is_flag", False):
            options.append(f"{parameter.opts[0]}={given}")
        else:
            options += [parameter.opts[0], given]
    return [*path.split(), *options, "--", *arguments]
