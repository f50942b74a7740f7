"""`wallet backup note`: tells the ledger of a backup, so that somebody hears when none was made."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from app.cashier.upkeep import BackupNote, remember_backup
from app.console.arguments import checked_moment, checked_text, read_moment
from app.console.ledger_access import ask, commands, operator
from app.console.output.printer import AsJson, tell
from app.wallet.words import moment

backups: Final = commands("backup", "What is known of backups.")

Text = Annotated[
    str, typer.Argument(metavar="TEXT", help="Which one, and where.", callback=checked_text)
]
At = Annotated[
    str | None,
    typer.Option(
        "--at", help="When it ended, such as 2026-11-20T03:12Z; else now.", callback=checked_moment
    ),
]


@backups.command("note")
def note(text: Text, at: At = None, as_json: AsJson = False) -> None:
    """Note that a backup ended well; the script that makes it calls this at its end."""
    by = operator()
    ended = datetime.now(UTC) if at is None else read_moment(at)
    if ended > datetime.now(UTC):
        raise typer.BadParameter("must be a moment that has passed", param_hint="--at")
    told = BackupNote(ended, text, by.noted_as)
    ask(lambda ledger: remember_backup(ledger, told), changes=True)
    document = {"finished_at": moment(ended), "note": text, "by": by.noted_as}
    tell(f"Noted: a backup ended at {moment(ended)}.", document, as_json=as_json)
