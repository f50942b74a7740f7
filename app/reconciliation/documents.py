"""A run as documents: JSON for programs, CSV of differences, CSV of repairs, one page to mail."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from app.ledger.reconciliation.runs import Difference, MoneyRow
from app.reconciliation.reconcile import Outcome
from app.reconciliation.repairs import Repair, plain
from app.reconciliation.verdicts import VERDICTS, words_of
from app.wallet.journal import EPOCH

DIFFERENCE_COLUMNS: Final = (
    "verdict",
    "cause",
    "refusal",
    "line",
    "transaction_id",
    "their_type",
    "our_type",
    "their_user_id",
    "our_user_id",
    "their_event_id",
    "our_event_id",
    "currency",
    "theirs",
    "ours",
    "difference",
    "their_time",
    "our_time",
)


def difference_record(each: Difference) -> dict[str, str | None]:
    """A difference, every value as text; None where a side says nothing."""
    return {
        "verdict": each.verdict,
        "cause": each.cause,
        "refusal": each.refusal,
        "line": None if each.line is None else str(each.line),
        "transaction_id": each.transaction_id,
        "their_type": None if each.theirs_at is None else each.word,
        "our_type": each.event_type,
        "their_user_id": each.user_id,
        "our_user_id": each.ours_user_id,
        "their_event_id": each.event_id,
        "our_event_id": each.ours_event_id,
        "currency": each.currency,
        "theirs": plain(each.theirs),
        "ours": plain(each.ours),
        "difference": plain(each.theirs - each.ours),
        "their_time": None if each.theirs_at is None else each.theirs_at.isoformat(),
        "our_time": None if each.ours_at is None else each.ours_at.isoformat(),
    }


def owed(row: MoneyRow) -> str:
    """Say who owes whom, from what the players should have gained by the report."""
    missing = row.theirs - row.ours
    if missing == 0:
        return "nobody"
    return "we owe players" if missing > 0 else "owed to us"


def money_record(row: MoneyRow) -> dict[str, str | int | None]:
    """A row of what differs, for a program."""
    return {
        "currency": row.currency,
        "verdict": row.verdict,
        "cause": row.cause,
        "refusal": row.refusal,
        "lines": row.lines,
        "theirs": plain(row.theirs),
        "ours": plain(row.ours),
        "difference": plain(row.theirs - row.ours),
        "owed": owed(row),
    }


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """A run without its differences, for a program."""
    earlier = outcome.same_file
    moment = outcome.position.moment
    return {
        "agrees": outcome.agrees,
        "run_id": outcome.run_id,
        "ran_at": outcome.ran_at.isoformat(),
        "same_file_as": None if earlier is None else earlier.run_id,
        "door": outcome.door,
        "profile": outcome.profile,
        "file": outcome.file_name,
        "sha256": outcome.file_digest,
        "lines": outcome.lines,
        "outside": outcome.outside,
        "skipped": outcome.bad.count,
        "bad_lines": [{"line": line, "reason": reason} for line, reason in outcome.bad.kept],
        "from": outcome.since.isoformat(),
        "to": outcome.until.isoformat(),
        "grace_seconds": outcome.grace // (EPOCH.resolution * 1_000_000),
        "journal": {
            "moment": None if moment is None else moment.isoformat(),
            "movements": outcome.position.movements,
        },
        "days": outcome.days._asdict(),
        "rounds": None if outcome.rounds is None else outcome.rounds._asdict(),
        "verdicts": [
            {
                "verdict": each.verdict,
                "cause": each.cause,
                "lines": each.lines,
                "is_difference": each.is_difference,
            }
            for each in outcome.counts
        ],
        "differences": outcome.differences,
        "money": [money_record(row) for row in outcome.money],
    }


REPAIR_COLUMNS: Final = Repair._fields


def difference_row(each: Difference) -> list[str]:
    """A difference as a line of CSV."""
    record = difference_record(each)
    return [record[column] or "" for column in DIFFERENCE_COLUMNS]


def page(outcome: Outcome, differences: Iterable[Difference]) -> Iterator[str]:
    """Yield a page that needs no other file, and can be mailed."""
    title = f"{outcome.file_name}: {_summary(outcome)}"
    yield _HEAD.format(title=escape(title), style=_STYLE)
    yield f"<h1>{escape(outcome.file_name)}</h1><p class=verdict>{escape(_summary(outcome))}</p>"
    yield _facts(outcome)
    if outcome.money:
        yield "<h2>Who owes whom</h2>"
        yield _table(
            ("currency", "why", "lines", "theirs", "ours", "difference", "owed"),
            (
                (
                    row.currency,
                    words_of(row.verdict, row.cause, row.refusal),
                    str(row.lines),
                    plain(row.theirs),
                    plain(row.ours),
                    plain(row.theirs - row.ours),
                    owed(row),
                )
                for row in outcome.money
            ),
        )
    shown = list(differences)
    if shown:
        yield f"<h2>Differences ({len(shown)} of {outcome.differences})</h2>"
        yield _table(DIFFERENCE_COLUMNS, (difference_row(each) for each in shown))
    yield "</body></html>\n"


def _summary(outcome: Outcome) -> str:
    if outcome.agrees:
        return f"{outcome.lines} lines, and both books agree"
    return f"{outcome.lines} lines, {outcome.differences} differences"


def _facts(outcome: Outcome) -> str:
    rounds = outcome.rounds
    facts = {
        "run": str(outcome.run_id),
        "ran at": outcome.ran_at.isoformat(),
        "door": outcome.door,
        "profile": outcome.profile,
        "SHA-256": outcome.file_digest,
        "period": f"{outcome.since.isoformat()} to {outcome.until.isoformat()}",
        "days": f"{outcome.days.agree} of {outcome.days.total} agree",
        "rounds": "" if rounds is None else f"{rounds.agree} of {rounds.total} agree",
        "skipped": str(outcome.bad.count),
        "journal": f"{outcome.position.movements} movements",
        "verdicts": ", ".join(
            f"{VERDICTS[verdict]} {lines}" for verdict, lines in outcome.verdicts.items()
        ),
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts.items()
        if value
    )
    return f"<table>{rows}</table>"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


# A page that is mailed loads nothing, and runs nothing.
_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
    ' content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src'
    " 'none'; style-src 'unsafe-inline'\"><title>{title}</title><style>{style}</style></head><body>"
)
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1b1b1f;background:#fff}"
    "h1{font-size:1.3rem}h2{font-size:1.1rem;margin-top:2rem}.verdict{font-weight:600}"
    "table{border-collapse:collapse;margin:.5rem 0}"
    "th,td{border:1px solid #d0d0d8;padding:.25rem .6rem;text-align:left;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}th{background:#f3f3f7;font-weight:600}"
    "@media print{body{margin:0}}"
)
