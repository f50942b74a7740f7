"""The settings that decide money, stored by the database in one row."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.facts import Policy, RuleVersion
from app.wallet.movement import KeyScope

if TYPE_CHECKING:
    import asyncpg

_REMEMBER: Final = "SELECT * FROM remember_decision_settings_v2($1, $2, $3, $4, $5)"
_REMEMBERED: Final = "SELECT * FROM decision_settings"
_ZONE_CHANGES: Final = """
SELECT changed_at, value_before FROM decision_setting_changes
WHERE name = 'limit_zone' AND value_before IS NOT NULL ORDER BY change_id
"""


class DecisionSettings(NamedTuple):
    """The stored settings; None: no server has been started on this ledger yet."""

    rule_version: RuleVersion
    key_scope: KeyScope | None
    stake_order: StakeOrder | None
    overtaken_bet: OvertakenBet | None
    overtaken_window: timedelta | None
    limit_zone: str | None


class ZoneChange(NamedTuple):
    """A change of the time zone whose days limits count in."""

    moment: datetime
    before: str


async def remember_settings(book: Book, policy: Policy) -> DecisionSettings:
    """Store a policy's settings if none are stored yet, and return the stored ones."""
    row = await book.connection.fetchrow(
        _REMEMBER,
        policy.key_scope,
        policy.stake_order,
        policy.overtaken_bet,
        policy.overtaken_window // timedelta(seconds=1),
        policy.limit_days.name,
    )
    return _settings_of(row)


async def remembered_settings(book: Book) -> DecisionSettings:
    """Return the stored settings."""
    return _settings_of(await book.connection.fetchrow(_REMEMBERED))


async def zone_changes(book: Book) -> list[ZoneChange]:
    """Every change of the limits' time zone, oldest first."""
    return [ZoneChange(*row) for row in await book.connection.fetch(_ZONE_CHANGES)]


def _settings_of(row: "asyncpg.Record | None") -> DecisionSettings:
    if row is None:
        raise AssertionError("the migrations leave one row of settings")
    _, version, scope, order, overtaken, seconds, zone = row.values()
    return DecisionSettings(
        RuleVersion(version),
        None if scope is None else KeyScope(scope),
        None if order is None else StakeOrder(order),
        None if overtaken is None else OvertakenBet(overtaken),
        None if seconds is None else timedelta(seconds=seconds),
        zone,
    )
