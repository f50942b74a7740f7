"""The parts of the composition root that the console's commands need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.cashier.disputes import Contracts
    from app.console.commands.backoffice import BuildBackoffice
    from app.server.serving import BuildApp


@dataclass(frozen=True, slots=True)
class Composition:
    """What is put together above the console."""

    application: "Callable[[], BuildApp]"
    """Returns the builder of the server's application; called only by `wallet serve`."""

    backoffice: "Callable[[], BuildBackoffice]"
    """Returns the builder of the back office; called by `wallet backoffice`, and for the demo."""

    contracts: "Callable[[], Contracts]"
    """Returns what the contracts say about the past; called only by `wallet dispute`."""
