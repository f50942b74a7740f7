"""The report that the aggregator would write of a run, true or with faults that are known.

A faulty report is the oracle of reconciliation: every fault must be found there, and nothing else.
Which faults, and where, is a pure function of the run's records, a seed and a number.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

from app.simulator.laws import LAWS, Direction, Kind
from app.simulator.moves import Move
from app.simulator.stage import StagePlayer
from app.simulator.units import is_amount

COLUMNS: Final = (
    "transactionId",
    "userId",
    "eventId",
    "eventType",
    "direction",
    "amount",
    "currency",
    "createdAt",
    "status",
)
_BOOKED: Final = "success"
_REFUSED: Final = "failed"
_CANCELED: Final = "canceled"
_DAY: Final = timedelta(days=1)
_UNDOING: Final = frozenset({Kind.ABORT, Kind.TAKE_BACK, Kind.REOPEN})


@dataclass(frozen=True, slots=True)
class Record:
    """One transaction in the aggregator's books."""

    transaction_id: str
    user_id: str
    event_id: str
    event_type: str
    direction: Direction
    amount: str
    currency: str
    #: Decimal places of the currency.
    scale: int
    at: datetime
    status: str
    #: The code of the answer; 0 is success.
    code: str

    def row(self) -> tuple[str, ...]:
        """The record as a line of the report."""
        return (
            self.transaction_id,
            self.user_id,
            self.event_id,
            self.event_type,
            self.direction,
            self.amount,
            self.currency,
            self.at.isoformat(),
            self.status,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the report, and the verdict that must find it."""

    kind: str
    transaction_id: str
    verdict: str


class Account:
    """What the aggregator knows of a run: each transaction once, with the answer it got."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, ...], Record] = {}

    @property
    def records(self) -> list[Record]:
        """Every transaction, in the order in which they were first sent."""
        return list(self._records.values())

    def note(self, player: StagePlayer, move: Move, code: str, sent_at: datetime) -> None:
        """Take down an answer; what was not the aggregator's to send is left out."""
        law = LAWS.get((move.event_type, move.direction))
        if law is None or move.flaw is not None or move.user != "own" or not is_amount(move.amount):
            return
        is_gift_of_zero = (move.event_type, move.direction) == ("PromoWin", "debit")
        key = (move.transaction_id, "zero") if is_gift_of_zero else (move.transaction_id,)
        known = self._records.get(key)
        if known is not None and (known.code == "0" or code != "0"):
            return
        self._records[key] = Record(
            transaction_id=move.transaction_id,
            user_id=player.user_id,
            event_id=move.event.event_id,
            event_type=move.event_type,
            direction=move.direction,
            amount=move.amount,
            currency=player.currency,
            scale=player.scale,
            at=sent_at,
            status=_BOOKED if code == "0" else _REFUSED,
            code=code,
        )


def faulty(records: Sequence[Record], seed: int, faults: int) -> tuple[list[Record], list[Fault]]:
    """Return the report's records with so many faults of every kind by turns, and the faults.

    Fewer faults are returned only if the run has too few transactions to carry them.
    """
    dice = Random(f"faults:{seed}")  # noqa: S311 - repeatable, not secret
    lines = {number: [record] for number, record in enumerate(records)}
    free = _free(records, dice)
    undone = {
        record.event_id
        for record in records
        if LAWS[record.event_type, record.direction].kind in _UNDOING
    }
    users = sorted({record.user_id for record in records})
    found: list[Fault] = []
    kinds = dice.sample(sorted(_FAULTS), len(_FAULTS))
    for number in range(faults):
        kind = kinds[number % len(kinds)]
        fault = _FAULTS[kind]
        place = next((n for n in free if fault.fits(records[n], undone)), None)
        if place is None:
            continue
        free.remove(place)
        record = records[place]
        lines[place], faulted = fault.write(record, dice, users, number)
        found.append(Fault(kind, faulted, fault.verdict))
    return [line for written in lines.values() for line in written], found


def _free(records: Sequence[Record], dice: Random) -> list[int]:
    """The records that may carry a fault, shuffled: an id that stands for two carries none."""
    named = Counter(record.transaction_id for record in records)
    free = [n for n, record in enumerate(records) if named[record.transaction_id] == 1]
    dice.shuffle(free)
    return free


Written = tuple[list[Record], str]


@dataclass(frozen=True, slots=True)
class _FaultKind:
    """How a fault is written, which records can carry it, and what must find it."""

    verdict: str
    write: Callable[[Record, Random, Sequence[str], int], Written]
    fits: Callable[[Record, set[str]], bool]


def _is_booked(record: Record, _undone: set[str]) -> bool:
    return record.status == _BOOKED


def _is_refused(record: Record, _undone: set[str]) -> bool:
    # A claim of 0 is no claim of money, and would be a line like any other.
    return record.status == _REFUSED


def _stands(record: Record, undone: set[str]) -> bool:
    return record.status == _BOOKED and record.event_id not in undone


def _dropped(record: Record, *_: object) -> Written:
    return [], record.transaction_id


def _invented(record: Record, _dice: Random, _users: Sequence[str], number: int) -> Written:
    name = f"{record.transaction_id}-invented-{number}"
    return [record, replace(record, transaction_id=name)], name


def _claimed(record: Record, *_: object) -> Written:
    return [replace(record, status=_BOOKED)], record.transaction_id


def _other_amount(record: Record, dice: Random, *_: object) -> Written:
    more = Decimal(dice.randint(1, 10_000)).scaleb(-record.scale)
    amount = format(Decimal(record.amount) + more, "f")
    return [replace(record, amount=amount)], record.transaction_id


def _other_player(record: Record, dice: Random, users: Sequence[str], number: int) -> Written:
    others = [user for user in users if user != record.user_id]
    user = dice.choice(others) if others else f"{record.user_id}-{number}"
    return [replace(record, user_id=user)], record.transaction_id


def _other_event(record: Record, *_: object) -> Written:
    return [replace(record, event_id=f"{record.event_id}-other")], record.transaction_id


def _other_type(record: Record, *_: object) -> Written:
    if record.direction == "debit":
        kind = "Tip" if record.event_type != "Tip" else "BetPlacing"
    else:
        kind = "DropAndWin" if record.event_type != "DropAndWin" else "Win"
    return [replace(record, event_type=kind)], record.transaction_id


def _other_currency(record: Record, *_: object) -> Written:
    currency = "EUR" if record.currency != "EUR" else "USD"
    return [replace(record, currency=currency)], record.transaction_id


def _repeated(record: Record, *_: object) -> Written:
    again = replace(record, at=record.at + timedelta(milliseconds=1))
    return [record, again], record.transaction_id


def _day_before(record: Record, *_: object) -> Written:
    return [replace(record, at=record.at - _DAY)], record.transaction_id


def _called_refused(record: Record, *_: object) -> Written:
    return [replace(record, status=_REFUSED)], record.transaction_id


def _called_canceled(record: Record, *_: object) -> Written:
    return [replace(record, status=_CANCELED)], record.transaction_id


_FAULTS: Final[Mapping[str, _FaultKind]] = {
    "dropped": _FaultKind("only_ours", _dropped, _is_booked),
    "invented": _FaultKind("only_theirs", _invented, _is_booked),
    "claimed": _FaultKind("only_theirs", _claimed, _is_refused),
    "amount": _FaultKind("amount", _other_amount, _is_booked),
    "player": _FaultKind("player", _other_player, _is_booked),
    "event": _FaultKind("event", _other_event, _is_booked),
    "type": _FaultKind("type", _other_type, _is_booked),
    "currency": _FaultKind("currency", _other_currency, _is_booked),
    "repeated": _FaultKind("only_theirs", _repeated, _is_booked),
    "day": _FaultKind("day_edge", _day_before, _is_booked),
    "called refused": _FaultKind("only_ours", _called_refused, _is_booked),
    "called canceled": _FaultKind("only_ours", _called_canceled, _stands),
}


def write_report(
    path: Path, records: Iterable[Record], faults: Sequence[Fault], seed: int
) -> Path | None:
    """Write the report as CSV, and the faults beside it; return where those stand."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(record.row() for record in records)
    if not faults:
        return None
    beside = path.with_name(f"{path.name}.faults.json")
    document = {"seed": seed, "faults": [asdict(fault) for fault in faults]}
    beside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return beside
