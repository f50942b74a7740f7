"""The queue of movements: in which order they are taken, and for how long they may wait.

A ticket is a movement and the caller who waits for its receipt. `Queue` takes the players in turn;
`Patience` fails tickets whose deadline has passed.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from app.ledger.errors import DeadlineError
from app.wallet.movement import Movement
from app.wallet.outcomes import Receipt

LOOK_SECONDS: Final = 0.02
"""The interval of the scans for expired tickets: the longest that a failure may come too late.

A timer for each ticket cost 2 to 5 µs more a movement (`make bench-beside`, whose turns differ by
as much). A ticket queued after a scan that expires before the next one is failed at that one.
"""

NANOSECONDS: Final = 10**9
DAY_SECONDS: Final = 24 * 60 * 60


class Ticket:
    """A movement in the queue, and the caller who waits for its receipt."""

    __slots__ = ("expires_at", "movement", "queued_at", "receipt")

    def __init__(self, movement: Movement, deadline: timedelta) -> None:
        """`deadline` counts from now."""
        self.movement = movement
        self.receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.queued_at = time.perf_counter_ns()
        seconds = deadline.days * DAY_SECONDS + deadline.seconds
        self.expires_at = self.queued_at + seconds * NANOSECONDS + deadline.microseconds * 1000

    @property
    def has_caller(self) -> bool:
        """Whether the caller still waits."""
        return not self.receipt.done()

    def answer(self, receipt: Receipt) -> bool:
        """Answer the caller; return False if they do not wait any more."""
        if self.receipt.done():
            return False
        self.receipt.set_result(receipt)
        return True

    def fail(self, error: Exception) -> None:
        """Raise an error at the caller."""
        if not self.receipt.done():
            self.receipt.set_exception(error)

    def expire(self, now: int) -> None:
        """Fail the ticket with DeadlineError if its deadline has passed at `now`."""
        if self.expires_at <= now:
            self.fail(DeadlineError())


class Queue:
    """Tickets by player: players in turn, and a player's tickets in the order of arrival."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._players: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        """The number of tickets."""
        return self._length

    @property
    def players(self) -> int:
        """The number of players with tickets."""
        return len(self._players)

    def has_any(self, but_of: AbstractSet[str]) -> bool:
        """Whether a player has tickets who is not in `but_of`."""
        return any(user_id not in but_of for user_id in self._players)

    def oldest(self) -> int | None:
        """When the oldest ticket was queued; None: the queue is empty."""
        return min((tickets[0].queued_at for tickets in self._players.values()), default=None)

    def append(self, ticket: Ticket) -> None:
        """Append a ticket behind the others of its player."""
        user_id = ticket.movement.user_id
        tickets = self._players.get(user_id)
        if tickets is None:
            self._players[user_id] = deque((ticket,))
        else:
            tickets.append(ticket)
        self._length += 1

    def take_batch(
        self, count_max: int, bytes_max: int, but_of: AbstractSet[str] = frozenset()
    ) -> list[Ticket]:
        """Take the next batch, one ticket of each player in turn, but no player in `but_of`.

        Tickets whose caller has given up or whose deadline has passed are dropped.
        """
        aside = {user: self._players.pop(user) for user in but_of if user in self._players}
        batch: list[Ticket] = []
        size, now = 0, time.perf_counter_ns()
        while self._players and len(batch) < count_max and size < bytes_max:
            user_id, tickets = self._players.popitem(last=False)
            ticket = tickets.popleft()
            self._length -= 1
            if tickets:
                self._players[user_id] = tickets
            ticket.expire(now)
            if ticket.has_caller:
                batch.append(ticket)
                size += len(ticket.movement.extra_data or "")
        for user_id, tickets in aside.items():
            self._players[user_id] = tickets
            self._players.move_to_end(user_id, last=False)
        return batch


class Patience:
    """Scans the watched tickets at intervals, and fails those whose deadline has passed."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: list[Ticket] = []
        self._is_looking = False

    def watch(self, ticket: Ticket) -> None:
        """Watch one more ticket."""
        self._waiting.append(ticket)
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now, self._is_looking = time.perf_counter_ns(), False
        for ticket in self._waiting:
            ticket.expire(now)
        self._waiting = [ticket for ticket in self._waiting if ticket.has_caller]
        if self._waiting:
            self._is_looking = True
            # The next scan comes earlier if a watched ticket expires before it.
            first = min(ticket.expires_at for ticket in self._waiting)
            wait = min(LOOK_SECONDS, (first - now) / NANOSECONDS)
            asyncio.get_running_loop().call_later(wait, self._look)
