"""Changes that only the schema's owner makes: the decision settings, and the end of an upgrade.

Every change is recorded with its author in an append-only list beside the settings.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ledger.citus.making import allow_triggers
from app.ledger.limit_calendar import LOCAL_TIMES, zone_fault
from app.ledger.migrations import prepared_connection
from app.wallet.facts import RuleVersion
from app.wallet.limit_days import UTC_DAYS
from app.wallet.movement import KeyScope

APPLICATION_NAME_BEFORE: Final = "wallet"
"""The application_name of the previous release's connections."""

SIDE_BY_SIDE: Final = {
    "copy_to_player": "wallets",
    "copy_to_wallet": "players",
    "fill_wallet": "wallets",
    "raise_revision": "wallets",
}
"""Triggers for processes of the previous release, and the tables that have them."""

CHANGEABLE: Final = ("stake_order", "overtaken_bet", "overtaken_seconds")
"""Settings that may be changed at any time; the key scope can only be widened."""

_RUNNING: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = :name
"""

_BUCKETS: Final = "SELECT schema_name FROM buckets ORDER BY bucket"

_CLOSE_PLAYERS: Final = (
    "REVOKE UPDATE (blocked, excluded_until, limits) ON {schema}.players FROM wallet_service"
)
"""Only the triggers, with the rights of the service, and the release before changed these."""

_SETTLE_RAISES: Final = """
WITH settled AS (
UPDATE wallets w SET revision = revision + 1, limits = (
    SELECT jsonb_object_agg(term.key, CASE
        WHEN NOT term.value ? 'from' THEN term.value
        WHEN (term.value ->> 'from')::bigint > now_us.now THEN
            term.value || CASE WHEN :confirm THEN '{"confirm": true}'::jsonb ELSE '{}' END
        ELSE jsonb_build_object('amount', term.value -> 'later') END)
    FROM jsonb_each(w.limits) AS term (key, value)
)
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) AS now_us
WHERE w.limits IS NOT NULL AND w.limits::text LIKE '%"from"%'
RETURNING w.player_id, w.blocked, w.excluded_until, w.limits
)
INSERT INTO account_changes (player_id, source, operation, asked, outcome, delivery, event_time,
                             ledger_time)
SELECT s.player_id, :source, 'migrate/finish', '{}',
       '{"status": ' || to_json(CASE WHEN s.blocked THEN 'blocked' ELSE 'active' END)
       || ', "excluded_until": ' || coalesce(to_json(s.excluded_until)::text, 'null')
       || ', "limits": ' || (
           SELECT json_object_agg(term.key, json_build_object(
               'amount', term.value -> 'amount', 'later', term.value -> 'later',
               'starts_at', term.value -> 'from',
               'needs_confirmation', coalesce(term.value -> 'confirm', 'false')))
           FROM jsonb_each(s.limits) AS term (key, value)
       ) || ', "language": ' || to_json(p.language) || '}',
       gen_random_uuid(), now(), now()
