"""`wallet player …`: accounts and their changes.

Every change uses the same cashier functions as the transfer API, and is recorded in the same list
of changes, under the name of the system user at the console.
"""

import re
from typing import Annotated, Any, Final

import typer

from app.cashier.account_changes import (
    AccountChange,
    Exclusion,
    raise_rules,
    show_account,
    update_account,
)
from app.cashier.players import UNFIT_NAME, Opened, may_have_account, open_account
from app.cashier.staff_lookups import look_up_player
from app.console.accounts import account_record, account_shown, agent_for, currency_for
from app.console.arguments import (
    UserId,
    checked_agent,
    checked_exclusion,
    checked_limit_name,
    checked_moment_to_come,
    checked_text,
    read_exclusion,
    read_limits,
)
from app.console.data_owner import console_settings, refuse_beside_others
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, granted, note_of
from app.console.output.printer import AsJson, outcome_stands, print_json, say, show
from app.console.output.records import entry_record
from app.console.output.tables import entries_table
from app.ledger.accounts import Account
from app.ledger.transaction import Ledger

NICKNAME_LENGTH_MIN: Final = 3
NICKNAME_LENGTH_MAX: Final = 64
"""The bound of the callback contract, section 1."""

LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}", re.ASCII)
UPDATE: Final = "account/update"

players: Final = commands("player", "Open accounts, show them, block them, limit them.")


def _checked_nickname(value: str) -> str:
    if not NICKNAME_LENGTH_MIN <= len(value) <= NICKNAME_LENGTH_MAX or not value.isprintable():
        raise typer.BadParameter(
            f"must have {NICKNAME_LENGTH_MIN} to {NICKNAME_LENGTH_MAX} characters"
        )
    return value


def _checked_language(value: str) -> str:
    if not LANGUAGE.fullmatch(value):
        raise typer.BadParameter("must be a language tag such as en or en-US")
    return value


Currency = Annotated[str, typer.Option(help="For ever: ISO 4217, or one of WALLET_CURRENCIES.")]
Nickname = Annotated[str, typer.Option(help="What others see.", callback=_checked_nickname)]
Language = Annotated[str, typer.Option(help="Such as en or en-US.", callback=_checked_language)]
AgentName = Annotated[
    str | None,
    typer.Option(
        help="Whose player; needed where WALLET_AGENTS names several.", callback=checked_agent
    ),
]
Optional = Annotated[str | None, typer.Option(callback=checked_text)]
Count = Annotated[int, typer.Option(min=0, max=1000, help="How many of the last movements.")]
Until = Annotated[
    str,
    typer.Argument(
        metavar="UNTIL", help="Such as 2027-01-31, or forever.", callback=checked_exclusion
    ),
]
BlockUntil = Annotated[
    str | None,
    typer.Option(
        "--until",
        help="Exclude until then, as `exclude` does; else block for good.",
        callback=checked_moment_to_come,
    ),
]
LimitWords = Annotated[
    list[str] | None,
    typer.Argument(metavar="LIMIT=AMOUNT", help="Or LIMIT=none; none named: show."),
]
Confirm = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIMIT",
        help="The player confirms the raise of this limit that was asked for; may be repeated.",
        callback=checked_limit_name,
    ),
]


@players.command("open")
def open_player(
    user_id: UserId,
    currency: Currency,
    nickname: Nickname,
    language: Language = "en",
    agent: AgentName = None,
    email: Optional = None,
    first_name: Optional = None,
    last_name: Optional = None,
    as_json: AsJson = False,
) -> None:
    """Open an account with an empty wallet; one that is there already stays as it is."""
    settings = console_settings()
    profile: dict[str, Any] = {
        "user_id": user_id,
        "agent": agent_for(settings, agent),
        "currency": currency_for(settings, currency),
        "nickname": nickname,
        "language": language,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
    }
    asked = {**profile, "currency": currency}

    async def work(ledger: Ledger) -> Opened:
        if settings.demo:
            # A data folder that was never served has no note of its owner yet.
            await refuse_beside_others(ledger)
        if not await may_have_account(ledger, user_id):
            raise ConsoleError(f"The player's name {UNFIT_NAME}.")
        return await open_account(ledger, **profile, note=note_of("account/init", asked))

    opened = ask(work, changes=True)
    _check_opened(opened, profile["agent"], currency)
    # A new account has default settings, so no further query is needed that could fail.
    account = (
        Account(opened.player, is_suspended=False, excluded_until=None, terms={})
        if opened.created
        else _looked_up(user_id)
    )
    with outcome_stands():
        if as_json:
            print_json({"created": opened.created, **account_record(account)})
        elif opened.created:
            say(f"Opened: {user_id}, a player of {opened.player.agent}, in {currency}.")
        else:
            say(f"{user_id} has an account already; nothing was changed.")


