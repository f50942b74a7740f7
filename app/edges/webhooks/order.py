"""The order of deliveries: a player's events one after the other, different players' side by side.

An event waits in its player's queue, and in the line of its player's shard. Of each queue one event
at most is under way. A shard was delivered up to the first event of its line that is not done yet:
what is behind it, and done, is delivered again if this process ends before the first one is.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.cashier.deliveries import Retry, Told
from app.wallet.event_log import shard_of


class Item:
    """An event on its way."""

    __slots__ = ("body", "event", "is_done", "retry")

    def __init__(self, event: Told, body: bytes, retry: Retry | None = None) -> None:
        """`retry`: it was refused before, and its shard has passed it already."""
        self.event = event
        self.body = body
        self.retry = retry
        self.is_done = False


class _Line:
    """A shard: the events that it has been fed with, in order."""

    __slots__ = ("delivered_to", "fed_to", "items")

    def __init__(self, delivered_to: int) -> None:
        self.delivered_to = delivered_to
        self.fed_to = delivered_to
        self.items: deque[Item] = deque()

    def advance(self) -> None:
        while self.items and self.items[0].is_done:
            self.items.popleft()
        self.delivered_to = self.items[0].event.number - 1 if self.items else self.fed_to


class Reading(NamedTuple):
    """A look at the next events: a shard that is taken meanwhile is not part of it."""

    after: int
    lines: Mapping[int, _Line]


class Order:
    """The shards that this process holds of one endpoint, and the queues of their players."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        self._queues: dict[int, deque[Item]] = {}
        self._ready: deque[int] = deque()
        self._under_way: set[int] = set()
        self.waiting = 0
        """events that are not done"""

    @property
    def shards(self) -> frozenset[int]:
        """The shards that are held."""
        return frozenset(self._lines)

    def hold(self, shard: int, delivered_to: int) -> None:
        """Begin with a shard."""
        self._lines[shard] = _Line(delivered_to)

    def drop(self, shard: int) -> None:
        """End with a shard: what is under way of it counts for nothing any more."""
        line = self._lines.pop(shard, None)
        if line is None:
            return
        self.waiting -= sum(not item.is_done for item in line.items)
        for player_id in {item.event.player_id for item in line.items}:
            self._queues.pop(player_id, None)
            self._under_way.discard(player_id)

    def reading(self) -> Reading | None:
        """Return where the next events are read from, and for which shards; None: none is held."""
        if not self._lines:
            return None
        return Reading(min(line.fed_to for line in self._lines.values()), dict(self._lines))

    def wants(self, reading: Reading, number: int, player_id: int) -> bool:
        """Whether an event that was read is one of ours still, and was not fed yet."""
        shard = shard_of(player_id)
        line = self._lines.get(shard)
        return line is not None and reading.lines.get(shard) is line and number > line.fed_to

    def add(self, item: Item) -> None:
        """Put an event at the end of its player's queue."""
        player_id = item.event.player_id
        self._lines[shard_of(player_id)].items.append(item)
        self.waiting += 1
        queue = self._queues.get(player_id)
        if queue is None:
            self._queues[player_id] = deque((item,))
            self._ready.append(player_id)
        else:
            queue.append(item)

    def reached(self, reading: Reading, number: int) -> None:
        """Note that the shards that were read for have been fed with all up to a number."""
        for line in reading.lines.values():
            line.fed_to = max(line.fed_to, number)
            if not line.items:
                line.delivered_to = line.fed_to

    def next(self) -> Item | None:
        """Take the next event that may be sent."""
        while self._ready:
            player_id = self._ready.popleft()
            queue = self._queues.get(player_id)
            if queue and player_id not in self._under_way:
                self._under_way.add(player_id)
                return queue[0]
        return None

    def done(self, item: Item) -> None:
        """Take a delivered event out; its player's next one may be sent."""
        player_id = item.event.player_id
        queue = self._queues.get(player_id)
        if queue is None or queue[0] is not item:
            # Its shard is another process's by now.
            return
        self._finish(item)
        queue.popleft()
        self._under_way.discard(player_id)
        if queue:
            self._ready.append(player_id)
        else:
            del self._queues[player_id]

    def again(self, item: Item) -> None:
        """Leave an event at the head of its queue; other players go first."""
        player_id = item.event.player_id
        queue = self._queues.get(player_id)
        if queue is not None and queue[0] is item:
            self._under_way.discard(player_id)
            self._ready.append(player_id)

    def set_aside(self, player_id: int) -> list[Item]:
        """Take all of a player's events out, to be tried again later; return them in order."""
        queue = self._queues.pop(player_id, deque())
        self._under_way.discard(player_id)
        for item in queue:
            self._finish(item)
        return list(queue)

    def is_busy(self, player_id: int) -> bool:
        """Whether an event of this player waits or is under way."""
        return player_id in self._queues

    def positions(self) -> Iterator[tuple[int, int]]:
        """Yield each shard, and how far it was delivered."""
        for shard, line in self._lines.items():
            yield shard, line.delivered_to

    def _finish(self, item: Item) -> None:
        item.is_done = True
        self.waiting -= 1
        line = self._lines.get(shard_of(item.event.player_id))
        if line is not None and line.items and line.items[0] is item:
            line.advance()
