"""A small journal with a clock of its own, and reports written by hand."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.cashier.in_doubt import Delivery, list_unknown_outcomes
from app.reconciliation.profile import Profile, read_profile
from app.wallet.outcomes import Posting
from tests.ops_sql.story import OPENED, Storyteller

HEADER = (
    "transaction_id", "user_id", "event_id", "type", "direction", "amount", "currency", "time",
    "status",
)  # fmt: skip
SHIPPED = Path(__file__).parents[2] / "app" / "reconciliation" / "profiles"


class Teller(Storyteller):
    """Tells lines of a story; the players are there from its opening on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.now = OPENED

    async def open(self) -> None:
        for user_id, currency in (("anna", "USD"), ("bora", "USD"), ("chen", "JPY")):
            await self._open(user_id, currency)

    async def play(self, story: str) -> None:
        for line in story.strip().splitlines():
            await self._line(*line.split())

    async def told_unknown(self, transaction_id: str, user_id: str) -> None:
        """The caller of this movement was told 503, and does not come back."""
        receipt = self.told[transaction_id]
        assert isinstance(receipt, Posting)
        entry = receipt.entry
        await list_unknown_outcomes(self.ledger, [Delivery(entry.key, entry.delivery, user_id)])


def profile(**changes: str) -> Profile:
    """The generic profile with a zone, and what a test changes in it."""
    text = (SHIPPED / "generic.toml").read_text(encoding="utf-8")
    settings, columns, rest = text.partition("[columns]")
    for name, value in {"zone": '"UTC"', **changes}.items():
        lines = [line for line in settings.splitlines() if not line.startswith(f"{name} = ")]
        settings = "\n".join([f"{name} = {value}", *lines, ""])
    return read_profile("generic", settings + columns + rest)


def write(path: Path, lines: Iterable[str]) -> Path:
    """Write a report; a line names day, time, player, type, amount, id, event and status."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_row(*line.split()) for line in lines if line.strip())
    return path


def _row(
    day: str,
    time: str,
    user_id: str,
    kind: str,
    amount: str,
    transaction_id: str,
    event_id: str,
    status: str = "done",
    currency: str = "",
) -> tuple[str, ...]:
    moment = datetime(2026, 3, int(day), tzinfo=UTC)
    hour, minute, *second = map(int, time.split(":"))
    moment += timedelta(hours=hour, minutes=minute, seconds=second[0] if second else 0)
    way = {"bet": "debit", "tip": "debit", "resettled": "debit", "win_canceled": "debit"}
    code = currency or ("JPY" if user_id == "chen" else "USD")
    return (
        transaction_id, user_id, event_id, kind, way.get(kind, "credit"), amount, code,
        moment.strftime("%Y-%m-%d %H:%M:%S"), status,
    )  # fmt: skip
