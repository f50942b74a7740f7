"""What was seen of the ledger: rows of GLANCE and FACTS in, facts out, and where each stands.

Columns are taken by their places in the statement, many at a time: by name, one by one, they cost
more than everything that is made of them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.ledger.money.rows import RowVersion, currency_of, limits_in_force, minor
from app.wallet.balance import Pockets
from app.wallet.facts import Facts, Wallet
from app.wallet.limits import Usage
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.rounds import Round, RoundKey, Tally
from app.wallet.sessions import renewed

if TYPE_CHECKING:
    import asyncpg

    Row = asyncpg.Record

WALLET: Final = slice(2, 21)
VERSIONS: Final = slice(21, 25)
SESSION: Final = slice(25, 29)
"""Where these stand in a row of GLANCE and FACTS; the round, after them, is read by name."""


class Places(NamedTuple):
    """Where the facts of a batch stand, and in which versions."""

    players: dict[int, RowVersion]
    wallets: dict[int, RowVersion]
    sessions: dict[tuple[int, bytes], RowVersion]
    rounds: dict[RoundKey, str]


class Sighting(NamedTuple):
    """What was read of the ledger for a batch."""

    facts: Facts
    places: Places
    renewals: dict[tuple[int, bytes], datetime]
    """tokens whose lives are to be renewed, and until when"""


def sighting_of(movements: Sequence[Movement], rows: "Sequence[Row]") -> Sighting:
    """What these rows, the answers to the movements' questions, say."""
    wallets: dict[str, Wallet] = {}
    sessions: dict[tuple[int, bytes], datetime] = {}
    renewals: dict[tuple[int, bytes], datetime] = {}
    rounds: dict[RoundKey, Round] = {}
    places = Places({}, {}, {}, {})
    now: datetime = rows[0]["ledger_now"] if rows else movements[0].received_at
    for row in rows:
        movement = movements[row["n"] - 1]
        wallet = wallets.get(movement.user_id)
        if wallet is None:
            wallet = wallets[movement.user_id] = _wallet_of(row[WALLET], now)
            player_place, player_version, wallet_place, wallet_version = row[VERSIONS]
            places.players[wallet.player_id] = RowVersion(player_place, player_version)
            places.wallets[wallet.player_id] = RowVersion(wallet_place, wallet_version)
        expires_at, life_seconds, session_place, session_version = row[SESSION]
        if movement.token is not None and expires_at is not None:
            session = wallet.player_id, movement.token
            sessions[session] = expires_at
            places.sessions[session] = RowVersion(session_place, session_version)
            if life_seconds is not None:
                until = renewed(expires_at, timedelta(seconds=life_seconds), now)
                if until is not None:
                    renewals[session] = until
        event_id = row["event_id"]
        if event_id is not None:
            key = RoundKey(wallet.player_id, event_id, row["is_streamer"])
            if key not in rounds:
                rounds[key] = round_of(row, wallet.currency)
                places.rounds[key] = row["round_place"]
    return Sighting(Facts(now, wallets, sessions, rounds, {}, frozenset()), places, renewals)


def _wallet_of(columns: Sequence[Any], now: datetime) -> Wallet:
    player_id, agent, code, scale, terms, is_blocked, real, bonus, *more = columns
    version, position, chain, has_refused_aborts, usage_day, *used = more
    currency = currency_of(code, scale)
    return Wallet(
        player_id,
        agent,
        currency,
        Pockets(minor(real, currency), minor(bonus, currency)),
        version,
        position,
        chain,
        is_blocked,
        limits_in_force(terms, now),
        Usage(usage_day, *[minor(text, currency) for text in used]),
        has_refused_aborts,
    )


def round_of(row: "Row", currency: Currency) -> Round:
    """A row of `rounds`, amounts as text, as the decision knows it; without its history."""
    return Round(
        Tally(
            row["bets_placed"],
            row["bets_standing"],
            minor(row["stake_real"], currency),
            minor(row["stake_bonus"], currency),
            minor(row["staked"], currency),
            minor(row["paid"], currency),
            minor(row["taken_back"], currency),
            row["cancels"],
            minor(row["remainder"], currency),
        ),
        row["settled"],
        frozenset([minor(text, currency) for text in row["refused_aborts"]]),
    )
