"""The terms of a player's limits: what is in force, and the raise that was asked for.

A lowered limit is in force at once. A raised or lifted one is only asked for: it waits for the
cooling-off period, and then, unless raises are automatic, for the player's confirmation (transfer
contract, section 2). Amounts are minor units of the player's currency, times are microseconds of
the Unix epoch.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from app.wallet.limits import Limits
from app.wallet.money import Minor

DEPOSIT_LIMITS: Final = ("deposit_day", "deposit_week", "deposit_month")
LIMIT_NAMES: Final = (*Limits._fields, *DEPOSIT_LIMITS)
"""The contract's names. Those of stakes and losses may be followed by a product."""

PRODUCT: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
"""What a product may be called: sport, casino, live …"""


def is_limit_name(name: str) -> bool:
    """Whether a limit may have this name: `stake_day`, or `stake_day:casino`."""
    base, separator, product = name.partition(":")
    if not separator:
        return base in LIMIT_NAMES
    return base in Limits._fields and PRODUCT.fullmatch(product) is not None


def is_known_to_last_release(name: str) -> bool:
    """Whether the previous release knows this limit; it forgets others when it changes one."""
    return name in Limits._fields


class Author(NamedTuple):
    """Who asked, and when."""

    source: str
    """the agent, or the system user at the console"""
    moment: int


class Term(NamedTuple):
    """One limit: the amount in force, and what was asked for beyond it."""

    amount: Minor | None = None
    """None: no limit"""
    later: Minor | None = None
    """what was asked for; None: no limit"""
    starts_at: int | None = None
    """when the request comes into force, or may be confirmed; None: nothing was asked for"""
    needs_confirmation: bool = False
    set_by: Author | None = None
    """who set the amount in force; None: an earlier release, which did not store it here"""
    asked_by: Author | None = None

    def at(self, moment: int) -> Minor | None:
        """The limit in force at a moment."""
        return self.later if self._has_come(moment) else self.amount

    def waits_at(self, moment: int) -> bool:
        """Whether something was asked for that is not in force at this moment."""
        return self.starts_at is not None and not self._has_come(moment)

    def _has_come(self, moment: int) -> bool:
        return (
            self.starts_at is not None and not self.needs_confirmation and self.starts_at <= moment
        )

    @property
    def says_nothing(self) -> bool:
        """Whether there is no limit, and nothing was asked for."""
        return self.amount is None and self.starts_at is None


NO_TERM: Final = Term()


@dataclass(frozen=True, slots=True)
class RaiseRules:
    """How a limit is raised: how long a raise waits, and whether it must be confirmed then."""

    cooling: timedelta = timedelta(days=1)
    needs_confirmation: bool = True
    by_agent: Mapping[str, timedelta] = field(default_factory=dict)
    by_currency: Mapping[str, timedelta] = field(default_factory=dict)

    def cooling_for(self, agent: str, currency: str) -> timedelta:
        """The period of a player: their agent's or their currency's; the longer where both are."""
        named = [
            periods[name]
            for periods, name in ((self.by_agent, agent), (self.by_currency, currency))
            if name in periods
        ]
        return max(named, default=self.cooling)


DEFAULT_RAISE_RULES: Final = RaiseRules()


class NotConfirmed(Enum):
    """Why a limit cannot be confirmed."""

    NOTHING_ASKED = auto()
    TOO_EARLY = auto()


def changed(
    term: Term,
    wanted: Minor | None,
    *,
    cooling: int,
    author: Author,
    needs_confirmation: bool = False,
) -> Term:
    """Return the term after a request for `wanted` (None: no limit).

    A limit that is not above the one in force takes effect at once. Whatever is asked for takes the
    place of an earlier request; only the same request again keeps its time.
    """
    now = author.moment
    current = term.at(now)
    if not _is_above(wanted, current):
        return Term(wanted, set_by=term.set_by if wanted == term.amount else author)
    if term.waits_at(now) and wanted == term.later:
        return term
    if not cooling and not needs_confirmation:
        return Term(wanted, set_by=author)
    set_by = term.set_by if current == term.amount else term.asked_by
    return Term(current, wanted, now + cooling, needs_confirmation, set_by, author)


def confirmed(term: Term, author: Author) -> Term | NotConfirmed:
    """Return the term after the player's confirmation of what was asked for."""
    if not term.waits_at(author.moment) or term.starts_at is None:
        return NotConfirmed.NOTHING_ASKED
    if term.starts_at > author.moment:
        return NotConfirmed.TOO_EARLY
    return Term(term.later, set_by=author)


def changed_terms(
    terms: Mapping[str, Term],
    wanted: Mapping[str, Minor | None],
    *,
    cooling: int,
    author: Author,
    needs_confirmation: bool = False,
) -> dict[str, Term]:
    """All of a player's terms after a request; limits it does not name stay as they are."""
    new = dict(terms)
    for name, amount in wanted.items():
        new[name] = changed(
            terms.get(name, NO_TERM),
            amount,
            cooling=cooling,
            author=author,
            needs_confirmation=needs_confirmation,
        )
    return {name: term for name, term in new.items() if not term.says_nothing}


def confirmed_terms(
    terms: Mapping[str, Term], names: Iterable[str], author: Author
) -> dict[str, Term] | NotConfirmed:
    """All of a player's terms after a confirmation; or why one of them cannot be confirmed."""
    new = dict(terms)
    for name in names:
        term = confirmed(new.get(name, NO_TERM), author)
        if isinstance(term, NotConfirmed):
            return term
        new[name] = term
    return {name: term for name, term in new.items() if not term.says_nothing}


def _is_above(one: Minor | None, other: Minor | None) -> bool:
    """Whether one limit allows more than the other; no limit allows most."""
    if other is None:
        return False
    return one is None or one > other
