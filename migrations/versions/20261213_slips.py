"""Bet slips understood: sports bets and their legs, computed from the journal.

Revision: 20261213_slips
Follows: 20261215_kpi

1. `sport_bets` and `sport_legs`, what of the slips could not be read (`slip_faults`), where slips
   and the journal disagree (`slip_mismatches`), what may be won on one outcome
   (`sport_liabilities`), and how far the journal was read (`slip_progress`).
   All of it can be computed again, so the service may delete it.
2. Two kinds of exceptions of the inbox. No process of the release before reads exceptions.
3. `json_or_null` and `moment_or_null`: a view that reads a text of somebody else's goes through
   them, so that one odd text makes nothing fail but itself.

The money road writes none of it.
"""

from alembic import op

revision = "20261213_slips"
down_revision = "20261215_kpi"
branch_labels = None
depends_on = None

FAULTS = (
    "'not_json', 'too_deep', 'wrong_type', 'bad_number', 'bad_text', 'bad_time', 'too_many_legs',"
    " 'too_many_movements'"
)

TABLES = (
    f"""
    CREATE TABLE sport_bets (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        event_id text NOT NULL,
        source text NOT NULL,
        transaction_id text NOT NULL,
        game_id bigint,
        currency text NOT NULL,
        scale smallint NOT NULL,
        slip_id text,
        shape text,
        fault text,
        wins_needed smallint,
        picks smallint,
        legs smallint NOT NULL,
        live text,
        is_quick boolean,
        free_bet text,
        bonus_id text,
        stake numeric(26, 8) NOT NULL,
        stake_bonus numeric(26, 8) NOT NULL,
        told_stake numeric,
        total_odds numeric,
        potential_win numeric,
        status text NOT NULL,
        said text,
        turnover numeric(26, 8) NOT NULL,
        paid numeric(38, 8) NOT NULL,
        cash_out numeric(38, 8) NOT NULL,
        bonus_cost numeric(38, 8) NOT NULL,
        settlements smallint NOT NULL,
        reopenings smallint NOT NULL,
        placed_at timestamptz NOT NULL,
        settled_at timestamptz,
        last_leg_at timestamptz,
        CONSTRAINT pk_sport_bets PRIMARY KEY (player_id, position),
        CONSTRAINT ck_sport_bets_shape CHECK (shape IN ('betslip', 'short')),
        CONSTRAINT ck_sport_bets_fault CHECK (fault IN ({FAULTS})),
        CONSTRAINT ck_sport_bets_status CHECK (status IN ('open', 'won', 'lost', 'refunded',
            'cashed_out', 'given_back')),
        CONSTRAINT ck_sport_bets_live CHECK (live IN ('live', 'prematch', 'mixed'))
    ) WITH (fillfactor = 85)
    """,
    "CREATE INDEX ix_sport_bets_player_id_event_id ON sport_bets (player_id, event_id)",
    "CREATE INDEX ix_sport_bets_open ON sport_bets (last_leg_at) WHERE status = 'open'",
    """
    CREATE INDEX ix_sport_bets_slip_id ON sport_bets USING brin
        (lower(slip_id) text_bloom_ops (n_distinct_per_range=4000)) WITH (autosummarize=on)
    """,
    "CREATE INDEX ix_sport_bets_placed_at ON sport_bets USING brin (placed_at)",
    """
    CREATE TABLE sport_legs (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        leg smallint NOT NULL,
        leg_id text,
        event_id text,
        sport_id text,
        category_id text,
        tournament_id text,
        sport text,
        category text,
        tournament text,
        competitors text,
        market text,
        outcome text,
        odds numeric,
        scheduled_at timestamptz,
        is_live boolean,
        result text,
        CONSTRAINT pk_sport_legs PRIMARY KEY (player_id, position, leg),
        CONSTRAINT ck_sport_legs_leg CHECK (leg >= 1)
    ) WITH (fillfactor = 85)
    """,
    """
    CREATE INDEX ix_sport_legs_event_id ON sport_legs USING brin
        (lower(event_id) text_bloom_ops (n_distinct_per_range=4000)) WITH (autosummarize=on)
    """,
    f"""
    CREATE TABLE slip_faults (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        event_id text NOT NULL,
        reason text NOT NULL,
        happened_at timestamptz NOT NULL,
        CONSTRAINT pk_slip_faults PRIMARY KEY (player_id, position),
        CONSTRAINT ck_slip_faults_reason CHECK (reason IN ({FAULTS}))
    )
    """,
    "CREATE INDEX ix_slip_faults_player_id_event_id ON slip_faults (player_id, event_id)",
    """
    CREATE TABLE slip_mismatches (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        kind text NOT NULL,
        event_id text NOT NULL,
        bet_position bigint NOT NULL,
        expected text,
        told text,
        happened_at timestamptz NOT NULL,
        CONSTRAINT pk_slip_mismatches PRIMARY KEY (player_id, position, kind),
        CONSTRAINT ck_slip_mismatches_kind CHECK (kind IN ('other_slip', 'double_cash_out',
            'sum_differs', 'paid_above_potential', 'cancel_beyond_paid', 'says_otherwise'))
    )
    """,
    "CREATE INDEX ix_slip_mismatches_player_id_event_id ON slip_mismatches (player_id, event_id)",
    """
    CREATE TABLE slip_progress (
        agent text NOT NULL,
        number bigint NOT NULL,
        after_player_id bigint NOT NULL,
        after_position bigint NOT NULL,
        is_at_end boolean NOT NULL,
        movements bigint NOT NULL,
        without_slip bigint NOT NULL,
        reached_at timestamptz,
        looks bigint NOT NULL DEFAULT 0,
        CONSTRAINT pk_slip_progress PRIMARY KEY (agent),
        CONSTRAINT ck_slip_progress_counts CHECK (number >= 0 AND movements >= without_slip)
    )
    """,
    """
    CREATE TABLE sport_liabilities (
        currency text NOT NULL,
        rank smallint NOT NULL,
        event_id text,
        market text,
        outcome text,
        sport text,
        tournament text,
        competitors text,
        scheduled_at timestamptz,
        bets bigint NOT NULL,
        stake numeric(38, 8) NOT NULL,
        potential_win numeric NOT NULL,
        is_large boolean NOT NULL,
        counted_at timestamptz NOT NULL,
        CONSTRAINT pk_sport_liabilities PRIMARY KEY (currency, rank),
        CONSTRAINT ck_sport_liabilities_rank CHECK (rank >= 1)
    )
    """,
)

