"""Requests that an agent may make once: their ids for ever, their answers for a day.

Revision: 20261130_request_ids
Follows: 20261129_wallets_filled

A row is written in the transaction of what the request changes. Of a row that is there nothing may
change but its answer, which may be cleared.
"""

from alembic import op

revision = "20261130_request_ids"
down_revision = "20261129_wallets_filled"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE request_ids (
    agent text NOT NULL,
    request_id text NOT NULL,
    operation text NOT NULL,
    content bytea NOT NULL,
    delivery uuid NOT NULL,
    ledger_time timestamptz NOT NULL,
    answer text,
    CONSTRAINT pk_request_ids PRIMARY KEY (agent, request_id),
    CONSTRAINT ck_request_ids_request_id_length CHECK (char_length(request_id) BETWEEN 1 AND 64),
    CONSTRAINT ck_request_ids_content_length CHECK (octet_length(content) = 32)
)
"""

# Only rows whose answer is still kept: what is to be cleared is found without a scan.
INDEX = """
CREATE INDEX ix_request_ids_ledger_time ON request_ids (ledger_time) WHERE answer IS NOT NULL
"""

ONLY_CLEARED = """
CREATE FUNCTION request_ids_only_clear_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.answer IS NULL AND (NEW.agent, NEW.request_id, NEW.operation, NEW.content, NEW.delivery,
            NEW.ledger_time) IS NOT DISTINCT FROM (OLD.agent, OLD.request_id, OLD.operation,
            OLD.content, OLD.delivery, OLD.ledger_time) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'request_ids is append-only: an answer may be cleared, and nothing else'
        USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Make the table, its guards, and what the service may do with it."""
    op.execute(TABLE)
    op.execute(INDEX)
    op.execute(ONLY_CLEARED)
    op.execute(
        "CREATE TRIGGER only_cleared BEFORE UPDATE ON request_ids"
        " FOR EACH ROW EXECUTE FUNCTION request_ids_only_clear_answers()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON request_ids"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (answer) ON request_ids TO wallet_service")


def downgrade() -> None:
    """Forget which requests were made."""
    op.execute("DROP TABLE request_ids")
    op.execute("DROP FUNCTION request_ids_only_clear_answers()")
