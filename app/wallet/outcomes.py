"""What a decision can be: accepted, refused for ever, a repeat, refused for now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from app.wallet.balance import Pockets
from app.wallet.early_aborts import EarlyAbort
from app.wallet.facts import Wallet
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

SETTLED_BY_HAND: Final = "two people settled this movement by hand"
"""The detail of a refusal whose key an adjustment has taken."""


class Posting(NamedTuple):
    """A movement accepted: the entry to write."""

    entry: JournalEntry


class Declined(NamedTuple):
    """A refusal that is an outcome for ever: the entry to write, which moves nothing."""

    entry: JournalEntry
    refusal: Refusal
    detail: str | LimitHit | None = None
    """which limit, or which abort (its transaction id), for people"""


class Replay(NamedTuple):
    """The key is in the journal already."""

    entry: JournalEntry
    is_own: bool
    """the entry was written by this very delivery, whose first answer never arrived"""
    pockets: Pockets
    """the asking player's balance now"""
    currency: Currency
    """the asking player's"""
    differs: str | None
    """the field whose content differs from the entry's (a refusal is repeated all the same)"""


class Refused(NamedTuple):
    """A refusal that is no outcome: a later attempt under the same key may be decided otherwise."""

    refusal: Refusal
    pockets: Pockets | None = None
    """the balance, None while the player is unknown"""
    currency: Currency | None = None
    differs: str | None = None
    detail: str | LimitHit | None = None
    """SETTLED_BY_HAND, or nothing; for people"""


Receipt: TypeAlias = Posting | Declined | Replay | Refused


class RoundAfter(NamedTuple):
    """A round as it stands after a batch: what is to be written of it."""

    game_id: int | None
    """of the batch's first movement in it; a round keeps the game it was opened with"""
    round: Round
    early_aborts: Mapping[str, EarlyAbort]
    """those that the batch added or changed, by transaction id"""


class Decisions(NamedTuple):
    """The receipt of each movement, in order, and the wallets and rounds after all of them."""

    receipts: list[Receipt]
    wallets: dict[str, Wallet]
    """wallets that are to be written, as they stand after the batch, by user id"""
    rounds: dict[RoundKey, RoundAfter]
    now: datetime
