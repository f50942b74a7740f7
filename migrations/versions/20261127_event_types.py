"""The event types as a table that views join, and views that are applied from files.

Revision: 20261127_event_types
Follows: 20261126_rows

From here on, the current text of every view stands in `app/ledger/views`, and `upgrade` in
`app/ledger/migrations.py` applies it after the newest migration. The views made by the migrations
before are dropped here; a downgrade makes them again.

A new event type is one row of this table, and the two checks of `movements` that name event types.
"""

from collections.abc import Iterator
from pathlib import Path

from alembic import op

revision = "20261127_event_types"
down_revision = "20261126_rows"
branch_labels = None
depends_on = None

OLD_VIEWS = Path(__file__).resolve().parents[1] / "sql" / "20261122_ops"

TABLES = """
CREATE TABLE event_types (
    event_type TEXT NOT NULL,
    words TEXT NOT NULL,
    part TEXT NOT NULL,
    contra TEXT NOT NULL,
    counts_as TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    may_overdraw BOOLEAN NOT NULL,
    is_play BOOLEAN NOT NULL,
    is_streamer BOOLEAN NOT NULL,
    is_cashier BOOLEAN NOT NULL,
    CONSTRAINT pk_event_types PRIMARY KEY (event_type),
    CONSTRAINT uq_event_types_words UNIQUE (words),
    CONSTRAINT ck_event_types_part CHECK (
        part IN ('bet', 'payment', 'abort', 'payment_abort', 'cancel', 'none')),
    CONSTRAINT ck_event_types_contra CHECK (
        contra IN ('house:games', 'house:streamers', 'house:tips', 'house:promotions',
        'house:corrections', 'house:cashier', 'house:bonuses')),
    CONSTRAINT ck_event_types_counts_as CHECK (
        counts_as IN ('turnover', 'payments', 'bonuses', 'promotions', 'tips', 'corrections',
        'deposits', 'withdrawals', 'streamer_turnover', 'streamer_payments')),
    CONSTRAINT ck_event_types_directions CHECK (
        debit IN ('any', 'zero', 'never') AND credit IN ('any', 'zero', 'never')),
    CONSTRAINT ck_event_types_is_streamer CHECK (
        is_streamer = (contra = 'house:streamers')
        AND is_streamer = (counts_as IN ('streamer_turnover', 'streamer_payments')))
);

CREATE TABLE applied_views (
    file TEXT NOT NULL,
    checksum TEXT NOT NULL,
    CONSTRAINT pk_applied_views PRIMARY KEY (file)
);

GRANT SELECT ON event_types, applied_views TO wallet_service;
"""

ROWS = """
INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit, may_overdraw,
    is_play, is_streamer, is_cashier) VALUES
    ('BetPlacing', 'bet', 'bet', 'house:games', 'turnover',
        'any', 'never', false, true, false, false),
    ('Win', 'win', 'payment', 'house:games', 'payments',
        'never', 'any', false, false, false, false),
    ('Lose', 'bet settled without a win', 'payment', 'house:games', 'payments',
        'zero', 'any', false, false, false, false),
    ('BetPlacingAbort', 'bet given back', 'abort', 'house:games', 'turnover',
        'never', 'any', false, false, false, false),
    ('BetPayedAbort', 'payment taken back', 'payment_abort', 'house:games', 'payments',
        'any', 'never', false, false, false, false),
    ('SportBetCancel', 'settled sports bet re-opened', 'cancel', 'house:games', 'payments',
        'any', 'never', true, false, false, false),
    ('Tip', 'tip', 'none', 'house:tips', 'tips',
        'any', 'never', false, true, false, false),
    ('PromoWin', 'promotion prize', 'none', 'house:promotions', 'promotions',
        'zero', 'any', false, false, false, false),
    ('technicalFix', 'correction', 'none', 'house:corrections', 'corrections',
        'any', 'any', false, false, false, false),
    ('DropAndWin', 'drop-and-win prize', 'none', 'house:promotions', 'promotions',
        'zero', 'any', false, false, false, false),
    ('PromoStreamersDebit', 'streamer bet', 'bet', 'house:streamers', 'streamer_turnover',
        'any', 'never', false, true, true, false),
    ('PromoStreamersCredit', 'streamer win', 'payment', 'house:streamers', 'streamer_payments',
        'never', 'any', false, false, true, false),
    ('PromoStreamersBetPlacingAbort', 'streamer bet given back', 'abort', 'house:streamers',
        'streamer_turnover', 'never', 'any', false, false, true, false),
    ('PromoStreamersBetPayedAbort', 'streamer win taken back', 'payment_abort', 'house:streamers',
        'streamer_payments', 'any', 'never', false, false, true, false),
    ('Deposit', 'deposit', 'none', 'house:cashier', 'deposits',
        'never', 'any', false, false, false, true),
    ('Withdrawal', 'withdrawal', 'none', 'house:cashier', 'withdrawals',
        'any', 'never', false, false, false, true),
    ('BonusGrant', 'bonus granted', 'none', 'house:bonuses', 'bonuses',
        'never', 'any', false, false, false, true),
    ('BonusRevoke', 'bonus revoked', 'none', 'house:bonuses', 'bonuses',
        'any', 'never', false, false, false, true)
"""

