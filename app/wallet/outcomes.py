"""What a decision can be: accepted, refused for ever, a repeat, refused for now."""

from datetime import datetime
from typing import NamedTuple, TypeAlias

from app.wallet.balance import Pockets
from app.wallet.facts import Wallet
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.refusals import Refusal
from app.wallet.rounds import NOTHING_YET, RoundKey, Tally


class Posting(NamedTuple):
    """A movement accepted: the entry to write."""

    entry: JournalEntry


class Declined(NamedTuple):
    """A refusal that is an outcome for ever: the entry to write, which moves nothing."""

    entry: JournalEntry
    refusal: Refusal


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
    detail: str | None = None
    """which limit, for people"""


class KeyNeeded(NamedTuple):
    """Not decided: the key must be looked up first, because the movement would be refused."""

    key: Key


Receipt: TypeAlias = Posting | Declined | Replay | Refused
Outcome: TypeAlias = Receipt | KeyNeeded


class RoundChange(NamedTuple):
    """What a batch adds to one round."""

    currency: Currency
    game_id: int | None
    tally: Tally = NOTHING_YET
    is_settled: bool = False
    """as the round stands after the batch"""
    refused_aborts: tuple[Minor, ...] = ()


class Decisions(NamedTuple):
    """The outcome of each movement, in order, and the wallets and rounds after all of them."""

    outcomes: list[Outcome]
    wallets: dict[str, Wallet]
    """wallets that moved, as they stand after the batch, by user id"""
    round_changes: dict[RoundKey, RoundChange]
    now: datetime

    @property
    def keys_needed(self) -> set[Key]:
        """The keys to look up before these decisions can be believed."""
        return {outcome.key for outcome in self.outcomes if isinstance(outcome, KeyNeeded)}
