"""The stored form of a player's limits: JSON in `wallets.limits`, amounts in minor units.

Beside the amount in force (null: none) stands what was asked for and when it comes into force, or,
with `confirm`, from when it can be confirmed; and who set and asked for it. Times are microseconds
of the Unix epoch: `{"stake_day": {"amount": 1000, "later": 5000, "from": 17900000000,
"confirm": true, "by": ["house", 17800000000]}}`.

The previous release reads `amount`, `later` and `from`, and takes what has come for what is in
force; `confirm` and names that it does not know are stored only once it has gone.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from app.wallet.limit_terms import Author, Term
from app.wallet.limits import NO_LIMITS, Limits
from app.wallet.money import Minor

_ORDINARY: Final = frozenset(Limits._fields)


def terms_of(text: str | None) -> dict[str, Term]:
    """Read the stored terms, amounts in minor units."""
    kept = json.loads(text) if text else {}
    return {name: _term_of(term) for name, term in kept.items()}


def limits_in_force(text: str, moment: int) -> tuple[Limits, dict[str, Minor] | None]:
    """Read the limits in force at a moment: of all stakes and losses, and the others by name.

    None: the player has no others, not even one that will be in force or was lifted by itself.
    """
    ordinary: dict[str, Minor] = {}
    further: dict[str, Minor] = {}
    kept_limits = json.loads(text)
    for name, kept in kept_limits.items():
        amount = kept["amount"]
        if "from" in kept:
            amount = _term_of(kept).at(moment)
        if amount is not None:
            (ordinary if name in _ORDINARY else further)[name] = amount
    limits = Limits(**ordinary) if ordinary else NO_LIMITS
    return limits, further if kept_limits.keys() - _ORDINARY else None


def terms_text(terms: Mapping[str, Term]) -> str | None:
    """Return the JSON to store; None: the player has no limits."""
    kept: dict[str, dict[str, Any]] = {}
    for name, term in terms.items():
        kept[name] = {"amount": term.amount}
        if term.set_by is not None:
            kept[name]["set"] = term.set_by
        if term.starts_at is not None:
            kept[name] |= {"later": term.later, "from": term.starts_at, "by": term.asked_by}
            if term.needs_confirmation:
                kept[name]["confirm"] = True
    return json.dumps(kept) if kept else None


def _term_of(kept: Mapping[str, Any]) -> Term:
    return Term(
        kept["amount"],
        kept.get("later"),
        kept.get("from"),
        kept.get("confirm", False),
        _author_of(kept.get("set")),
        _author_of(kept.get("by")),
    )


def _author_of(kept: tuple[str, int] | None) -> Author | None:
    return None if kept is None else Author(*kept)
