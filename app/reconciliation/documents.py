"""A run as documents for programs: JSON, CSV of differences, CSV of repairs."""

from typing import Any, Final

from app.ledger.reconciliation.runs import Difference, MoneyRow
from app.reconciliation.reconcile import Outcome
from app.reconciliation.repairs import Repair, plain
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
        "new_in_inbox": outcome.listed,
        "money": [money_record(row) for row in outcome.money],
    }


REPAIR_COLUMNS: Final = Repair._fields


def difference_row(each: Difference) -> list[str]:
    """A difference as a line of CSV."""
    record = difference_record(each)
    return [record[column] or "" for column in DIFFERENCE_COLUMNS]
