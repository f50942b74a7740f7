"""Buckets: the tables of players, once in each of several schemas, and once above them all.

With one bucket, which is the ordinary case, the tables of the schema `public` hold the rows. With
several, those tables are the parents of the buckets' (PostgreSQL's table inheritance): they hold no
row, a CHECK sees to that, and whoever reads, changes or locks rows by their names reaches the rows
of all buckets. Only an INSERT must name the bucket, which a search path does: that of a bucket's
connections, or of its copy of a recording function. What is not a player's own (the keys, above
all) is in `public` alone.
"""

from typing import Final, NamedTuple

TABLES: Final = (
    "players",
    "wallets",
    "sessions",
    "account_changes",
    "movements",
    "rounds",
    "early_aborts",
    "limit_counters",
    "limit_hits",
    "holds",
)
"""The tables that each bucket has, those first that others refer to.

Not among them, though they are led by a player: `account_openings`, which a trigger writes with the
owner's rights, and `unanswered`, which is small, and written for players of several buckets at
once."""

COPIED: Final = ("record_movements_v2", "record_adjustment_v1")
"""The functions that each bucket of one server has copies of: `functions` makes them."""

ABOVE_ONLY: Final = "rows_are_in_buckets"
"""The end of the name of the CHECK that lets no row into a parent."""


class BucketsDifferError(Exception):
    """The ledger has another number of buckets than it should; the message says what to do."""


class NotSplitError(Exception):
    """The ledger was not split, and is as it was; the message says why, and what to do first."""


class Copied(NamedTuple):
    """What was copied of one table."""

    table: str
    rows: int
    milliseconds: int
