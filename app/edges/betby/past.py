"""What this contract says about the past: the answer that a movement or refusal was given."""

from collections.abc import Mapping

from app.cashier.disputes import Told
from app.edges.betby.amounts import Units
from app.edges.betby.answers import EMPTY, first_answer, refused_by
from app.edges.betby.codes import CODES, WORDS, Code
from app.edges.betby.handlers import BETBY_SOURCE
from app.wallet.events import RULES, EventType
from app.wallet.journal import JournalEntry
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal


def is_of(entry: JournalEntry) -> bool:
    """Whether Betby asked for it; an adjustment may have the key of what it asked for."""
    return entry.key.source == BETBY_SOURCE and RULES[entry.event_type].is_named


def answer_of(entry: JournalEntry, user_id: str, scales: Mapping[str, int]) -> Told:
    """Return the answer that followed from an entry."""
    is_of_discard = entry.event_type is EventType.BETBY_DISCARD or bool(entry.key.facet)
    if is_of_discard or entry.refusal is Refusal.BET_DISCARDED:
        return Told(Code.DONE.value, "done", EMPTY.body.decode())
    if entry.refusal is not None:
        answer = refused_by(entry.refusal)
        return Told(answer.code.value, WORDS[entry.refusal], answer.body.decode())
    if entry.event_type is EventType.BETBY_NO_EFFECT:
        # It was the answer of another entry.
        return Told(Code.DONE.value, "done")
    answer = first_answer(entry, user_id, Units({}, scales))
    return Told(answer.code.value, "done", answer.body.decode())


def answer_of_refusal(kept: RefusalRecord, refusal: Refusal | None) -> Told:
    """Return the code and words of a refusal; None: the call was not understood."""
    if refusal is not None:
        return Told(CODES[refusal].value, WORDS[refusal])
    code = Code.__members__.get(kept.refusal, Code.BAD_REQUEST)
    return Told(code.value, kept.reason)
