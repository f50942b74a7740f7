"""Everything a decision may know. When a rule needs to know more.

A field is added here and a read in the book.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.wallet.balance import Pockets, StakeOrder
from app.wallet.journal import JournalEntry
from app.wallet.limits import Limits, Usage
from app.wallet.money import Currency
from app.wallet.movement import Key, KeyScope
from app.wallet.rounds import Round, RoundKey


class Wallet(NamedTuple):
    """A player's wallet, locked for this transaction. Amounts in minor units of `currency`."""

    player_id: int
    agent: str
    """whose player this is; only this agent's cashier may move his money"""
    currency: Currency
    pockets: Pockets
    version: int
    position: int
    """of the last journal entry; 0: none yet"""
    chain: bytes
    is_blocked: bool
    """blocked by the operator, or excluded until a time not yet reached"""
    limits: Limits
    usage: Usage
    has_refused_aborts: bool
    """whether some round of the player has a refused abort, so that a bet must look at its round"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about a batch of movements."""

    now: datetime
    """the ledger's clock, UTC"""
    wallets: Mapping[str, Wallet]
    """by user id"""
    sessions: Mapping[tuple[int, bytes], datetime]
    """when a token of a player expires, by player id and token hash"""
    rounds: Mapping[RoundKey, Round]
    """rounds that exist and were asked for"""
    taken: Mapping[Key, JournalEntry]
    """keys known to be in the journal, with what they are there"""
    free: AbstractSet[Key]
    """keys looked up and not found"""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices where the contract leaves one."""

    stake_order: StakeOrder = StakeOrder.REAL_FIRST
    key_scope: KeyScope = KeyScope.TRANSACTION
    sport_game_id: int | None = None
