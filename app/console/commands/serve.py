"""`wallet serve`: starts the database, then the server, and stops them in reverse order."""

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from app.console.commands.seals import sealer_of
from app.console.composition import Composition
from app.console.data_owner import claim
from app.console.database import Database, ready_database
from app.console.demo import open_demo
from app.console.errors import OutputLostError
from app.console.output.printer import say as say_once
from app.server.private_port import check_private_ports
from app.server.serving import BuildApp, run_server, take_address
from app.settings import Settings, load_settings

Say = Callable[[str], None]

Demo = Annotated[
    bool, typer.Option("--demo", help="With a demo operator, its players and public keys.")
]


def serve_command(context: typer.Context, demo: Demo = False) -> None:
    """Serve the two contracts; with no database named, on an embedded PostgreSQL."""
    settings = load_settings(demo=demo)
    serve(settings, context.ensure_object(Composition).application(), _announce)


def serve(settings: Settings, build_app: BuildApp, say: Say) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop what we started."""
    # SIGTERM stops us as Ctrl-C does, so that `with` blocks clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if settings.seal_key is not None:
        # A key that cannot be used is said here, and not by every process that serves.
        sealer_of(settings)
    try:
        check_private_ports(settings.private_host, settings.private_port, settings.workers)
        with (
            take_address(settings.host, settings.port) as listening,
            ready_database(settings, own=True) as database,
        ):
            if database.embedded is not None:
                claim(database.embedded.data_dir, settings)
            words = _demo(settings, database, listening) if settings.demo else _plain(listening)
            run_server(settings, database.service_url, build_app, listening, lambda: say(words))
    except KeyboardInterrupt:
        pass
    say("Stopped.")


def address_of(listening: socket.socket) -> str:
    """Return the address as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(words: str) -> None:
    """Print something while serving, which continues even if it cannot be written."""
    with suppress(OutputLostError):
        say_once(words)


def _plain(listening: socket.socket) -> str:
    """Say where we listen."""
    return f"The wallet listens on {address_of(listening)}"


def _demo(settings: Settings, database: Database, listening: socket.socket) -> str:
    """Open the demo's accounts, and return its banner."""
    return open_demo(settings, database, address_of(listening))
