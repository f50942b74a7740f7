"""The records of a file in temporary tables, checked as a whole and against the ledger."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.ledger.imports.on_nodes import Nodes
from app.ledger.imports.session import Connection, ImportedBeforeError, copy_into

FAULTS_MAX: Final = 1000

TABLES: Final = {
    "import_players": """
        line bigint NOT NULL, user_id text NOT NULL, currency text NOT NULL,
        scale smallint NOT NULL, maximum numeric NOT NULL, real numeric NOT NULL,
        bonus numeric NOT NULL, nickname text NOT NULL, language text NOT NULL, email text,
        first_name text, last_name text, blocked boolean NOT NULL, excluded_until timestamptz,
        limits jsonb, outcome text NOT NULL, chain bytea NOT NULL
    """,
    "import_moves": """
        line bigint NOT NULL, user_id text NOT NULL, kind text NOT NULL, source text NOT NULL,
        transaction_id text NOT NULL, facet text NOT NULL, event_type text, direction text,
        amount numeric, event_id text, game_id bigint, real numeric, bonus numeric, refusal text
    """,
    "import_tokens": """
        line bigint NOT NULL, user_id text NOT NULL, token_hash bytea NOT NULL,
        expires_at timestamptz NOT NULL, life_seconds bigint
    """,
}
"""What stands in a file, by what the records are of; amounts in major units."""

_OTHERS: Final = (
    """
    CREATE TEMPORARY TABLE import_ids (
        user_id text PRIMARY KEY, player_id bigint NOT NULL, schema_name text NOT NULL
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE import_wallets (
        player_id bigint NOT NULL, version bigint NOT NULL, position bigint NOT NULL,
        real numeric NOT NULL, bonus numeric NOT NULL, chain bytea NOT NULL
    ) ON COMMIT DROP
    """,
    "ALTER TABLE import_players ADD COLUMN schema_name text NOT NULL DEFAULT 'public'",
)

_IN_BUCKETS: Final = """
UPDATE import_players p SET schema_name = b.schema_name
FROM (SELECT count(*)::integer FROM buckets) AS all_buckets, buckets b
WHERE b.bucket = bucket_of_v1(p.user_id, all_buckets.count)
"""

_COLUMNS: Final = {
    name: tuple(column.split()[0] for column in columns.split(","))
    for name, columns in TABLES.items()
}

_INDEXES: Final = (
    _IN_BUCKETS,
    "CREATE INDEX ON import_players (user_id)",
    "CREATE INDEX ON import_moves (user_id, line)",
    "CREATE INDEX ON import_moves (source, transaction_id)",
    *(f"ANALYZE {name}" for name in TABLES),
)

_FAULTS: Final = (
    """
    SELECT line, 'repeats the player of line ' || first_line FROM (
        SELECT line, min(line) OVER (PARTITION BY user_id) AS first_line FROM import_players
    ) d WHERE line > first_line
    """,
    """
    SELECT m.line, 'is of a player who is not in the file'
    FROM (SELECT line, user_id FROM import_moves
          UNION ALL SELECT line, user_id FROM import_tokens) m
    WHERE NOT EXISTS (SELECT FROM import_players p WHERE p.user_id = m.user_id)
    """,
    """
    SELECT i.line, 'opens an account that this ledger has already'
    FROM import_players i JOIN players p ON p.user_id = i.user_id
    """,
    """
    SELECT line, 'repeats the transaction id of line ' || first_line FROM (
        SELECT line, facet, event_type,
               min(line) OVER alike AS first_line,
               min(line) OVER (PARTITION BY source, transaction_id, facet) AS same_facet,
               bool_or(event_type IS NULL) OVER alike AS is_id_alone
        FROM import_moves WINDOW alike AS (PARTITION BY source, transaction_id)
    ) d WHERE line > first_line AND (is_id_alone OR line > same_facet)
    """,
    """
    SELECT m.line, 'has a transaction id that this ledger has decided already'
    FROM import_moves m
    WHERE EXISTS (SELECT FROM transaction_keys k
                  WHERE k.source = m.source AND k.transaction_id = m.transaction_id OFFSET 0)
    """,
    """
    SELECT line, 'repeats the token of line ' || first_line FROM (
        SELECT line, min(line) OVER (PARTITION BY user_id, token_hash) AS first_line
        FROM import_tokens
    ) d WHERE line > first_line
    """,
    """
    SELECT m.line, 'has an amount that is finer than the minor unit of ' || p.currency
    FROM import_moves m JOIN import_players p ON p.user_id = m.user_id
    WHERE (m.amount, coalesce(m.real, 0), coalesce(m.bonus, 0))
          IS DISTINCT FROM (trunc(m.amount, p.scale), trunc(coalesce(m.real, 0), p.scale),
                            trunc(coalesce(m.bonus, 0), p.scale))
    """,
    """
    SELECT line, 'has a balance that is finer than the minor unit of ' || currency
    FROM import_players
    WHERE (real, bonus) <> (trunc(real, scale), trunc(bonus, scale))
    """,
    """
    SELECT p.line, 'has balances and open bets that do not fit the digits of ' || p.currency
    FROM import_players p
    LEFT JOIN (SELECT user_id, max(amount) AS largest,
                      coalesce(sum(real) FILTER (WHERE kind = 'bet'), 0) AS real,
                      coalesce(sum(bonus) FILTER (WHERE kind = 'bet'), 0) AS bonus,
                      coalesce(sum(real + bonus) FILTER (WHERE kind = 'payment'), 0) AS paid
               FROM import_moves GROUP BY user_id) m ON m.user_id = p.user_id
    WHERE greatest(abs(p.real) + p.bonus + coalesce(m.real + m.bonus + m.paid, 0),
                   coalesce(m.largest, 0)) > p.maximum
    """,
)
"""What is wrong with a line, in words that go after its number."""

_FAULTS_ON_NODES: Final = tuple(
    query.replace("JOIN players p", "JOIN import_known_players p").replace(
        "FROM transaction_keys k", "FROM import_known_ids k"
    )
    for query in _FAULTS
)

_COUNTS: Final = """
SELECT (SELECT count(*) FROM import_players) AS players,
       count(*) FILTER (WHERE kind = 'bet') AS bets,
       count(*) FILTER (WHERE kind = 'payment') AS payments,
       count(*) FILTER (WHERE kind = 'decided') AS decided,
       (SELECT count(*) FROM import_tokens) AS tokens,
       (SELECT coalesce(jsonb_object_agg(t.currency, jsonb_build_object(
                   'real', round(t.real, t.scale)::text, 'bonus', round(t.bonus, t.scale)::text,
                   'open_stakes', round(t.stakes, t.scale)::text)), '{}')::text
        FROM (SELECT p.currency, max(p.scale) AS scale, sum(p.real) AS real, sum(p.bonus) AS bonus,
                     coalesce(sum(b.stakes), 0) AS stakes
              FROM import_players p
              LEFT JOIN (SELECT user_id, sum(amount) AS stakes FROM import_moves
                         WHERE kind = 'bet' GROUP BY user_id) b ON b.user_id = p.user_id
              GROUP BY p.currency) t) AS totals
FROM import_moves
"""

_IMPORTED: Final = "SELECT imported_at, by FROM imports WHERE digest = $1"


class Fault(NamedTuple):
    """What is wrong with a line."""

    line: int
    words: str


class Counts(NamedTuple):
    """What a file brings in."""

    players: int
    bets: int
    payments: int
    decided: int
    tokens: int
    totals: str
    """JSON: both pockets and the open stakes, by currency"""


async def make(connection: Connection, digest: str) -> None:
    """Make the tables of this transaction; raise ImportedBeforeError if the file is known."""
    known = await connection.fetchrow(_IMPORTED, digest)
    if known is not None:
        raise ImportedBeforeError(*known)
    for name, columns in TABLES.items():
        await connection.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
    for statement in _OTHERS:
        await connection.execute(statement)


async def copy_rows(connection: Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Copy records in; each has the values of the table's columns."""
    await copy_into(connection, table, _COLUMNS[table], rows)


async def faults(connection: Connection, nodes: Nodes | None) -> list[Fault]:
    """Return the first of what is wrong with the file as a whole, by line."""
    for statement in _INDEXES:
        await connection.execute(statement)
    if nodes is not None:
        await nodes.note_known()
    found: list[Fault] = []
    for query in _FAULTS if nodes is None else _FAULTS_ON_NODES:
        rows = await connection.fetch(f"{query} ORDER BY 1 LIMIT {FAULTS_MAX}")
        found += [Fault(*row) for row in rows]
    return sorted(found)[:FAULTS_MAX]


async def counts(connection: Connection) -> Counts:
    """Count what the file brings in."""
    row = await connection.fetchrow(_COUNTS)
    return Counts(*row)  # type: ignore[misc]  # an aggregate without groups is one row
