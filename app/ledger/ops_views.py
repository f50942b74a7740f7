"""The views of schema `ops`, read by a role that can read nothing else.

The queries of `app/ledger/backoffice` go through here: each is one read-only transaction of the
role wallet_ops, with a time limit of its own, on connections that the money road does not use.
"""

import re
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.database_url import connect_arguments
from app.ledger.connections import CONNECT_MAX, Connections
from app.ledger.errors import DeadlineError, LedgerAwayError
from app.ledger.lending import lent
from app.ledger.outage import Outage
from app.ledger.sqlstates import is_away
from app.ledger.together import together

if TYPE_CHECKING:
    Record = asyncpg.Record

STATEMENT_TIMEOUT: Final = timedelta(seconds=10)
"""A page that needs longer is not answered: it would take time from the money road."""

CANCELED: Final = "57014"
"""query_canceled: the statement reached its time limit."""

SETTINGS: Final = {
    "application_name": "wallet-backoffice",
    "default_transaction_read_only": "on",
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "jit": "off",
    # The cores are the money road's: a page takes a part of one.
    "max_parallel_workers_per_gather": "0",
    # Every query is planned for its own values: players differ by orders of magnitude.
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": str(STATEMENT_TIMEOUT // timedelta(milliseconds=1)),
}

ABOVE: Final = "ops"
"""The schema with the views of the whole ledger."""

_OPS: Final = re.compile(r"\bops\.")

_BY_BUCKET: Final = (
    "SELECT nspname FROM pg_namespace WHERE nspname ~ '^ops_b[0-9]+_of_[0-9]+$' ORDER BY nspname"
)
"""The schemas with the views of one bucket each; there are some where the buckets are on nodes."""

BY_INDEX: Final = "SET LOCAL enable_seqscan = off"

_REACHED: Final = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
  AND (has_table_privilege(c.oid, 'SELECT') OR has_table_privilege(c.oid, 'INSERT')
       OR has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE'))
ORDER BY c.relname LIMIT 1
"""
"""Of our tables: an extension's own, as Citus's lists of nodes, are there for everybody."""


class OpsRoleError(Exception):
    """The role that should read the views alone can reach a table."""


class OpsViews:
    """Connections that read the views."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        """Open nothing yet."""
        self._places: list[str] | None = None
        """the schemas that have a part of the ledger each; None: nobody has looked yet"""
        self._connections = Connections(
            connect_arguments(url), pool_size, CONNECT_MAX, SETTINGS, Outage(url)
        )

    async def fetch(
        self,
        query: str,
        *values: Any,  # noqa: ANN401 - the driver's
        by_index: bool = False,
    ) -> "list[Record]":
        """Return the rows of a query; LedgerAwayError, DeadlineError.

        `by_index`: no table is read from its beginning to its end. Of an index of filters the
        planner knows only that it may lead everywhere, and takes the whole table for as cheap.
        """
        try:
            async with lent(self._connections) as raw:
                if by_index:
                    async with raw.transaction():
                        await raw.execute(BY_INDEX)
                        rows: list[Record] = await raw.fetch(query, *values)
                else:
                    rows = await raw.fetch(query, *values)
        except BaseException as error:
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate == CANCELED:
                raise DeadlineError from error
            if is_away(error):
                raise LedgerAwayError from error
            raise
        return rows

    async def fetch_each(
        self,
        query: str,
        *values: Any,  # noqa: ANN401 - the driver's
    ) -> "list[Record]":
        """Return the rows of a query, or those of each bucket, one after the other, on nodes.

        The query names views that each bucket has, too; its rows are a bucket's own, or are added.
        """
        if self._places is None:
            rows = await self.fetch(_BY_BUCKET)
            self._places = [row["nspname"] for row in rows] or [ABOVE]
        found = await together(
            self.fetch(_OPS.sub(f"{place}.", query), *values) for place in self._places
        )
        return list(chain.from_iterable(found))

    async def check_role(self) -> None:
        """Raise OpsRoleError if the role can reach a table: then nothing here is true."""
        rows = await self.fetch(_REACHED)
        if rows:
            raise OpsRoleError(
                f"The back office must not be able to reach the table {rows[0]['relname']}: name"
                " the role wallet_ops in WALLET_OPS_DATABASE_URL."
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()
