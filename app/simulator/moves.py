"""What can be sent: tokens by name, players by role, amounts as written.

A script holds no secret: which token a name stands for is known only when the request is encoded.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from app.simulator.laws import Direction


class Token(Enum):
    """The name of a token."""

    LIVE = "live"
    EXPIRED = "expired"
    #: The last answer of getUserToken.
    FRESH = "fresh"
    UNKNOWN = "unknown"
    #: The live token of another player.
    ANOTHER = "another"


UserName = Literal["own", "nobody"]
#: Ways to spoil a request before it says anything; each must be refused with code 400.
Flaw = Literal[
    "wrong_signature", "no_signature", "other_key", "missing_field", "repeated_json_key", "nul"
]
Method = Literal["sessionCheck", "playerDetails", "getBalance", "getUserToken"]
Encoding = Literal["form", "json", "query"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a request is put into bytes. Two styles of one request are the same request."""

    encoding: Encoding = "form"
    #: A slash behind the method's name.
    slash: bool = False
    #: Which of the extraData variants goes along.
    extra_data: int = 0
    #: Which field unknown to the contract goes along (and is signed); 0 is none.
    unknown_field: int = 0
    #: JSON only: amount and gameId as numbers, where they can be written as numbers.
    bare_numbers: bool = False
    #: The fields start with this one.
    turn: int = 0
    #: A query beside the body, which must be ignored.
    beside: bool = False
    #: Form only: which content type it is announced as; 0 is the usual one.
    content_type: int = 0


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Event:
    """A round or a sports bet: its id and the game it belongs to."""

    event_id: str
    game_id: int


@dataclass(frozen=True, slots=True)
class Move:
    """One moveFunds."""

    event_type: str
    direction: Direction
    transaction_id: str
    event: Event
    #: As it will be written, in the currency's main unit.
    amount: str
    token: Token = Token.LIVE
    bonus_code: str | None = None
    user: UserName = "own"
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One of the four methods that only ask."""

    method: Method
    token: Token = Token.LIVE
    user: UserName = "own"
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A maintenance notification."""

    status: str
    batch_id: str
    game_ids: tuple[int, ...]
    #: Signed over ``[]``, which is all that PHP's form fields hold of a JSON body.
    signed_empty: bool


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """A method of the API asked with the other HTTP method."""

    path: str
    http_method: Literal["GET", "POST"]


Content = Move | Question | Notice | WrongMethod


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request and the style in which it is delivered."""

    content: Content
    style: Style = PLAIN
