import asyncio
import io

import pytest
from typing_extensions import override

from app.telemetry.line_sink import LineSink


class Counting(io.BytesIO):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    @override
    def write(self, written: object) -> int:
        assert isinstance(written, bytes)
        self.writes.append(written)
        return len(written)


@pytest.fixture
def kept() -> Counting:
    return Counting()


@pytest.fixture
def sink(kept: Counting) -> LineSink:
    return LineSink(io.TextIOWrapper(kept))


async def three_lines(sink: LineSink) -> None:
    for line in (b"one", b"two", b"three"):
        sink.msg(line)
    await asyncio.sleep(0)


def test_outside_a_loop_a_line_leaves_at_once(sink: LineSink, kept: Counting) -> None:
    sink.msg("one")
    sink.msg(b"two")
    assert kept.writes == [b"one\n", b"two\n"]


def test_lines_of_one_turn_of_the_loop_leave_together_and_in_order(
    sink: LineSink, kept: Counting
) -> None:
    asyncio.run(three_lines(sink))
    assert kept.writes == [b"one\ntwo\nthree\n"]


def test_a_line_that_a_loop_left_behind_leaves_with_the_next(
    sink: LineSink, kept: Counting
) -> None:
    async def stopped_at_once() -> None:
        sink.msg(b"zero")

    loop = asyncio.new_event_loop()
    coroutine = stopped_at_once()
    task = loop.create_task(coroutine)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert task.done()
    loop.close()
    asyncio.run(three_lines(sink))
    assert b"".join(kept.writes) == b"zero\none\ntwo\nthree\n"


def test_what_waits_at_the_end_is_written(sink: LineSink, kept: Counting) -> None:
    async def last_words() -> None:
        sink.msg(b"last")
        sink.flush()

    asyncio.run(last_words())
    assert kept.writes[0] == b"last\n"
