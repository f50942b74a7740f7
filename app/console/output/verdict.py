"""The simulator's verdict for people: answers by code, balances twice, the first differences."""

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from app.console.output.layout import Rows
from app.simulator import Verdict

SHOWN_MAX: Final = 10
"""A person reads the first differences; all that were kept are in the JSON."""

MILLISECONDS: Final = 1000


def verdict_shown(verdict: Verdict) -> Iterator[RenderableType]:
    """Yield the tables, and the verdict in one line at the end."""
    yield Rows("Answers", ("answer", "count"), sorted(verdict.answers.items()), amounts="count")
    yield ""
    yield _balances(verdict)
    yield ""
    if verdict.differences_total:
        yield _differences(verdict)
        yield ""
    seconds, milliseconds = divmod(verdict.duration_ms, MILLISECONDS)
    yield (
        f"{verdict.events_played} of {verdict.events} events, {verdict.requests} requests in "
        f"{seconds}.{milliseconds:03} s, {verdict.requests_per_second} a second; "
        f"seed {verdict.seed}, run {verdict.run_id}"
    )
    if verdict.clean:
        yield Text("clean: the wallet and the simulator agree", "bold green")
        return
    disagreeing = sum(not player.agrees for player in verdict.players)
    yield Text(
        f"not clean: {verdict.differences_total} answers differ, "
        f"{disagreeing} of {len(verdict.players)} balances disagree",
        "bold red",
    )


def _balances(verdict: Verdict) -> Rows:
    return Rows(
        "Balances",
        ("player", "currency", "books", "wallet", "real", "bonus", ""),
        (
            (
                player.user_id,
                player.currency,
                player.expected_balance,
                player.balance or "no answer",
                player.real or "",
                player.bonus or "",
                "agrees" if player.agrees else "differs",
            )
            for player in verdict.players
        ),
        amounts="books wallet real bonus",
    )


def _differences(verdict: Verdict) -> Rows:
    shown = verdict.differences[:SHOWN_MAX]
    return Rows(
        f"Differences ({len(shown)} of {verdict.differences_total})",
        ("player", "sent", "expected", "got"),
        ((each.user_id, (each.sent,), (each.expected,), (each.got,)) for each in shown),
    )
