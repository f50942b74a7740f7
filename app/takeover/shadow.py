"""Decides another wallet's traffic again, on a ledger of its own, and compares every answer.

The ledger is marked as a shadow's before anybody has an account in it: a ledger that answers for
money is refused here, and a shadow is refused by `wallet serve`.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from app.ledger.citus.ledger import PlacedLedger
from app.ledger.shadow import mark_as_shadow, shadow_state
from app.takeover.comparing import ACCEPTED, Comparison, Difference, Said, said_by
from app.takeover.traffic import Exchange, exchanges_of

TOKEN_EXPIRED: Final = 410
AFTER_THE_TOKEN: Final = frozenset({ACCEPTED, 402, 405, 406, 456})
"""Codes of the callback contract that are told only of a token that is known: of those before it,
a repeat among them, no answer says whether it was looked at."""


class Answered(NamedTuple):
    """What this wallet answers."""

    status: int
    body: str


class Deciding(NamedTuple):
    """The wallet that decides."""

    decide: Callable[[Exchange], Awaitable[Answered]]
    learn: Callable[[str, str, bool], Awaitable[None]]
    """Take a player's token for one that lives, or has ended, as the other wallet did."""


class _Sessions:
    """The tokens that the other wallet has taken, each told once for each change.

    Sessions that began after the state was taken are not in the traffic, so the other wallet is
    the judge of them: what it accepts lives here, too, and what it calls expired has ended.
    """

    def __init__(self) -> None:
        self._lives: dict[tuple[str, bytes], bool] = {}

    async def follow(self, exchange: Exchange, theirs: Said, deciding: Deciding) -> None:
        """Learn what the other wallet's answer says of the request's token."""
        fields = exchange.fields
        user_id, token = fields.get("userId"), fields.get("token")
        if not user_id or not token or theirs.code not in AFTER_THE_TOKEN | {TOKEN_EXPIRED}:
            return
        key = (user_id, sha256(token.encode()).digest())
        lives = theirs.code != TOKEN_EXPIRED
        if self._lives.get(key) is not lives:
            await deciding.learn(user_id, token, lives)
            self._lives[key] = lives


class NoShadowError(Exception):
    """The ledger cannot be used; the message says why and what to do."""


class TrafficClock:
    """The time of the request that is decided; the real one, if its line names none."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def now(self) -> datetime:
        """The moment at which the request is taken to be decided."""
        return self.at or datetime.now(UTC)


async def begin_shadow(url: str, by: str) -> None:
    """Mark an empty ledger as a shadow's; raise NoShadowError if it is somebody's."""
    ledger = PlacedLedger(url, pool_size=2)
    try:
        state = await shadow_state(ledger)
        if state.begun_at is not None:
            return
        if state.has_players:
            raise NoShadowError(
                "There are players in this ledger: it may answer for money. Name another database "
                "with WALLET_DATABASE_URL, or another folder with WALLET_DATA_DIR."
            )
        await mark_as_shadow(ledger, by)
    finally:
        await ledger.close()


async def require_shadow(url: str) -> None:
    """Raise NoShadowError unless the ledger is marked."""
    ledger = PlacedLedger(url, pool_size=2)
    try:
        state = await shadow_state(ledger)
    finally:
        await ledger.close()
    if state.begun_at is None:
        raise NoShadowError(
            "This ledger is no shadow: name one of its own with WALLET_DATA_DIR or "
            "WALLET_DATABASE_URL, and run `wallet shadow --begin` on it."
        )


async def shadow(
    path: Path,
    deciding: Deciding,
    clock: TrafficClock,
    tell: Callable[[Difference], None],
    progress: Callable[[int], None],
) -> Comparison:
    """Decide a file's requests in its order; `tell` is called with each difference."""
    comparison, sessions = Comparison(), _Sessions()
    for exchange in exchanges_of(path):
        clock.at = exchange.at or clock.at
        theirs = said_by(exchange.status, exchange.answer)
        await sessions.follow(exchange, theirs, deciding)
        ours = await deciding.decide(exchange)
        found = comparison.compare(exchange, theirs, said_by(ours.status, ours.body))
        if found is not None:
            tell(found)
        progress(comparison.compared)
    return comparison
