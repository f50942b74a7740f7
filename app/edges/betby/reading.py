"""A call's payload: its fields as typed values, and the text of it that the journal keeps.

Ids and amounts may be JSON numbers or texts; amounts are whole units of Betby's. A RefusedError
names the field and never quotes its value.
"""

import re
from typing import Final

from app.edges.betby.codes import Code, RefusedError
from app.edges.wire import JsonValue, Member, NotUnderstoodError, Number, encode, read_members
from app.wallet.identifiers import ID_LENGTH_MAX, is_identifier
from app.wallet.named import ROUND_PREFIX, Place

TRANSACTION_ID_LENGTH_MAX: Final = ID_LENGTH_MAX - len(ROUND_PREFIX)
"""A bet's round is named after its id."""

UNITS: Final = re.compile(r"[0-9]{1,30}", re.ASCII)
ASKED_CHARACTERS_MAX: Final = 4000
"""How much of a refused call is stored."""

SECRET: Final = "session_id"  # noqa: S105 - a field's name


class Payload:
    """The members of a call, each read when it is asked for."""

    def __init__(self, member: Member) -> None:
        """`member`: the claim `payload`; RefusedError if it is not an object."""
        try:
            self._members = read_members(member.source.encode())
        except NotUnderstoodError:
            raise _bad("payload", "must be a JSON object") from None

    def text_or_none(self, name: str) -> str | None:
        """Read a text that may be absent or null; a number is read as it is written."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _bad(name, "must be a text")
        return str(value)

    def text(self, name: str) -> str:
        """Read an identifier: 1 to 250 characters."""
        value = self.text_or_none(name)
        if value is None:
            raise _bad(name, "is missing")
        if not is_identifier(value):
            raise _bad(name, f"must have 1 to {ID_LENGTH_MAX} characters, none a control character")
        return value

    def flag(self, name: str) -> bool:
        """Read true or false; absent is false."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            raise _bad(name, "must be true or false")
        return value is True

    def units(self, name: str) -> str:
        """Read an amount in whole units."""
        value = self._value(name)
        if value is None:
            raise _bad(name, "is missing")
        if not isinstance(value, Number) or not UNITS.fullmatch(value):
            raise _bad(name, "must be a whole number of 0 or more")
        return str(value)

    def place(self, name: str) -> Place:
        """Read one of our ids; code 2003 if it is none."""
        place = Place.of(self.text(name))
        if place is None:
            raise RefusedError(Code.PARENT, f"{name} is no id of ours")
        return place

    @property
    def transaction_id(self) -> str:
        """Betby's id of this operation: `transaction.id`, or `transaction_id` of a discard."""
        transaction_id = self._of_transaction("id")
        if transaction_id is None:
            raise _bad("transaction.id", "is missing")
        return checked_transaction_id(transaction_id, "transaction.id")

    @property
    def player_of_transaction(self) -> str | None:
        """Our player as the transaction names them."""
        return self._of_transaction("ext_player_id")

    def kept(self) -> str:
        """Return the payload as the journal keeps it: as it was sent, without the session."""
        members = [
            f"{_quoted(name)}:{member.source}"
            for name, member in self._members.items()
            if name != SECRET
        ]
        return "{" + ",".join(members) + "}"

    def asked(self) -> str:
        """Return the payload as the refusal log keeps it."""
        text = self.kept()
        if len(text) <= ASKED_CHARACTERS_MAX:
            return text
        return "{" + f'"cut":{_quoted(text[:ASKED_CHARACTERS_MAX])}' + "}"

    def shown(self, name: str) -> str | None:
        """Return a text for the refusal log, truncated; None: there is none."""
        value = self._value(name)
        return str(value)[:ID_LENGTH_MAX] if isinstance(value, str) else None

    def shown_transaction(self) -> str | None:
        """Return the operation's id for the refusal log."""
        transaction = self._value("transaction")
        value = transaction.get("id") if isinstance(transaction, dict) else None
        value = value if value is not None else self._value("transaction_id")
        return str(value)[:ID_LENGTH_MAX] if isinstance(value, str) else None

    def _value(self, name: str) -> JsonValue:
        return self._members[name].value if name in self._members else None

    def _of_transaction(self, name: str) -> str | None:
        transaction = self._value("transaction")
        if not isinstance(transaction, dict):
            raise _bad("transaction", "must be a JSON object")
        value = transaction.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not is_identifier(value):
            raise _bad(f"transaction.{name}", f"must have 1 to {ID_LENGTH_MAX} characters")
        return str(value)


def checked_transaction_id(text: str, name: str) -> str:
    """Return an id of Betby's that a round can be named after."""
    if len(text) > TRANSACTION_ID_LENGTH_MAX:
        raise _bad(name, f"must have 1 to {TRANSACTION_ID_LENGTH_MAX} characters")
    return text


def _bad(name: str, reason: str) -> RefusedError:
    return RefusedError(Code.BAD_REQUEST, f"{name} {reason}")


def _quoted(text: str) -> str:
    return encode([text]).decode()[1:-1]
