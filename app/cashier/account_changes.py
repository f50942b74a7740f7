"""Changes of an account by its operator: block, self-exclusion, limits, language.

A block or an exclusion refuses play, never money that is returned. A lowered limit takes effect at
once, a raised one after the cooling-off period (transfer contract, section 2).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from app.cashier.one_time import OneTimeRequest, run_once
from app.ledger.accounts import Account, ChangeNote, change_account, find_account, note_change
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.journal import MICROSECOND, microseconds
from app.wallet.limits import Limits, changed_terms
from app.wallet.money import Currency, Minor
from app.wallet.refusals import Refusal

LIMIT_NAMES: Final = Limits._fields
"""The contract's names: stake_bet, stake_day … loss_month."""


class Exclusion(NamedTuple):
    """The end of a player's self-exclusion; None: the player is not excluded."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """The requested change; a field that is None, or a limit not named, stays as it is."""

    is_suspended: bool | None = None
    exclusion: Exclusion | None = None
    limits: Mapping[str, str | None] = field(default_factory=dict)
    """by name, in major units as text matching AMOUNT_PATTERN; None: no limit"""
    language: str | None = None


class Looser(Enum):
    """Why a change would protect a player less than they are protected now."""

    LIMIT = "The limit in force is as low, or lower"
    EXCLUSION = "The player is excluded for longer than that"


async def show_account(
    ledger: Ledger, user_id: str, *, agent: str | None = None
) -> Account | Refusal:
    """Return the account; with an `agent`, only if it is one of that agent's."""

    async def work(book: Book) -> Account | Refusal:
        return _of_agent(await find_account(book, user_id), agent)

    return await ledger.read_only(work)


async def update_account(
    ledger: Ledger,
    user_id: str,
    change: AccountChange,
    *,
    cooling: timedelta,
    agent: str | None = None,
    note: ChangeNote | None = None,
    request: OneTimeRequest[Account | Refusal] | None = None,
) -> Account | Refusal:
    """Change an account, record who requested it (`note`), and return the changed account.

    Refusals: PLAYER_UNKNOWN; ACCOUNT_OF_ANOTHER_AGENT (with an `agent`); AMOUNT_TOO_FINE for a
    limit (transfer contract, account/update).
    With a `request`, at most once under its id: see `run_once`.
    """

    async def work(book: Book) -> Account | Refusal:
        found = _of_agent(await find_account(book, user_id, for_change=True), agent)
        if isinstance(found, Refusal):
            return found
        wanted = _limits_wanted(change.limits, found.player.currency)
        if wanted is None:
            return Refusal.AMOUNT_TOO_FINE
        after = _after(found, change, wanted, cooling)
        await change_account(book, after)
        if note is not None:
            await note_change(book, after.player.player_id, note, _outcome(after))
        return after

    return await run_once(ledger, work, request)


async def restrict_account(
    ledger: Ledger, user_id: str, change: AccountChange, note: ChangeNote
) -> Account | Refusal | Looser:
    """Change an account where that protects the player more, and record who did it.

    Refusals: PLAYER_UNKNOWN, AMOUNT_TOO_FINE. Looser: a limit would not be lower, or an exclusion
    would be shorter; nothing changes.
    """

    async def work(book: Book) -> Account | Refusal | Looser:
        found = _of_agent(await find_account(book, user_id, for_change=True), None)
        if isinstance(found, Refusal):
            return found
        wanted = _limits_wanted(change.limits, found.player.currency)
        if wanted is None:
            return Refusal.AMOUNT_TOO_FINE
        looser = _looser(found, change, wanted)
        if looser is not None:
            return looser
        # What is stricter holds at once, so there is no cooling-off period.
        after = _after(found, change, wanted, timedelta(0))
        await change_account(book, after)
        await note_change(book, after.player.player_id, note, _outcome(after))
        return after

    return await ledger.serializable(work)


def _looser(
    account: Account, change: AccountChange, wanted: Mapping[str, Minor | None]
) -> Looser | None:
    until, now = account.excluded_until, microseconds(account.player.now)
    if change.exclusion is not None and until is not None and until > account.player.now:
        wanted_until = change.exclusion.until
        if wanted_until is None or wanted_until < until:
            return Looser.EXCLUSION
    for name, amount in wanted.items():
        in_force = account.terms[name].at(now) if name in account.terms else None
        if amount is None or (in_force is not None and amount >= in_force):
            return Looser.LIMIT
    return None


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
    account: Account,
    change: AccountChange,
    wanted: Mapping[str, Minor | None],
    cooling: timedelta,
) -> Account:
    player = account.player
    is_suspended = account.is_suspended if change.is_suspended is None else change.is_suspended
    exclusion = change.exclusion or Exclusion(account.excluded_until)
    is_excluded = exclusion.until is not None and exclusion.until > player.now
    return Account(
        player=player._replace(
            language=change.language or player.language,
            is_blocked=is_suspended or is_excluded,
        ),
        is_suspended=is_suspended,
        excluded_until=exclusion.until,
        terms=changed_terms(
            account.terms, wanted, now=microseconds(player.now), cooling=cooling // MICROSECOND
        ),
    )


def _outcome(account: Account) -> str:
    """Return the account after a change as JSON text, amounts in minor units."""
    until = account.excluded_until
    return json.dumps(
        {
            "status": "blocked" if account.is_suspended else "active",
            "excluded_until": None if until is None else until.isoformat(),
            "limits": {name: term._asdict() for name, term in account.terms.items()},
            "language": account.player.language,
        }
    )
