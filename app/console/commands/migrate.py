"""`wallet migrate`: the schema's newest revision, and the end of an upgrade."""

from typing import Annotated

import typer

from app.console.database import Database, open_database, reach
from app.console.errors import ConsoleError
from app.console.ledger_access import who
from app.console.output.printer import AsJson, complain, tell
from app.ledger.buckets import BucketsDifferError
from app.ledger.migrations import upgrade, wait_for_database
from app.ledger.owner_changes import OwnerChangeError, finish_upgrade
from app.ledger.revisions import current_revision
from app.settings import load_console_settings, load_database_settings

Finish = Annotated[
    bool,
    typer.Option(
        "--finish", help="End an upgrade: no process of the release before runs any more."
    ),
]


def migrate_command(finish: Finish = False, as_json: AsJson = False) -> None:
    """Bring the database's schema to the newest revision, as the role that owns it."""
    settings = load_database_settings()
    with open_database(settings) as database:
        reach(wait_for_database(database.owner_url, complain))
        if finish:
            _finish(database, as_json=as_json)
            return
        before = reach(current_revision(database.owner_url))
        try:
            reach(upgrade(database.owner_url, buckets=settings.buckets))
        except BucketsDifferError as error:
            raise ConsoleError(str(error)) from error
        after = reach(current_revision(database.owner_url))
    sentence = (
        f"The schema already was the newest, {after}."
        if before == after
        else f"The schema went from {before or 'nothing'} to {after}."
    )
    tell(sentence, {"before": before, "after": after}, as_json=as_json)


def _finish(database: Database, *, as_json: bool) -> None:
    try:
        is_new = reach(
            finish_upgrade(
                database.owner_url,
                who(),
                raises_are_confirmed=load_console_settings().limit_raise == "confirm",
            )
        )
    except OwnerChangeError as error:
        raise ConsoleError(str(error)) from error
    sentence = "The upgrade is finished." if is_new else "There is no upgrade to finish."
    tell(sentence, {"finished": is_new}, as_json=as_json)
