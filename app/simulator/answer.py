"""Reads an answer exactly as written, and finds where it differs from what was predicted.

Numbers stay the text they were written as: 100.5 is not 100.50, and a text in quotes is no number.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from app.simulator.expected import NEEDS, Expected, Need
from app.simulator.http import Reply

_NICKNAME_LENGTHS = range(3, 65)


class Number(str):
    """A bare JSON number, as written."""

    __slots__ = ()


class UnreadableError(ValueError):
    """The body is no JSON object that says each thing once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer."""

    http: int
    members: dict[str, object]

    @property
    def code(self) -> str:
        """``0`` for success, else the contract's code as written, or what stands in its place."""
        errors = self.members.get("errors")
        if self.members.get("status") is True:
            return "0" if errors is None else "success with errors"
        code = errors.get("code") if isinstance(errors, dict) else None
        if self.members.get("status") is not False or not isinstance(code, Number):
            return "no status and code"
        return str(code)

    def text(self, name: str) -> str | None:
        """A string member; None when it is none."""
        value = self.members.get(name)
        return value if isinstance(value, str) and not isinstance(value, Number) else None

    def words(self) -> str:
        """Say it for a reader of differences; no token is said."""
        said = [f"http {self.http}", f"code {self.code}" if self.code != "0" else "success"]
        for name, short in (
            ("balance", "balance"),
            ("realBalance", "real"),
            ("bonusBalance", "bonus"),
            ("currency", "currency"),
            ("userId", "userId"),
        ):
            if name in self.members:
                value = self.members[name]
                said.append(f"{short} {value if isinstance(value, Number) else repr(value)}")
        return ", ".join(said)


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise UnreadableError(f"the member {name} twice")
        members[name] = value
    return members


def read_answer(reply: Reply) -> Answer:
    """Read a reply's body."""
    try:
        members: object = json.loads(
            reply.body,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    if not isinstance(members, dict):
        raise UnreadableError("no object")
    return Answer(reply.http, members)


def _no_constant(name: str) -> object:
    raise UnreadableError(f"{name} is no number")


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom an answer is about."""

    user_id: str
    currency: str


def wrong_in(answer: Answer, expected: Expected, whom: Whom) -> list[str]:
    """Name everything that is not as due; an empty list is a right answer."""
    wrong = []
    if answer.http != expected.http:
        wrong.append(f"http {answer.http} instead of {expected.http}")
    if expected.shape == "none":
        return wrong
    if answer.code != str(expected.code):
        wrong.append(f"code {answer.code} instead of {expected.code}")
    balance, pockets = NEEDS[expected.shape]
    for name, due, need in (
        ("balance", expected.printed.balance, balance),
        ("realBalance", expected.printed.real, pockets),
        ("bonusBalance", expected.printed.bonus, pockets),
    ):
        wrong += _wrong_number(answer, name, due, need)
    return wrong + _wrong_texts(answer, expected, whom)


def _wrong_number(answer: Answer, name: str, due: str, need: Need) -> list[str]:
    if name not in answer.members:
        return [f"{name} is missing"] if need == "required" else []
    if need == "forbidden":
        return [f"{name} does not belong here"]
    value = answer.members[name]
    if not isinstance(value, Number):
        return [f"{name} is no number"]
    return [] if value == due else [f"{name} {value} instead of {due}"]


def _wrong_texts(answer: Answer, expected: Expected, whom: Whom) -> list[str]:
    """Look at the members of the launch that are no money."""
    wrong = []
    if expected.shape in {"details", "token"} and answer.members.get("userId") != whom.user_id:
        wrong.append(f"userId instead of {whom.user_id}")
    if expected.shape == "token" and not answer.text("token"):
        wrong.append("token is missing")
    if expected.shape == "details":
        if answer.text("currency") != whom.currency:
            wrong.append(f"currency instead of {whom.currency}")
        if len(answer.text("nickname") or "") not in _NICKNAME_LENGTHS:
            wrong.append("nickname is not 3 to 64 characters")
        if not answer.text("language"):
            wrong.append("language is missing")
    return wrong
