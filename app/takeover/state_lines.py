"""A wallet's state as JSON lines: what each line says, read strictly, each mistake by its line.

The format is in docs/guide/migrating.md. A line that is wrong is named and the next one is read;
nothing is guessed, since a field that is not known may be one that decides money.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from app.takeover.fields import Fields, LineError, checked_amount, members_of
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType, Part, is_allowed
from app.wallet.limits import Limits
from app.wallet.money import Currency
from app.wallet.movement import KeyScope, facet_of
from app.wallet.refusals import Refusal

FORMAT: Final = "wallet-state"
VERSION: Final = 1

CALLBACK: Final = "callback"
TRANSFER: Final = "transfer"
DOORS: Final = (CALLBACK, TRANSFER)

NICKNAME_LENGTHS: Final = range(3, 65)
TOKEN_LENGTH_MAX: Final = 250
LIFE_SECONDS_MAX: Final = 366 * 86_400

ACCEPTED: Final = "accepted"
OUTCOMES: Final = (
    ACCEPTED,
    *(r.name for r in Refusal if r.is_final and r is not Refusal.DECIDED_ELSEWHERE),
)
"""What another wallet may have decided for ever."""


class Header(NamedTuple):
    """The first line: which format, whose players, and their currencies."""

    agent: str
    currencies: Mapping[str, int]


class PlayerLine(NamedTuple):
    """A player, with both pockets as they are to be."""

    user_id: str
    currency: Currency
    real: str
    bonus: str
    nickname: str
    language: str
    email: str | None
    first_name: str | None
    last_name: str | None
    is_blocked: bool
    excluded_until: datetime | None
    limits: Mapping[str, str]


class MoveLine(NamedTuple):
    """An open bet, a payment that may be taken back, or an id alone, as it is staged."""

    user_id: str
    kind: str
    source: str
    transaction_id: str
    facet: str
    event_type: str | None = None
    direction: str | None = None
    amount: str | None = None
    event_id: str | None = None
    game_id: int | None = None
    real: str | None = None
    bonus: str | None = None
    refusal: str | None = None


class TokenLine(NamedTuple):
    """A token that lives, as it is staged: by its hash."""

    user_id: str
    token_hash: bytes
    expires_at: datetime
    life_seconds: int | None


class EndLine(NamedTuple):
    """The last line: how many lines stand before it, so that a file that was cut is noticed."""

    lines: int


Line: TypeAlias = PlayerLine | MoveLine | TokenLine | EndLine


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads lines of a file with this header, for a ledger with this key scope."""

    header: Header
    scope: KeyScope

    def read(self, text: str) -> Line:
        """Read one line; raise LineError."""
        fields = Fields(members_of(text))
        kinds: dict[str, Callable[[Fields], Line]] = {
            "player": self._player,
            "bet": self._bet,
            "payment": self._payment,
            "decided": self._decided,
            "token": self._token,
            "end": self._end,
        }
        kind = fields.one_of("kind", kinds)
        line = kinds[kind](fields)
        fields.end(kind)
        return line

    def _player(self, fields: Fields) -> PlayerLine:
        user_id = fields.id("user_id")
        code = fields.one_of("currency", tuple(self.header.currencies))
        nickname = fields.text("nickname", default=_nickname_of(user_id))
        if len(nickname) not in NICKNAME_LENGTHS:
            raise LineError("has a nickname that is not of 3 to 64 characters")
        limits = fields.members("limits")
        for name, amount in limits.items():
            if name not in Limits._fields:
                raise LineError(
                    f"has a limit {name}, and only {', '.join(Limits._fields)} can be brought "
                    "in: set others with `wallet player limits` afterwards"
                )
            checked_amount(name, amount)
        return PlayerLine(
            user_id,
            Currency(code, self.header.currencies[code]),
            fields.amount("real", may_be_negative=True),
            fields.amount("bonus"),
            nickname,
            fields.text("language", default="en"),
            fields.optional_text("email"),
            fields.optional_text("first_name"),
            fields.optional_text("last_name"),
            fields.flag("blocked"),
            fields.moment("excluded_until", may_be_forever=True),
            limits,
        )

    def _bet(self, fields: Fields) -> MoveLine:
        user_id = fields.id("user_id")
        real, bonus = fields.amount("real"), fields.amount("bonus")
        return MoveLine(
            user_id,
            "bet",
            CALLBACK,
            fields.id("transaction_id"),
            facet_of(EventType.BET_PLACING, Direction.DEBIT, self.scope),
            EventType.BET_PLACING,
            Direction.DEBIT,
            sum_of(real, bonus),
            fields.id("event_id"),
            fields.game_id(),
            real,
            bonus,
            None,
        )

    def _payment(self, fields: Fields) -> MoveLine:
        user_id = fields.id("user_id")
        kind = fields.event_type(default=EventType.WIN)
        if RULES[kind].part is not Part.PAYMENT or RULES[kind].is_streamer:
            raise LineError(f"is a payment, and {kind} is none")
        real, bonus = fields.amount("real"), fields.amount("bonus")
        left = sum_of(real, bonus)
        if not left.strip("0."):
            raise LineError("has nothing left to take back: write it as `decided`")
        return MoveLine(
            user_id,
            "payment",
            CALLBACK,
            fields.id("transaction_id"),
            facet_of(kind, Direction.CREDIT, self.scope),
            kind,
            Direction.CREDIT,
            fields.amount("amount", default=left),
            fields.id("event_id"),
            fields.game_id(),
            real,
            bonus,
            None,
        )

    def _decided(self, fields: Fields) -> MoveLine:
        user_id = fields.id("user_id")
        transaction_id = fields.id("transaction_id")
        door = fields.one_of("door", DOORS, default=CALLBACK)
        source = CALLBACK if door == CALLBACK else self.header.agent
        outcome = fields.one_of("outcome", OUTCOMES, default=ACCEPTED)
        refusal = None if outcome == ACCEPTED else outcome
        if not fields.has("event_type"):
            if door == TRANSFER or refusal is not None:
                raise LineError(
                    "must have event_type, direction and amount: what it hears again names them"
                )
            return MoveLine(user_id, "decided", source, transaction_id, "")
        kind = fields.event_type()
        direction = Direction(fields.one_of("direction", tuple(Direction)))
        amount = fields.amount("amount")
        is_game = kind in GAME_EVENT_TYPES
        if is_game is not (door == CALLBACK):
            raise LineError(f"cannot have the event type {kind} at the door {door}")
        if not is_allowed(kind, direction, amount_is_zero=not amount.strip("0.")):
            raise LineError(f"has a {direction} of {kind}, which no wallet accepts")
        return MoveLine(
            user_id,
            "decided",
            source,
            transaction_id,
            facet_of(kind, direction, self.scope) if is_game else "",
            kind,
            direction,
            amount,
            fields.id("event_id") if is_game else None,
            fields.game_id() if is_game else None,
            None,
            None,
            refusal,
        )

    def _token(self, fields: Fields) -> TokenLine:
        user_id = fields.id("user_id")
        expires_at = fields.moment("expires_at")
        if expires_at is None:
            raise LineError("must have expires_at, a moment such as 2026-11-27T03:00:00Z")
        life = fields.whole("life_seconds", LIFE_SECONDS_MAX)
        if fields.has("token_sha256"):
            return TokenLine(user_id, fields.digest("token_sha256"), expires_at, life)
        token = fields.text("token")
        if len(token) > TOKEN_LENGTH_MAX:
            raise LineError(f"has a token of more than {TOKEN_LENGTH_MAX} characters")
        return TokenLine(user_id, sha256(token.encode()).digest(), expires_at, life)

    def _end(self, fields: Fields) -> EndLine:
        lines = fields.whole("lines", 10**15)
        if lines is None:
            raise LineError("must have lines: how many stand before it")
        return EndLine(lines)


