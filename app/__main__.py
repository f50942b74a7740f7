"""The operator's console: `wallet`, or `python -m app`."""

import sys
from typing import TYPE_CHECKING

from app.console.cli import run_console
from app.console.composition import Composition

if TYPE_CHECKING:
    from app.cashier.disputes import Contracts
    from app.console.commands.backoffice import BuildBackoffice
    from app.console.composition import Deliver, Project, Shadowing
    from app.server.serving import BuildApp


def application() -> "BuildApp":
    """Return the builder of the server's application, which takes a while to import."""
    from app.composition.service import build_serving_app  # noqa: PLC0415 — the other commands start faster

    return build_serving_app


def backoffice() -> "BuildBackoffice":
    """Return the builder of the back office, which takes a while to import, too."""
    from app.composition.backoffice import build_backoffice  # noqa: PLC0415 — the other commands start faster

    return build_backoffice


def delivery() -> "Deliver":
    """Return what delivers webhooks, which takes a while to import."""
    from app.composition.deliverer import deliver  # noqa: PLC0415 — the other commands start faster

    return deliver


def projection() -> "Project":
    """Return what projects bet slips, which takes a while to import."""
    from app.composition.projector import project  # noqa: PLC0415 — the other commands start faster

    return project


def shadow() -> "Shadowing":
    """Return what decides another wallet's traffic, which takes a while to import."""
    from app.composition.shadow import shadowing  # noqa: PLC0415 — the other commands start faster

    return shadowing


def contracts() -> "Contracts":
    """Return what the contracts say about the past, which takes a while to import, too."""
    from app.composition.past import past_of_all  # noqa: PLC0415 — the other commands start faster

    return past_of_all()


def main() -> None:
    """Run one command."""
    sys.exit(
        run_console(Composition(application, backoffice, delivery, projection, shadow, contracts))
    )


if __name__ == "__main__":
    main()