@players.command("show")
def show_player(user_id: UserId, movements: Count = 10, as_json: AsJson = False) -> None:
    """Show a player's balance, account settings and last movements."""
    details = granted(ask(lambda ledger: look_up_player(ledger, user_id, movements)), user_id)
    if as_json:
        records = [entry_record(owned) for owned in details.entries]
        print_json({**account_record(details.account), "movements": records})
        return
    show(account_shown(details.account))
    if details.entries:
        show("", entries_table("Last movements", details.entries))


@players.command("block")
def block(user_id: UserId, until: BlockUntil = None, as_json: AsJson = False) -> None:
    """Refuse a player's play and deposits; money that comes back is never refused."""
    if until is not None:
        exclude(user_id, until, as_json)
        return
    _change(user_id, AccountChange(is_suspended=True), {"status": "blocked"}, as_json=as_json)


@players.command("unblock")
def unblock(user_id: UserId, as_json: AsJson = False) -> None:
    """Lift a block; a player's own exclusion ends by itself, and nobody lifts it."""
    change = AccountChange(is_suspended=False)
    account = _change(user_id, change, {"status": "active"}, as_json=as_json)
    if account.player.is_blocked:
        raise ConsoleError(f"{user_id} is still excluded, by their own wish: nobody lifts that.")


@players.command("exclude")
def exclude(user_id: UserId, until: Until, as_json: AsJson = False) -> None:
    """Exclude a player from play and deposits; an exclusion is only ever made longer.

    Withdrawals and money that comes back are never refused.
    """
    change = AccountChange(exclusion=Exclusion(read_exclusion(until)))
    _change(user_id, change, {"excluded_until": until}, as_json=as_json)


@players.command("limits")
def limits(
    user_id: UserId,
    wanted: LimitWords = None,
    confirm: Confirm = None,
    as_json: AsJson = False,
) -> None:
    """Show a player's limits, or set some: `deposit_day=100.00 stake_day:casino=none`.

    A limit that is lowered holds at once. One that is raised or lifted waits for the cooling-off
    time and then for the player's confirmation.
    """
    if wanted or confirm:
        named, names = read_limits(wanted or ()), tuple(confirm or ())
        if len(set(names)) < len(names) or named.keys() & set(names):
            raise typer.BadParameter("names a limit twice")
        change = AccountChange(limits=named, confirm=names)
        _change(user_id, change, {"limits": named, "confirm": names}, as_json=as_json)
    else:
        _show(_looked_up(user_id), as_json=as_json)


def _change(
    user_id: str, change: AccountChange, asked: dict[str, Any], *, as_json: bool
) -> Account:
    """Make a change, and show the changed account."""
    settings = console_settings()
    raises = raise_rules(
        settings.limit_cooling_seconds, settings.limit_raise, settings.limit_cooling_by
    )
    note = note_of(UPDATE, {"user_id": user_id, **asked})
    account = granted(
        ask(
            lambda ledger: update_account(ledger, user_id, change, raises=raises, note=note),
            changes=True,
        ),
        user_id,
    )
    with outcome_stands():
        _show(account, as_json=as_json)
    return account


def _looked_up(user_id: str) -> Account:
    return granted(ask(lambda ledger: show_account(ledger, user_id)), user_id)


def _show(account: Account, *, as_json: bool) -> None:
    if as_json:
        print_json(account_record(account))
    else:
        show(account_shown(account))


def _check_opened(opened: Opened, agent: str, currency: str) -> None:
    """Raise if the existing account has another agent or currency than requested."""
    player = opened.player
    if player.agent != agent:
        raise ConsoleError(f"{player.user_id} is a player of another agent, {player.agent}.")
    if player.currency.code != currency:
        raise ConsoleError(
            f"{player.user_id} has an account in {player.currency.code}, and keeps that currency."
        )
