"""Events that were refused while others were taken: they are tried again, their players wait.

What changes here is written down with the position of the shard that has passed the event, or
neither is: see `Stream.progress`. A person who wants everything tried again moves what is written
down, and the endpoint's epoch with it. They are heard whatever was under way at that moment: an
attempt that had begun before counts as an attempt, and the event is tried once more.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from app.cashier.deliveries import Retry, Told
from app.edges.webhooks.health import refused
from app.wallet.event_log import RetryState


class SetAside:
    """What is tried again to one endpoint, by player, in order."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Retry]] = {}
        self._under_way: set[int] = set()
        self.changed: dict[int, Retry] = {}
        """by number: what is not written down yet"""
        self.epoch = 0
        """the endpoint's, when all of it was read"""

    def __len__(self) -> int:
        """The number of events that wait."""
        return sum(map(len, self._queues.values()))

    def holds(self, player_id: int) -> bool:
        """Whether a player's next events wait behind one that was refused."""
        return player_id in self._queues

    def wait_behind(self, event: Told) -> None:
        """Let an event wait behind the ones of its player."""
        self._put(self._waiting(event))

    def refuse(self, events: Sequence[Told], outcome: str) -> None:
        """Set a player's events aside, the first of which was refused."""
        first, *later = map(self._waiting, events)
        self._put(refused(first, outcome, _now()))
        for behind in later:
            self._put(behind)

    def refuse_again(self, retry: Retry, outcome: str, *, may_give_up: bool) -> bool:
        """Note another refusal; return whether the event is given up, and its player goes on.

        Where the whole endpoint fails, the event is not what it refuses: none is given up then.
        """
        queue = self._queues.get(retry.player_id, deque())
        place = _place(queue, retry.number)
        ours = retry if place is None else queue[place]
        if ours.epoch == retry.epoch:
            again = refused(ours, outcome, _now(), may_give_up=may_give_up)
        else:
            # A person has moved it meanwhile: it is due.
            again = ours._replace(attempts=ours.attempts + 1, last_outcome=outcome)
        self.changed[again.number] = again
        if again.state is RetryState.PARKED:
            self._go_on(again)
            return True
        self.let_go(again)
        if place is not None:
            queue[place] = again
        return False

    def taken(self, retry: Retry, outcome: str) -> None:
        """Note that an event was taken at last; its player's next one is tried."""
        self.changed[retry.number] = retry._replace(
            state=RetryState.DELIVERED, attempts=retry.attempts + 1, last_outcome=outcome
        )
        self._go_on(retry)

    def let_go(self, retry: Retry) -> None:
        """Note that nothing is under way for a player any more."""
        self._under_way.discard(retry.player_id)

    def begin_due(self, most: int, is_busy: Callable[[int], bool]) -> list[Retry]:
        """Return events whose time has come, one of each player, and mark them as under way."""
        now = _now()
        due = [
            queue[0]
            for player_id, queue in self._queues.items()
            if queue[0].next_attempt_at <= now
            and player_id not in self._under_way
            and not is_busy(player_id)
        ][:most]
        self._under_way.update(retry.player_id for retry in due)
        return due

    def read(self, found: Sequence[Retry], epoch: int) -> None:
        """Take over what was read; of what is not written down yet, only that a person moved it."""
        read: dict[int, deque[Retry]] = {}
        for retry in found:
            if retry.state is RetryState.WAITING:
                read.setdefault(retry.player_id, deque()).append(retry)
        ours = self._under_way | {retry.player_id for retry in self.changed.values()}
        queues = {p: queue for p, queue in self._queues.items() if p in ours}
        if epoch != self.epoch:
            queues = self._moved(queues, {r.number: r for r in found if r.player_id in ours}, epoch)
        self._queues = {p: queue for p, queue in read.items() if p not in ours} | queues
        self.epoch = epoch

    def _moved(
        self, queues: Mapping[int, Iterable[Retry]], found: Mapping[int, Retry], epoch: int
    ) -> dict[int, deque[Retry]]:
        """Return these queues as a person has left them, with what was or had been given up."""
        known = {r.number: r for queue in queues.values() for r in queue} | self.changed
        moved: dict[int, deque[Retry]] = {}
        for number, retry in sorted(({**found, **known}).items()):
            if retry.state is RetryState.DELIVERED:
                continue
            # What is new is not written down yet, and nobody could have moved it.
            again = found.get(number, retry)._replace(
                attempts=retry.attempts, last_outcome=retry.last_outcome, epoch=epoch
            )
            if again.state is RetryState.WAITING:
                moved.setdefault(again.player_id, deque()).append(again)
            if number in self.changed:
                self.changed[number] = again
        return moved

    def keep_only(self, stays: Callable[[int], bool]) -> None:
        """Forget players who are another process's by now."""
        self._queues = {p: queue for p, queue in self._queues.items() if stays(p)}
        self._under_way = set(filter(stays, self._under_way))
        self.changed = {n: r for n, r in self.changed.items() if stays(r.player_id)}

    def was_written(self, retries: Iterable[Retry]) -> None:
        """Forget what is written down by now."""
        for retry in retries:
            if self.changed.get(retry.number) is retry:
                del self.changed[retry.number]

    def _put(self, retry: Retry) -> None:
        self._queues.setdefault(retry.player_id, deque()).append(retry)
        self.changed[retry.number] = retry

    def _go_on(self, retry: Retry) -> None:
        """Go on with a player's next event; without one, they wait no longer."""
        self._under_way.discard(retry.player_id)
        queue = self._queues.get(retry.player_id, deque())
        place = _place(queue, retry.number)
        if place is not None:
            del queue[place]
        if not queue:
            self._queues.pop(retry.player_id, None)

    def _waiting(self, event: Told) -> Retry:
        """Return an event that waits from now on: its three days have begun, whoever is first."""
        now = _now()
        return Retry(
            event.number, event.player_id, RetryState.WAITING, 0, now, now, None, self.epoch
        )


def _place(queue: Sequence[Retry], number: int) -> int | None:
    """Return where an event stands in its player's queue: first, unless a person has moved more."""
    return next((place for place, retry in enumerate(queue) if retry.number == number), None)


def _now() -> datetime:
    return datetime.now(UTC)
