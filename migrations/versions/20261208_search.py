"""Search: a player by nickname or e-mail, an event of all players, and a request by its id.

Revision: 20261208_search
Follows: 20261208_definer_path

Movements and rounds get BRIN indexes with Bloom filters: a filter is written when a range of pages
is full, in the background, so an insert costs nothing more, and an id is found by reading one small
filter for each 128 pages. They are built while the service writes.
"""

from alembic import op

revision = "20261208_search"
down_revision = "20261208_definer_path"
branch_labels = None
depends_on = None

# A filter is made for the rows of a range: some 25 movements, 45 refusals or 30 rounds a page.
INDEXES = {
    "ix_movements_delivery": "movements USING brin"
    " (delivery uuid_bloom_ops (n_distinct_per_range=4000)) WITH (autosummarize=on)",
    "ix_refusals_delivery": "refusals USING brin"
    " (delivery uuid_bloom_ops (n_distinct_per_range=4000)) WITH (autosummarize=on)",
    "ix_rounds_event_id": "rounds USING brin"
    " (lower(event_id) text_bloom_ops (n_distinct_per_range=4000)) WITH (autosummarize=on)",
    "ix_players_nickname": "players (lower(nickname) text_pattern_ops)",
    "ix_players_email": "players (lower(email)) WHERE email IS NOT NULL",
}


def upgrade() -> None:
    """Make the indexes while the service writes; what a run left unfinished is made anew."""
    with op.get_context().autocommit_block():
        for name, what in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {what}")


def downgrade() -> None:
    """Drop the indexes."""
    op.execute(f"DROP INDEX {', '.join(INDEXES)}")
