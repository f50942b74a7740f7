"""A dispute as parts of a page or of a terminal's output, and as a document for programs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from app.cashier.disputes import NOT_KEPT, Answer, Dispute, Shown, TimeLine
from app.cashier.request_archive import ArchivedRequest, SealedRequest
from app.console.output.layout import Facts, Rows
from app.console.output.records import (
    entry_record,
    movement_record,
    refusal_record,
    round_record,
)
from app.console.output.tables import movement_parts, movement_row, refusals_table, round_parts
from app.ledger.lookups import OwnedEntry
from app.proof.evidence import Proven
from app.wallet.words import moment

Compared = Sequence[tuple[str, str, str, str]]
"""Of each field: its name, what the request has, what the ledger has, and whether they agree."""


class Proof(NamedTuple):
    """The proof of the movements under the id, or why there is none."""

    document: dict[str, Any] | None
    proven: Sequence[Proven]
    why_none: str | None


class Presented(NamedTuple):
    """A request that somebody shows, beside what the ledger has."""

    shown: Shown
    compared: Compared

    @property
    def holds(self) -> bool:
        """Whether it is signed, and is what was decided here."""
        return self.shown.is_signed and all(row[3] == "yes" for row in self.compared)


class Received(NamedTuple):
    """An archived request: as it came, and what its signature says today."""

    kept: SealedRequest
    request: ArchivedRequest | None
    """None: none of the keys given here opens it"""
    shown: Shown | None
    with_token: bool
    """whether the player's token is told, too"""

    @property
    def signature(self) -> str:
        """What is known of its signature."""
        if self.shown is None:
            return "sealed: set WALLET_REQUEST_KEYS to the key that sealed it"
        if self.shown.is_signed:
            return "right: one of our keys signed these fields"
        return "not by a key set here: name the key of that day in WALLET_CALLBACK_KEYS"


class Folder(NamedTuple):
    """All of a dispute that is told."""

    dispute: Dispute
    answers: Sequence[Answer]
    proof: Proof
    presented: Presented | None
    received: Sequence[Received]


def dispute_parts(folder: Folder) -> Iterator[Facts | Rows]:
    """Yield the dispute, part by part."""
    dispute = folder.dispute
    for movement in dispute.movements:
        yield from movement_parts(movement.details)
    if dispute.refusals:
        yield refusals_table(dispute.transaction_id, dispute.refusals)
    if folder.received:
        yield _received(folder.received)
    if folder.presented is not None:
        yield from _presented(folder.presented)
    yield Rows(
        "Every answer told that the ledger knows of",
        ("when", "to", "code", "words", "body", "remarks"),
        map(_answer_row, folder.answers),
        amounts="code",
    )
    for account in dispute.rounds:
        yield from round_parts(account)
    for line in dispute.time_lines:
        yield _time_line(line, dispute.transaction_id)
    if dispute.handling:
        yield Rows(
            "What was done about it",
            ("when", "what", "number", "state", "by", "why"),
            (
                (moment(each.at), each.what, each.number, each.state, each.by, (each.words,))
                for each in dispute.handling
            ),
            amounts="number",
        )
    yield _proof(folder.proof)
    if not folder.received:
        yield Facts("What the ledger does not keep", {k: (v,) for k, v in NOT_KEPT.items()})


def _received(received: Sequence[Received]) -> Rows:
    return Rows(
        "Requests as they were received, and what each was answered",
        ("when", "request id", "signature", "request", "status", "answer"),
        (
            (
                moment(each.kept.received_at),
                each.kept.delivery.hex(),
                (each.signature,),
                (_fields_text(each),),
                None if each.request is None else each.request.status,
                None if each.request is None else (_answer_text(each.request),),
            )
            for each in received
        ),
        amounts="status",
    )


def _fields_text(received: Received) -> str:
    """Return the fields; the bytes, which have the token, only where they are asked for."""
    request, shown = received.request, received.shown
    if request is None or shown is None:
        return ""
    if received.with_token:
        return _text(request.body or request.query)
    return "&".join(f"{name}={text}" for name, text in shown.fields.items())


def _answer_text(request: ArchivedRequest) -> str:
    return "none, or to ask again" if request.answer is None else _text(request.answer)


def _text(wire: bytes) -> str:
    return wire.decode("utf-8", "backslashreplace")


def _presented(presented: Presented) -> Iterator[Facts | Rows]:
    is_signed = presented.shown.is_signed
    signature = "right: one of our keys signed these fields" if is_signed else "WRONG"
    yield Facts("The request that was shown", {"signature": (signature,)})
    headings = ("field", "in the request", "in the ledger", "the same")
    yield Rows("", headings, presented.compared)


