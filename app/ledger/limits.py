"""The stored form of a player's limits: JSON in `wallets.limits`, amounts in minor units.

Beside each limit (null: none) is a pending raise, and when it takes effect, in microseconds of the
Unix epoch: `{"stake_day": {"amount": 1000, "later": 5000, "from": 17900000000}}`.
"""

import json
from collections.abc import Mapping

from app.wallet.limits import Limits, Term


def terms_of(text: str | None) -> dict[str, Term]:
    """Read the stored terms, amounts in minor units."""
    kept = json.loads(text) if text else {}
    return {
        name: Term(kept[name]["amount"], kept[name].get("later"), kept[name].get("from"))
        for name in Limits._fields
        if name in kept
    }


def terms_text(terms: Mapping[str, Term]) -> str | None:
    """Return the JSON to store; None: the player has no limits."""
    kept: dict[str, dict[str, int | None]] = {}
    for name, term in terms.items():
        kept[name] = {"amount": term.amount}
        if term.starts_at is not None:
            kept[name] |= {"later": term.later, "from": term.starts_at}
    return json.dumps(kept) if kept else None
