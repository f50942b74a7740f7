"""A reconciliation for people: money first, then how far the books agree, then the differences."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from app.cashier.repairs import Proposal, ProposalState
from app.console.output.layout import Facts, Rows
from app.console.output.pages import Part, page
from app.ledger.reconciliation.runs import Difference
from app.reconciliation.documents import DIFFERENCE_COLUMNS, difference_row, owed
from app.reconciliation.reconcile import Outcome
from app.reconciliation.repairs import plain
from app.reconciliation.verdicts import words_of
from app.wallet.words import moment

SHOWN_MAX: Final = 20
"""A person reads the first differences; all of them are in the CSV."""


def outcome_shown(outcome: Outcome, differences: Sequence[Difference]) -> Iterator[RenderableType]:
    """Yield the run, part by part, and its verdict in one line at the end."""
    if outcome.money:
        yield _money(outcome)
        yield ""
    yield Facts("", _facts(outcome))
    yield ""
    if differences:
        yield _differences(differences, outcome.differences)
        yield ""
    yield _verdict(outcome)


def outcome_page(outcome: Outcome, differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the run as a page that can be mailed, with these of its differences."""
    parts: list[Part] = [_money(outcome)] if outcome.money else []
    facts = {"SHA-256": outcome.file_digest, "ran at": moment(outcome.ran_at)}
    parts.append(Facts("The run", {**_facts(outcome), **facts}))
    if differences:
        parts.append(
            Rows(
                f"Differences ({len(differences)} of {outcome.differences})",
                (column.replace("_", " ") for column in DIFFERENCE_COLUMNS),
                map(difference_row, differences),
                amounts="line theirs ours difference",
            )
        )
    return page(f"{outcome.file_name}: {_summary(outcome)}", parts)


def proposals_shown(proposals: Sequence[Proposal]) -> Rows:
    """What became of the repairs of a run."""
    waiting = sum(each.state is ProposalState.PROPOSED for each in proposals)
    return Rows(
        f"Adjustments asked for: {waiting} of {len(proposals)}",
        ("transaction", "player", "what", "amount", "currency", "adjustment"),
        (
            (
                each.repair.transaction_id,
                each.repair.user_id,
                each.repair.direction.value,
                each.repair.amount,
                each.repair.currency,
                (
                    each.words
                    if each.state is not ProposalState.NOT_PROPOSED
                    else f"none: {each.words}",
                ),
            )
            for each in proposals
        ),
        amounts="amount",
    )


def _money(outcome: Outcome) -> Rows:
    return Rows(
        "Who owes whom",
        ("currency", "why", "lines", "theirs", "ours", "difference", "owed"),
        (
            (
                row.currency,
                (words_of(row.verdict, row.cause, row.refusal),),
                row.lines,
                plain(row.theirs),
                plain(row.ours),
                plain(row.theirs - row.ours),
                owed(row),
            )
            for row in outcome.money
        ),
        amounts="lines theirs ours difference",
    )


def _facts(outcome: Outcome) -> dict[str, object]:
    days, rounds, earlier = outcome.days, outcome.rounds, outcome.same_file
    quiet = [
        f"{words_of(each.verdict, each.cause)}, {each.lines}"
        for each in outcome.counts
        if not each.is_difference
    ]
    return {
        "report": outcome.file_name,
        "read by": f"the profile {outcome.profile}, against the door {outcome.door}",
        "seen before": None
        if earlier is None
        else (f"the same file was run {earlier.run_id} at {moment(earlier.ran_at)}",),
        "period": f"{moment(outcome.since)} to {moment(outcome.until)}",
        "lines": _lines(outcome),
        "days": f"{days.agree} of {days.total} agree",
        "rounds": None if rounds is None else f"{rounds.agree} of {rounds.total} agree",
        "no difference": tuple(quiet) or None,
        "inbox": f"{outcome.listed} that were not there before" if outcome.differences else None,
        "journal": f"{outcome.position.movements} movements",
        "run": outcome.run_id,
    }


def _lines(outcome: Outcome) -> str:
    words = [str(outcome.lines)]
    if outcome.outside:
        words.append(f"{outcome.outside} outside of the period")
    if outcome.bad.count:
        words.append(f"{outcome.bad.count} skipped")
    return ", ".join(words)


def _differences(differences: Iterable[Difference], total: int) -> Rows:
    shown = list(differences)[:SHOWN_MAX]
    return Rows(
        f"Differences ({len(shown)} of {total}, the largest of each currency first)",
        ("line", "transaction", "player", "why", "theirs", "ours", "currency"),
        (
            (
                each.line,
                each.transaction_id,
                each.ours_user_id or each.user_id,
                (words_of(each.verdict, each.cause, each.refusal),),
                plain(each.theirs),
                plain(each.ours),
                each.currency,
            )
            for each in shown
        ),
        amounts="line theirs ours",
    )


def _verdict(outcome: Outcome) -> Text:
    if outcome.agrees:
        return Text(f"agrees: {_summary(outcome)}", "green")
    return Text(f"differs: {_summary(outcome)}", "bold red")


def _summary(outcome: Outcome) -> str:
    if outcome.agrees:
        return f"{outcome.lines} lines, and both books say the same"
    return f"{outcome.differences} differences in {outcome.lines} lines"
