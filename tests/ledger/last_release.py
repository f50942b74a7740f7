"""A process of the release before, told line by line what to do; it runs that release's own code.

Started with that release's folder as PYTHONPATH, so nothing of this release may be imported here:
what is imported is found by name, and is the release before. Importing takes longer than most tests
do, so one process imports, and forks for each that connects to its socket.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from random import Random
from secrets import token_bytes
from typing import Any, NoReturn, TextIO

accounts = import_module("app.cashier.accounts")
changes = import_module("app.cashier.account_changes")
auditing = import_module("app.cashier.audit")
opening = import_module("app.cashier.opening")
tellers = import_module("app.cashier.tellers")
account_rows = import_module("app.ledger.accounts")
migrations = import_module("app.ledger.migrations")
transaction = import_module("app.ledger.transaction")
facts = import_module("app.wallet.facts")
movement = import_module("app.wallet.movement")
tills = import_module("tests.cashier.till")
vars(tills)["numbers"] = count(
    1_000_000
)  # its transaction ids are not those of the test's own till

KINDS = [
    *[("BetPlacing", "debit", "5")] * 5,
    ("BetPlacing", "debit", "400"),
    ("Win", "credit", "4"),
    ("Win", "credit", "4"),
    ("BetPlacingAbort", "credit", "5"),
    ("BetPayedAbort", "debit", "4"),
    ("SportBetCancel", "debit", "4"),
    ("Deposit", "credit", "3"),
    ("Withdrawal", "debit", "2"),
]


class Process:
    """One ledger, one set of lanes."""

    def __init__(self, service_url: str, superuser_url: str) -> None:
        self.ledger = transaction.Ledger(service_url)
        self.till = tills.Till(self.ledger, superuser_url)
        self.tellers = tellers.Tellers(self.ledger, self.till.policy)

    async def open(self) -> list[str]:
        """What `serve` does before it serves."""
        scope = movement.KeyScope.TRANSACTION
        found = await opening.open_for_business(self.ledger, scope, require_durability=False)
        return list(found)

    async def player(self, user_id: str, real: str, bonus: str) -> str:
        await self.till.player(user_id, real, bonus)
        token: str = self.till.tokens[user_id]
        return token

    async def sliding(self, user_id: str) -> str:
        issued = await accounts.issue_token(
            self.ledger, user_id, timedelta(days=1), is_sliding=True
        )
        token: str = issued.token
        return token

    async def move(self, *asked: dict[str, Any]) -> list[list[str | None]]:
        """What becomes of these movements, one batch: kind, refusal, flags."""
        movements = [self.till.movement(**one) for one in asked]
        receipts = await asyncio.gather(*map(self.tellers.move, movements))
        return [told(receipt) for receipt in receipts]

    async def block(self, user_id: str, is_suspended: bool) -> None:  # noqa: FBT001 - from JSON
        await self.change(user_id, changes.AccountChange(is_suspended=is_suspended))

    async def exclude(self, user_id: str, seconds: int) -> None:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        await self.change(user_id, changes.AccountChange(exclusion=changes.Exclusion(until)))

    async def limit(self, user_id: str, limits: dict[str, str | None], cooling: int) -> None:
        await self.change(user_id, changes.AccountChange(limits=limits), cooling)

    async def change(self, user_id: str, wanted: object, cooling: int = 0) -> None:
        note = account_rows.ChangeNote(
            "test", "account/update", "{}", token_bytes(16), datetime.now(UTC)
        )
        await changes.update_account(
            self.ledger, user_id, wanted, cooling=timedelta(seconds=cooling), note=note
        )

    async def storm(self, tokens: dict[str, str], seconds: float, name: str) -> dict[str, int]:
        """Move money of these players for so long; what became of it, and its errors."""
        self.till.tokens |= tokens
        dice, seen = Random(name), Counter[str]()  # noqa: S311 - a test
        end = asyncio.get_running_loop().time() + seconds

        async def caller(number: int) -> None:
            for turn in range(100_000):
                if asyncio.get_running_loop().time() > end:
                    return
                kind, way, amount = dice.choice(KINDS)
                asked = self.till.movement(
                    dice.choice(list(tokens)),
                    kind,
                    way,
                    amount,
                    event_id=f"event-{dice.randrange(4)}",
                    # Half of all ids are shared with the other process.
                    transaction_id=f"{dice.choice([name, 'both'])}-{number}-{turn}",
                )
                try:
                    receipt = await self.tellers.move(asked)
                except Exception as error:  # noqa: BLE001 - counted, and the test looks
                    seen[f"error {type(error).__name__} {error}"] += 1
                else:
                    seen[type(receipt).__name__] += 1

        await asyncio.gather(*map(caller, range(8)))
        return dict(seen)

    async def audit(self, url: str) -> list[str]:
        findings = await auditing.audit(url)
        return [f"{breach.invariant} {breach.offender}" for breach in findings.breaches]

    async def close(self) -> None:
        await self.tellers.close()
        await self.ledger.close()


def told(receipt: Any) -> list[str | None]:  # noqa: ANN401 - of the release before
    refusal = getattr(receipt, "refusal", None)
    entry = getattr(receipt, "entry", None)
    if refusal is None and entry is not None:
        refusal = entry.refusal
    flags = ",".join(getattr(entry, "flags", ()))
    return [type(receipt).__name__, refusal and refusal.name, flags]


async def main(answers: TextIO, service_url: str, superuser_url: str) -> None:
    process = Process(service_url, superuser_url)
    loop = asyncio.get_running_loop()
    for _ in range(10_000):
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        name, *arguments = json.loads(line)
        if name == "migrate":
            result = await migrations.upgrade(*arguments)
        elif name == "move":
            result = await process.move(*arguments)
        else:
            result = await getattr(process, name)(*arguments)
        print(json.dumps(result), file=answers, flush=True)
    await process.close()


def serve(path: str) -> None:
    """Fork for whoever connects, until killed; the first line says which database."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("listens", flush=True)  # noqa: T201 - to the test
        for _ in range(10_000):
            connection, _address = listening.accept()
            if os.fork() == 0:
                be(listening, connection)
            connection.close()


def be(listening: socket.socket, connection: socket.socket) -> NoReturn:
    """Be one process of the release before, on a connection for its standard streams."""
    code = 1
    try:
        listening.close()
        sys.stdin, answers = connection.makefile("r"), connection.makefile("w")
        # What it logs is no answer.
        sys.stdout = sys.stderr
        print(os.getpid(), file=answers, flush=True)
        asyncio.run(main(answers, *json.loads(sys.stdin.readline())))
        code = 0
    except Exception:  # noqa: BLE001 - as the interpreter would end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
