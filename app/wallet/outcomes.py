"""The possible decisions: posted, declined (final), replayed, refused (not final)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from app.wallet.balance import Pockets
from app.wallet.early_aborts import EarlyAbort
from app.wallet.facts import Wallet
from app.wallet.holds import Hold, HoldKey
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

SETTLED_BY_HAND: Final = "two people settled this movement by hand"
"""The detail of a refusal because a manual adjustment holds the movement's key."""


class Posting(NamedTuple):
    """An accepted movement, and the entry to write."""

    entry: JournalEntry


class Declined(NamedTuple):
    """A refusal that is final for its transaction id; its entry moves nothing."""

    entry: JournalEntry
    refusal: Refusal
    detail: str | LimitHit | None = None
    """which limit, or which abort (its transaction id), for people"""


class Replay(NamedTuple):
    """The movement's key is in the journal already."""

    entry: JournalEntry
    is_own: bool
    """whether an earlier attempt of this same delivery wrote the entry"""
    pockets: Pockets
    """the current balance of the player named in the request"""
    currency: Currency
    """the currency of that player"""
    differs: str | None
    """the field whose content differs from the entry's; a refusal is repeated anyway"""
    detail: LimitHit | None = None
    """which limit had refused it"""


class Refused(NamedTuple):
    """A refusal that is not final: the same key may be decided differently later."""

    refusal: Refusal
    pockets: Pockets | None = None
    """the balance; None: the player is unknown"""
    currency: Currency | None = None
    differs: str | None = None
    detail: str | LimitHit | None = None
    """SETTLED_BY_HAND, or nothing; for people"""


Receipt: TypeAlias = Posting | Declined | Replay | Refused


class RoundAfter(NamedTuple):
    """The state of a round after a batch, as it must be written."""

    game_id: int | None
    """of the batch's first movement in the round; a round keeps its first game id"""
    round: Round
    early_aborts: Mapping[str, EarlyAbort]
    """early aborts that the batch added or changed, by transaction id"""


class HoldAfter(NamedTuple):
    """A hold that the batch made or closed, as it must be written."""

    key: HoldKey
    hold: Hold


class Decisions(NamedTuple):
    """The receipt of each movement, in order, and the wallets and rounds after all of them."""

    receipts: list[Receipt]
    wallets: dict[str, Wallet]
    """the wallets to write, as they are after the batch, by user id"""
    rounds: dict[RoundKey, RoundAfter]
    now: datetime
    holds: tuple[HoldAfter, ...] = ()
