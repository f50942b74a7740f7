"""Another wallet, beyond our doors: right unless it is told to make one of the mistakes.

It answers signed requests of the callback contract from memory, in a few dozen lines, and keeps a
copy of its traffic as `wallet shadow` reads it.
"""

import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from pathlib import Path
from typing import Any

from app.simulator.signature import sign

KEY = "0123456789abcdef-callback"
CENT = Decimal("0.01")


@dataclass
class OtherWallet:
    """One player's balance by user id, and every id that it has accepted."""

    mistakes: frozenset[str] = frozenset()
    balances: dict[str, Decimal] = field(default_factory=dict)
    accepted: dict[str, tuple[str, str]] = field(default_factory=dict)
    bets: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    seconds: Any = field(default_factory=lambda: count(1))

    def ask(
        self, user_id: str, event_type: str, amount: str, event_id: str, transaction_id: str
    ) -> dict[str, Any]:
        """Send a movement, and keep what was said."""
        fields = {
            "token": f"t-{user_id}",
            "userId": user_id,
            "gameId": "1",
            "eventId": event_id,
            "direction": "debit" if event_type in {"BetPlacing", "SportBetCancel"} else "credit",
            "transactionId": transaction_id,
            "eventType": event_type,
            "amount": amount,
        }
        answer = self._answer(fields)
        signature = sign(fields.items(), KEY)
        minute, second = divmod(next(self.seconds), 60)
        line = {
            "at": f"2026-11-27T03:{minute:02}:{second:02}Z",
            "method": "POST",
            "path": "/moveFunds",
            "headers": {"Content-Type": "application/json", "Hash-Authorization": signature},
            "body": json.dumps(fields),
            "status": 503 if answer.pop("breaks", False) else 200,
            "answer": json.dumps(answer, default=str).replace('"!', "").replace('!"', ""),
        }
        self.lines.append(json.dumps(line))
        return answer

    def _answer(self, fields: dict[str, str]) -> dict[str, Any]:
        user_id, amount = fields["userId"], Decimal(fields["amount"])
        key = fields["transactionId"]
        is_repeat = key in self.accepted
        if is_repeat and "charges repeats" not in self.mistakes:
            if "moves money of repeats" in self.mistakes:
                self.balances[user_id] -= amount
            return self._refused(409, user_id)
        if "breaks" in self.mistakes:
            return {"status": False, "errors": {"code": 400, "error": "broken"}, "breaks": True}
        bets = self.bets.setdefault((user_id, fields["eventId"]), [])
        match fields["eventType"]:
            case "BetPlacing":
                if self.balances[user_id] < amount and "lends" not in self.mistakes:
                    return self._refused(402, user_id)
                bets.append(amount)
                self._move(user_id, -amount)
            case "BetPlacingAbort":
                if amount not in bets:
                    return self._refused(406, user_id)
                bets.remove(amount)
                if "forgets aborts" not in self.mistakes:
                    self._move(user_id, amount)
            case _:
                if not bets:
                    return self._refused(406, user_id)
                self._move(user_id, amount * (2 if "pays twice" in self.mistakes else 1))
        self.accepted[key] = (user_id, fields["amount"])
        return {"status": True, "balance": self._told(user_id)}

    def _move(self, user_id: str, amount: Decimal) -> None:
        if "rounds" in self.mistakes:
            amount = amount.quantize(Decimal("0.1"), ROUND_HALF_UP)
        self.balances[user_id] += amount

    def _refused(self, code: int, user_id: str) -> dict[str, Any]:
        balance = self._told(user_id)
        return {"status": False, "balance": balance, "errors": {"code": code, "error": "no"}}

    def _told(self, user_id: str) -> str:
        return f"!{self.balances[user_id].quantize(CENT)}!"

    def written(self, path: Path) -> Path:
        """The file of its traffic."""
        path.write_text("".join(line + "\n" for line in self.lines), encoding="utf-8")
        return path
