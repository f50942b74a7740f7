"""`wallet serve` with a clock that can be moved: `python -m tests.torture.entry FILE`.

The file holds by how many seconds the service's clock is off; it may change at any moment.
"""

import functools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.__main__ import backoffice, contracts, delivery, projection, shadow
from app.composition.service import build_app
from app.console.cli import run_console
from app.console.composition import Composition
from app.server.port import Served
from app.server.serving import BuildApp
from app.settings import Settings


def clock(file: Path) -> datetime:
    """What time it is, as far as the file goes."""
    return datetime.now(UTC) + timedelta(seconds=int(file.read_text(encoding="ascii")))


def build(file: Path, settings: Settings, database_url: str) -> Served:
    """Return the builder of the application, with this clock."""
    timed = functools.partial(clock, file)
    return build_app(settings, database_url, clock=timed, private_port=True)


def application() -> BuildApp:
    """Return the builder of the server's application."""
    return functools.partial(build, Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(
        run_console(
            Composition(application, backoffice, delivery, projection, shadow, contracts), ["serve"]
        )
    )
