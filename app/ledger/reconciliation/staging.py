"""A report in temporary tables beside the journal: copied in as text, normalised by PostgreSQL.

1. `make`        the tables of one session; they end with it
2. `copy_lines`  the report's lines, through COPY
3. `finish`      what its words mean, and the statistics that the comparison is planned by

A line's content is one 64-bit hash, which PostgreSQL computes while the line is copied. Totals that
contain the sum of these hashes agree only if every line does.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

LINE_COLUMNS: Final = (
    "line",
    "transaction_id",
    "user_id",
    "event_id",
    "word",
    "direction",
    "amount",
    "currency",
    "happened_at",
    "status",
)

CONTENT: Final = (
    "hashtextextended({transaction_id} || '|' || coalesce({user_id}, '') || '|'"
    " || coalesce({event_id}, '') || '|' || {word} || '|' || coalesce({currency}, '') || '|'"
    " || trim_scale({amount})::text, 0)"
)
"""What of a line must be ours to the letter; the same expression stands on both sides."""

LINES: Final = """
CREATE TEMPORARY TABLE report_lines (
    line bigint NOT NULL,
    transaction_id text NOT NULL,
    user_id text,
    event_id text,
    word text NOT NULL,
    direction text NOT NULL,
    amount numeric NOT NULL,
    currency text,
    happened_at timestamptz NOT NULL,
    status text NOT NULL,
    carried boolean NOT NULL DEFAULT false,
    day date NOT NULL GENERATED ALWAYS AS ((happened_at AT TIME ZONE '{zone}')::date) STORED,
    content bigint NOT NULL GENERATED ALWAYS AS ({content}) STORED
)
"""

OTHERS: Final = (
    "CREATE TEMPORARY TABLE report_types (word text, event_type text, direction text)",
    # Movements of ours that an earlier report left open, or told already.
    "CREATE TEMPORARY TABLE carried_ours (player_id bigint, position bigint)",
    "CREATE TEMPORARY TABLE told_ours (player_id bigint, position bigint)",
    """
    CREATE TEMPORARY TABLE day_totals (
        day date, currency text, lines bigint, ours bigint, theirs_amount numeric,
        ours_amount numeric, agrees boolean
    )
    """,
    "CREATE TEMPORARY TABLE open_rounds (day date, user_id text, event_id text)",
    # With the line's status: to look it up in the report is to read the whole of that each time.
    """
    CREATE TEMPORARY TABLE matches (line bigint, player_id bigint, position bigint, status text)
    """,
    "CREATE INDEX ON matches (player_id, position)",
    """
    CREATE TEMPORARY TABLE outcomes (
        number bigint GENERATED ALWAYS AS IDENTITY,
        verdict text NOT NULL, cause text NOT NULL, refusal text, line bigint,
        transaction_id text NOT NULL, word text, event_type text, direction text,
        user_id text, ours_user_id text, event_id text, ours_event_id text, currency text,
        theirs numeric NOT NULL, ours numeric NOT NULL, theirs_at timestamptz, ours_at timestamptz,
        player_id bigint, position bigint
    )
    """,
)

DUPLICATES: Final = """
SELECT line, first_line FROM (
    SELECT line, min(line) OVER alike AS first_line
    FROM report_lines l
    JOIN (
        SELECT content, happened_at FROM report_lines
        GROUP BY content, happened_at HAVING count(*) > 1
    ) twice USING (content, happened_at)
    WINDOW alike AS (
        PARTITION BY content, happened_at, transaction_id, user_id, event_id, word, direction,
                     amount, currency, status
    )
) d WHERE line > first_line
ORDER BY line LIMIT $1
"""

DROP_DUPLICATES: Final = """
DELETE FROM report_lines WHERE line IN (
    SELECT line FROM (
        SELECT line, row_number() OVER (
            PARTITION BY content, happened_at, transaction_id, user_id, event_id, word, direction,
                         amount, currency, status ORDER BY line) AS number
        FROM report_lines
        JOIN (
            SELECT content, happened_at FROM report_lines
            GROUP BY content, happened_at HAVING count(*) > 1
        ) twice USING (content, happened_at)
    ) d WHERE number > 1
)
"""

SCALES: Final = "SELECT DISTINCT currency, scale FROM players"

PERIOD: Final = """
SELECT (min(day)::timestamp AT TIME ZONE $1) AS since,
       ((max(day) + 1)::timestamp AT TIME ZONE $1) AS until,
       count(*) AS lines
