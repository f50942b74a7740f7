"""The lists that a seal covers row by row, each a table that is only added to.

1. `parts_of_lists`  how lists are named; each node that numbers rows has a part of its own
2. `nodes_of`        those nodes, and the slowest of their clocks
3. `list_since`      what a part has gained, as a digest
4. `list_by_seal`    the digests of a part again, one for each seal
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.citus import IN_EACH, NUMBER_BITS, SERVER
from app.proof.seal import ListPart

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


GRACE: Final = timedelta(minutes=10)
"""A row this old has no transaction beside it that began before it and is still open: the service
bounds each to its deadline. So every lower number of its list is there, or never will be."""


class ListTable(NamedTuple):
    """A list that is only added to: the column that counts it, and the one that dates it."""

    number: str
    moment: str


LISTS: Final = {
    "account_changes": ListTable("change_id", "ledger_time"),
    "adjustments": ListTable("adjustment_id", "proposed_at"),
    "audit_runs": ListTable("run_id", "ran_at"),
    "backup_notes": ListTable("note_id", "noted_at"),
    "decision_setting_changes": ListTable("change_id", "changed_at"),
    "exception_steps": ListTable("step_id", "at"),
    "imports": ListTable("import_id", "imported_at"),
    "ledger_timeline_answers": ListTable("number", "answered_at"),
    "ledger_timelines": ListTable("number", "noticed_at"),
    "maintenance_notices": ListTable("notice_id", "received_at"),
    "operator_actions": ListTable("action_id", "ledger_time"),
    "reconciliation_runs": ListTable("run_id", "ran_at"),
    "refusals": ListTable("refusal_id", "ledger_time"),
}
"""Lists whose rows a seal covers one by one."""


_ROW: Final = "sha256(convert_to(jsonb_strip_nulls(to_jsonb(t))::text, 'UTF8'))"
"""A row's digest. A column that a later release adds is null in older rows, and left out."""


_DIGEST: Final = (
    "encode(sha256(coalesce(string_agg({row}, ''::bytea ORDER BY {number}), '')), 'hex')"
)


_IS_ON_NODES: Final = "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = $1)"


_NODES: Final = "SELECT DISTINCT groupid FROM pg_dist_node WHERE groupid > 0 ORDER BY groupid"


_SLOWEST_CLOCK: Final = """
SELECT min(result::timestamptz) FROM run_command_on_all_nodes('SELECT clock_timestamp()')
"""
"""A node that is away answers with a sentence, which is no moment: an error."""


class Nodes(NamedTuple):
    """Who gives numbers to the rows of lists, and the slowest of their clocks."""

    numbers: tuple[int, ...]
    """of the nodes; none: this server is the only one"""
    now: datetime


async def nodes_of(connection: "Connection", now: datetime) -> Nodes:
    """Return the nodes that add rows to lists, each with numbers of its own, and by its own clock.

    Raises the driver's errors where one does not tell its clock: nothing is sealed without it.
    """
    if not await connection.fetchval(_IS_ON_NODES, SERVER):
        return Nodes((), now)
    numbers = await connection.fetch(_NODES)
    clock: datetime = await connection.fetchval(_SLOWEST_CLOCK)
    return Nodes(tuple(row[0] for row in numbers), min(now, clock))


def parts_of_lists(nodes: Collection[int]) -> Iterator[str]:
    """Yield how lists are named in a seal: once, and for each node that numbers rows of them."""
    for name in LISTS:
        yield name
        if name in IN_EACH:
            yield from (f"{name}@{node}" for node in nodes)


def _numbers_of(part: str) -> tuple[str, int, int]:
    """Return a part's table, and the numbers between which its rows are."""
    name, _, node = part.partition("@")
    first = int(node or 0) << NUMBER_BITS
    return name, first, first + (1 << NUMBER_BITS)


async def list_since(
    connection: "Connection", part: str, last_id: int, until: datetime
) -> ListPart:
    """Return what a part of a list has gained after a number, of what was there at a moment."""
    name, first, end = _numbers_of(part)
    number, moment = LISTS[name]
    last_id = max(last_id, first)
    upto = await connection.fetchval(
        f"SELECT max({number}) FROM {name}"  # noqa: S608 - names of ours
        f" WHERE {moment} < $1 AND {number} >= $2 AND {number} < $3",
        until,
        first,
        end,
    )
    upto = max(upto or 0, last_id)
    row = await connection.fetchrow(
        f"SELECT count(*), {_DIGEST.format(row=_ROW, number=number)}"  # noqa: S608 - names of ours
        f" FROM {name} t WHERE {number} > $1 AND {number} <= $2",
        last_id,
        upto,
    )
    if row is None:
        raise AssertionError("an aggregate has one row")
    return ListPart(part, upto, *row)


async def list_by_seal(
    connection: "Connection", part: str, last_ids: Sequence[int]
) -> dict[int, tuple[int, str]]:
    """Return the rows and the digest of each part of a list; a part ends with its last number."""
    name, first, _ = _numbers_of(part)
    number = LISTS[name].number
    rows = await connection.fetch(
        f"""
        SELECT part, count(*) AS rows, {_DIGEST.format(row="row", number="number")} AS digest
        FROM (SELECT width_bucket({number}, $1::bigint[]) AS part, {number} AS number,
                     {_ROW} AS row
              FROM {name} t WHERE {number} < $2 AND {number} >= $3) t
        GROUP BY part
        """,  # noqa: S608 - names of ours
        [last + 1 for last in last_ids],
        last_ids[-1] + 1,
        first,
    )
    return {row["part"]: (row["rows"], row["digest"]) for row in rows}
