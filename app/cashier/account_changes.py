"""Changes of an account by its operator: block, self-exclusion, limits, language.

A block or an exclusion refuses play and deposits, never money that is returned. An exclusion that
is running only grows. A lowered limit takes effect at once, a raised one after the cooling-off
period and the player's confirmation (transfer contract, section 2).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from app.cashier.one_time import OneTimeRequest, run_once
from app.cashier.policy import limit_days
from app.ledger.accounts import Account, ChangeNote, change_account, find_account, note_change
from app.ledger.decision_settings import remembered_settings, zone_changes
from app.ledger.limit_counters import begin_counters
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.barring import exclusion_after, is_barred
from app.wallet.facts import RuleVersion
from app.wallet.further_limits import counters_of
from app.wallet.journal import MICROSECOND, microseconds
from app.wallet.limit_days import UTC_DAYS
from app.wallet.limit_terms import (
    DEFAULT_RAISE_RULES,
    NO_TERM,
    Author,
    NotConfirmed,
    RaiseRules,
    Term,
    changed_terms,
    confirmed_terms,
    is_known_to_last_release,
)
from app.wallet.moments import FOREVER
from app.wallet.money import Currency, Minor
from app.wallet.refusals import Refusal


class Exclusion(NamedTuple):
    """The end of a player's self-exclusion, or FOREVER; None: the player is not excluded."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """The requested change; a field that is None, or a limit not named, stays as it is."""

    is_suspended: bool | None = None
    exclusion: Exclusion | None = None
    limits: Mapping[str, str | None] = field(default_factory=dict)
    """by name, in major units as text matching AMOUNT_PATTERN; None: no limit"""
    confirm: tuple[str, ...] = ()
    """names of limits whose raise the player confirms"""
    language: str | None = None


class Looser(Enum):
    """Why a change would protect a player less than they are protected now."""

    LIMIT = "the limit in force is as low, or lower"


def raise_rules(
    cooling_seconds: int, how: str, periods: Mapping[str, int] = MappingProxyType({})
) -> RaiseRules:
    """Return the rules of raising limits, as the settings say them.

    `how`: confirm or automatic; `periods`: seconds by `agent:<id>` or `currency:<code>`.
    """
    by: dict[str, dict[str, timedelta]] = {"agent": {}, "currency": {}}
    for name, seconds in periods.items():
        kind, _, which = name.partition(":")
        by[kind][which] = timedelta(seconds=seconds)
    return RaiseRules(
        timedelta(seconds=cooling_seconds), how == "confirm", by["agent"], by["currency"]
    )


async def show_account(
    ledger: Ledger, user_id: str, *, agent: str | None = None
) -> Account | Refusal:
    """Return the account; with an `agent`, only if it is one of that agent's."""

    async def work(book: Book) -> Account | Refusal:
        return _of_agent(await find_account(book, user_id), agent)

    return await ledger.read_only(work, of=user_id)


async def update_account(
    ledger: Ledger,
    user_id: str,
    change: AccountChange,
    *,
    raises: RaiseRules,
    agent: str | None = None,
    note: ChangeNote | None = None,
    request: OneTimeRequest[Account | Refusal] | None = None,
) -> Account | Refusal:
    """Change an account, record who requested it (`note`), and return the changed account.

    Refusals: PLAYER_UNKNOWN;
    ACCOUNT_OF_ANOTHER_AGENT (with an `agent`); AMOUNT_TOO_FINE for a limit; LIMIT_NOT_ASKED and
    LIMIT_TOO_EARLY for a confirmation; EXCLUSION_RUNS; UPGRADE_UNFINISHED for what processes of the
    previous release do not know (transfer contract, account/update).
    With a `request`, at most once under its id: see `run_once`.
    """

    async def work(book: Book) -> Account | Refusal:
        found = _of_agent(await find_account(book, user_id, for_change=True), agent)
        if isinstance(found, Refusal):
            return found
        return await _changed(book, found, change, raises, note)

    return await run_once(ledger, work, request, of=user_id)


async def restrict_account(
    ledger: Ledger, user_id: str, change: AccountChange, note: ChangeNote
) -> Account | Refusal | Looser:
    """Change an account where that protects the player more, and record who did it.

    Refusals: PLAYER_UNKNOWN, AMOUNT_TOO_FINE, EXCLUSION_RUNS, UPGRADE_UNFINISHED. Looser: a limit
    would not be lower. Then nothing changes.
    """

    async def work(book: Book) -> Account | Refusal | Looser:
        found = await find_account(book, user_id, for_change=True)
        if found is None:
            return Refusal.PLAYER_UNKNOWN
        wanted = _limits_wanted(change.limits, found.player.currency)
        if wanted is None:
            return Refusal.AMOUNT_TOO_FINE
        now = microseconds(found.player.now)
        for name, amount in wanted.items():
            in_force = found.terms.get(name, NO_TERM).at(now)
            if amount is None or (in_force is not None and amount >= in_force):
                return Looser.LIMIT
        # What is stricter holds at once, whatever the rules of raises are.
        return await _changed(book, found, change, DEFAULT_RAISE_RULES, note)

    return await ledger.serializable(work, of=user_id)


