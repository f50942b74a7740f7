"""The operator's console: `wallet`, or `python -m app`."""

import sys

from app.console.cli import Composition, run_console
from app.console.commands.backoffice import BuildBackoffice
from app.server.serving import BuildApp


def application() -> BuildApp:
    """Return the builder of the server's application, which takes a while to import."""
    from app.main import build_serving_app  # noqa: PLC0415 — the other commands start faster

    return build_serving_app


def backoffice() -> BuildBackoffice:
    """Return the builder of the back office, which takes a while to import."""
    from app.main import build_backoffice  # noqa: PLC0415 — the other commands start faster

    return build_backoffice


def main() -> None:
    """Run one command."""
    sys.exit(run_console(Composition(application, backoffice)))


if __name__ == "__main__":
    main()
