"""Compares what was answered with what was predicted, and keeps the differences.

1. One answer has one right form; an answer to a repetition may say 409 instead of success.
2. Answers to deliveries that left together may come in any order, but each must be due once.
3. Where the server replays, a repeat's bytes are those of the first answer.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import assert_never

from app.simulator.answer import Answer, UnreadableError, Whom, read_answer, wrong_in
from app.simulator.courier import Delivered
from app.simulator.expected import Expected, Key, refused
from app.simulator.moves import Content, Delivery, Move, Notice, Question, Style, WrongMethod
from app.simulator.player_script import Step
from app.simulator.verdict import Difference

# Differences of one player kept word for word: most later ones follow from the first.
_KEPT_PER_PLAYER_MAX = 5
# Bytes of an unreadable answer that a difference shows.
_SHOWN_BYTES = 200
# First answers whose bytes are kept, per player: as many as an oracle remembers.
_BODIES_MAX = 1000


class Differences:
    """The differences of a whole run: the first ones word for word, all of them counted."""

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self.kept: list[Difference] = []
        self.total = 0
        self.of_player: Counter[str] = Counter()

    def add(self, difference: Difference) -> None:
        """Note a difference."""
        self.total += 1
        self.of_player[difference.user_id] += 1
        is_consequence = self.of_player[difference.user_id] > _KEPT_PER_PLAYER_MAX
        if len(self.kept) < self._kept_max and not is_consequence:
            self.kept.append(difference)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One delivery, its answer, and how it could be read."""

    delivery: Delivery
    delivered: Delivered
    answer: Answer | None
    unreadable: str = ""


class Judge:
    """Judges one player's answers."""

    def __init__(self, whom: Whom, differences: Differences, *, replays: bool) -> None:
        self._whom = whom
        self._differences = differences
        self._replays = replays
        self._first_bodies: dict[Key, bytes] = {}
        #: Ids of which a delivery went unanswered: it may still arrive.
        self._doubtful: set[str] = set()

    def judge(
        self, step: Step, delivered: Sequence[Delivered | None], secrets: Collection[str]
    ) -> list[Answer | None]:
        """Compare a step's answers; the answers as read, None where there is nothing to read."""
        heard = []
        for delivery, one in zip(step.deliveries, delivered, strict=True):
            if one is None:
                self._differ(delivery, _one_of(step.expected), "no answer at all")
                continue
            if one.unanswered and isinstance(delivery.content, Move):
                self._doubtful.add(delivery.content.transaction_id)
            heard.append(_read(delivery, one, secrets))
        if len(step.deliveries) == 1:
            for each in heard:
                self._one(each, step.expected[0])
        else:
            self._several(heard, step.expected)
        return [each.answer for each in heard]

    def _one(self, heard: _Heard, expected: Expected) -> None:
        wrong = self._wrong(heard, expected)
        if wrong and self._may_be_repeated(heard, expected):
            wrong = self._wrong(heard, refused(409, expected.printed)) and wrong
        wrong += self._wrong_bytes(heard, expected)
        if wrong:
            self._differ(heard.delivery, expected.words(), _said(heard, wrong))

    def _several(self, heard: Sequence[_Heard], expected: Sequence[Expected]) -> None:
        """Match answers with what is due, in any order."""
        due = list(expected)
        strays: list[_Heard] = []
        # Of several 409s, one to a repetition may stand for the success; others may not.
        for each in sorted(heard, key=self._is_doubtful):
            match = next((one for one in due if not self._wrong(each, one)), None)
            if match is None:
                strays.append(each)
            else:
                due.remove(match)
        for each in strays:
            # A repetition hears 409 in place of the success that its first delivery had.
            excuses = [one for one in due if self._may_be_repeated(each, one)]
            moments = [refused(409, one.printed) for one in expected]
            if excuses and any(not self._wrong(each, moment) for moment in moments):
                due.remove(excuses[0])
                continue
            self._differ(each.delivery, _one_of(due), _said(each, []))
        self._same_bytes(heard, expected)

    def _wrong(self, heard: _Heard, expected: Expected) -> list[str]:
        if expected.shape == "none" and heard.delivered.reply.http == expected.http:
            return []
        if heard.answer is None:
            return [heard.unreadable]
        return wrong_in(heard.answer, expected, self._whom)

    def _may_be_repeated(self, heard: _Heard, expected: Expected) -> bool:
        return not self._replays and expected.moved and self._is_doubtful(heard)

    def _is_doubtful(self, heard: _Heard) -> bool:
        content = heard.delivery.content
        return isinstance(content, Move) and content.transaction_id in self._doubtful

    def _wrong_bytes(self, heard: _Heard, expected: Expected) -> list[str]:
        """Keep a first answer's bytes, or compare a repeat's with them."""
        if not self._replays or expected.key is None:
            return []
        body = heard.delivered.reply.body
        if not expected.echo:
            self._keep(expected.key, body)
            return []
        first = self._first_bodies.get(expected.key, body)
        return [] if first == body else ["other bytes than the first answer"]

    def _same_bytes(self, heard: Sequence[_Heard], expected: Sequence[Expected]) -> None:
        """Where one move was delivered several times at once, each hears the same bytes."""
        keys = {one.key for one in expected}
        key = expected[0].key
        if not self._replays or not heard or len(keys) != 1 or key is None:
            return
        first = heard[0].delivered.reply.body
        self._keep(key, first)
        for each in heard[1:]:
            if each.delivered.reply.body != first:
                self._differ(each.delivery, expected[-1].words(), _said(each, ["other bytes"]))

    def _keep(self, key: Key, body: bytes) -> None:
        self._first_bodies.setdefault(key, body)
        while len(self._first_bodies) > _BODIES_MAX:
            del self._first_bodies[next(iter(self._first_bodies))]

    def _differ(self, delivery: Delivery, expected: str, got: str) -> None:
        sent = _described(delivery.content, delivery.style)
        self._differences.add(Difference(self._whom.user_id, sent, expected, got))


