"""The operator's console: `wallet`, or `python -m app`."""

import sys
from typing import TYPE_CHECKING

from app.console.cli import run_console
from app.console.composition import Composition

if TYPE_CHECKING:
    from app.server.serving import BuildApp


def application() -> "BuildApp":
    """Return the builder of the server's application, which takes a while to import."""
    from app.main import build_serving_app  # noqa: PLC0415 — the other commands start faster

    return build_serving_app


def main() -> None:
    """Run one command."""
    sys.exit(run_console(Composition(application)))


if __name__ == "__main__":
    main()
