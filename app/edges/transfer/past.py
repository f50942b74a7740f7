"""What this contract says about the past: the answer that a movement or refusal was given."""

from app.cashier.disputes import Told
from app.edges.transfer.answers import OPERATIONS_OF, first_answer
from app.edges.transfer.codes import CODES, WORDS, Code, reason_of
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal


def is_of(entry: JournalEntry) -> bool:
    """Whether it is a movement of this contract; the console's count as its."""
    return entry.event_type in OPERATIONS_OF


def answer_of(entry: JournalEntry, hit: LimitHit | None) -> Told:
    """Return the answer that followed from an entry, to the byte, without its envelope."""
    answer = first_answer(entry, hit)
    return Told(answer.code.value, WORDS[answer.code], answer.body.decode())


def answer_of_refusal(kept: RefusalRecord, refusal: Refusal | None) -> Told:
    """Return the code and words of a refusal; None: the request was not understood."""
    if refusal is not None:
        return Told(CODES[refusal].value, reason_of(refusal))
    code = Code.__members__.get(kept.refusal, Code.FORMAT)
    return Told(code.value, kept.reason)