FROM settled s JOIN players p ON p.player_id = s.player_id
"""
"""The previous release put a raise in force when its time had come, without writing it."""

_NOTE: Final = """
INSERT INTO decision_setting_changes (changed_at, source, name, value_before, value_after)
VALUES (clock_timestamp(), :source, :name, :before, :after)
"""


class OwnerChangeError(Exception):
    """The change cannot be made; the message says why, and what to do first."""


async def finish_upgrade(url: str, source: str, *, raises_are_confirmed: bool = True) -> bool:
    """End the upgrade: processes of the previous release may not run any more.

    From here on decisions follow this release's rules. Raised limits whose time has come are in
    force; later ones wait for the player's confirmation, if raises are confirmed. Returns False if
    the upgrade had ended already. Raises OwnerChangeError while a process of the previous release
    is connected.
    """
    async with prepared_connection(url) as connection, connection.begin():
        before = await _locked(connection, "rule_version")
        if before == RuleVersion.CURRENT:
            return False
        running = await connection.scalar(text(_RUNNING), {"name": APPLICATION_NAME_BEFORE})
        if running:
            raise OwnerChangeError(
                f"{running} connections of the release before are still open: stop its processes "
                "and run this again."
            )
        buckets = list(await connection.scalars(text(_BUCKETS)))
        # In the order in which a statement of the service takes them: nobody waits in a circle.
        for table in ("players", "wallets"):
            await _lock(connection, table, buckets)
        await connection.run_sync(allow_triggers)
        for schema in ("public", *buckets):
            for trigger, table in SIDE_BY_SIDE.items():
                await connection.execute(
                    text(f"DROP TRIGGER IF EXISTS {trigger} ON {schema}.{table}")
                )
            await connection.execute(text(_CLOSE_PLAYERS.format(schema=schema)))
        for trigger in SIDE_BY_SIDE:
            await connection.execute(text(f"DROP FUNCTION IF EXISTS {trigger}()"))
        for schema in buckets or ("public",):
            await connection.execute(text(f"SET LOCAL search_path = {schema}, public, pg_temp"))
            await connection.execute(
                text(_SETTLE_RAISES), {"confirm": raises_are_confirmed, "source": source}
            )
        await connection.execute(text("SET LOCAL search_path = public, pg_temp"))
        # The release before writes its key scope here at every start, and so starts no more.
        await connection.execute(text("REVOKE INSERT ON ledger_settings FROM wallet_service"))
        await _change(connection, source, "rule_version", before, RuleVersion.CURRENT.value)
        return True


async def widen_key_scope(url: str, source: str) -> bool:
    """Widen the key scope: callback ids are then unique with their event type and direction.

    An id of an entry of the narrow scope stays taken for that entry's event type and direction.
    Servers that still run with the narrow scope record nothing from here on. Returns False if the
    scope was wide already. Raises OwnerChangeError before the upgrade to this release is finished.
    """
    async with prepared_connection(url) as connection, connection.begin():
        before = await _locked(connection, "key_scope")
        if await _locked(connection, "rule_version") != RuleVersion.CURRENT:
            raise OwnerChangeError("Finish the upgrade first: wallet migrate --finish.")
        if before == KeyScope.TRANSACTION_EVENT:
            return False
        await _change(connection, source, "key_scope", before, KeyScope.TRANSACTION_EVENT.value)
        return True


async def rezone_limits(url: str, source: str, zone: str) -> object:
    """Count limits in the days of another time zone from now on; return the zone before.

    None: no zone was stored yet. Windows that are running go on: what is used of them stays used
    until the new zone's day, week or month ends. Servers that still run with the old zone record
    nothing from here on. Raises OwnerChangeError before the upgrade to this release is finished.
    """
    async with prepared_connection(url) as connection, connection.begin():
        before = await _locked(connection, "limit_zone")
        if await _locked(connection, "rule_version") != RuleVersion.CURRENT:
            raise OwnerChangeError("Finish the upgrade first: wallet migrate --finish.")
        if before != zone:
            await _check_zone(connection, zone)
            # Whoever decided by the old zone has recorded that before the moment that is noted, or
            # waits and finds other settings: no movement counts in another zone than its moment's.
            buckets = list(await connection.scalars(text(_BUCKETS)))
            await _lock(connection, "wallets", buckets)
            await _change(connection, source, "limit_zone", before, zone)
        return before


async def _lock(connection: AsyncConnection, table: str, buckets: Sequence[str]) -> None:
    """Let nobody read or change a table of players, here or on any node, until the commit.

    The lock on the table above reaches those of the buckets only where they are on this server.
    """
    places = ", ".join(f"{schema}.{table}" for schema in ("public", *buckets))
    await connection.execute(text(f"LOCK TABLE {places} IN ACCESS EXCLUSIVE MODE"))


async def _check_zone(connection: AsyncConnection, zone: str) -> None:
    """Raise OwnerChangeError for a zone whose clock the database knows otherwise."""
    if zone == UTC_DAYS.name:
        return
    rows = await connection.exec_driver_sql(LOCAL_TIMES, (zone,))
    fault = zone_fault(zone, ((row.m, row.local) for row in rows))
    if fault is not None:
        raise OwnerChangeError(fault)


async def change_decision_setting(url: str, source: str, name: str, value: str | int) -> object:
    """Change one of CHANGEABLE, and return its old value; None: no settings were stored.

    Servers that still run with the old value record nothing from here on.
    """
    if name not in CHANGEABLE:
        raise ValueError(f"{name} is not one of {', '.join(CHANGEABLE)}")
    async with prepared_connection(url) as connection, connection.begin():
        before = await _locked(connection, name)
        await _change(connection, source, name, before, value)
        return before


async def _locked(connection: AsyncConnection, name: str) -> object:
    row = await connection.execute(
        text(f"SELECT {name} FROM decision_settings FOR UPDATE")  # noqa: S608 - a name of ours
    )
    value: object = row.scalar_one()
    return value


async def _change(
    connection: AsyncConnection, source: str, name: str, before: object, after: str | int
) -> None:
    await connection.execute(
        text(f"UPDATE decision_settings SET {name} = :value"),  # noqa: S608 - a name of ours
        {"value": after},
    )
    await connection.execute(
        text(_NOTE),
        {
            "source": source,
            "name": name,
            "before": None if before is None else str(before),
            "after": str(after),
        },
    )
