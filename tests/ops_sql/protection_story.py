"""Days of another operator, about player protection: limits, raises, exclusions, holds, night play.

Played through the cashier with a clock of its own, as `story.py` is. Only the last lines happen
now, because a limit is near its end in a window that is running.
"""

import json
from datetime import UTC, datetime, timedelta

from app.cashier.account_changes import AccountChange, Exclusion, update_account
from app.cashier.games import name_game
from app.cashier.move_funds import move_funds
from app.cashier.players import issue_token, open_account, revoke_tokens, token_hash
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.events import GAME_EVENT_TYPES, RULES, EventType
from app.wallet.facts import Policy
from app.wallet.holds import HoldKey
from app.wallet.limit_terms import RaiseRules
from app.wallet.moments import FOREVER
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused
from app.wallet.refusals import Refusal

AGENT = "harbour"
SLOTS, SPORT, TABLE = 4711, 1037566, 5020
PLAYERS = ("mira", "noah", "olga", "pia", "quin", "rose")
OPENED = datetime(2026, 3, 1, 0, tzinfo=UTC)
RAISES = RaiseRules()

# day time player, what, amount, transaction id, event, game, and the refusal, if it is one; a hold
# is closed by its id; a check says yes or no.
STORY = """
1 00:10 noah Deposit           1000.00 d-1
1 01:00 noah BetPlacing         100.00 n-1   night-1  5020
1 01:20 noah BetPlacing         200.00 n-2   night-2  5020
1 01:25 noah Win                150.00 n-3   night-2  5020
1 03:10 noah BetPlacing         250.00 n-4   night-3  5020
1 09:00 mira Deposit            200.00 d-2
1 09:10 mira limits             deposit_day=250 loss_day:casino=40 stake_month=900
1 09:30 mira BetPlacing          25.00 m-1   slots-1  4711
1 09:31 mira Win                 10.00 m-2   slots-1  4711
1 09:40 mira BetPlacing          20.00 m-3   slots-2  4711
1 09:50 mira BetPlacing          10.00 m-4   slots-3  4711     LIMIT_EXCEEDED
1 10:00 mira BetPlacing          30.00 m-5   bet-1    1037566
1 10:05 mira Deposit             60.00 d-3   -        -        DEPOSIT_LIMIT
1 10:06 mira Deposit             50.00 d-4
1 12:00 olga Deposit             80.00 d-5
1 12:30 olga exclude            2040-01-01
1 12:40 olga Deposit             20.00 d-6   -        -        PLAYER_BLOCKED
1 12:45 olga Withdrawal          80.00 o-1
1 13:00 pia  exclude            forever
1 14:00 quin Deposit            500.00 d-7
1 14:10 quin WithdrawalHold     300.00 h-1
1 14:20 quin WithdrawalHold     100.00 h-2
1 14:30 quin WithdrawalHold      50.00 h-3
1 15:00 rose Deposit             40.00 d-8   yes
1 15:05 rose Deposit            700.00 d-9   no       -        DEPOSIT_CHECK
1 20:00 noah Deposit            400.00 d-10
1 20:30 noah Deposit            300.00 d-11
1 21:00 noah BetPlacing         350.00 n-5   bet-2    1037566
1 21:20 noah revoke
1 21:45 noah BetPlacing         150.00 n-6   bet-3    1037566
2 10:00 quin WithdrawalSettle   300.00 s-1   h-1
2 10:05 quin WithdrawalRelease  100.00 r-1   h-2
2 11:00 noah limits             stake_day=500 deposit_week=2000
2 11:30 noah limits             stake_day=900
2 12:00 rose BetPlacing          15.00 r-2   new-1    8888
"""