def _read(delivery: Delivery, delivered: Delivered, secrets: Collection[str]) -> _Heard:
    try:
        return _Heard(delivery, delivered, read_answer(delivered.reply))
    except UnreadableError as error:
        body = delivered.reply.body[:_SHOWN_BYTES].decode(errors="replace")
        unreadable = f"unreadable ({error}): {body}"
        for secret in secrets:
            unreadable = unreadable.replace(secret, "***")
        return _Heard(delivery, delivered, None, unreadable)


def _one_of(due: Sequence[Expected]) -> str:
    return " | ".join(sorted({one.words() for one in due}))


def _said(heard: _Heard, wrong: Sequence[str]) -> str:
    http = heard.delivered.reply.http
    text = heard.answer.words() if heard.answer is not None else f"http {http}, {heard.unreadable}"
    return f"{text} ({'; '.join(wrong)})" if wrong and heard.answer is not None else text


def _described(content: Content, style: Style) -> str:
    """Say what was sent, in words that hold no secret."""
    words: list[str]
    match content:
        case Move():
            words = [
                f"{content.event_type} {content.direction} {content.amount}",
                f"id {content.transaction_id}",
                f"event {content.event.event_id}",
                f"token {content.token.value}",
            ]
            if content.bonus_code is not None:
                words.append(f"bonusCode {content.bonus_code!r}")
        case Question():
            words = [content.method, f"token {content.token.value}"]
        case Notice():
            return f"maintenance {content.status}"
        case WrongMethod():
            return f"{content.http_method} {content.path}"
        case _:
            assert_never(content)
    if content.user != "own":
        words.append("an unknown player")
    if content.flaw is not None:
        words.append(content.flaw.replace("_", " "))
    if isinstance(content, Move):
        words.append(f"as {style.encoding}")
    words.append(f"extraData {style.extra_data}, unknown fields {style.unknown_field}")
    return ", ".join(words)
