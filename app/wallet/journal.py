"""The journal entry: one decided movement, and the hash that chains it to the one before.

`canonical` is the entry's text, the same to the byte in every language: fixed fields joined by
`|`, amounts in minor units, times in microseconds of the Unix epoch; every free text as
`<characters>:<text>`, absent as `-`. The audit recomputes it in SQL from the row alone.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.refusals import Refusal

CHAIN_START: Final = bytes(32)
"""The hash before the first entry of a wallet opened before `chain_start` was introduced."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class Flag(StrEnum):
    """What operations should know about an accepted movement."""

    EVENT_UNKNOWN = "event_unknown"
    """a SportBetCancel of an event without a bet"""
    UNCOVERED = "remainder"
    """a SportBetCancel of more than the payments that were not reversed

    The value is hashed with each entry, so it stays."""
    OTHER_GAME = "other_game"
    """a SportBetCancel under another game id than the sportsbook's"""
    ABORT_OVERTOOK = "abort_overtook"
    """a bet of an amount for which an abort of the event was refused before"""
    ABORT_BESIDE_PAYMENT = "abort_beside_payment"
    """an abort in an event in which another bet was paid"""
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105 - a flag, not a secret
    """money that came back under a token that a restore may have lost"""
    PAID_BET_GIVEN_BACK = "paid_bet_given_back"
    """a bet of Betby's that was given back while a payment of it stands"""
    OVERDRAWN = "overdrawn"
    """a rollback of Betby's that left the player owing money"""


class Reversal(NamedTuple):
    """The reversal of another movement: its position in the same wallet, and the parts reversed."""

    position: int
    real: Minor
    bonus: Minor

    @property
    def parts(self) -> Pockets:
        """The parts as pockets."""
        return Pockets(self.real, self.bonus)


class JournalEntry(NamedTuple):
    """A decided movement, accepted or declined. Amounts in minor units of `currency`."""

    player_id: int
    position: int
    """its place in the wallet's chain, from 1; declined movements are links too"""
    version: int
    """how many movements of the wallet were accepted, this one included"""
    key: Key
    delivery: bytes
    event_type: EventType
    direction: Direction
    refusal: Refusal | None
    amount: Minor
    currency: Currency
    before: Pockets
    delta: Pockets
    contra: HouseAccount
    event_id: str | None
    game_id: int | None
    bonus_code: str | None
    extra_data: str | None
    reverses: tuple[Reversal, ...]
    flags: tuple[Flag, ...]
    event_time: datetime
    """when the request had been received"""
    ledger_time: datetime
    """when the movement was decided, by the ledger's clock"""
    chain: bytes
    """SHA-256 of the previous entry's chain and this entry's canonical text"""

    @property
    def after(self) -> Pockets:
        """The pockets after this movement."""
        return self.before.plus(self.delta)

    @property
    def is_accepted(self) -> bool:
        """Whether the movement was posted, an amount of 0 included."""
        return self.refusal is None

    @property
    def is_decided_elsewhere(self) -> bool:
        """Whether another wallet had accepted it: its id is taken, and nothing moved here."""
        return self.refusal is Refusal.DECIDED_ELSEWHERE

    @property
    def is_id_alone(self) -> bool:
        """Whether nothing but the id is known of what another wallet had accepted."""
        return self.is_decided_elsewhere and self.event_type is EventType.IMPORT

    def chained(self, previous: bytes) -> "JournalEntry":
        """The same entry, linked to the one before it."""
        link = sha256(previous + self.canonical().encode()).digest()
        return JournalEntry._make((*self[:-1], link))

    def canonical(self) -> str:
        """The entry's text for the hash chain (see the module's first lines)."""
        # Unpacked and joined: this is the dearest text of the money road. Joining takes members of
        # an enumeration as the texts they are, where formatting asks each for its format.
        (player_id, position, version, key, delivery, event_type, direction, refusal,
         amount, currency, before, delta, contra, event_id, game_id, bonus_code, extra_data,
         reverses, flags, received, decided, _) = self  # fmt: skip
        source, transaction_id, facet = key
        return "|".join(
            (
                f"v1|{player_id}|{position}|{version}|{delivery.hex()}",
                event_type,
                direction,
                "ACCEPTED" if refusal is None else refusal.name,
                (
                    f"{currency.code}|{currency.scale}|{amount}|{before[0]}|{before[1]}"
                    f"|{delta[0]}|{delta[1]}"
                ),
                contra,
                "-" if game_id is None else str(game_id),
                ",".join([f"{r.position}/{r.real}/{r.bonus}" for r in reverses]),
                ",".join(flags),
                (
                    f"{microseconds(received)}|{microseconds(decided)}"
                    f"|{len(source)}:{source}|{len(transaction_id)}:{transaction_id}"
                    f"|{len(facet)}:{facet}"
                ),
                _text(event_id),
                _text(bonus_code),
                _text(extra_data),
            )
        )


def chain_start(user_id: str, agent: str, currency: Currency) -> bytes:
    """What the first entry of a wallet is chained to: whose wallet it is, so that it stays theirs.

    The hash of `opening|<user id>|<agent>|<currency>|<scale>`, free texts as in an entry. The audit
    recomputes it in SQL.
    """
    text = f"opening|{_text(user_id)}|{_text(agent)}|{currency.code}|{currency.scale}"
    return sha256(text.encode()).digest()


def microseconds(moment: datetime) -> int:
    """Microseconds since the Unix epoch, exact."""
    passed = moment - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _text(value: str | None) -> str:
    return "-" if value is None else f"{len(value)}:{value}"
