"""Everything that a decision may know: a rule that needs more adds a field to `Facts`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from app.wallet.balance import Pockets, StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.further_limits import FurtherLimits, Games
from app.wallet.holds import Hold, HoldKey
from app.wallet.journal import JournalEntry
from app.wallet.limit_days import UTC_DAYS, LimitDays
from app.wallet.limits import LimitHit, Limits, Usage
from app.wallet.money import Currency
from app.wallet.movement import KeyScope
from app.wallet.rounds import Round, RoundKey


class Wallet(NamedTuple):
    """A player's wallet as it was read. Amounts in minor units of `currency`."""

    player_id: int
    agent: str
    """whose player this is; only this agent's cashier may move their money"""
    currency: Currency
    pockets: Pockets
    version: int
    position: int
    """of the last journal entry; 0: there is none"""
    chain: bytes
    revision: int
    """raised by every write that a decision may read: it proves all facts about the player"""
    is_blocked: bool
    """blocked by the operator, or excluded until a time not yet reached"""
    limits: Limits
    usage: Usage
    further: FurtherLimits | None = None
    """limits of deposits and of products; None: the player has none"""


SourceAndId: TypeAlias = tuple[str, str]
"""Source and transaction id: a key without its facet."""

PlaceInChain: TypeAlias = tuple[int, int]
"""Player id and position: one entry of the journal."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about a batch of movements: all that any of them needs."""

    now: datetime
    """the ledger's clock, UTC"""
    wallets: Mapping[str, Wallet]
    """by user id"""
    sessions: Mapping[tuple[int, bytes], datetime]
    """when a token of a player expires, by player id and token hash"""
    rounds: Mapping[RoundKey, Round]
    """Rounds of the movements' events, those that exist, with their history where it is needed.

    An event whose bets were all declined has a history although no round was ever written for it.
    """
    taken: Mapping[SourceAndId, tuple[JournalEntry, ...]]
    """the journal's entries under the movements' transaction ids, whatever their facet"""
    limit_hits: Mapping[PlaceInChain, LimitHit] = field(default_factory=dict)
    """which limit refused, of those entries that were declined for one"""
    games: Games = field(default_factory=dict)
    """the names of the games of players who have a limit of a product"""
    holds: Mapping[HoldKey, Hold] = field(default_factory=dict)
    """the holds that the movements settle or release"""
    money_until: datetime | None = None
    """until when money comes back under tokens that a restore may have lost; None: it does not"""


class RuleVersion(IntEnum):
    """Which rules decide; during an upgrade, processes of the previous release still run."""

    LAST_RELEASE = 1
    """Exactly the rules of the previous release.

    An overtaken bet is flagged, never refused; no bet is voided while a payment stands; a payment
    is accepted after any SportBetCancel. Refused aborts are stored as amounts only.
    """
    CURRENT = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices where the contract leaves one."""

    stake_order: StakeOrder = StakeOrder.REAL_FIRST
    key_scope: KeyScope = KeyScope.TRANSACTION
    sport_game_id: int | None = None
    overtaken_bet: OvertakenBet = OvertakenBet.REFUSE
    overtaken_window: timedelta = timedelta(seconds=600)
    """how long after its abort a bet is taken to be the voided one"""
    rule_version: RuleVersion = RuleVersion.CURRENT
    limit_days: LimitDays = UTC_DAYS
