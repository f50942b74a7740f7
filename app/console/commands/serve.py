"""`wallet serve`: starts the database, then the server, and stops them in reverse order."""

import signal
import socket
from collections.abc import Callable
from typing import Annotated

import typer

from app.console.betby_demo import with_betby
from app.console.commands.backoffice import BuildBackoffice, backoffice_beside
from app.console.commands.seals import sealer_of
from app.console.composition import Composition
from app.console.data_owner import claim
from app.console.database import ready_database
from app.console.demo import open_demo
from app.console.output.printer import announce
from app.server.private_port import check_private_ports
from app.server.serving import BuildApp, address_of, run_server, take_address
from app.settings import Settings, load_settings

Say = Callable[[str], None]

Demo = Annotated[
    bool, typer.Option("--demo", help="With a demo operator, its players and public keys.")
]


def serve_command(context: typer.Context, demo: Demo = False) -> None:
    """Serve the two contracts; with no database named, on an embedded PostgreSQL."""
    settings = load_settings(demo=demo)
    composition = context.ensure_object(Composition)
    office = composition.backoffice() if settings.demo else None
    serve(settings, composition.application(), office, announce)


def serve(
    settings: Settings, build_app: BuildApp, build_backoffice: BuildBackoffice | None, say: Say
) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop what we started; the demo has its back office."""
    # SIGTERM stops us as Ctrl-C does, so that `with` blocks clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if settings.seal_key is not None:
        # A key that cannot be used is said here, and not by every process that serves.
        sealer_of(settings)
    try:
        check_private_ports(settings.private_host, settings.private_port, settings.workers)
        with (
            take_address(settings.host, settings.port) as listening,
            ready_database(settings, own=True, tell=say) as database,
            backoffice_beside(settings, database, build_backoffice) as backoffice,
        ):
            if database.embedded is not None:
                claim(database.embedded.data_dir, settings)
            if backoffice is None:
                words = _plain(listening)
            else:
                if database.embedded is not None:
                    settings = with_betby(settings, database.embedded.data_dir)
                say("Opening the demo's players …")
                words = open_demo(settings, database, address_of(listening), address_of(backoffice))
            say("Starting the server …")
            run_server(settings, database.service_url, build_app, listening, lambda: say(words))
    except KeyboardInterrupt:
        pass
    say("Stopped.")


def _plain(listening: socket.socket) -> str:
    """Say where we listen."""
    return f"The wallet listens on {address_of(listening)}"