def read_header(text: str) -> Header:
    """Read the first line; raise LineError."""
    fields = Fields(members_of(text))
    if fields.word("kind") != "header":
        raise LineError('must be the header: {"kind": "header", "format": "wallet-state", …}')
    fields.one_of("format", (FORMAT,))
    version = fields.whole("version", 10**6)
    if version != VERSION:
        raise LineError(f"has the version {version}; this wallet reads version {VERSION}")
    agent = fields.id("agent")
    named = fields.members("currencies")
    currencies: dict[str, int] = {}
    for code, scale in named.items():
        if not (code.isascii() and code.isalnum() and code.isupper() and scale in set("012345678")):
            raise LineError('must have currencies as {"USD": 2}: a code and its decimals, 0 to 8')
        currencies[code] = int(scale)
    if not currencies:
        raise LineError('must have currencies as {"USD": 2}: a code and its decimals')
    fields.optional_text("from")
    fields.moment("as_of")
    fields.end("header")
    return Header(agent, currencies)


def sum_of(real: str, bonus: str) -> str:
    """Add two amounts in major units, exactly."""
    whole = Currency("", 18)
    return whole.text((whole.minor(real) or 0) + (whole.minor(bonus) or 0)) if bonus else real


def _nickname_of(user_id: str) -> str:
    """Return what others see of a player whose file names no nickname."""
    return user_id[: NICKNAME_LENGTHS.stop - 1].ljust(NICKNAME_LENGTHS.start, "_")
