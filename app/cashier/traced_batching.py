"""A batcher that makes a span of every movement: its wait for its batch and its commit."""

from datetime import timedelta

from typing_extensions import override

from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.ledger.transaction import Ledger
from app.telemetry.traces import Traces
from app.wallet.movement import Movement
from app.wallet.outcomes import Receipt


class TracedBatcher(Batcher):
    """A batcher for a service that collects traces."""

    def __init__(
        self,
        ledger: Ledger,
        policy: PolicyInForce,
        traces: Traces,
        *,
        lanes: int,
        take_turns: bool = False,
        gathers: bool = False,
    ) -> None:
        """Open the lanes of a batcher; spans are sent to `traces`."""
        super().__init__(ledger, policy, lanes=lanes, take_turns=take_turns, gathers=gathers)
        self._traces = traces

    @override
    async def move(self, movement: Movement, *, deadline: timedelta | None = None) -> Receipt:
        facts = {
            "wallet.event_type": movement.event_type.value,
            "wallet.transaction_id": movement.key.transaction_id,
            "wallet.delivery": movement.delivery.hex(),
        }
        with self._traces.span("batching.move", **facts):
            return await super().move(movement, deadline=deadline)