PRIVILEGES = (
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (event_id, source, transaction_id, game_id, currency,
        scale, slip_id, shape, fault, wins_needed, picks, legs, live, is_quick, free_bet, bonus_id,
        stake, stake_bonus, told_stake, total_odds, potential_win, status, said, turnover, paid,
        cash_out, bonus_cost, settlements, reopenings, placed_at, settled_at, last_leg_at)
        ON sport_bets TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (leg_id, event_id, sport_id, category_id, tournament_id,
        sport, category, tournament, competitors, market, outcome, odds, scheduled_at, is_live,
        result) ON sport_legs TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (event_id, reason, happened_at) ON slip_faults
        TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (event_id, bet_position, expected, told, happened_at)
        ON slip_mismatches TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (event_id, market, outcome, sport, tournament,
        competitors, scheduled_at, bets, stake, potential_win, is_large, counted_at)
        ON sport_liabilities TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, UPDATE (number, after_player_id, after_position, is_at_end, movements,
        without_slip, reached_at, looks) ON slip_progress TO wallet_service
    """,
)

FUNCTIONS = (
    """
    CREATE OR REPLACE FUNCTION json_or_null(text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        RETURN $1::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE FUNCTION moment_or_null(text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        RETURN $1::timestamptz;
    EXCEPTION WHEN data_exception THEN
        RETURN NULL;
    END
    $$
    """,
)

KINDS_BEFORE = (
    "'expected_credit', 'other_content', 'overtaken_bet', 'unknown_outcome', 'uncovered_cancel',"
    " 'negative_balance', 'reconciliation_difference'"
)
KINDS = f"{KINDS_BEFORE}, 'slip_mismatch', 'large_liability'"


def upgrade() -> None:
    """Make the tables, the functions, and room in the inbox."""
    for statement in (*TABLES, *PRIVILEGES, *FUNCTIONS):
        op.execute(statement)
    _name_kinds(KINDS)


def downgrade() -> None:
    """Forget all of it; exceptions of the new kinds stay only in this revision."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM exceptions"
        " WHERE kind IN ('slip_mismatch', 'large_liability')) THEN"
        " RAISE EXCEPTION 'the inbox has exceptions of bet slips, which the revision before does"
        " not know'; END IF; END $$"
    )
    _name_kinds(KINDS_BEFORE)
    op.execute("DROP FUNCTION moment_or_null(text), json_or_null(text)")
    op.execute(
        "DROP TABLE sport_liabilities, slip_progress, slip_mismatches, slip_faults, sport_legs,"
        " sport_bets"
    )


def _name_kinds(kinds: str) -> None:
    """Let the inbox have these kinds."""
    op.execute("ALTER TABLE exceptions DROP CONSTRAINT ck_exceptions_kind")
    # The table is small, and no movement waits for it.
    op.execute(
        "-- squawk-ignore constraint-missing-not-valid\n"
        f"ALTER TABLE exceptions ADD CONSTRAINT ck_exceptions_kind CHECK (kind IN ({kinds}))"
    )
