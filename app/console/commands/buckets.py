"""`wallet buckets …`: the schemas that hold the players, and how one becomes several."""

import time
from typing import Annotated, Final

import typer

from app.cashier.acts_apart import ActsApart
from app.cashier.audit import Findings, audit
from app.cashier.buckets import move_bucket, show_buckets
from app.console.database import Database, reach, ready_database
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands
from app.console.output.layout import Rows
from app.console.output.printer import AsJson, complain, print_json, tell
from app.console.output.printer import show as show_parts
from app.ledger.buckets import Copied, NotSplitError
from app.ledger.buckets.reading import RATE_OF
from app.ledger.citus import NotPlacedError, Place
from app.ledger.operator_actions import NotedAct
from app.settings import load_database_settings
from app.wallet.buckets import BUCKETS_MAX
from app.wallet.words import moment

buckets: Final = commands("buckets", "The schemas that hold the players.")

Into = Annotated[
    int, typer.Option("--into", help="How many there will be.", min=2, max=BUCKETS_MAX)
]


Number = Annotated[int, typer.Argument(help="Which bucket, from 0 on.", min=0, max=BUCKETS_MAX - 1)]
To = Annotated[str, typer.Option("--to", help="The node, as HOST:PORT, as the cluster names it.")]

POSTGRES_PORT: Final = 5432


@buckets.command("show")
def show(as_json: AsJson = False) -> None:
    """Show where each bucket is, how large, and how many movements a second it has."""
    there = ask(show_buckets)
    seconds = RATE_OF.seconds
    if as_json:
        records = [
            {
                "bucket": bucket.number,
                "schema": bucket.schema,
                "players": bucket.players,
                "movements": bucket.movements,
                "size_bytes": bucket.size_bytes,
                "movements_of_last_minute": bucket.lately,
                "node": None if bucket.place is None else str(bucket.place),
            }
            for bucket in there
        ]
        print_json({"buckets": records})
        return
    rows = [
        (
            bucket.number,
            bucket.schema,
            f"{bucket.players:,}",
            f"{bucket.movements:,}",
            f"{bucket.size_bytes / 2**20:,.1f}",
            f"{bucket.lately / seconds:,.1f}",
            "here" if bucket.place is None else str(bucket.place),
        )
        for bucket in there
    ]
    columns = ("bucket", "schema", "players", "movements", "MiB", "movements/s", "node")
    show_parts(Rows("Buckets", columns, rows, amounts="bucket players movements MiB movements/s"))


@buckets.command("move")
def move_command(bucket: Number, to: To, as_json: AsJson = False) -> None:
    """Move a bucket to another node of a Citus cluster, while it is served."""
    host, colon, port = to.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, port = to.strip(":"), str(POSTGRES_PORT)
    place = Place(host.strip("[]"), int(port))
    began = time.monotonic_ns()
    with ready_database(load_database_settings()) as database:
        try:
            before = ask(lambda ledger: move_bucket(ledger, database.owner_url, bucket, place))
        except NotPlacedError as error:
            raise ConsoleError(str(error)) from error
    milliseconds = (time.monotonic_ns() - began) // 1_000_000
    sentence = (
        f"Bucket {bucket} already is on {place}."
        if before == place
        else f"Bucket {bucket} went from {before} to {place} in {milliseconds / 1000:,.1f} s."
    )
    document = {
        "bucket": bucket,
        "from": str(before),
        "to": str(place),
        "milliseconds": milliseconds,
    }
    tell(sentence, document, as_json=as_json)


@buckets.command("split")
def split_command(into: Into, as_json: AsJson = False) -> None:
    """Move the players of one bucket into several, while nothing is served; audited twice."""
    # SQLAlchemy, which nothing else here uses, takes as long to import as all the rest.
    from app.ledger.buckets.splitting import split  # noqa: PLC0415

    copied: list[Copied] = []

    def watch(table: Copied) -> None:
        copied.append(table)
        seconds = table.milliseconds / 1000
        complain(f"{table.table}: {table.rows:,} rows in {seconds:,.1f} s")

    with ready_database(load_database_settings()) as database:
        _audited(database, "before")
        try:
            milliseconds = reach(split(database.owner_url, into, watch))
        except NotSplitError as error:
            raise ConsoleError(str(error)) from error
        rows = sum(table.rows for table in copied)
        rate = rows * 1000 // max(milliseconds, 1)
        sentence = (
            f"The ledger has {into} buckets: set WALLET_BUCKETS={into} for every process. The stop"
            f" took {milliseconds / 1000:,.1f} s, {rate:,} rows a second."
        )
        document = {
            "buckets": into,
            "milliseconds": milliseconds,
            "rows": {table.table: table.rows for table in copied},
        }
        tell(sentence, document, as_json=as_json)
        _audited(database, "after")


@buckets.command("settle")
def settle_command(as_json: AsJson = False) -> None:
    """Note as not done what was noted, and not done on the player's node; exit 1 if one is away."""
    looked = ask(lambda ledger: ActsApart(ledger).look_at_all(), changes=True)
    lines = [
        f"Not done: {act.name} of {act.user_id}, by {act.operator}, {moment(act.at)}."
        for act in looked.settled
    ]
    if not lines and not looked.left:
        lines = ["Nothing is to be settled."]
    document = {"not_done": _acts(looked.settled), "node_away": _acts(looked.left)}
    tell("\n".join(lines), document, as_json=as_json)
    if looked.left:
        players = len({act.user_id for act in looked.left})
        raise ConsoleError(
            f"Acts on {players} players are not settled, since their node is away: bring it back,"
            " and settle again."
        )


def _acts(acts: list[NotedAct]) -> list[dict[str, object]]:
    return [
        {
            "action_id": act.action_id,
            "operator": act.operator,
            "act": act.name,
            "player": act.user_id,
            "at": moment(act.at),
        }
        for act in acts
    ]


def _audited(database: Database, when: str) -> None:
    """Audit the ledger; ConsoleError where a law is broken."""
    findings: Findings = reach(audit(database.service_url))
    if not findings.is_clean:
        raise ConsoleError(
            f"{len(findings.breaches)} breaches were found {when} the split: `wallet audit` tells"
            " which."
        )
    complain(
        f"The audit {when} it is clean: {findings.players:,} players,"
        f" {findings.movements:,} movements."
    )
