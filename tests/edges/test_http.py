"""The shared handling of requests: bounded bodies, callers who hang up, counted answers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from starlette.responses import Response
from starlette.types import Message
from typing_extensions import override

from app.edges.http import (
    BODY_BYTES_MAX,
    DRAIN_BYTES_MAX,
    Arrival,
    BodyTooLargeError,
    BodyUnfinishedError,
    CallerGoneError,
    EntryPoint,
    Envelope,
    read_body,
)
from app.telemetry.metrics import Requests


class Sender:
    """A caller who sends these parts, and then what comes `after`."""

    def __init__(self, *parts: bytes, ends: bool = True, hangs_up: bool = False) -> None:
        self.messages: list[dict[str, object]] = [
            {"type": "http.request", "body": part, "more_body": True} for part in parts
        ]
        if hangs_up:
            self.messages.append({"type": "http.disconnect"})
        elif ends and self.messages:
            self.messages[-1]["more_body"] = False
        self.taken = 0

    async def __call__(self) -> dict[str, object]:
        if not self.messages:
            await asyncio.Event().wait()
        message = self.messages.pop(0)
        self.taken += len(message.get("body", b""))  # type: ignore[arg-type]  # bytes, always
        return message


SOON = timedelta(seconds=5)


async def test_a_body_in_parts_is_joined() -> None:
    assert await read_body(Sender(b""), SOON) == b""
    assert await read_body(Sender(b"a=1"), SOON) == b"a=1"
    assert await read_body(Sender(b"a=", b"", b"1"), SOON) == b"a=1"


@pytest.mark.parametrize("parts", [1, 2, 7])
async def test_a_body_of_256_kib_is_read_and_a_byte_more_is_not(parts: int) -> None:
    def split(body: bytes) -> list[bytes]:
        step = -(-len(body) // parts)
        return [body[at : at + step] for at in range(0, len(body), step)]

    whole = b"x" * BODY_BYTES_MAX
    assert await read_body(Sender(*split(whole)), SOON) == whole
    with pytest.raises(BodyTooLargeError) as caught:
        await read_body(Sender(*split(whole + b"x")), SOON)
    assert caught.value.ended


async def test_an_oversized_body_is_not_read_for_ever() -> None:
    part = b"x" * (DRAIN_BYTES_MAX // 8)
    sender = Sender(*[part] * 20, ends=False)
    with pytest.raises(BodyTooLargeError) as caught:
        await read_body(sender, SOON)
    assert not caught.value.ended
    assert sender.taken <= DRAIN_BYTES_MAX + len(part)


async def test_a_body_that_never_ends_is_waited_for_until_the_deadline() -> None:
    with pytest.raises(BodyUnfinishedError):
        await read_body(Sender(b"a=1", ends=False), timedelta(milliseconds=10))


async def test_an_oversized_body_that_never_ends_is_too_large() -> None:
    with pytest.raises(BodyTooLargeError) as caught:
        await read_body(Sender(b"x" * 270_000, ends=False), timedelta(milliseconds=10))
    assert not caught.value.ended


async def test_a_caller_who_hangs_up_is_not_answered() -> None:
    with pytest.raises(CallerGoneError):
        await read_body(Sender(b"a=1", hangs_up=True), SOON)


# --- an entry point --------------------------------------------------------------------------


class Said(NamedTuple):
    code: int = 0
    status: int = 200
    event_type: str = ""
    delivery: bytes = b""


class House:
    """A `EntryPoint`, and the calls that it made."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.unheard: list[Said] = []
        self.cancelled = False
        self.is_at_work = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.entry = EntryPoint(
            Requests(["ask"]),
            deadline=SOON,
            clock=lambda: datetime.now(UTC),
            apologise=self.apologise,
            unheard=self.unheard.append,
        )

    def apologise(self, _: Arrival, error: Exception) -> Said:
        self.errors.append(error)
        return Said(code=1, status=500)

    async def work(self, arrival: Arrival) -> Said:
        assert arrival.time_left <= SOON
        await arrival.body()
        self.is_at_work.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Said()

    async def fail(self, arrival: Arrival) -> Said:
        await arrival.body()
        raise LookupError

    def ask(
        self, respond: Callable[[Arrival], Awaitable[Said]], source: "bytes | Sender"
    ) -> Awaitable[Said]:
        return self.entry.answer("ask", respond, Envelope((), b"", None), source)


