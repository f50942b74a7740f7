"""A call is one from its arrival to its answer, whatever steps it takes."""

from datetime import UTC, datetime, timedelta

from starlette.types import Message

from app.edges.betby.handlers import Call
from app.edges.betby.reading import Payload
from app.edges.http import Arrival, Envelope
from app.edges.wire import read_members

DEADLINE = timedelta(seconds=5)


async def nothing_more() -> Message:
    return {"type": "http.disconnect"}


def test_each_step_of_a_call_has_what_the_steps_before_it_left() -> None:
    """A discard moves twice, and what names a bet looks it up first."""
    arrival = Arrival(
        "discard", Envelope((), b"", None), bytes(16), datetime.now(UTC), DEADLINE, nothing_more
    )
    call = Call(Payload(read_members(b'{"payload": {}}')["payload"]), arrival)
    first = call.time_left
    assert call.time_left < first < DEADLINE
