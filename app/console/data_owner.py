"""The owner of a data folder: the demo, or an operator with agents of their own.

`wallet serve` notes it in the embedded database's folder. Without the note a console without keys
would use the demo's agent, and open players of it beside a real server; and a player's agent never
changes.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.cashier.lookups import find_agent_beside
from app.console.errors import ConsoleError
from app.ledger.simulated import SIMULATOR_AGENT
from app.ledger.transaction import Ledger
from app.settings import DEMO_AGENT_ID, Settings, agent_fault, load_console_settings

NOTE: Final = "served-as.json"

DEMO_AGENTS: Final = (DEMO_AGENT_ID, SIMULATOR_AGENT)
"""The agents whose players the demo may have; others must not be served under public keys."""


class DataOwner(NamedTuple):
    """The owner under which the data were last served."""

    is_demo: bool
    agents: tuple[str, ...]


def console_settings() -> Settings:
    """Read the settings of a command beside a server; the demo's only on data that may be its."""
    settings = load_console_settings()
    if settings.demo and settings.database_url is None:
        owner = owner_of(settings.data_dir)
        if owner is not None and not owner.is_demo:
            return load_console_settings(may_be_demo=False)
    return settings


def known_agents(settings: Settings) -> tuple[str, ...]:
    """Return the agents of the settings, else those that the data were served for."""
    if settings.agents or settings.database_url is not None:
        return tuple(sorted(settings.agents))
    owner = owner_of(settings.data_dir)
    return () if owner is None else owner.agents


def claim(folder: Path, settings: Settings) -> None:
    """Note as whom the data are served; refuse the demo's as anything else, and the reverse."""
    owner = owner_of(folder)
    if owner is not None and owner.is_demo != settings.demo:
        whose = "the demo's" if owner.is_demo else "not the demo's"
        raise ConsoleError(
            f"The data in {folder} are {whose}: name another folder with WALLET_DATA_DIR."
        )
    _write(folder / NOTE, {"demo": settings.demo, "agents": sorted(settings.agents)})


def owner_of(folder: Path) -> DataOwner | None:
    """Read the note of a data folder; None: it has none, or none that we may read."""
    try:
        text = (folder.expanduser() / NOTE).read_text(encoding="utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError):
        # Whatever is wrong with the folder is told when the database is opened.
        return None
    try:
        note = json.loads(text)
        return DataOwner(note["demo"] is True, tuple(_agents(note["agents"])))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConsoleError(
            f"{folder / NOTE} is not as `wallet serve` wrote it: remove it, and start the server."
        ) from error


async def refuse_beside_others(ledger: Ledger) -> None:
    """Raise if the data hold players of an agent that is not the demo's."""
    other = await find_agent_beside(ledger, DEMO_AGENTS)
    if other is not None:
        raise ConsoleError(
            f"These data hold players of the agent {other}, and the demo's keys are known "
            "to everybody: name another folder with WALLET_DATA_DIR."
        )


def _agents(names: Iterable[Any]) -> Iterable[str]:
    for name in names:
        if not isinstance(name, str) or agent_fault(name) is not None:
            raise TypeError
        yield name


def _write(path: Path, note: dict[str, Any]) -> None:
    """Replace the note whole: a command beside us reads the old one or the new one."""
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(note) + "\n", encoding="utf-8")
        os.replace(fresh, path)  # noqa: PTH105 - a rename that replaces
    except OSError as error:
        raise ConsoleError(f"{path} cannot be written: {error.strerror or error}.") from error
