"""`wallet restored …`: what a restored ledger lacks, and the yes that lets it be served."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from app.cashier.restored import Accepted, NotDone, RestoredState, accept, mark, state
from app.console.arguments import checked_moment_past, checked_text, read_moment_past
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, operator
from app.console.output.layout import Facts, Rows
from app.console.output.printer import AsJson, hint, outcome_stands, print_json, say
from app.console.output.printer import show as show_parts
from app.ledger.event_log.voiding import Lost
from app.ledger.timelines import Timeline
from app.ledger.transaction import Ledger
from app.wallet.timelines import MONEY_HOURS_MAX, MONEY_HOURS_USUAL, REASON_LENGTH_MAX
from app.wallet.words import moment

restored: Final = commands("restored", "A ledger that was restored to a moment.")


Shown = Annotated[
    int,
    typer.Argument(
        metavar="NUMBER",
        min=1,
        max=2**63 - 1,
        help="The latest time line that waits, as `show` lists it: the yes is for what you saw.",
    ),
]

SERVED_SINCE: Final = (
    "If it was served between its restore and now, and nobody has named the moment of the restore:"
    " `wallet restored mark --restored-to MOMENT`, then `wallet restored accept` again."
)
IF_SERVED_SINCE: Final = "with --restored-to MOMENT: from then on what is lost is looked for"


def _checked_reason(value: str) -> str:
    text = checked_text(value) or ""
    if not text.strip() or len(text) > REASON_LENGTH_MAX:
        raise typer.BadParameter(f"must be words, of at most {REASON_LENGTH_MAX} characters")
    return text


Reason = Annotated[
    str,
    typer.Option("--reason", help="Why: it stands with your name.", callback=_checked_reason),
]
MoneyFor = Annotated[
    int,
    typer.Option(
        "--money-for",
        metavar="HOURS",
        min=0,
        max=MONEY_HOURS_MAX,
        help="How long money is taken under tokens that the ledger has lost.",
    ),
]


RestoredTo = Annotated[
    str | None,
    typer.Option(
        "--restored-to",
        metavar="MOMENT",
        help="What it was restored to, if it was served since: 2026-11-20T18:59:25Z.",
        callback=checked_moment_past,
    ),
]


@restored.command("show")
def show(as_json: AsJson = False) -> None:
    """Show the ledger's time lines, and what must be asked of others after a restore."""
    found = ask(state)
    if as_json:
        print_json(_record(found))
    else:
        show_parts(*_shown(found))


@restored.command("accept")
def accept_(
    number: Shown,
    reason: Reason,
    money_for: MoneyFor = MONEY_HOURS_USUAL,
    restored_to: RestoredTo = None,
    as_json: AsJson = False,
) -> None:
    """Say that the restored ledger may be served; servers go on by themselves."""
    by = operator()
    hours, to = timedelta(hours=money_for), _moment(restored_to)

    async def work(ledger: Ledger) -> Accepted | NotDone:
        return await accept(ledger, by, number, reason, hours, restored_to=to)

    done = ask(work, changes=True)
    if isinstance(done, NotDone):
        raise ConsoleError(done.words)
    with outcome_stands():
        if as_json:
            told = {"time_lines": done.numbers, "money_hours": money_for, **_named(to)}
            print_json({**told, **_claims(done)})
            return
        _say_claims(done)
        say(
            f"The time line {max(done.numbers)} may be served. For {money_for} hours money is taken"
            " under tokens that it does not know."
        )
        if to is None:
            hint(SERVED_SINCE)
        hint("Next: `wallet restored show` says what to ask of the aggregator.")


@restored.command("mark")
def mark_(reason: Reason, restored_to: RestoredTo = None, as_json: AsJson = False) -> None:
    """Mark the ledger as restored where no server noticed it; none serves before `accept`."""
    by = operator()
    to = _moment(restored_to)
    done = ask(lambda ledger: mark(ledger, by, reason, restored_to=to), changes=True)
    if isinstance(done, NotDone):
        raise ConsoleError(done.words)
    with outcome_stands():
        if as_json:
            not_asked = [str(place) for place in done.not_asked]
            told = {"marked": True, "time_line": done.number}
            print_json({**told, **_named(to), "not_asked": not_asked})
            return
        say(
            f"The ledger is marked as restored: `wallet restored accept {done.number}` lets it be"
            " served."
        )
        for place in done.not_asked:
            hint(f"{place} did not answer: how far it goes is asked by `accept`, which needs it.")


def _moment(restored_to: str | None) -> datetime | None:
    return None if restored_to is None else read_moment_past(restored_to)


