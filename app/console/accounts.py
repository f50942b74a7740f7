"""Accounts at the console: the choice of agent and currency, and how an account is shown."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.console.data_owner import known_agents
from app.console.errors import ConsoleError
from app.console.output.layout import Facts
from app.console.output.records import pockets_record
from app.ledger.accounts import Account
from app.settings import Settings
from app.wallet.journal import EPOCH, MICROSECOND, microseconds
from app.wallet.limit_terms import Term
from app.wallet.moments import FOREVER, FOREVER_TEXT
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.words import moment, money, split


def agent_for(settings: Settings, named: str | None) -> str:
    """Return the named agent, or else the only one in the settings."""
    known = list(known_agents(settings))
    if named is None and len(known) == 1:
        return known[0]
    if named is None:
        raise ConsoleError("Whose player? Name the agent with --agent" + _known(known))
    if known and named not in known:
        raise ConsoleError(f"There is no agent {named}" + _known(known))
    return named


def currency_for(settings: Settings, code: str) -> Currency:
    """Return the currency of this code."""
    if code in settings.currencies:
        return Currency(code, settings.currencies[code])
    if code in ISO_CURRENCIES:
        return ISO_CURRENCIES[code]
    known = ", ".join(sorted({*ISO_CURRENCIES, *settings.currencies}))
    raise ConsoleError(
        f"{code} is not a currency of this wallet ({known}); WALLET_CURRENCIES may name more."
    )


def account_record(account: Account) -> dict[str, Any]:
    """Return an account as a document for programs."""
    player, until = account.player, account.excluded_until
    text, now = player.currency.text, microseconds(player.now)
    return {
        "user_id": player.user_id,
        "agent": player.agent,
        "currency": player.currency.code,
        **pockets_record(player.pockets, player.currency),
        "nickname": player.nickname,
        "language": player.language,
        "email": player.email,
        "first_name": player.first_name,
        "last_name": player.last_name,
        "status": "blocked" if account.is_suspended else "active",
        "excluded_until": None if until is None else _end(until),
        "may_play": not player.is_blocked,
        "limits": {
            name: text(limit)
            for name, term in account.terms.items()
            if (limit := term.at(now)) is not None
        },
        "limits_later": {
            name: {
                "amount": None if term.later is None else text(term.later),
                "from": moment(EPOCH + (term.starts_at or 0) * MICROSECOND),
                "confirm": term.needs_confirmation,
                "asked_by": term.asked_by and term.asked_by.source,
                "asked_at": term.asked_by and moment(EPOCH + term.asked_by.moment * MICROSECOND),
            }
            for name, term in account.terms.items()
            if term.waits_at(now)
        },
    }


def account_shown(account: Account) -> Facts:
    """Return an account laid out for people."""
    player = account.player
    total = money(player.pockets.balance, player.currency)
    return Facts(
        player.user_id,
        {
            "agent": player.agent,
            "balance": (f"{total} ({split(player.pockets, player.currency)})",),
            "status": (_status(account),),
            "nickname": player.nickname,
            "name": " ".join(filter(None, (player.first_name, player.last_name))) or None,
            "email": player.email,
            "language": player.language,
            "limits": tuple(_limits(account)) or "none",
        },
    )


def _known(agents: list[str]) -> str:
    if not agents:
        return "; WALLET_AGENTS names none yet, `wallet agent key` makes a key for one."
    return f" (WALLET_AGENTS has {', '.join(agents)})."


def _status(account: Account) -> str:
    words = ["blocked by the operator"] if account.is_suspended else []
    until = account.excluded_until
    if until is not None and until > account.player.now:
        words.append("excluded for ever" if until == FOREVER else f"excluded until {moment(until)}")
    return "; ".join(words) or "active"


def _limits(account: Account) -> Iterator[str]:
    now = microseconds(account.player.now)
    for name, term in account.terms.items():
        words = f"{name} {_amount(account, term.at(now))}"
        yield words + (_later(account, term) if term.waits_at(now) else "")


def _later(account: Account, term: Term) -> str:
    begins = moment(EPOCH + (term.starts_at or 0) * MICROSECOND)
    later = _amount(account, term.later)
    if term.needs_confirmation:
        return f", {later} asked for, to be confirmed from {begins}"
    return f", from {begins} {later}"


def _end(until: datetime) -> str:
    return FOREVER_TEXT if until == FOREVER else moment(until)


def _amount(account: Account, limit: int | None) -> str:
    return "none" if limit is None else money(limit, account.player.currency)