class Caller(Sender):
    """A caller who stays until they are told to hang up."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__(*parts)
        self.hangs_up = asyncio.Event()

    @override
    async def __call__(self) -> dict[str, object]:
        if self.messages:
            return await super().__call__()
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}


async def test_an_answer_is_counted_by_operation_code_and_status() -> None:
    house = House()
    house.may_answer.set()
    answer = await house.ask(house.work, b"a=1")
    assert len(answer.delivery) == 16
    assert answer == Said(delivery=answer.delivery)
    assert house.entry.requests.answered == {("ask", "", 0, 200): 1}
    assert house.entry.requests.gone == 0


async def test_an_error_becomes_the_contracts_answer_and_is_counted() -> None:
    house = House()
    assert (await house.ask(house.fail, b""))[:2] == (1, 500)
    assert [type(error) for error in house.errors] == [LookupError]
    assert house.entry.requests.answered == {("ask", "", 1, 500): 1}


async def test_a_body_that_is_here_is_held_to_the_same_bound() -> None:
    house = House()
    await house.ask(house.work, b"x" * (BODY_BYTES_MAX + 1))
    assert [type(error) for error in house.errors] == [BodyTooLargeError]


async def test_a_caller_who_hangs_up_while_their_request_is_worked_on_ends_the_work() -> None:
    house, caller = House(), Caller(b"a=1")
    asking = asyncio.ensure_future(house.ask(house.work, caller))
    await house.is_at_work.wait()
    caller.hangs_up.set()
    with pytest.raises(CallerGoneError):
        await asking
    assert house.cancelled
    assert house.entry.requests.gone == 1
    assert not house.entry.requests.answered


async def test_a_cancellation_that_is_not_the_callers_stays_one() -> None:
    house, caller = House(), Caller(b"a=1")
    asking = asyncio.ensure_future(house.ask(house.work, caller))
    await house.is_at_work.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert house.entry.requests.gone == 0


async def test_a_caller_who_stays_is_watched_no_more_once_they_are_answered() -> None:
    house, caller = House(), Caller(b"a=1")
    house.may_answer.set()
    before = asyncio.all_tasks()
    await house.ask(house.work, caller)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_answer_that_does_not_arrive_is_listed_and_its_caller_counted() -> None:
    house, caller = House(), Caller(b"a=1")
    house.may_answer.set()
    scope = {"type": "http", "headers": [], "query_string": b""}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionResetError

    response = await house.entry.respond(
        "ask", house.work, scope, caller, lambda _: Response(b"{}")
    )
    assert house.unheard == []
    await response(scope, caller, send)
    assert [answer[:2] for answer in house.unheard] == [(0, 200)]
    assert house.entry.requests.gone == 1


async def test_to_a_caller_who_is_gone_nothing_is_sent() -> None:
    house = House()
    scope = {"type": "http", "headers": [], "query_string": b""}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    caller = Sender(b"a=1", hangs_up=True)
    response = await house.entry.respond(
        "ask", house.work, scope, caller, lambda _: Response(b"{}")
    )
    await response(scope, caller, send)
    assert sent == []
    assert house.entry.requests.gone == 1


def test_forwarded_for_is_joined_in_the_order_in_which_it_was_written() -> None:
    headers = [(b"x-forwarded-for", b"1"), (b"host", b"x"), (b"x-forwarded-for", b"2, 3")]
    assert Envelope(headers, b"", None).forwarded_for == b"1,2, 3"
    assert Envelope((), b"", None).forwarded_for is None
