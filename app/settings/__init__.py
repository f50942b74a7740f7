"""The settings, typed: environment variables named WALLET_…; secrets have no default.

1. `database`, `processes`, `callers`, `money` are the groups: a server has all of them (`server`)
2. `loading` reads them, and turns whatever is wrong into one sentence

Only the composition, the server and the console read settings; everybody else receives what it
needs. How the text of a value is read stands in `settings_parsing`, which needs no library.
"""

from app.settings.betby import BETBY_SOURCE, Betby, read_betby
from app.settings.callers import CALLBACK_SOURCE, agent_fault
from app.settings.database import DatabaseSettings
from app.settings.group import PREFIX
from app.settings.loading import (
    load_console_settings,
    load_database_settings,
    load_settings,
    setting_names,
)
from app.settings.server import DEMO_AGENT_ID, DEMO_AGENT_KEY, DEMO_CALLBACK_KEY, Settings

__all__ = [
    "BETBY_SOURCE",
    "CALLBACK_SOURCE",
    "DEMO_AGENT_ID",
    "DEMO_AGENT_KEY",
    "DEMO_CALLBACK_KEY",
    "PREFIX",
    "Betby",
    "DatabaseSettings",
    "Settings",
    "agent_fault",
    "load_console_settings",
    "load_database_settings",
    "load_settings",
    "read_betby",
    "setting_names",
]