OLD_ENTRIES = """
CREATE VIEW ops.entries AS
SELECT m.player_id, m.position, m.ledger_time, m.event_type, m.currency, e.account, e.amount
FROM public.movements m
CROSS JOIN LATERAL (VALUES
    (format('player:%s:real', m.player_id), m.real_delta),
    (format('player:%s:bonus', m.player_id), m.bonus_delta),
    (m.contra, -(m.real_delta + m.bonus_delta))
) AS e (account, amount)
WHERE m.decision = 'ACCEPTED';

COMMENT ON VIEW ops.entries IS
    'Double entry: every accepted movement as three entries that sum to zero in its currency';

CREATE VIEW ops.house_accounts AS
SELECT contra AS account, currency, -sum(real_delta + bonus_delta) AS balance, count(*) AS movements
FROM public.movements
WHERE decision = 'ACCEPTED'
GROUP BY contra, currency;

COMMENT ON VIEW ops.house_accounts IS
    'What each house account holds: a sum over the journal, never a row that is updated';
"""

DROP_VIEWS = """
DO $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(format('ops.%I', viewname), ', ') INTO names
    FROM pg_views WHERE schemaname = 'ops';
    IF names IS NOT NULL THEN
        EXECUTE 'DROP VIEW ' || names;
    END IF;
END
$$
"""

# Who reads only may still keep a list of their own for as long as they are connected.
GRANT_TEMPORARY = """
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO wallet_ops', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'role wallet_ops may not make temporary tables: the database is not ours';
END
$$
"""

REVOKE_TEMPORARY = """
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM wallet_ops', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the database is not ours';
END
$$
"""


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a line."""
    return (part for part in script.split(";\n") if part.strip())


def upgrade() -> None:
    """Make the tables, with their rows; the views are applied after the newest migration."""
    for statement in _statements(TABLES):
        op.execute(statement)
    op.execute(ROWS)
    op.execute(DROP_VIEWS)
    op.execute(GRANT_TEMPORARY)


def downgrade() -> None:
    """Make the views as they were, without the tables."""
    # As they stand: SQLAlchemy's text would take a colon for a parameter.
    run = op.get_bind().exec_driver_sql
    run(DROP_VIEWS)
    run("DROP TABLE event_types, applied_views")
    scripts = [OLD_ENTRIES]
    scripts += [file.read_text(encoding="utf-8") for file in sorted(OLD_VIEWS.glob("*.sql"))]
    for script in scripts:
        for statement in _statements(script):
            run(statement)
    run("GRANT SELECT ON ALL TABLES IN SCHEMA ops TO wallet_ops")
    run(REVOKE_TEMPORARY)
