"""A port: the application that it serves, and the factory of its connections.

A port's factories are called by uvicorn, once for the application and once for each connection;
what these share is kept here.
"""

from asyncio import Protocol
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.server.connections import NANOSECONDS, Connections
from app.server.fast_path import FastHandler, FastPath
from app.server.handover import attended
from app.server.http_connection import HttpConnection

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than callers' pools usually keep an idle connection (nginx: 60 seconds), so that callers
close first, and no request meets a connection that is being closed."""


class Served(NamedTuple):
    """The application, and the handler of the fast path if that is on."""

    app: ASGIApp
    fast_handler: FastHandler[Any] | None = None


class Port:
    """Builds the application, in the process that serves it, and makes its connections."""

    def __init__(
        self,
        build: Callable[[], Served],
        *,
        connections: int,
        deadline: timedelta,
        keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    ) -> None:
        """`connections` is how many there may be; `deadline` bounds the arrival of a head."""
        self._build = build
        self._connections = Connections(
            connections,
            deadline_ns=deadline // timedelta(microseconds=1) * 1000,
            keep_alive_ns=keep_alive_seconds * NANOSECONDS,
        )
        self._fast_path: FastPath[Any] | None = None

    def application(self) -> ASGIApp:
        """Build the application; this is uvicorn's factory."""
        served = self._build()
        if served.fast_handler is not None:
            self._fast_path = FastPath(served.fast_handler)
        return attended(served.app)

    def connection(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: object = None,
    ) -> Protocol:
        """Make a connection; this replaces uvicorn's protocol factory."""
        return HttpConnection(config, server_state, app_state, self._connections, self._fast_path)

    def config(self, **options: Any) -> Config:  # noqa: ANN401 - uvicorn's options
        """Configure uvicorn for this port."""
        return Config(
            self.application,
            factory=True,
            interface="asgi3",
            http=self.connection,  # type: ignore[arg-type]  # it is called as a class would be
            ws="none",
            # The edges write the access log, and decide whether to trust X-Forwarded-For.
            access_log=False,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            **options,
        )
