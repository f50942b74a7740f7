"""The parts of the composition root that the console's commands need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from app.cashier.disputes import Contracts
    from app.console.commands.backoffice import BuildBackoffice
    from app.server.serving import BuildApp
    from app.settings import Settings
    from app.takeover.shadow import Deciding, TrafficClock

    Deliver = Callable[[Settings, str, Callable[[], None]], Coroutine[object, object, None]]

    class Project(Protocol):
        """Projects bet slips until it is stopped."""

        def __call__(
            self,
            settings: Settings,
            database_url: str,
            announce: Callable[[], None],
            *,
            from_zero: bool,
        ) -> Coroutine[object, object, None]:
            """Announce it, and begin; `from_zero`: with the beginning of the journal."""

    Shadowing = Callable[[Settings, str, TrafficClock], AbstractAsyncContextManager[Deciding]]


@dataclass(frozen=True, slots=True)
class Composition:
    """What is put together above the console."""

    application: "Callable[[], BuildApp]"
    """Returns the builder of the server's application; called only by `wallet serve`."""

    backoffice: "Callable[[], BuildBackoffice]"
    """Returns the builder of the back office; called by `wallet backoffice`, and for the demo."""

    delivery: "Callable[[], Deliver]"
    """Returns what delivers webhooks until it is stopped; called only by `wallet deliver`."""

    projection: "Callable[[], Project]"
    """Returns what projects bet slips until it is stopped; called only by `wallet project`."""

    shadow: "Callable[[], Shadowing]"
    """Returns what decides another wallet's traffic; called only by `wallet shadow`."""

    contracts: "Callable[[], Contracts]"
    """Returns what the contracts say about the past; called only by `wallet dispute`."""
