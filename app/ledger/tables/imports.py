"""Files that were imported from another wallet, and the mark of a ledger that only compares."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.ledger.tables.columns import MOMENT, metadata

imports = Table(
    "imports",
    metadata,
    # Counted, since one import runs at a time and a dry run must use up no number.
    Column("import_id", BigInteger, nullable=False, autoincrement=False),
    # SHA-256 of the file, in hexadecimal digits: the same file is never imported twice.
    Column("digest", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("format_version", Integer, nullable=False),
    Column("agent", Text, nullable=False),
    Column("imported_at", MOMENT, nullable=False),
    Column("by", Text, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("players", BigInteger, nullable=False),
    Column("bets", BigInteger, nullable=False),
    Column("payments", BigInteger, nullable=False),
    Column("decided", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    # By currency: the pockets together, and the stakes of open bets, as texts in major units.
    Column("totals", JSONB, nullable=False),
    PrimaryKeyConstraint("import_id"),
    UniqueConstraint("digest", name="uq_imports_digest"),
    CheckConstraint("char_length(digest) = 64", name="digest_length"),
    CheckConstraint(
        "lines > 0 AND players >= 0 AND bets >= 0 AND payments >= 0 AND decided >= 0"
        " AND tokens >= 0",
        name="counts",
    ),
)

shadow_marks = Table(
    "shadow_marks",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    Column("begun_at", MOMENT, nullable=False),
    Column("by", Text, nullable=False),
    PrimaryKeyConstraint("is_the_only_row"),
    CheckConstraint("is_the_only_row", name="is_the_only_row"),
)
"""Its row says that this ledger compares another wallet's answers, and answers nobody."""
