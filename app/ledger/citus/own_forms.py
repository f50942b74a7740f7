"""Functions that say the same on nodes in other words: in statements that Citus can plan there."""

from typing import Final

from sqlalchemy import Connection, text

# What the function of this name does, in statements that Citus 13 can write down for a node: no
# INSERT selects from another table of the bucket, and nothing but values stands in it.
KEEP_OPENING: Final = """
CREATE OR REPLACE FUNCTION public.keep_opening_v1() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER
SET search_path TO 'public', 'pg_temp'
AS $$
DECLARE
    opened players;
    begins bytea := CASE WHEN NEW.position = 0 THEN NEW.chain
                         ELSE decode(repeat('00', 32), 'hex') END;
    told_by xid8 := CASE WHEN current_setting('wallet.is_import', true) = 'on' THEN NULL
                         ELSE pg_current_xact_id() END;
BEGIN
    SELECT * INTO STRICT opened FROM players WHERE player_id = NEW.player_id;
    INSERT INTO account_openings (player_id, user_id, agent, currency, scale, chain_start, xid)
    VALUES (NEW.player_id, opened.user_id, opened.agent, opened.currency, opened.scale,
            begins, told_by);
    RETURN NULL;
END
$$
"""

OWN_FORMS: Final = {"keep_opening_v1": KEEP_OPENING}

RENEWED: Final = "'epoch'::timestamptz + n.expires_at * interval '1 microsecond'"
RENEWED_OF_NODE: Final = (
    "('epoch'::timestamp + n.expires_at * interval '1 microsecond') AT TIME ZONE 'UTC'"
)
"""The same moment. A timestamptz plus an interval depends on the session's time zone, and Citus
plans no UPDATE that reckons so with a column: nobody's session could be renewed by a movement."""

_RECORD: Final = text("SELECT pg_get_functiondef('public.record_movements_v2'::regproc)")


def record_in_own_form(connection: Connection) -> None:
    """Have the statement that records movements in the form that nodes can plan."""
    definition: str = connection.execute(_RECORD).scalar_one()
    if RENEWED in definition:
        connection.exec_driver_sql(definition.replace(RENEWED, RENEWED_OF_NODE))
