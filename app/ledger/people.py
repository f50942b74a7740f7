"""Players by what only their operator's support may ask for: an e-mail address.

The views leave names and addresses out, so this is a lookup of the cashier.
"""

from typing import Final

from app.ledger.money.book import Book

_BY_EMAIL: Final = """
SELECT user_id FROM players WHERE lower(email) = lower($1) ORDER BY user_id LIMIT $2
"""


async def user_ids_of_email(book: Book, email: str, count_max: int) -> list[str]:
    """Return the players with this e-mail address."""
    rows = await book.connection.fetch(_BY_EMAIL, email, count_max)
    return [row["user_id"] for row in rows]
