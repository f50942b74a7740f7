"""Row types for the arguments of the recording function.

Revision: 20261126_rows
Follows: 20261123_at_once

As text that PostgreSQL itself reads: reading a row from JSON makes a table of its names first,
which costs more than reading its values.

The columns are told by their places. Whoever needs another column makes another type, beside this
one, and drops this one a release later: replicas of the release before go on writing meanwhile.
"""

from alembic import op

revision = "20261126_rows"
down_revision = "20261123_at_once"
branch_labels = None
depends_on = None

QUESTION_ROW = """
CREATE TYPE question_row AS (
    user_id text, token bytea, event_id text, is_streamer boolean, reads_round boolean
)
"""

SEEN_ROW = """
CREATE TYPE seen_row AS (player_id bigint, token_hash bytea, place tid, row xid)
"""

JOURNAL_ROW = """
CREATE TYPE journal_row AS (
    player_id bigint, position bigint, version bigint, source text, transaction_id text, facet text,
    delivery uuid, event_type text, direction text, decision text, currency text, scale smallint,
    amount numeric, real_before numeric, bonus_before numeric, real_delta numeric,
    bonus_delta numeric, contra text, event_id text, game_id bigint, bonus_code text,
    extra_data text, reverses text, flags text, event_time bigint, chain bytea
)
"""

WALLET_ROW = """
CREATE TYPE wallet_row AS (
    player_id bigint, place tid, row xid, position_before bigint, real numeric, bonus numeric,
    version bigint, position bigint, chain bytea, usage_day integer,
    stake_day numeric, stake_week numeric, stake_month numeric,
    loss_day numeric, loss_week numeric, loss_month numeric, has_refused_aborts boolean
)
"""

ROUND_ROW = """
CREATE TYPE round_row AS (
    player_id bigint, event_id text, is_streamer boolean, agent text, currency text, scale smallint,
    game_id bigint, settled boolean, bets_placed integer, bets_standing integer,
    stake_real numeric, stake_bonus numeric, staked numeric, paid numeric, taken_back numeric,
    cancels integer, remainder numeric, refused_aborts numeric[], place tid
)
"""

TYPES = {
    "question_row": QUESTION_ROW,
    "seen_row": SEEN_ROW,
    "journal_row": JOURNAL_ROW,
    "wallet_row": WALLET_ROW,
    "round_row": ROUND_ROW,
}


def upgrade() -> None:
    """Make the types; whoever does not know them yet writes as before."""
    for statement in TYPES.values():
        op.execute(statement)


def downgrade() -> None:
    """Drop the types."""
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
