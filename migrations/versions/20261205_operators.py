"""The operator's people: users, their sessions, and the append-only list of what they did.

Revision: 20261205_operators
Follows: 20261201_privileges

1. `operator_actions` is one chain: a trigger numbers each row, hashes it with the hash of the row
   before, and keeps number and hash of the last row in `operator_actions_head`, with the owner's
   rights. So the service can add to the list, and neither choose a number nor remove the end.
2. Passwords are argon2id hashes, tokens SHA-256; no view shows them.
"""

from alembic import op

revision = "20261205_operators"
down_revision = "20261201_privileges"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE operators (
        name text NOT NULL,
        roles text[] NOT NULL,
        password_hash text NOT NULL,
        password_is_temporary boolean NOT NULL,
        totp_key text,
        totp_step bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        disabled_at timestamptz,
        CONSTRAINT pk_operators PRIMARY KEY (name),
        CONSTRAINT ck_operators_name CHECK (name ~ '^[a-z][a-z0-9._-]{1,63}$'),
        CONSTRAINT ck_operators_roles CHECK (roles <@
            ARRAY['support', 'risk', 'finance', 'approver', 'auditor', 'admin'])
    )
    """,
    """
    CREATE TABLE operator_sessions (
        token_hash bytea NOT NULL,
        name text NOT NULL,
        via text NOT NULL,
        source text NOT NULL,
        started_at timestamptz NOT NULL,
        used_at timestamptz NOT NULL,
        idle_seconds integer NOT NULL,
        ends_at timestamptz NOT NULL,
        ended_at timestamptz,
        CONSTRAINT pk_operator_sessions PRIMARY KEY (token_hash),
        CONSTRAINT fk_operator_sessions_operators FOREIGN KEY (name) REFERENCES operators (name),
        CONSTRAINT ck_operator_sessions_token_hash_length CHECK (octet_length(token_hash) = 32),
        CONSTRAINT ck_operator_sessions_via CHECK (via IN ('page', 'console'))
    )
    """,
    "CREATE INDEX ix_operator_sessions_name_started_at ON operator_sessions (name, started_at)",
    """
    CREATE TABLE operator_actions (
        action_id bigint NOT NULL,
        ledger_time timestamptz NOT NULL,
        actor text NOT NULL,
        is_verified boolean NOT NULL,
        via text NOT NULL,
        source text NOT NULL,
        action text NOT NULL,
        subject_kind text NOT NULL,
        subject text NOT NULL,
        reason text,
        outcome text NOT NULL,
        details text NOT NULL,
        delivery uuid NOT NULL,
        chain bytea NOT NULL,
        CONSTRAINT pk_operator_actions PRIMARY KEY (action_id),
        CONSTRAINT ck_operator_actions_via CHECK (via IN ('page', 'console')),
        CONSTRAINT ck_operator_actions_outcome CHECK (outcome IN ('done', 'refused')),
        CONSTRAINT ck_operator_actions_chain_length CHECK (octet_length(chain) = 32)
    )
    """,
    "CREATE INDEX ix_operator_actions_actor_ledger_time ON operator_actions (actor, ledger_time)",
    """
    CREATE INDEX ix_operator_actions_subject_ledger_time
        ON operator_actions (subject, ledger_time)
    """,
    "CREATE INDEX ix_operator_actions_ledger_time ON operator_actions (ledger_time)",
    """
    CREATE TABLE operator_actions_head (
        is_the_only_row boolean NOT NULL DEFAULT true,
        last_action bigint NOT NULL,
        chain bytea NOT NULL,
        CONSTRAINT pk_operator_actions_head PRIMARY KEY (is_the_only_row),
        CONSTRAINT ck_operator_actions_head_is_the_only_row CHECK (is_the_only_row),
        CONSTRAINT ck_operator_actions_head_chain_length CHECK (octet_length(chain) = 32)
    )
    """,
    "INSERT INTO operator_actions_head VALUES (true, 0, decode(repeat('00', 32), 'hex'))",
)

# The audit has this text too, in app/ledger/audit/operators.py: a later form gets a later `v`.
CHAIN = """
CREATE FUNCTION chain_operator_action_v1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    head operator_actions_head;
BEGIN
    SELECT * INTO STRICT head FROM operator_actions_head WHERE is_the_only_row FOR UPDATE;
    NEW.action_id := head.last_action + 1;
    NEW.chain := sha256(head.chain || convert_to(concat_ws('|', 'v1',
        NEW.action_id, (extract(epoch FROM NEW.ledger_time) * 1000000)::bigint,
        char_length(NEW.actor) || ':' || NEW.actor, NEW.is_verified, NEW.via,
        char_length(NEW.source) || ':' || NEW.source, NEW.action, NEW.subject_kind,
        char_length(NEW.subject) || ':' || NEW.subject,
        coalesce(char_length(NEW.reason) || ':' || NEW.reason, '-'), NEW.outcome,
        char_length(NEW.details) || ':' || NEW.details, replace(NEW.delivery::text, '-', '')
    ), 'UTF8'));
    UPDATE operator_actions_head SET last_action = NEW.action_id, chain = NEW.chain
    WHERE is_the_only_row;
    RETURN NEW;
END
$$
"""

GUARDS = (
    """
    CREATE TRIGGER chain_action BEFORE INSERT ON operator_actions
        FOR EACH ROW EXECUTE FUNCTION chain_operator_action_v1()
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    "GRANT SELECT, INSERT ON operators, operator_sessions, operator_actions TO wallet_service",
    "GRANT SELECT ON operator_actions_head TO wallet_service",
    """
    GRANT UPDATE (roles, password_hash, password_is_temporary, totp_key, totp_step, disabled_at)
        ON operators TO wallet_service
    """,
    "GRANT UPDATE (used_at, ended_at) ON operator_sessions TO wallet_service",
)


def upgrade() -> None:
    """Make the tables, the chain and its guards."""
    for statement in (*TABLES, CHAIN, *GUARDS):
        op.execute(statement)


def downgrade() -> None:
    """Forget the people and what they did."""
    op.execute("DROP TABLE operator_actions_head, operator_actions, operator_sessions, operators")
    op.execute("DROP FUNCTION chain_operator_action_v1")
