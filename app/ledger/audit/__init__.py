"""The audit: each invariant of the ledger is one query that returns the offenders.

A query trusts nothing that was stored where it can be computed again: the chain is hashed anew, and
rounds are added up anew from the journal.
"""

from typing import Final

from app.ledger.audit.canonical import CANONICAL
from app.ledger.audit.invariant import Invariant
from app.ledger.audit.rounds import ROUND_INVARIANTS
from app.ledger.audit.wallets import WALLET_INVARIANTS

__all__ = ["CANONICAL", "INVARIANTS", "LAST_PLAYER", "OFFENDERS_MAX", "Invariant"]

OFFENDERS_MAX: Final = 100
"""The most offenders reported of one invariant in one range of players; a longer list helps no
reader."""

INVARIANTS: Final = (*WALLET_INVARIANTS, *ROUND_INVARIANTS)
"""Every invariant, in the order in which breaches are reported: wallets first, since a breach there
explains most others."""

LAST_PLAYER: Final = """
SELECT coalesce(max(player_id), 0) AS player_id
FROM (SELECT max(player_id) AS player_id FROM players
      UNION ALL SELECT max(player_id) FROM movements) p
"""
