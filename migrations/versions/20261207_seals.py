"""Seals over the whole ledger, and where each chain stood when it was sealed.

Revision: 20261207_seals
Follows: 20261205_operators

`sealed_heads` has a row only where a chain grew since the seal before: at any seal, a chain stood
at its last row until then. Both tables are only added to.
"""

from alembic import op

revision = "20261207_seals"
down_revision = "20261205_operators"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE seals (
        number bigint NOT NULL,
        sealed_at timestamptz NOT NULL,
        seal text NOT NULL,
        key text NOT NULL,
        signature bytea NOT NULL,
        CONSTRAINT pk_seals PRIMARY KEY (number),
        CONSTRAINT ck_seals_number CHECK (number >= 1),
        CONSTRAINT ck_seals_signature_length CHECK (octet_length(signature) = 64)
    )
    """,
    """
    CREATE TABLE sealed_heads (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        chain bytea NOT NULL,
        number bigint NOT NULL,
        CONSTRAINT pk_sealed_heads PRIMARY KEY (player_id, position),
        CONSTRAINT ck_sealed_heads_position CHECK (position >= 0),
        CONSTRAINT ck_sealed_heads_chain_length CHECK (octet_length(chain) = 32)
    )
    """,
)


def upgrade() -> None:
    """Make the tables, their guards, and what the service may do with them."""
    for statement in TABLES:
        op.execute(statement)
    for table in ("seals", "sealed_heads"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO wallet_service")


def downgrade() -> None:
    """Forget the seals; the file outside the database keeps them."""
    op.execute("DROP TABLE sealed_heads")
    op.execute("DROP TABLE seals")
