"""The operator's console: `wallet`, or `python -m app`. Here the house is put together for it."""

import sys

from app.ops.cli import House, run_console
from app.settings import Settings


def build_app(settings: Settings, database_url: str) -> object:
    """Build the server's application; imported when somebody serves, since it takes a while."""
    from app.main import build_app as build  # noqa: PLC0415 — other commands start faster

    return build(settings, database_url)


def main() -> None:
    """Run one command."""
    sys.exit(run_console(House(build_app)))


if __name__ == "__main__":
    main()
