"""The metadata of all tables, and the columns and checks that several tables share."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType
from typing_extensions import override

from app.wallet.identifiers import ID_LENGTH_MAX

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names are API: the book and the tests match on them."""

metadata = MetaData(naming_convention=NAMING)

AMOUNT: Final = Numeric(26, 8)
SUM: Final = Numeric(38, 8)
"""A sum over many movements may outgrow the largest single amount."""

MOMENT: Final = TIMESTAMP(timezone=True)


class TransactionNumber(UserDefinedType[str]):
    """PostgreSQL's number of a transaction, which never wraps around."""

    cache_ok: bool | None = True

    @override
    def get_col_spec(self, **_: Any) -> str:
        return "XID8"


class Snapshot(UserDefinedType[str]):
    """Which transactions had ended at some moment."""

    cache_ok: bool | None = True

    @override
    def get_col_spec(self, **_: Any) -> str:
        return "PG_SNAPSHOT"


ischema_names["xid8"] = TransactionNumber
ischema_names["pg_snapshot"] = Snapshot


def xid() -> Column[str]:
    """Return the column of the transaction that wrote a row; null: before events were told."""
    return Column("xid", TransactionNumber, server_default=text("pg_current_xact_id()"))


def xid_index(table: str) -> Index:
    """Return the index that finds a table's rows by their transaction."""
    return Index(f"ix_{table}_xid", "xid", postgresql_where=text("xid IS NOT NULL"))


def sql_list(values: Iterable[object]) -> str:
    """Return the values as a list in SQL."""
    return ", ".join(f"'{value}'" for value in values)


def id_check(column: str) -> CheckConstraint:
    """Return the check of an identifier's length."""
    return CheckConstraint(
        f"char_length({column}) BETWEEN 1 AND {ID_LENGTH_MAX}", name=f"{column}_length"
    )


def currency_columns() -> tuple[Column[str], Column[int]]:
    """Return the columns of a currency and the number of its decimal places."""
    return Column("currency", Text, nullable=False), Column("scale", SmallInteger, nullable=False)


def bloom(name: str, what: str, kind: str) -> Index:
    """Return an index by which one id among millions is found, and that costs an insert nothing."""
    return Index(
        name,
        literal_column(what).label("id"),
        postgresql_using="brin",
        postgresql_ops={"id": f"{kind}_bloom_ops (n_distinct_per_range=4000)"},
        postgresql_with={"autosummarize": "on"},
    )


def money(name: str, kind: Numeric[Any] = AMOUNT, *, key: str | None = None) -> Column[Any]:
    """Return a column of money that starts at 0; `key`: its name in Python, if that is another."""
    return Column(name, kind, key=key or name, nullable=False, server_default=text("0"))
