"""The settings that decide money, stored by the database in one row."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.facts import Policy, RuleVersion
from app.wallet.movement import KeyScope

if TYPE_CHECKING:
    import asyncpg

_REMEMBER: Final = "SELECT * FROM remember_decision_settings_v1($1, $2, $3, $4)"
_REMEMBERED: Final = "SELECT * FROM decision_settings"


class DecisionSettings(NamedTuple):
    """The stored settings; None: no server has been started on this ledger yet."""

    rule_version: RuleVersion
    key_scope: KeyScope | None
    stake_order: StakeOrder | None
    overtaken_bet: OvertakenBet | None
    overtaken_window: timedelta | None


async def remember_settings(book: Book, policy: Policy) -> DecisionSettings:
    """Store a policy's settings if none are stored yet, and return the stored ones."""
    row = await book.connection.fetchrow(
        _REMEMBER,
        policy.key_scope,
        policy.stake_order,
        policy.overtaken_bet,
        policy.overtaken_window // timedelta(seconds=1),
    )
    return _settings_of(row)


async def remembered_settings(book: Book) -> DecisionSettings:
    """Return the stored settings."""
    return _settings_of(await book.connection.fetchrow(_REMEMBERED))


def _settings_of(row: "asyncpg.Record | None") -> DecisionSettings:
    if row is None:
        raise AssertionError("the migrations leave one row of settings")
    _, version, scope, order, overtaken, seconds = row.values()
    return DecisionSettings(
        RuleVersion(version),
        None if scope is None else KeyScope(scope),
        None if order is None else StakeOrder(order),
        None if overtaken is None else OvertakenBet(overtaken),
        None if seconds is None else timedelta(seconds=seconds),
    )
