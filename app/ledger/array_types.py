"""Tells the driver what PostgreSQL's own arrays are, so that it asks no server on any connection.

The driver knows the types that are no arrays. What an array is it looks up on each new connection,
by a query over the whole catalogs: 0.5 to 3 s on the nodes of a Citus cluster, for each type. The
numbers of built-in types are the same on every server (`pg_type.dat` gives them).
"""

from collections.abc import Collection
from typing import Any, Final

import asyncpg

ELEMENTS: Final = {
    1000: ("bool", 16),
    1001: ("bytea", 17),
    1005: ("int2", 21),
    1007: ("int4", 23),
    1016: ("int8", 20),
    1115: ("timestamp", 1114),
    1182: ("date", 1082),
    1185: ("timestamptz", 1184),
    1187: ("interval", 1186),
    1231: ("numeric", 1700),
    2951: ("uuid", 2950),
}
"""By the array's number: the name and the number of its elements' type."""


class _Known:
    """Stands for the driver's own query, which was not made, and left no other without a plan."""

    name: Final = "known"


class ArraysKnown(asyncpg.Connection):
    """A connection that knows the arrays of ELEMENTS."""

    async def _introspect_types(self, typeoids: Collection[int], timeout: Any) -> Any:  # noqa: ANN401, ASYNC109 - as the driver's
        if ELEMENTS.keys() >= set(typeoids):
            return [_described(oid, *ELEMENTS[oid]) for oid in typeoids], _Known
        return await super()._introspect_types(typeoids, timeout)  # type: ignore[misc]


def _described(array: int, name: str, element: int) -> dict[str, object]:
    """Return what the driver's query would."""
    return {
        "oid": array,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
        "depth": 0,
        "basetype_name": None,
        "elemtype_name": name,
        "range_subtype_name": None,
    }
