"""Ids of requests that take effect once: written with what they change, never read beside it.

1. `keep_request`   takes an id, unless it is taken
2. `find_request`   what was asked under it, and the sealed answer while it is kept
3. `clear_answers`  forgets answers that are no longer told

A SERIALIZABLE transaction that read this table would lock the index page that its neighbours insert
into, and two requests that have nothing in common would be made to run again. So the id is only
inserted there; whoever meets it taken is rolled back and looks it up on a snapshot of their own.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid
from app.ledger.retries import NothingStandsError

ANSWER_KEPT: Final = timedelta(days=1)
"""How long a repeat hears the first answer (transfer contract, section 1)."""


class RequestTakenError(NothingStandsError):
    """The id is taken, by another request or by an earlier run of this one."""


class RequestKey(NamedTuple):
    """An agent's id for one request, and what it was asked under."""

    agent: str
    request_id: str
    operation: str
    content: bytes
    """SHA-256 of the id, the operation and its fields"""
    delivery: bytes
    """16 random bytes that name the delivery that took the id"""


def claimed_by(agent: str) -> str:
    """Return the source of claims of an agent's ids; no movement has it, for agents have no colon.

    Only where buckets are on several nodes are ids claimed: see `citus.request_claims`.
    """
    return f"request:{agent}"


class KeptRequest(NamedTuple):
    """What is known under an id."""

    content: bytes
    answer: str | None
    """sealed; None: it is no longer told"""


_KEEP: Final = """
INSERT INTO request_ids (agent, request_id, operation, content, delivery, ledger_time, answer)
VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, now()), $7)
ON CONFLICT DO NOTHING RETURNING true
"""
"""A rival that has not committed is waited for; then SQLSTATE 40001 asks for another run."""

_FIND: Final = """
SELECT content,
       CASE WHEN ledger_time > coalesce($3::timestamptz, now()) - $4::interval THEN answer END
           AS answer
FROM request_ids WHERE agent = $1 AND request_id = $2
"""

_CLEAR: Final = """
UPDATE request_ids SET answer = NULL
WHERE (agent, request_id) IN (
    SELECT agent, request_id FROM request_ids
    WHERE answer IS NOT NULL AND ledger_time <= coalesce($1::timestamptz, now()) - $2::interval
    ORDER BY ledger_time LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING true
"""


async def keep_request(book: Book, key: RequestKey, answer: str) -> bool:
    """Take an id and keep the sealed answer; False: the id is taken."""
    is_kept = await book.connection.fetchval(
        _KEEP,
        key.agent,
        key.request_id,
        key.operation,
        key.content,
        delivery_uuid(key.delivery),
        book.now_given(),
        answer,
    )
    return is_kept is True


async def find_request(book: Book, agent: str, request_id: str) -> KeptRequest | None:
    """What was asked and answered under an agent's id; None: the id is free."""
    row = await book.connection.fetchrow(_FIND, agent, request_id, book.now_given(), ANSWER_KEPT)
    return None if row is None else KeptRequest(row["content"], row["answer"])


async def clear_answers(book: Book, count_max: int) -> int:
    """Clear the oldest answers that are no longer told, and return how many they were."""
    rows = await book.connection.fetch(_CLEAR, book.now_given(), ANSWER_KEPT, count_max)
    return len(rows)
