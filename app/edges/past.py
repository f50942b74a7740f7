"""The contracts about the past, for a dispute: which answer a movement or a refusal was given."""

from collections.abc import Mapping, Sequence

from app.cashier.disputes import Shown, Told
from app.edges.betby import past as betby
from app.edges.betby.handlers import BETBY_SOURCE
from app.edges.callback import past as callback
from app.edges.callback.parsing import CALLBACK_SOURCE
from app.edges.transfer import past as transfer
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal


class PastOfAll:
    """Asks the contract that a movement or a refusal belongs to."""

    def __init__(self, scales: Mapping[str, int]) -> None:
        """`scales`: the decimals of Betby's units, by currency, where they are not its own."""
        self._scales = scales

    def first_answer(self, entry: JournalEntry, user_id: str, hit: LimitHit | None) -> Told | None:
        """Return the answer that followed from an entry; None: nobody outside asked for it."""
        if callback.is_of(entry):
            return callback.answer_of(entry)
        if betby.is_of(entry):
            return betby.answer_of(entry, user_id, self._scales)
        return transfer.answer_of(entry, hit) if transfer.is_of(entry) else None

    def refusal_answer(self, kept: RefusalRecord, refusal: Refusal | None) -> Told:
        """Return the answer to a refusal without an outcome."""
        if kept.source == CALLBACK_SOURCE:
            return callback.answer_of_refusal(kept, refusal)
        if kept.source == BETBY_SOURCE:
            return betby.answer_of_refusal(kept, refusal)
        return transfer.answer_of_refusal(kept, refusal)

    def read_request(
        self, sent: bytes, content_type: str | None, signature: str, keys: Sequence[str]
    ) -> Shown | str:
        """Read a request of the game side, and check its signature; or say why it is none."""
        return callback.read_request(sent, content_type, signature, keys)
