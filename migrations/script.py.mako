"""${message}.

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
Created: ${create_date}

The run holds an advisory lock and sets lock_timeout and statement_timeout; each migration is one
transaction. What needs longer says so itself: op.execute("SET LOCAL statement_timeout = '1h'").
Autogenerate does not see CHECKs, triggers, views and privileges: read what it wrote.
"""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
