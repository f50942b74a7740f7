"""The operations of the contract by name, each a function from an agent's request to an answer.

Only the batcher moves money, and it writes refusals of movements to the refusal log in the same
transaction. `endpoint` writes every other refusal to that log; if it cannot, the answer is code 103
and the caller repeats the request.
"""

from collections.abc import Awaitable, Callable, Mapping

from app.cashier.batching import Batcher
from app.edges.transfer.accounts import Accounts
from app.edges.transfer.answers import Answer
from app.edges.transfer.lookups import Lookups
from app.edges.transfer.movements import Movements
from app.edges.transfer.one_time import OneTime
from app.edges.transfer.request import Choices, Request
from app.ledger.transaction import Ledger


class Handlers:
    """The operations, with what they need."""

    def __init__(
        self, ledger: Ledger, batcher: Batcher, choices: Choices, one_time: OneTime
    ) -> None:
        self._one_time = one_time
        money = Movements(ledger, batcher, check_is_required=choices.deposit_check_is_required)
        accounts, lookups = Accounts(ledger, choices), Lookups(ledger)
        self.unheard = money.unheard
        self.methods: Mapping[str, Callable[[Request], Awaitable[Answer]]] = {
            "account/init": accounts.init,
            "account/deposit": money.deposit,
            "account/withdraw": money.withdraw,
            "account/hold": money.hold,
            "hold/settle": money.settle,
            "hold/release": money.release,
            "account/balance": accounts.balance,
            "account/session": self._once(accounts.session),
            "account/update": self._once(accounts.update),
            "bonus/grant": money.grant,
            "bonus/revoke": money.revoke,
            "transaction/check": lookups.check,
            "history": lookups.history,
            "account/statement": lookups.statement,
            "events": lookups.events,
        }

    def _once(
        self, method: Callable[[Request], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Answer]]:
        """Tell a repeat of a request its first answer, where the request has an id."""

        async def answer(request: Request) -> Answer:
            if request.request_id is None:
                return await method(request)
            return await self._one_time.answer(
                request.request_id, request.received_at, lambda: method(request)
            )

        return answer
