"""The laws of a row that every movement writes, as one function that one CHECK of its table calls.

PostgreSQL reads the text of every CHECK anew in each statement that writes: of what a lone movement
cost it, more than half was that. What a PL/pgSQL function says is read once in a session. Each law
keeps a name of its own, and is named as a CHECK would be where a row breaks it. As in a CHECK,
unknown is lawful.
"""

import textwrap
from collections.abc import Mapping
from typing import Final

from sqlalchemy import CheckConstraint, Connection, Table, event

LAWS: Final = "laws"
"""The name of the CHECK."""

WIDTH: Final = 100


class Laws:
    """The laws of one table's rows."""

    def __init__(
        self, table: str, function: str, columns: Mapping[str, str], laws: Mapping[str, str]
    ) -> None:
        """`columns`: the columns that the laws are about, and their types without a modifier.

        `laws`: conditions in SQL by name, in the order in which a row is held to them.
        """
        self._table = table
        self._function = function
        self._columns = columns
        self._laws = laws

    def check(self) -> CheckConstraint:
        """Return the CHECK that calls the function."""
        columns = ", ".join(f'"{column}"' for column in self._columns)
        return CheckConstraint(f"{self._function}({columns})", name=LAWS)

    def definition(self) -> str:
        """Return the statement that makes the function."""
        parameters = ",\n    ".join(f'"{name}" {kind}' for name, kind in self._columns.items())
        laws = "\n".join(_law(name, condition) for name, condition in self._laws.items())
        said = f'new row for relation "{self._table}" violates check constraint'
        return f"""CREATE OR REPLACE FUNCTION {self._function}(
    {parameters}
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken text := CASE
{laws}
    END;
BEGIN
    IF broken IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION '{said} "ck_{self._table}_%"',
            broken
        USING ERRCODE = 'check_violation', TABLE = '{self._table}',
            CONSTRAINT = 'ck_{self._table}_' || broken;
END
$$"""

    def precede(self, table: Table) -> None:
        """Have the function made before the table, where that is made from the metadata."""
        event.listen(table, "before_create", self._make)

    def _make(self, _table: Table, connection: Connection, **_: object) -> None:
        connection.exec_driver_sql(self.definition())


def _law(name: str, condition: str) -> str:
    """Return a branch that names a broken law, in lines of at most 100 characters."""
    line = f"        WHEN NOT ({condition}) THEN '{name}'"
    if "\n" not in condition and len(line) <= WIDTH:
        return line
    lines = "\n".join(
        textwrap.fill(
            part,
            WIDTH,
            initial_indent=" " * 12,
            subsequent_indent=" " * 16,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in condition.splitlines()
    )
    return f"        WHEN NOT (\n{lines}\n        ) THEN '{name}'"
