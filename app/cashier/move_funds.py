"""The only code that moves money: a batch of movements in, receipts out, one transaction.

1. Read: all facts that decide the batch, in one statement.
2. Decide: pure rules, applied to the batch in order.
3. Record: one statement that checks that the facts still hold, and writes the decisions.

It is a function of the book and not a `with` block, because it may have to be run again: it runs
first without locks, and again under locks if a fact has changed in between. A transaction is of
one bucket's players.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from app.ledger.money.book import Approval, MoneyBook
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of
from app.wallet.decision import decide_all
from app.wallet.facts import Policy
from app.wallet.movement import Movement
from app.wallet.outcomes import Receipt, Refused, Replay
from app.wallet.refusal_record import RefusalRecord

DECLINED_AGAIN: Final = "a repeat of a declined movement with other content"
"""Why such a repeat stands in the refusal log; what it heard is the first refusal again."""


async def at_any_time(_moment: datetime) -> None:
    """Allow what was decided to be recorded."""


async def move_funds(
    ledger: Ledger,
    movements: Sequence[Movement],
    policy: Policy,
    *,
    deadline: timedelta | None = None,
    has_decided: Callable[[], None] = lambda: None,
    approval: Approval | None = None,
    may_record: Callable[[datetime], Awaitable[None]] = at_any_time,
) -> list[Receipt]:
    """Decide a batch and write what it leaves behind; the receipts come after the commit, in order.

    `has_decided` is called between deciding and recording, each time, and so is `may_record`, with
    the moment of the decision; what it raises leaves everything as it was. An adjustment's
    `approval` is recorded together with it. Raises SettingsDifferError, AdjustmentNotOpenError,
    DeadlineError, LedgerBusyError, LedgerAwayError; after the last three it is unknown whether
    anything was committed.
    """

    async def moved(batch: Sequence[Movement]) -> list[Receipt]:
        async def work(book: MoneyBook) -> list[Receipt]:
            known = await book.facts_for(batch)
            decisions = decide_all(batch, known.facts, policy)
            has_decided()
            await may_record(known.facts.now)
            receipts = decisions.receipts
            refused = refusal_records(batch, receipts)
            await book.record(known, decisions, policy, refused, approval)
            return receipts

        return await ledger.optimistic(work, of=batch[0].user_id, deadline=deadline)

    buckets = await ledger.bucket_count()
    if buckets == 1 or len(movements) == 1:
        return await moved(movements)
    return await _by_bucket(movements, buckets, moved)


async def _by_bucket(
    movements: Sequence[Movement],
    buckets: int,
    moved: Callable[[Sequence[Movement]], Awaitable[list[Receipt]]],
) -> list[Receipt]:
    """Move the movements of each bucket together, and return all receipts in order.

    A lane's are of one bucket. Where they are not, the first ones are committed before the last.
    """
    places: dict[int, list[int]] = {}
    for place, movement in enumerate(movements):
        places.setdefault(bucket_of(movement.user_id, buckets), []).append(place)
    if len(places) == 1:
        return await moved(movements)
    receipts: dict[int, Receipt] = {}
    for of_bucket in places.values():
        done = await moved([movements[place] for place in of_bucket])
        receipts.update(zip(of_bucket, done, strict=True))
    return [receipts[place] for place in range(len(movements))]


def refusal_records(
    movements: Sequence[Movement], receipts: Sequence[Receipt]
) -> list[RefusalRecord]:
    """What the refusal log keeps: refusals that are no outcome, and repeats with other content.

    Nobody outside asked for an adjustment, so a refused one is told to who approved it, and not
    logged.
    """
    return [
        _record_of(movement, receipt)
        for movement, receipt in zip(movements, receipts, strict=True)
        if not movement.rule.is_manual
        and (isinstance(receipt, Refused) or (isinstance(receipt, Replay) and receipt.differs))
    ]


def _operation_of(movement: Movement) -> str:
    if movement.rule.is_cashier:
        return movement.event_type
    return "betby" if movement.rule.is_named else "moveFunds"


def _record_of(movement: Movement, receipt: Refused | Replay) -> RefusalRecord:
    if isinstance(receipt, Refused):
        refusal, reason = receipt.refusal.name, receipt.refusal.value
    else:
        refusal, reason = "MOVEMENT_DIFFERS", DECLINED_AGAIN
    asked = {
        "gameId": movement.game_id,
        "bonusCode": movement.bonus_code,
        "extraData": movement.extra_data,
    }
    return RefusalRecord(
        user_id=movement.user_id,
        source=movement.key.source,
        operation=_operation_of(movement),
        transaction_id=movement.key.transaction_id,
        event_id=movement.event_id,
        event_type=movement.event_type,
        direction=movement.direction,
        amount=movement.amount,
        refusal=refusal,
        reason=reason,
        differs=receipt.differs,
        asked=json.dumps({name: value for name, value in asked.items() if value is not None}),
        delivery=movement.delivery,
        event_time=movement.received_at,
    )
