"""`wallet deliveries …`: how webhooks stand, what was not taken, try it again, replay."""

from typing import Annotated, Any, Final

import typer

from app.cashier.deliveries import Retry, Standing, replay, retry, show
from app.console.arguments import checked_agent
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands
from app.console.output.ages import age
from app.console.output.layout import Facts, Rows
from app.console.output.printer import AsJson, outcome_stands, print_json, say
from app.console.output.printer import show as show_parts
from app.wallet.event_log import CURSOR_LENGTH_MAX, Cursor, read_cursor
from app.wallet.words import moment

LISTED: Final = 20

deliveries: Final = commands("deliveries", "Webhooks: what was delivered, and what was not.")

Agent = Annotated[
    str, typer.Argument(metavar="AGENT", help="The endpoint's agent.", callback=checked_agent)
]
OneAgent = Annotated[
    str | None, typer.Argument(metavar="AGENT", help="Only this one.", callback=checked_agent)
]


def _checked_cursor(value: str | None) -> str | None:
    if value is not None and (len(value) > CURSOR_LENGTH_MAX or read_cursor(value) is None):
        raise typer.BadParameter("must be a cursor as an event has it, such as 1042-9f86d081")
    return value


After = Annotated[
    str | None,
    typer.Option(help="Everything after the event with this cursor.", callback=_checked_cursor),
]
Everything = Annotated[bool, typer.Option("--all", help="Everything from the first event on.")]


@deliveries.command("show")
def show_(agent: OneAgent = None, as_json: AsJson = False) -> None:
    """Show how far each endpoint has heard, and what it has not taken."""
    found = ask(lambda ledger: show(ledger, agent))
    if agent is not None and not found:
        raise _unknown(agent)
    if as_json:
        print_json({"endpoints": list(map(_record, found))})
        return
    if not found:
        say("No webhooks yet: WALLET_WEBHOOKS names endpoints, and `wallet deliver` sends to them.")
        return
    for standing in found:
        show_parts(_facts(standing))
        if standing.retries:
            rows = map(_row, standing.retries[:LISTED])
            columns = ("number", "state", "attempts", "answer", "next attempt")
            title = f"not taken, {len(standing.retries)} in all"
            show_parts(Rows(title, columns, rows, amounts="number attempts"))


@deliveries.command("retry")
def retry_(agent: Agent, as_json: AsJson = False) -> None:
    """Try everything again now that an endpoint has not taken, what was given up included."""
    again = ask(lambda ledger: retry(ledger, agent), changes=True)
    if again is None:
        raise _unknown(agent)
    with outcome_stands():
        if as_json:
            print_json({"agent": agent, "events": again})
        else:
            say(f"{agent} is tried again at once; events that it had refused: {again}.")


@deliveries.command("replay")
def replay_(
    agent: Agent, after: After = None, everything: Everything = False, as_json: AsJson = False
) -> None:
    """Deliver again what an endpoint has heard, after a cursor; ids stay as they were."""
    if (after is None) is not everything:
        raise typer.BadParameter("say from where: --after CURSOR, or --all")
    cursor = None if after is None else read_cursor(after)
    events = ask(lambda ledger: replay(ledger, agent, cursor), changes=True)
    if events is None:
        if cursor is None or not ask(lambda ledger: show(ledger, agent)):
            raise _unknown(agent)
        raise _no_event(cursor, agent)
    with outcome_stands():
        if as_json:
            print_json({"agent": agent, "events": events})
        else:
            say(f"{events} events are delivered to {agent} again.")


def _unknown(agent: str) -> ConsoleError:
    return ConsoleError(
        f"There is no endpoint of {agent}; name it in WALLET_WEBHOOKS and start `wallet deliver`."
    )


def _no_event(cursor: Cursor, agent: str) -> ConsoleError:
    return ConsoleError(
        f"{agent} has no event with the cursor {cursor.text}: use one that an event of theirs has."
    )


def _facts(standing: Standing) -> Facts:
    endpoint, backlog, _ = standing
    now = endpoint.now
    state = "parked: it has failed for three days, or answered 410"
    if not endpoint.is_parked:
        since = endpoint.failing_since
        state = "active" if since is None else f"failing for {age(since, now)}"
    return Facts(
        endpoint.agent,
        {
            "state": (state,),
            "last answer": endpoint.last_outcome,
            "last delivery": endpoint.delivered_at and moment(endpoint.delivered_at),
            "not heard yet": f"{backlog.events} events at most",
            "oldest of them": f"{backlog.oldest_seconds} s old" if backlog.events else None,
            "given up": backlog.parked or None,
            "next attempt": endpoint.next_attempt_at and moment(endpoint.next_attempt_at),
        },
    )


def _row(one: Retry) -> tuple[object, ...]:
    return (
        one.number,
        one.state.value if one.attempts else "waits behind another",
        one.attempts,
        one.last_outcome or "",
        moment(one.next_attempt_at),
    )


def _record(standing: Standing) -> dict[str, Any]:
    endpoint, backlog, retries = standing
    return {
        "agent": endpoint.agent,
        "state": "parked" if endpoint.is_parked else "active",
        "failing_since": endpoint.failing_since and moment(endpoint.failing_since),
        "failures": endpoint.failures,
        "last_answer": endpoint.last_outcome,
        "delivered_at": endpoint.delivered_at and moment(endpoint.delivered_at),
        "next_attempt_at": endpoint.next_attempt_at and moment(endpoint.next_attempt_at),
        "backlog": backlog.events,
        "oldest_seconds": backlog.oldest_seconds,
        "parked": backlog.parked,
        "not_taken": [
            {
                "number": one.number,
                "state": one.state.value,
                "attempts": one.attempts,
                "last_answer": one.last_outcome,
                "next_attempt_at": moment(one.next_attempt_at),
            }
            for one in retries
        ],
    }
