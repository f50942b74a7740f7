"""The state while a batch is decided: a working copy of the facts, and what must be written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.wallet.early_aborts import EarlyAbort
from app.wallet.facts import PlaceInChain, SourceAndId, Wallet
from app.wallet.holds import Hold, HoldKey
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.movement import Movement
from app.wallet.outcomes import RoundAfter
from app.wallet.rounds import Round, RoundKey


@dataclass(slots=True)
class Changes:
    """The state while a batch is decided: a working copy of the facts, and what must be written."""

    wallets: dict[str, Wallet]
    rounds: dict[RoundKey, Round]
    taken: dict[SourceAndId, tuple[JournalEntry, ...]]
    moved: set[str] = field(default_factory=set)
    """players whose wallets must be written, by user id"""
    rounds_after: dict[RoundKey, RoundAfter] = field(default_factory=dict)
    holds: dict[HoldKey, Hold] = field(default_factory=dict)
    holds_after: dict[HoldKey, Hold] = field(default_factory=dict)
    limit_hits: dict[PlaceInChain, LimitHit] = field(default_factory=dict)


_NONE: Mapping[str, EarlyAbort] = {}


def write_round(
    movement: Movement,
    key: RoundKey,
    after: Round,
    early_abort: EarlyAbort | None,
    changes: Changes,
) -> None:
    """Store the round as it is after this movement, and the early abort that changed."""
    changes.rounds[key] = after
    known = changes.rounds_after.get(key)
    early_aborts = known.early_aborts if known else _NONE
    if early_abort is not None:
        early_aborts = {**early_aborts, early_abort.transaction_id: early_abort}
    game_id = known.game_id if known else movement.game_id
    changes.rounds_after[key] = RoundAfter(game_id, after, early_aborts)
