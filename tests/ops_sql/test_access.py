"""Operations see the documented views and nothing else."""

import re

import pytest

from app.ledger.applied_views import FOLDER as VIEWS
from app.ledger.migrations import upgrade
from app.postgres.cluster import OPS, SUPERUSER
from app.wallet.events import EventType
from app.wallet.journal import Flag
from app.wallet.refusals import Refusal
from tests.conftest import Database, sql
from tests.ops_sql.conftest import Psql

COMMENTS = """
SELECT c.relname, coalesce(a.attname, ''), coalesce(col_description(c.oid, a.attnum), '')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'ops'::regnamespace
UNION ALL
SELECT c.relname, '', coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c WHERE c.relnamespace = 'ops'::regnamespace
"""

MAY = """
SELECT c.relnamespace::regnamespace || '.' || c.relname,
       string_agg(p, ',' ORDER BY p)
FROM pg_class c
CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND c.relnamespace::regnamespace::text NOT LIKE 'pg\\_%'
    AND has_table_privilege('wallet_ops', c.oid, p)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
GROUP BY 1 ORDER BY 1
"""


def test_every_view_and_every_column_says_what_it_is(psql: Psql) -> None:
    comments = psql.rows(COMMENTS)
    assert len(comments) > 200
    assert [row[:2] for row in comments if len(row[2]) < 5] == []


def test_operations_may_read_the_views_and_nothing_else(psql: Psql) -> None:
    # Where the buckets are on nodes, some views are there for each of them, too.
    views = psql.rows(
        "SELECT schemaname || '.' || viewname FROM pg_views"
        " WHERE schemaname ~ '^ops(_b[0-9]+_of_[0-9]+)?$' ORDER BY 1"
    )
    assert len(views) > 20
    assert psql.rows(MAY, role=SUPERUSER) == [(view, "SELECT") for (view,) in views]


def test_there_is_nothing_but_views_in_the_schema(psql: Psql) -> None:
    kinds = psql.rows(
        "SELECT DISTINCT relkind FROM pg_class WHERE relnamespace = 'ops'::regnamespace"
    )
    assert kinds == [("v",)]


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT * FROM public.movements",
        "SELECT * FROM public.sessions",
        "SELECT * FROM public.alembic_version",
        "SET default_transaction_read_only = off; UPDATE public.wallets SET real = 0",
        "SET default_transaction_read_only = off; DELETE FROM ops.maintenance_notices",
        "SET default_transaction_read_only = off; CREATE TABLE public.mine (a int)",
    ],
)
def test_what_operations_try_beyond_is_refused(told: Database, attempt: str) -> None:
    code, said = Psql(told).run(attempt)
    assert code != 0
    assert "permission denied" in said, said


@pytest.mark.one_server("who makes a cluster's roles sets that")
def test_operations_are_read_only_by_default(psql: Psql) -> None:
    assert psql.rows("SHOW default_transaction_read_only") == [("on",)]


def test_no_view_shows_a_token_or_its_hash(psql: Psql) -> None:
    columns = psql.rows(
        "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'ops'::regnamespace"
    )
    assert not [name for (name,) in columns if "token" in name or "hash" in name]


def test_views_have_words_for_whatever_the_wallet_can_decide(psql: Psql) -> None:
    """A new reason or flag must reach the views: they are text of their own."""
    definitions = "\n".join(
        row[0]
        for row in psql.rows(
            "SELECT replace(pg_get_viewdef(oid), E'\\n', ' ') FROM pg_class"
            " WHERE relnamespace = 'ops'::regnamespace"
        )
    )
    for refusal in Refusal:
        if refusal.is_final:
            assert f"'{refusal.name}'::text THEN '{refusal.value}'" in definitions, refusal
    for flag in Flag:
        assert f"%{flag}%" in definitions, flag


def test_no_view_names_an_event_type_but_the_one_it_is_about() -> None:
    """What a view says of an event type stands in the table; a name in a view is a second table."""
    named = {
        (file.name, kind.value)
        for file in VIEWS.glob("*.sql")
        for kind in EventType
        if re.search(rf"'{kind}'", statements_only(file.read_text(encoding="utf-8")))
    }
    assert named == {("7_refusal_log.sql", "SportBetCancel")}


def statements_only(script: str) -> str:
    return "\n".join(part for part in script.split(";\n") if "COMMENT ON" not in part)


async def test_operations_may_make_temporary_tables_wherever_the_schema_is_ours(
    empty_db: Database,
) -> None:
    """PUBLIC may not, where the wallet made the database itself."""
    server = empty_db.server
    sql(server, f"REVOKE ALL ON DATABASE {empty_db.name} FROM PUBLIC")
    may = f"SELECT has_database_privilege('{OPS}', '{empty_db.name}', 'TEMPORARY')"
    assert sql(server, may) == "f"
    await upgrade(empty_db.owner_url)
    assert sql(server, may) == "t"
    sql(server, f"GRANT CONNECT ON DATABASE {empty_db.name} TO {OPS}")
    code, said = Psql(empty_db).run("BEGIN READ WRITE; CREATE TEMPORARY TABLE mine (a int); COMMIT")
    assert code == 0, said
