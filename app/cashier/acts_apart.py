"""Acts on players whose account is on another node than the notes of all acts are.

An act is noted on the coordinator just before it is committed on the player's node. Where that
commit fails, or its process dies, the note says `done` of what was not done. So every serving
process holds the notes against the changes of accounts, from time to time:

1. It takes notes that are older than any request under way, in their order, each once.
2. It looks on the players' nodes for the changes under their deliveries.
3. Where one is not there, it locks the wallet, as every act does, and looks again: what was under
   way has ended by then.
4. With the lock held, it appends a second note of the same delivery, which says that the act was
   not done, and logs it. Nothing is done again by itself: whoever wanted it was told no success.

A node that is away is asked again the next time. What nobody could settle for a week is left to
`wallet audit`, which names it as long as the note stands alone, and to `wallet buckets settle`,
which looks at all notes, however old.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final, NamedTuple

import structlog

from app.ledger.accounts import changes_there, find_account
from app.ledger.errors import LedgerError
from app.ledger.money.book import Book
from app.ledger.operator_actions import NotedAct, acts_noted, note_not_done
from app.ledger.transaction import Ledger

logger: Final = structlog.get_logger("acts")

OLDER_THAN: Final = timedelta(minutes=2)
"""No request is under way for as long: the longest deadline that can be set is a minute."""

WITHIN: Final = timedelta(days=7)
"""A node that is away is back by then; older notes are not looked at when a process starts."""

EVER: Final = timedelta(days=36_500)
"""Longer than any ledger has notes."""

AT_A_TIME: Final = 200

NOT_DONE: Final = "noted, and then not done on the player's node"


class Looked(NamedTuple):
    """What came of looking at notes."""

    settled: list[NotedAct]
    """not done, and noted so now"""
    left: list[NotedAct]
    """those of whom not all is known, since the players' node cannot be asked"""
    upto: int
    """the last action that was looked at"""


class ActsApart:
    """Looks at each note once, for as long as a process runs."""

    def __init__(self, ledger: Ledger, *, older_than: timedelta = OLDER_THAN) -> None:
        self._ledger = ledger
        self._older_than = older_than
        self._after = 0
        """the last action of those that were all looked at"""

    async def look(self) -> list[NotedAct]:
        """Look at the next notes; return those whose act was not done, and is noted so now.

        Raises LedgerError if the coordinator cannot be asked.
        """
        looked = await self._look_after(self._after, within=WITHIN)
        first_left = min((act.action_id for act in looked.left), default=looked.upto + 1)
        self._after = max(self._after, first_left - 1)
        return looked.settled

    async def look_at_all(self) -> Looked:
        """Look at every note, however old it is; raises LedgerError as `look` does."""
        settled, left, after = list[NotedAct](), list[NotedAct](), 0
        while (looked := await self._look_after(after, within=EVER)).upto > after:
            settled += looked.settled
            left += looked.left
            after = looked.upto
        return Looked(settled, left, after)

    async def _look_after(self, after: int, *, within: timedelta) -> Looked:
        settled, left = list[NotedAct](), list[NotedAct]()
        if not await self._ledger.is_on_nodes():
            return Looked(settled, left, after)

        async def noted(book: Book) -> tuple[list[NotedAct], int]:
            return await acts_noted(
                book, after, older_than=self._older_than, within=within, limit=AT_A_TIME
            )

        acts, upto = await self._ledger.read_only(noted, confirmed=False)
        placed = await self._ledger.placed({act.user_id for act in acts}) if acts else []
        for of, user_ids in placed:
            here = [act for act in acts if act.user_id in user_ids]
            try:
                for act in await self._alone(of, here):
                    if await self._settle(act):
                        settled.append(act)
            except LedgerError:
                left += [act for act in here if act not in settled]
        return Looked(settled, left, upto)

    async def _alone(self, of: str | None, acts: Collection[NotedAct]) -> list[NotedAct]:
        """Return the acts of players of one bucket whose change is not seen there."""
        users = {act.user_id for act in acts}

        async def there(book: Book) -> set[bytes]:
            return await changes_there(book, users, [act.delivery for act in acts])

        done = await self._ledger.read_only(there, of=of)
        return [act for act in acts if act.delivery not in done]

    async def _settle(self, act: NotedAct) -> bool:
        """Note that an act was not done, if that is so; raises LedgerError if it is not known."""

        async def work(book: Book) -> bool:
            await find_account(book, act.user_id, for_change=True)
            if await changes_there(book, [act.user_id], [act.delivery]):
                return False
            await book.above(lambda above: note_not_done(above, act, NOT_DONE))
            return True

        if not await self._ledger.serializable(work, of=act.user_id):
            return False
        logger.error(
            "act not done",
            operator=act.operator,
            act=act.name,
            player=act.user_id,
            at=act.at.isoformat(),
            action_id=act.action_id,
        )
        return True