async def _changed(
    book: Book,
    found: Account,
    change: AccountChange,
    raises: RaiseRules,
    note: ChangeNote | None,
) -> Account | Refusal:
    """Change an account that is locked, with the counters that its limits need, and note it."""
    settings = await remembered_settings(book)
    author = "" if note is None else note.source
    after = _after(found, change, raises, author, settings.rule_version)
    if isinstance(after, Refusal):
        return after
    await change_account(book, after)
    begun = counters_of(after.terms) - counters_of(found.terms)
    if begun:
        player = after.player
        zone = settings.limit_zone or UTC_DAYS.name
        days = limit_days(zone, await zone_changes(book))
        await begin_counters(book, player.player_id, player.currency, begun, days, player.now)
    if note is not None:
        await note_change(book, after.player.player_id, note, _outcome(after))
    return after


def _of_agent(account: Account | None, agent: str | None) -> Account | Refusal:
    if account is None:
        return Refusal.PLAYER_UNKNOWN
    if agent is not None and account.player.agent != agent:
        return Refusal.ACCOUNT_OF_ANOTHER_AGENT
    return account


def _limits_wanted(
    limits: Mapping[str, str | None], currency: Currency
) -> dict[str, Minor | None] | None:
    """Return the limits in minor units, or None if one is too fine for the currency."""
    wanted: dict[str, Minor | None] = {}
    for name, text in limits.items():
        amount = None if text is None else currency.minor(text)
        if amount is None and text is not None:
            return None
        wanted[name] = amount
    return wanted


def _after(
    account: Account, change: AccountChange, raises: RaiseRules, author: str, version: RuleVersion
) -> Account | Refusal:
    player = account.player
    is_suspended = account.is_suspended if change.is_suspended is None else change.is_suspended
    until = account.excluded_until
    if change.exclusion is not None:
        after = exclusion_after(until, change.exclusion.until, player.now)
        if isinstance(after, Refusal):
            return after
        until = after
    terms = _terms_after(account, change, raises, author, version)
    if isinstance(terms, Refusal):
        return terms
    if version is RuleVersion.LAST_RELEASE and until == FOREVER != account.excluded_until:
        return Refusal.UPGRADE_UNFINISHED
    return account._replace(
        player=player._replace(
            language=change.language or player.language,
            is_blocked=is_barred(is_blocked=is_suspended, excluded_until=until, now=player.now),
        ),
        is_suspended=is_suspended,
        excluded_until=until,
        terms=terms,
    )


def _terms_after(
    account: Account, change: AccountChange, raises: RaiseRules, author: str, version: RuleVersion
) -> dict[str, Term] | Refusal:
    """Return the limits' terms after a change: first what is confirmed, then what is asked for."""
    player = account.player
    is_last_release = version is RuleVersion.LAST_RELEASE
    wanted = _limits_wanted(change.limits, player.currency)
    if wanted is None:
        return Refusal.AMOUNT_TOO_FINE
    if is_last_release and not all(map(is_known_to_last_release, wanted)):
        return Refusal.UPGRADE_UNFINISHED
    by = Author(author, microseconds(player.now))
    terms = confirmed_terms(account.terms, change.confirm, by)
    if isinstance(terms, NotConfirmed):
        return _NOT_CONFIRMED[terms]
    cooling = raises.cooling_for(player.agent, player.currency.code)
    return changed_terms(
        terms,
        wanted,
        cooling=cooling // MICROSECOND,
        author=by,
        needs_confirmation=raises.needs_confirmation and not is_last_release,
    )


_NOT_CONFIRMED: Final = {
    NotConfirmed.NOTHING_ASKED: Refusal.LIMIT_NOT_ASKED,
    NotConfirmed.TOO_EARLY: Refusal.LIMIT_TOO_EARLY,
}


def _outcome(account: Account) -> str:
    """Return the account after a change as JSON text, amounts in minor units."""
    until = account.excluded_until
    return json.dumps(
        {
            "status": "blocked" if account.is_suspended else "active",
            # As the database writes a moment without an end, which the audit compares.
            "excluded_until": "infinity" if until == FOREVER else until and until.isoformat(),
            "limits": {name: term._asdict() for name, term in account.terms.items()},
            "language": account.player.language,
        }
    )
