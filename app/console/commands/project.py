"""`wallet project`: keeps sports bets and their legs, in a process of its own, until stopped."""

from contextlib import suppress
from typing import Annotated

import typer
import uvloop

from app.console.composition import Composition
from app.console.database import reach, ready_database
from app.console.errors import OutputLostError
from app.console.output.printer import say
from app.settings import load_console_settings

FromZero = Annotated[
    bool, typer.Option("--from-zero", help="Read the whole journal again, from its beginning.")
]


def project_command(context: typer.Context, from_zero: FromZero = False) -> None:
    """Read bet slips out of what was decided, for reports and alarms, until stopped."""
    settings = load_console_settings()
    project = context.ensure_object(Composition).projection()
    with ready_database(settings) as database:

        def announce() -> None:
            with suppress(OutputLostError):
                say("Bet slips are read; the views ops.sport_… and ops.slip_… tell what they say.")

        reach(
            project(settings, database.service_url, announce, from_zero=from_zero),
            uvloop.new_event_loop,
        )
    with suppress(OutputLostError):
        say("Stopped.")