FROM report_lines
"""

OUTSIDE: Final = "DELETE FROM report_lines WHERE happened_at < $1 OR happened_at >= $2"

TYPES: Final = "INSERT INTO report_types SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"


class Duplicate(NamedTuple):
    """A line that repeats an earlier one to the letter."""

    line: int
    first_line: int


class Staged(NamedTuple):
    """The moments that the lines span, in whole days of the report's zone; None: no lines."""

    since: datetime | None
    until: datetime | None
    lines: int


async def make(connection: "Connection", zone: str) -> None:
    """Make the tables of this session; `zone` is the name of a time zone that exists."""
    content = CONTENT.format(
        transaction_id="transaction_id",
        user_id="user_id",
        event_id="event_id",
        word="word",
        currency="currency",
        amount="amount",
    )
    await connection.execute(LINES.format(zone=zone.replace("'", "''"), content=content))
    for statement in OTHERS:
        await connection.execute(statement)


async def scales(connection: "Connection") -> dict[str, int]:
    """The decimals of every currency that a player has."""
    return {row["currency"]: row["scale"] for row in await connection.fetch(SCALES)}


async def copy_lines(
    connection: "Connection", chunks: AsyncIterator[Sequence[Sequence[object]]]
) -> None:
    """Copy lines in; each has the values of LINE_COLUMNS."""

    async def encoded() -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield copy_text(chunk)

    await connection.copy_to_table(
        "report_lines", source=encoded(), columns=list(LINE_COLUMNS), format="text"
    )


def copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Encode rows in the text format of COPY, where four characters are written otherwise."""
    texts = []
    width = len(LINE_COLUMNS) - 1
    for row in rows:
        text = "\t".join(["\\N" if value is None else str(value) for value in row])
        if text.count("\t") > width or "\n" in text or "\r" in text or "\\" in text:
            text = "\t".join(["\\N" if value is None else _escaped(str(value)) for value in row])
        texts.append(text)
    texts.append("")
    return "\n".join(texts).encode()


def _escaped(text: str) -> str:
    for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, escape)
    return text


async def duplicates(connection: "Connection", count_max: int) -> list[Duplicate]:
    """Return lines that repeat an earlier line to the letter, the first ones."""
    return [Duplicate(*row) for row in await connection.fetch(DUPLICATES, count_max)]


async def drop_duplicates(connection: "Connection") -> int:
    """Remove lines that repeat an earlier line; return how many there were."""
    return _count(await connection.execute(DROP_DUPLICATES))


async def name_types(connection: "Connection", types: Iterable[tuple[str, str, str]]) -> None:
    """Store what the report's words mean: (word, event type, direction)."""
    words, kinds, ways = (list(column) for column in zip(*types, strict=True))
    await connection.execute(TYPES, words, kinds, ways)


async def staged(connection: "Connection", zone: str) -> Staged:
    """Count the lines, and say what they span."""
    await connection.execute("ANALYZE report_lines")
    row = await connection.fetchrow(PERIOD, zone)
    return Staged(*row)  # type: ignore[misc]  # an aggregate without groups is one row


async def leave_outside(connection: "Connection", since: datetime, until: datetime) -> int:
    """Remove lines outside of a period; return how many there were."""
    return _count(await connection.execute(OUTSIDE, since, until))


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