def _answer_row(answer: Answer) -> tuple[object, ...]:
    told = answer.told
    return (
        None if answer.at is None else moment(answer.at),
        answer.what,
        None if told is None else told.code,
        "no answer of a contract" if told is None else told.words,
        None if told is None else told.body,
        None if answer.note is None else (answer.note,),
    )


def _time_line(line: TimeLine, transaction_id: str) -> Rows:
    moved = [
        (owned.entry.ledger_time, 0, _moved_row(owned, transaction_id)) for owned in line.entries
    ]
    beside = [
        (
            each.at,
            1,
            (
                _mark(each.transaction_id, transaction_id),
                moment(each.at),
                each.what,
                each.transaction_id,
                None,
                None,
                None,
                (f"{each.by}: {each.words}" if each.words else f"by {each.by}",),
            ),
        )
        for each in line.asides
    ]
    return Rows(
        f"The time line of {line.user_id} around it",
        ("", "when", "what", "transaction", "real", "bonus", "balance", "decision"),
        (row for _, _, row in sorted((*moved, *beside), key=lambda each: each[:2])),
        amounts="real bonus balance",
    )


def _moved_row(owned: OwnedEntry, transaction_id: str) -> tuple[object, ...]:
    _, *row = movement_row(owned)
    return (_mark(owned.entry.key.transaction_id, transaction_id), *row)


def _mark(transaction_id: str | None, disputed: str) -> str:
    return ">" if transaction_id == disputed else ""


def _proof(proof: Proof) -> Facts:
    if proof.why_none is not None:
        return Facts("The proof", {"none": (proof.why_none,)})
    facts: dict[str, object] = {}
    for number, proven in enumerate(proof.proven, 1):
        seal = proven.seal
        facts[f"movement {number}" if len(proof.proven) > 1 else "the movement"] = (
            f"seal {seal.number} of {moment(seal.sealed_at)} covers it, over {seal.chains} chains",
            f"root {seal.root}, signed by the key {proven.key}",
        )
    return Facts("The proof", facts)


def dispute_record(folder: Folder) -> dict[str, Any]:
    """A dispute as a document for programs."""
    dispute, presented = folder.dispute, folder.presented
    return {
        "transaction_id": dispute.transaction_id,
        "movements": [
            {
                **movement_record(each.details),
                "told_unknown": None
                if each.unheard is None
                else {
                    "at": moment(each.unheard.told_at),
                    "came_back_at": None
                    if each.unheard.came_back_at is None
                    else moment(each.unheard.came_back_at),
                },
            }
            for each in dispute.movements
        ],
        "refusals": list(map(refusal_record, dispute.refusals)),
        "received": list(map(_received_record, folder.received)),
        "request": None if presented is None else _presented_record(presented),
        "answers": list(map(_answer_record, folder.answers)),
        "rounds": [
            {
                **round_record(each.account),
                "movements": _entry_records(each.entries),
            }
            for each in dispute.rounds
        ],
        "time_lines": [
            {
                "user_id": line.user_id,
                "movements": _entry_records(line.entries),
                "beside": [{**each._asdict(), "at": moment(each.at)} for each in line.asides],
            }
            for line in dispute.time_lines
        ],
        "handling": [{**each._asdict(), "at": moment(each.at)} for each in dispute.handling],
        "proof": folder.proof.document,
        "no_proof_because": folder.proof.why_none,
        "not_kept": {} if folder.received else dict(NOT_KEPT),
    }


def _received_record(received: Received) -> dict[str, Any]:
    kept, request, shown = received.kept, received.request, received.shown
    record: dict[str, Any] = {
        "at": moment(kept.received_at),
        "request_id": kept.delivery.hex(),
        "source": kept.source,
        "is_signed": None if shown is None else shown.is_signed,
        "fields": None if shown is None else shown.fields,
        "status": None if request is None else request.status,
        "answer": None if request is None or request.answer is None else _text(request.answer),
    }
    if received.with_token and request is not None:
        record |= {
            "content_type": request.content_type,
            "signature": request.signature,
            "query": _text(request.query),
            "body": _text(request.body),
        }
    return record


def _entry_records(entries: Iterable[OwnedEntry]) -> list[dict[str, Any]]:
    owned = list(entries)
    beside = [each.entry for each in owned]
    return [entry_record(each, beside) for each in owned]


def _answer_record(answer: Answer) -> dict[str, Any]:
    told = answer.told
    return {
        "at": None if answer.at is None else moment(answer.at),
        "to": answer.what,
        "code": None if told is None else told.code,
        "words": None if told is None else told.words,
        "body": None if told is None else told.body,
        "remarks": answer.note,
    }


def _presented_record(presented: Presented) -> dict[str, Any]:
    return {
        "is_signed": presented.shown.is_signed,
        "fields": presented.shown.fields,
        "compared": [
            dict(zip(("field", "request", "ledger", "same"), row, strict=True))
            for row in presented.compared
        ],
    }
