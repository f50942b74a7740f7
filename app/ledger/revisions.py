"""Which revisions of the schema this code knows, and which one a database has.

Alembic knows the same after importing every migration, which takes longer than most commands; here
the lines that name the revisions are read from the files.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.wallet.facts import RuleVersion

INI_FILE: Final = Path(__file__).resolve().parents[2] / "alembic.ini"

_NAMED: Final = re.compile(r'^(revision|down_revision) = (?:"([^"\n]+)"|None)$', re.MULTILINE)
_REVISION: Final = "SELECT version_num FROM alembic_version"
_RULE_VERSION: Final = "SELECT rule_version FROM decision_settings"


class SchemaState(NamedTuple):
    """What a database has."""

    revision: str | None
    """None: it was never migrated"""
    is_finished: bool
    """whether the upgrade to this release has ended"""


@cache
def head_revision() -> str:
    """Return the newest revision in this code."""
    followed = _known()
    heads = followed.keys() - set(followed.values())
    if len(heads) != 1:
        raise LookupError(f"There is no newest migration beside {INI_FILE}.")
    return heads.pop()


def is_behind(revision: str | None) -> bool:
    """Whether a database at this revision lacks something that this code needs.

    A revision that this code does not know is a newer one: in a rolling upgrade the schema is
    upgraded first, and replicas with the old code continue to run.
    """
    if revision is None:
        return True
    return revision != head_revision() and revision in _known()


async def current_revision(url: str) -> str | None:
    """Return a database's revision, or None if it was never migrated."""
    return (await schema_state(url)).revision


async def schema_state(url: str) -> SchemaState:
    """Return what a database has."""
    connection = await connect(connect_arguments(url))
    try:
        revision = await _value_of(connection, _REVISION)
        if revision is None:
            return SchemaState(None, is_finished=False)
        rules = await _value_of(connection, _RULE_VERSION)
        return SchemaState(str(revision), is_finished=rules == RuleVersion.CURRENT)
    finally:
        await connection.close()


async def _value_of(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> object:
    """Return a table's one value, or None where the table is not there yet."""
    try:
        value: object = await connection.fetchval(query)
    except asyncpg.UndefinedTableError:
        return None
    return value


def _known() -> dict[str, str | None]:
    """Return every revision in this code, with the one that it follows."""
    known: dict[str, str | None] = {}
    for path in (INI_FILE.parent / "migrations" / "versions").glob("*.py"):
        named = dict(_NAMED.findall(path.read_text(encoding="utf-8")))
        known[named["revision"]] = named["down_revision"] or None
    return known
