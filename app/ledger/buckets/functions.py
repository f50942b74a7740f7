"""The functions that move money, once in each bucket of one server.

A function's plans are for the tables that it found. The connections that move money do so in all
buckets, so each bucket has copies, which name its tables with its schema: no plan is made anew
because the batch before was of another bucket. A search path for each copy would not do: what it
calls, the laws of a row, would have its plans made anew whenever the path is another one, which
cost a batch of 16 a quarter more. On the nodes of a cluster there are none: a connection there is
of one bucket.
"""

import re
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from app.ledger.buckets import COPIED, TABLES

_DEFINITIONS: Final = text("""
SELECT p.proname AS name, p.oid::regprocedure::text AS signature,
       pg_get_functiondef(p.oid) AS definition
FROM pg_proc p
WHERE p.pronamespace = to_regnamespace(:schema) AND starts_with(p.proname, 'record_')
""")
_BODY: Final = "\nAS $"

_OWN: Final = re.compile(
    rf"\b(?:FROM|JOIN|INTO|UPDATE|PERFORM|SELECT) +(?=(?:{'|'.join((*TABLES, *COPIED))})\b)"
)
"""Before a table of the bucket's own, or another copy."""


class _Function(NamedTuple):
    signature: str
    definition: str


def level_functions(connection: Connection, schema: str) -> None:
    """Give a bucket the functions of `public` as they are now, in the open transaction.

    One that is the same already is not touched: whoever uses it keeps its plans. One that this
    release does not call any more is dropped when `public` drops it: processes of the release
    before call it by its schema until the upgrade has ended.
    """
    there, above = _functions(connection, schema), _functions(connection, "public")
    wanted = {
        name: _of_bucket(function.definition, schema)
        for name, function in above.items()
        if name in COPIED or name in there
    }
    for name in there.keys() - above.keys():
        connection.exec_driver_sql(f"DROP FUNCTION {there[name].signature}")
    for name, definition in wanted.items():
        if name not in there or there[name].definition != definition:
            connection.exec_driver_sql(definition)


def _functions(connection: Connection, schema: str) -> dict[str, _Function]:
    # Definitions name every schema that is not on the path.
    connection.exec_driver_sql("SET LOCAL search_path = ''")
    rows = connection.execute(_DEFINITIONS, {"schema": schema}).all()
    connection.exec_driver_sql("SET LOCAL search_path = public, pg_temp")
    return {row.name: _Function(row.signature, row.definition) for row in rows}


def _of_bucket(definition: str, schema: str) -> str:
    head, body = definition.split(_BODY, 1)
    head = head.replace(" FUNCTION public.", f" FUNCTION {schema}.", 1)
    return head + _BODY + _OWN.sub(rf"\g<0>{schema}.", body)