def _named(restored_to: datetime | None) -> dict[str, str | None]:
    return {"restored_to": None if restored_to is None else moment(restored_to)}


def _claims(done: Accepted) -> dict[str, Any]:
    if done.claims is None:
        return {}
    since = done.claims.since
    return {
        "claims": {
            "since": None if since is None else moment(since),
            "entries": done.claims.entries,
            "made": done.claims.claimed,
            "twice": [each._asdict() for each in done.claims.twice],
        },
        "events": [
            {**void._asdict(), "lost": [_lost(event) for event in void.lost]}
            for void in done.voided
        ],
    }


def _lost(event: Lost) -> dict[str, Any]:
    return {**event._asdict(), "type": event.type.value, "occurred_at": moment(event.occurred_at)}


def _say_claims(done: Accepted) -> None:
    """Say what was made whole, where buckets are on several nodes."""
    if done.claims is None:
        return
    _, since, entries, claimed, twice, *_ = done.claims
    from_when = "from the first one on" if since is None else f"since {moment(since)}"
    say(f"Of {entries} ids that are recorded {from_when}, {claimed} were claimed again.")
    if twice:
        hint("Recorded for two players before the restore was noticed; correct one of each:")
        rows = ((each.source, each.transaction_id, *each.user_ids) for each in twice)
        show_parts(Rows("Twice", ("source", "transaction", "player", "player"), rows))
    for void in done.voided:
        say(
            f"Events {void.first} to {void.last} of {void.agent} are void: {len(void.lost)} of them"
            f" told what is lost, and {void.again} that still hold are told again."
        )
        lost = ((e.number, e.type.value, e.player_id, moment(e.occurred_at)) for e in void.lost)
        show_parts(Rows("Lost", ("number", "type", "player", "occurred"), lost))


def _shown(found: RestoredState) -> list[RenderableType]:
    rows = (
        (line.number, _kind(line), moment(line.noticed_at), line.why, _answer(found, line))
        for line in found.timelines
    )
    parts: list[RenderableType] = [
        Rows("Time lines", ("number", "kind", "noticed", "why", "answer"), rows)
    ]
    if found.ask_from is None:
        return parts
    since = moment(found.ask_from)
    parts += ["", Facts("To ask after the restore", _to_ask(found, since))]
    if found.unknown_players:
        unknown = ((p.user_id, p.movements, moment(p.last_at)) for p in found.unknown_players)
        parts += ["", Rows("Unknown players", ("player", "movements", "latest"), unknown)]
    return parts


def _to_ask(found: RestoredState, since: str) -> dict[str, object]:
    open_ = ", ".join(f"{o.rounds} of {o.staked:f} {o.currency}" for o in found.open_rounds)
    yes = {
        "to let it be served": (f"wallet restored accept {found.waiting} --reason …",),
        "if it was served since": (IF_SERVED_SINCE,),
    }
    return {
        **(yes if found.is_waiting else {}),
        "of the aggregator": (f"a report of every movement since {since}",),
        "then": ("wallet reconcile REPORT --profile NAME --from … --propose; two people decide",),
        "bets that wait": open_ or "none",
        "their results": ("ops.open_rounds: they may have been settled in the lost time",),
        "of the platform": (f"its deposits and withdrawals since {since}, under their ids",),
        "withdrawals under way": found.pending_holds,
        "unknown players": ("ops.unknown_players: open their accounts again",),
    }


def _kind(line: Timeline) -> str:
    return line.kind.value.replace("_", " ")


def _answer(found: RestoredState, line: Timeline) -> str:
    if line.is_waiting:
        return f"waits for `wallet restored accept {found.waiting}`"
    if line.answered_at is None:
        return ""
    by = f"{line.by}" + ("" if line.is_verified else " (not verified)")
    return f"{moment(line.answered_at)} by {by}: {line.reason}"


def _record(found: RestoredState) -> dict[str, Any]:
    return {
        "waiting": found.is_waiting,
        "ask_from": None if found.ask_from is None else moment(found.ask_from),
        "open_rounds": [
            {**each._asdict(), "staked": format(each.staked, "f")} for each in found.open_rounds
        ],
        "pending_holds": found.pending_holds,
        "unknown_players": [
            {**each._asdict(), "last_at": moment(each.last_at)} for each in found.unknown_players
        ],
        "timelines": [_timeline(line) for line in found.timelines],
    }


def _timeline(line: Timeline) -> dict[str, Any]:
    moments = ("noticed_at", "last_movement_at", "answered_at", "money_until")
    record = line._asdict()
    for name in moments:
        record[name] = None if record[name] is None else moment(record[name])
    return {**record, "kind": line.kind.value, "waiting": line.is_waiting}
