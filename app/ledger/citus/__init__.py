"""Buckets on several machines: what differs where Citus places their schemas on its nodes.

On one PostgreSQL the buckets' tables are the children of those in `public`, and one index of keys
holds uniqueness. Neither crosses nodes. On Citus a bucket's schema is a distributed schema: its
tables live together on one node. `public` stays on the coordinator; its tables are the parents of
foreign tables, one for each bucket, so that reading, locking and changing rows by the names that
were always there reaches all buckets. No money is written that way: a transaction over several
nodes is not one.

1. `making`   the schemas, with all that a batch of movements writes; the tables that all nodes have
   `above`    the foreign tables, through which everything that is about all buckets sees them
2. `places`   which node owns which bucket, and moving one
3. `claims`   an id is claimed, by itself and before its batch, in the bucket that the id hashes to
4. `ledger`   work that names a player is done on the node that owns the player's bucket
"""

from typing import Final, NamedTuple

from typing_extensions import override

from app.ledger.buckets import TABLES

IN_EACH: Final = (
    *TABLES,
    "account_openings",
    "transaction_keys",
    "unanswered",
    "refusals",
    "request_ids",
)
"""The tables that each bucket has on Citus: a movement writes nothing outside of its bucket's node.

On one PostgreSQL those after the first ten are shared by all buckets."""

MAY_NAME_NOBODY: Final = frozenset({"refusals"})
"""Of these, those of which `public` has rows, too: of nobody's."""

SERVER: Final = "buckets"
"""The foreign server that deploy/citus/introduce.sql makes."""

NUMBER_BITS: Final = 40
"""Of a number that a node gave: those of its own count; above them is the node's number
(`next_number_v1`). Below 2^53, which every reader of JSON can hold."""

TOLD: Final = ("account_openings", "account_changes", "movements")
"""Of these, those that events tell of: each row says which transaction of which node wrote it."""

XID_TRIGGER: Final = "xid_of_node"
"""The trigger that writes it"""

XID_BITS: Final = 48
"""Of the id in such a row: the transaction's, of which a node gives out a hundred thousand a second
for a lifetime; above them is the node's number (`xid_of_node_v1`)."""

MOVING: Final = "a bucket's node lacks what was told of it, so it is being moved; ask again"
"""A node learns some milliseconds after the others that a bucket has left it."""

ON_EVERY_NODE: Final = (
    "decision_settings",
    "decision_setting_changes",
    "event_types",
    "game_names",
)
"""Tables that work on a player reads and never writes: reference tables, in Citus's words."""

REMOTE_PUBLIC: Final = "remote_public"
"""The schema, on the coordinator, with foreign tables of what every node has. A statement that
names one of those by its own name is Citus's to plan, and joins it with no foreign table."""


class Place(NamedTuple):
    """The node that owns a bucket."""

    host: str
    port: int

    @override
    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class NotPlacedError(Exception):
    """A bucket could not be moved, or its node is not known; the message says what to do."""
