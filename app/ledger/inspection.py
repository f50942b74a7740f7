"""Checks whether a database is safe for money: its settings, and the privileges of our role.

It is read once, at startup.
"""

from typing import Final, NamedTuple

from app.ledger.money.book import Book

VERSION_MIN: Final = 150000
"""PostgreSQL 15."""

DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
"""Settings without which a committed movement can be lost."""

OURS_TO_SEND: Final = ("synchronous_commit", "search_path", "session_replication_role")
"""Settings that durability, or the meaning of every statement, rests on."""

HARMLESS: Final = frozenset({"synchronous_commit=on", "synchronous_commit=remote_apply"})
"""As a pooler asks for that drops what the service sends."""

PREDICATE_LOCKS: Final = {
    "max_pred_locks_per_transaction": 2048,
    "max_pred_locks_per_page": 500,
}
"""Below these values PostgreSQL promotes predicate locks so early that unrelated movements abort
each other."""

_SERVER: Final = """
SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])
"""

_ROLE: Final = """
SELECT r.rolname, r.rolsuper,
       EXISTS (SELECT FROM pg_class c
               WHERE c.oid = 'public.movements'::regclass
                 AND pg_has_role(current_user, c.relowner, 'MEMBER')) AS is_owner,
       has_table_privilege('public.movements', 'UPDATE')
       OR has_table_privilege('public.movements', 'DELETE')
       OR has_table_privilege('public.movements', 'TRUNCATE') AS may_change
FROM pg_roles r WHERE r.rolname = current_user
"""


_OWN_SETTINGS: Final = """
SELECT s.setting
FROM pg_db_role_setting d CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
WHERE d.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
  AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND split_part(s.setting, '=', 1) = ANY($1::text[])
"""
"""What new connections of ours begin with; a role may change its own."""


_CURRENCIES: Final = "SELECT currency, max(scale) AS scale FROM wallets GROUP BY currency"


class Inspection(NamedTuple):
    """The findings, as sentences for people."""

    unsafe: tuple[str, ...]
    """committed money could be lost"""
    warnings: tuple[str, ...]
    """slower, or less protected, than it should be"""


async def inspect(book: Book) -> Inspection:
    """Read the server's settings and the privileges of our role."""
    names = ["server_version_num", *DURABLE, *PREDICATE_LOCKS]
    rows = await book.connection.fetch(_SERVER, names)
    found = {row["name"]: row["setting"] for row in rows}
    unsafe = [f"{name} is off on this server" for name in DURABLE if found.get(name) == "off"]
    warnings = [
        f"{name} is {found[name]} on this server; set it to at least {wanted}, or unrelated "
        "movements will abort each other"
        for name, wanted in PREDICATE_LOCKS.items()
        if int(found[name]) < wanted
    ]
    if int(found["server_version_num"]) < VERSION_MIN:
        unsafe.append("this server is older than PostgreSQL 15")
    own = await book.connection.fetch(_OWN_SETTINGS, [*OURS_TO_SEND])
    warnings += [
        f"{row['setting']} is set for our role or database; the service sends its own at every "
        "connect, but whoever set it may mean harm: ALTER ROLE … RESET"
        for row in own
        if row["setting"] not in HARMLESS
    ]
    role = await book.connection.fetchrow(_ROLE)
    if role is not None and role["rolsuper"]:
        warnings.append(
            f"the service is connected as the superuser {role['rolname']}: nothing guards the "
            "journal from it; give it the role wallet_service"
        )
    elif role is not None and (role["is_owner"] or role["may_change"]):
        warnings.append(
            f"the service is connected as {role['rolname']}, who may change the journal; give it "
            "the role wallet_service and keep the owner for `wallet migrate`"
        )
    return Inspection(tuple(unsafe), tuple(warnings))


async def currencies_in_use(book: Book) -> dict[str, int]:
    """Return the currencies that the ledger has wallets in, each with its scale."""
    rows = await book.connection.fetch(_CURRENCIES)
    return {row["currency"]: row["scale"] for row in rows}


async def takes_writes(book: Book) -> bool:
    """Whether this server accepts writes; a standby does not."""
    is_standby: bool = await book.connection.fetchval("SELECT pg_is_in_recovery()")
    return not is_standby
