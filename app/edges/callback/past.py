"""What this contract says about the past: the answer that was given, and a request shown again."""

from collections.abc import Sequence
from typing import Final

from app.cashier.disputes import Shown, Told
from app.edges.callback.answers import CODES, FORMAT, WORDS, first_answer
from app.edges.callback.auth import Authenticator
from app.edges.callback.decoding import EXTRA_DATA, read_fields, read_form
from app.edges.callback.errors import EncodingError
from app.edges.callback.parsing import CALLBACK_SOURCE
from app.wallet.events import GAME_EVENT_TYPES
from app.wallet.journal import JournalEntry
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal

DONE_WORDS: Final = "done"
SECRET: Final = "token"  # noqa: S105 - a field's name


def is_of(entry: JournalEntry) -> bool:
    """Whether the game side asked for it; an adjustment may have the key of what it asked for."""
    return entry.key.source == CALLBACK_SOURCE and entry.event_type in GAME_EVENT_TYPES


def answer_of(entry: JournalEntry) -> Told:
    """Return the answer that followed from an entry, to the byte."""
    answer = first_answer(entry)
    words = DONE_WORDS if entry.refusal is None else WORDS[entry.refusal]
    return Told(answer.code, words, answer.body.decode())


def answer_of_refusal(kept: RefusalRecord, refusal: Refusal | None) -> Told:
    """Return the code and words of a refusal; None: the request was not understood."""
    if refusal is None:
        return Told(FORMAT, kept.reason)
    return Told(CODES[refusal], WORDS[refusal])


def read_request(
    sent: bytes, content_type: str | None, signature: str, keys: Sequence[str]
) -> Shown | str:
    """Read a request as it was sent, a form, JSON or a query, and check its signature."""
    try:
        if content_type is None:
            is_json = sent.lstrip()[:1] == b"{"
            content_type = "application/json" if is_json else "application/x-www-form-urlencoded"
        fields = read_fields(content_type.encode(), sent, b"") if sent else read_form(b"")
    except EncodingError as error:
        return f"it cannot be read: {error}"
    is_signed = Authenticator(keys).is_signed(fields.texts, signature.encode())
    shown = {name: text for name, text in fields.texts.items() if name != SECRET}
    if fields.extra_data is not None:
        shown[EXTRA_DATA] = fields.extra_data
    return Shown(is_signed, shown)
