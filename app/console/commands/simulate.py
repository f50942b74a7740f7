"""`wallet simulate`: simulates the aggregator against the running server.

1. Before anything is written, check that a server answers, accepts our key, and is a sandbox: a
   run moves more money than a real ledger should hold of it.
2. Open players on its database, through the cashier.
3. Check that the server knows them, which shows that it uses the same database.
4. Play, and print the verdict; exit code 1 if anything differs.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import typer

from app.console.arguments import Url
from app.console.data_owner import console_settings
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError
from app.console.game_side import (
    ANSWER_SECONDS,
    Wallet,
    address_of,
    find_wallet,
    refuse_real_money,
    send,
    signed,
)
from app.console.output.printer import AsJson, hint, print_json_text, show, watched_errors
from app.console.output.verdict import verdict_shown
from app.console.simulation_betby import betby_stage
from app.console.simulation_players import open_players
from app.simulator import (
    Account,
    Bar,
    Options,
    Progress,
    Silence,
    Stage,
    StagePlayer,
    Verdict,
    faulty,
    new_run_id,
    simulate,
    write_report,
)
from app.simulator.betby import BetbyStage, simulate_betby, together

A_MOMENT: Final = timedelta(seconds=ANSWER_SECONDS)
"""The first movement is decided after it is sent, and the last one within this time."""

PLAYERS_MAX: Final = 10_000

Players = Annotated[int, typer.Option(min=1, max=PLAYERS_MAX, help="How many play.")]
Events = Annotated[int, typer.Option(min=0, help="Rounds, bets, promotions… over all players.")]
Seed = Annotated[int, typer.Option(help="Decides all that is sent.")]
Rate = Annotated[int | None, typer.Option(min=1, help="Requests a second; else flat out.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Players who play at the same time.")]
Seconds = Annotated[int | None, typer.Option(min=1, help="Begin no new event after so long.")]
DuplicateReply: TypeAlias = Literal["conflict", "replay"]
StakeOrder: TypeAlias = Literal["real_first", "bonus_first"]
KeyScope: TypeAlias = Literal["transaction", "transaction_event"]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the report that an aggregator would write of it, for `wallet reconcile`.",
        dir_okay=False,
        writable=True,
    ),
]
Faults = Annotated[
    int,
    typer.Option(min=0, help="So many faults in the report; FILE.faults.json names each of them."),
]
Caller: TypeAlias = Literal["fungamess", "betby", "both"]
Calls = Annotated[
    Caller,
    typer.Option("--door", help="Who calls: the aggregator, Betby itself, or one after both."),
]
BetbyKey = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The private key that signs Betby's calls, as PEM; the demo has its own.",
        exists=True,
        dir_okay=False,
    ),
]
AgainstReal = Annotated[
    str | None,
    typer.Option(metavar="HOST", help="Play into real money, on the server of this host."),
]
AS_SET: Final = "The server's; else the setting of the same name says it."


def simulate_command(
    url: Url = None,
    players: Players = 50,
    events: Events = 2000,
    seed: Seed = 1,
    rate: Rate = None,
    concurrency: Concurrency = 16,
    seconds: Seconds = None,
    duplicate_reply: Annotated[DuplicateReply | None, typer.Option(help=AS_SET)] = None,
    stake_order: Annotated[StakeOrder | None, typer.Option(help=AS_SET)] = None,
    key_scope: Annotated[KeyScope | None, typer.Option(help=AS_SET)] = None,
    report: ReportFile = None,
    faults: Faults = 0,
    door: Calls = "fungamess",
    betby_key: BetbyKey = None,
    against_real: AgainstReal = None,
    as_json: AsJson = False,
) -> None:
    """Play the aggregator or Betby against a running sandbox; exit code 1 if any cent differs.

    The server and this command must share their settings, above all the database and the key. The
    players are the command's own, of the agent `simulator`.
    """
    if faults and report is None:
        raise typer.BadParameter("faults are written into a report: name it with --report")
    if report is not None and door != "fungamess":
        raise typer.BadParameter("a report is the aggregator's: leave --door out")
    settings = console_settings()
    wallet = find_wallet(url or address_of(settings), settings)
    refuse_real_money(wallet, against_real)
    betby = None if door == "fungamess" else betby_stage(settings, betby_key)
    options = Options(
        events=events,
        seed=seed,
        run_id=new_run_id(),
        rate=rate,
        concurrency=concurrency,
        deadline_seconds=seconds,
    )
    with ready_database(settings) as database:
        opened = reach(open_players(database.service_url, options.run_id, players, seed))
    _check_acquaintance(wallet, opened[0])
    stage = Stage(
        base_url=wallet.address,
        callback_key=wallet.key,
        duplicate_reply=duplicate_reply or settings.duplicate_reply,
        stake_order=stake_order or settings.stake_order,
        key_scope=key_scope or settings.key_scope,
        sport_game_id=settings.sport_game_id,
        players=opened,
    )
    account = Account()
    verdict = asyncio.run(_play(stage, betby, options, account, door))
    _show(verdict, as_json=as_json)
    if report is not None:
        _write_report(report, account, seed, faults)
    if not verdict.clean:
        raise typer.Exit(1)


async def _play(
    stage: Stage, betby: BetbyStage | None, options: Options, account: Account, door: Caller
) -> Verdict:
    """Play the aggregator, or Betby, or half of the events each, one after the other."""
    if betby is None:
        return await simulate(stage, options, _progress(), account)
    if door == "betby":
        return await simulate_betby(stage, betby, options, _progress())
    half = options.events // 2
    first = await simulate(stage, replace(options, events=half), _progress(), account)
    rest = replace(options, events=options.events - half)
    second = await simulate_betby(stage.after(first), betby, rest, _progress())
    return together(first, second)


def _progress() -> Progress:
    """Return a progress bar on standard error, if that is a terminal."""
    watched = watched_errors()
    return Bar(watched) if watched.is_terminal else Silence()


def _show(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print_json_text(verdict.to_json())
    else:
        show(*verdict_shown(verdict))


def _write_report(path: Path, account: Account, seed: int, faults: int) -> None:
    """Write the report, and say how it is reconciled."""
    records, injected = faulty(account.records, seed, faults)
    try:
        beside = write_report(path, records, injected, seed)
    except OSError as error:
        raise ConsoleError(f"The report cannot be written: {error}.") from error
    if not records:
        hint(f"{path} has no line: nothing was played.")
        return
    moments = [record.at for record in account.records]
    since, until = min(moments) - A_MOMENT, max(moments) + A_MOMENT
    named = "" if beside is None else f", and {beside} the {len(injected)} faults in it"
    hint(
        f"{path} has the report{named}. To reconcile this run alone: wallet reconcile {path} "
        f"--profile fungamess --from {since.isoformat()} --to {until.isoformat()} --grace 0"
    )


def _check_acquaintance(wallet: Wallet, player: StagePlayer) -> None:
    """Raise if the server does not know a player who was just opened."""
    fields = (("token", player.token), ("userId", player.user_id))
    if send(signed(wallet.address, "getBalance", fields, wallet.key)).code != 0:
        raise ConsoleError(
            f"The server at {wallet.address} does not know the players that were just opened: it "
            "works on another database. Name the same WALLET_DATABASE_URL, or the same "
            "WALLET_DATA_DIR."
        )
