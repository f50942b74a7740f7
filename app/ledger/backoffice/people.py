"""The operator's people, with their roles and how many of their sessions are live."""

from typing import TYPE_CHECKING, Final

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

_PEOPLE: Final = """
SELECT name, roles, created_at, disabled_at, last_sign_in_at, live_sessions
FROM ops.operators WHERE $1::text IS NULL OR name = $1 ORDER BY name
"""


async def people(views: OpsViews) -> "list[Record]":
    """Return everybody, by name."""
    return await views.fetch(_PEOPLE, None)


async def person(views: OpsViews, name: str) -> "Record | None":
    """Return the person of this name; None: there is none."""
    rows = await views.fetch(_PEOPLE, name)
    return rows[0] if rows else None
