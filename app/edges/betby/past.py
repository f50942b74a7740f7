"""What this contract says about the past: the answer that a movement or refusal was given."""

import json
from collections.abc import Mapping

from app.cashier.disputes import Told
from app.edges.betby.amounts import Units
from app.edges.betby.answers import first_answer, refused_by
from app.edges.betby.codes import CODES, WORDS, Code
from app.edges.betby.handlers import BETBY_SOURCE
from app.wallet.events import RULES, EventType
from app.wallet.journal import JournalEntry
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal


def is_of(entry: JournalEntry) -> bool:
    """Whether Betby asked for it; an adjustment may have the key of what it asked for."""
    return entry.key.source == BETBY_SOURCE and RULES[entry.event_type].is_named


def answer_of(entry: JournalEntry, scales: Mapping[str, int]) -> Told:
    """Return the answer that followed from an entry."""
    if entry.refusal is not None:
        answer = refused_by(entry.refusal)
        return Told(answer.code.value, WORDS[entry.refusal], answer.body.decode())
    if entry.event_type in {EventType.BETBY_NO_EFFECT, EventType.BETBY_DISCARD}:
        return Told(Code.DONE.value, "done")
    answer = first_answer(entry, _user_of(entry), Units({}, scales))
    return Told(answer.code.value, "done", answer.body.decode())


def answer_of_refusal(kept: RefusalRecord, refusal: Refusal | None) -> Told:
    """Return the code and words of a refusal; None: the call was not understood."""
    if refusal is not None:
        return Told(CODES[refusal].value, WORDS[refusal])
    code = Code.__members__.get(kept.refusal, Code.BAD_REQUEST)
    return Told(code.value, kept.reason)


def _user_of(entry: JournalEntry) -> str:
    """Return the player as the call named them."""
    asked = json.loads(entry.extra_data or "{}", parse_int=str, parse_float=str)
    transaction = asked.get("transaction") or {}
    return str(asked.get("player_id") or transaction.get("ext_player_id") or "")
