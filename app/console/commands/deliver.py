"""`wallet deliver`: numbers events and sends webhooks, in a process of its own, until stopped."""

from contextlib import suppress

import typer
import uvloop

from app.console.composition import Composition
from app.console.database import reach, ready_database
from app.console.errors import OutputLostError
from app.console.output.printer import say
from app.settings import load_console_settings
from app.settings_parsing import SettingsError


def deliver_command(context: typer.Context) -> None:
    """Send webhooks of what happens to the endpoints of WALLET_WEBHOOKS, until stopped."""
    settings = load_console_settings()
    if not settings.webhooks:
        raise SettingsError(
            "WALLET_WEBHOOKS names no endpoint: set it to a JSON object such as "
            '{"my-agent": {"url": "https://…", "secret": "whsec_…"}}; '
            "`wallet agent webhook-secret` makes a secret."
        )
    deliver = context.ensure_object(Composition).delivery()
    with ready_database(settings) as database:

        def announce() -> None:
            with suppress(OutputLostError):
                say(f"Webhooks are delivered to {', '.join(sorted(settings.webhooks))}.")

        reach(deliver(settings, database.service_url, announce), uvloop.new_event_loop)
    with suppress(OutputLostError):
        say("Stopped.")
