"""`wallet backoffice`: the pages, in a process of their own; the demo starts one beside it."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, TypeAlias

import typer

from app.console.composition import Composition
from app.console.data_owner import console_settings
from app.console.database import Database, ready_database
from app.console.errors import ConsoleError
from app.console.output.printer import announce
from app.postgres.child import die_with
from app.server.port import Served
from app.server.serving import address_of, run_alone, take_address
from app.settings import Settings

BuildBackoffice: TypeAlias = Callable[[Settings, str, str], Served]
"""Builds the back office from the address of the service's role and that of the reading one."""

CONNECTIONS_MAX: Final = 256
"""A browser opens some six; the operator's people are few."""

GOODBYE_SECONDS: Final = 8
"""How long the demo waits for its back office to end, which finishes its pages first."""


def backoffice_command(context: typer.Context) -> None:
    """Serve the back office: the pages of support, risk, finance and compliance."""
    builder = context.ensure_object(Composition).backoffice
    serve_backoffice(console_settings(), builder, announce)


def serve_backoffice(
    settings: Settings, builder: Callable[[], BuildBackoffice], say: Callable[[str], None]
) -> None:
    """Serve the pages until Ctrl-C or SIGTERM; `builder` is called when there is a database."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            take_address(settings.backoffice_host, settings.backoffice_port) as listening,
            ready_database(settings) as database,
        ):
            words = f"The back office listens on {address_of(listening)}"
            ops_url = _ops_url(database)
            built = partial(builder(), settings, database.service_url, ops_url)
            _serve(built, listening, settings, lambda: say(words))
    except KeyboardInterrupt:
        pass
    say("Stopped.")


@contextmanager
def backoffice_beside(
    settings: Settings, database: Database, build: BuildBackoffice | None
) -> Iterator[socket.socket | None]:
    """Serve the pages in another process until the block ends; without `build`, do nothing."""
    if build is None:
        yield None
        return
    with take_address(settings.backoffice_host, settings.backoffice_port) as listening:
        built = partial(build, settings, database.service_url, _ops_url(database))
        process = multiprocessing.get_context("spawn").Process(
            target=_serve_beside, args=(built, listening, settings, os.getpid()), daemon=True
        )
        with _interrupts_ignored():
            process.start()
        try:
            yield listening
        finally:
            process.terminate()
            process.join(GOODBYE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join(GOODBYE_SECONDS)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, which a process that starts meanwhile inherits.

    The terminal sends it to both: one that is still importing would print where it was. The server
    takes it when it runs, and the parent ends the process in any case.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve_beside(
    build: Callable[[], Served], listening: socket.socket, settings: Settings, parent_pid: int
) -> None:
    """Serve in the process beside, which ends with its parent, however that ends."""
    die_with(parent_pid)
    with suppress(KeyboardInterrupt):
        _serve(build, listening, settings, lambda: None)


def _serve(
    build: Callable[[], Served],
    listening: socket.socket,
    settings: Settings,
    ready: Callable[[], None],
) -> None:
    run_alone(build, listening, ready, connections=CONNECTIONS_MAX, deadline=settings.deadline)


def _ops_url(database: Database) -> str:
    if database.ops_url is None:
        raise ConsoleError(
            "WALLET_OPS_DATABASE_URL is missing: name the database once more, as the role"
            " wallet_ops, which reads the views and nothing else."
        )
    return database.ops_url