class Storyteller:
    """Plays the story on a ledger whose clock it turns."""

    def __init__(self, url: str) -> None:
        self.now = OPENED
        self.ledger = PlacedLedger(url, clock=lambda: self.now)
        self.tokens: dict[str, bytes] = {}

    async def tell(self) -> None:
        """Play everything, in the order of the clock."""
        try:
            for game_id, product in ((SLOTS, "casino"), (SPORT, "sport"), (TABLE, "live")):
                await name_game(self.ledger, game_id, product, "setting")
            for user_id in PLAYERS:
                await self._open(user_id)
            for line in STORY.strip().splitlines():
                day, time, user_id, what, *more = line.split()
                hour, minute = map(int, time.split(":"))
                self.now = datetime(2026, 3, int(day), hour, minute, tzinfo=UTC)
                await self._line(user_id, what, more)
            self.now = datetime.now(UTC)
            await self._line("mira", "limits", ["deposit_month=1000"])
            await self._move("mira", "Deposit", "40.00", "now-1")
            await self._line("rose", "limits", ["deposit_month=500"])
            await self._move("rose", "Deposit", "470.00", "now-2")
        finally:
            await self.ledger.close()

    async def _open(self, user_id: str) -> None:
        await open_account(
            self.ledger,
            user_id=user_id,
            agent=AGENT,
            currency=ISO_CURRENCIES["USD"],
            nickname=user_id.title(),
            language="en",
        )
        await self._issue(user_id)

    async def _issue(self, user_id: str) -> None:
        issued = await issue_token(self.ledger, user_id, timedelta(days=3000), origin="transfer")
        assert not isinstance(issued, Refusal)
        self.tokens[user_id] = token_hash(issued.token)

    async def _line(self, user_id: str, what: str, more: list[str]) -> None:
        limits: dict[str, str | None]
        note = ChangeNote(AGENT, "account/update", "{}", bytes(16), self.now)
        match what:
            case "limits":
                limits = {word.partition("=")[0]: word.partition("=")[2] for word in more}
                change = AccountChange(limits=limits)
                await update_account(self.ledger, user_id, change, raises=RAISES, note=note)
            case "exclude":
                until = (
                    FOREVER if more == ["forever"] else datetime.fromisoformat(f"{more[0]}T00:00Z")
                )
                change = AccountChange(exclusion=Exclusion(until))
                await update_account(self.ledger, user_id, change, raises=RAISES, note=note)
            case "revoke":
                await revoke_tokens(self.ledger, user_id, note=note)
                await self._issue(user_id)
            case _:
                await self._move(user_id, what, *more)

    async def _move(
        self,
        user_id: str,
        what: str,
        amount: str,
        transaction_id: str,
        event: str = "-",
        game_id: str = "-",
        end: str | None = None,
    ) -> None:
        kind = EventType(what)
        rule, is_game = RULES[kind], kind in GAME_EVENT_TYPES
        check: dict[str, object] = {"provider": "acme", "reference": f"case-{transaction_id}"}
        is_checked = event in {"yes", "no"}
        if is_checked:
            check |= {"allowed": event == "yes", "checked_at": self.now.isoformat()}
        movement = Movement(
            delivery=bytes(8) + int(self.now.timestamp()).to_bytes(8),
            key=Key("callback" if is_game else AGENT, transaction_id, ""),
            user_id=user_id,
            event_type=kind,
            direction=next(iter(rule.directions)),
            amount=amount,
            received_at=self.now,
            token=self.tokens[user_id] if is_game else None,
            event_id=event if is_game else None,
            game_id=int(game_id) if is_game else None,
            extra_data=json.dumps({"check": check}) if is_checked else None,
            hold=HoldKey(AGENT, event) if rule.moves_from or what.endswith("Release") else None,
            is_vetoed=event == "no",
        )
        (receipt,) = await move_funds(self.ledger, [movement], Policy())
        assert _refusal(receipt) == end, (transaction_id, receipt)


def _refusal(receipt: Receipt) -> str | None:
    assert isinstance(receipt, Posting | Declined | Refused), receipt
    return None if isinstance(receipt, Posting) else receipt.refusal.name
