"""Five days of an operator, played through the cashier with a clock of their own.

Every line of the story is one movement and what it must come to; days, ids and amounts never
change, so the answers in `docs/ops.md` never do either.
"""

from datetime import UTC, datetime, timedelta

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.adjustments import Approved, Preview, Request, approve, propose
from app.cashier.in_doubt import Delivery, list_unknown_outcomes
from app.cashier.inbox import collect, inbox, take
from app.cashier.move_funds import move_funds
from app.cashier.notices import Notice, keep_notice
from app.cashier.players import issue_token, open_account, token_hash
from app.cashier.refusal_log import log_refusal
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType, Pocket
from app.wallet.facts import Policy
from app.wallet.inbox import ExceptionKind
from app.wallet.limit_terms import RaiseRules
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement
from app.wallet.operators import Operator, Role, Via
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal

AGENT = "house"
SPORT = 1037566
SLOTS, ROULETTE = 4711, 5020
PLAYERS = {"anna": "USD", "bora": "USD", "chen": "JPY", "dina": "USD"}
POLICY = Policy(sport_game_id=SPORT)
OPENED = datetime(2026, 3, 1, 8, tzinfo=UTC)

# day time player, what (a sign where both ways are allowed), amount, transaction id, event, game,
# and what it must come to when that is not "accepted".
STORY = """
1 09:00 anna Deposit           200.00 pay-1
1 09:01 anna BonusGrant         50.00 bonus-1
1 09:05 bora Deposit           100.00 pay-2
1 09:10 chen Deposit            30000 pay-3
1 09:15 dina Deposit           500.00 pay-4
1 10:00 anna BetPlacing         20.00 b-1   round-1  4711
1 10:01 anna Win                35.00 w-1   round-1  4711
1 10:05 anna BetPlacing         10.00 b-2   round-2  4711
1 10:06 anna Lose                0.00 l-2   round-2  4711
1 10:10 bora BetPlacing         60.00 s-1   bet-7    1037566
1 10:30 bora Win               150.00 s-2   bet-7    1037566
1 11:00 bora Withdrawal        180.00 out-1
1 12:00 bora SportBetCancel    150.00 s-3   bet-7    1037566
1 12:30 chen BetPlacing          5000 b-3   round-3  5020
1 12:31 chen BetPlacingAbort     5000 a-3   round-3  5020
1 13:00 chen BetPlacing         40000 b-4   round-4  5020     INSUFFICIENT_FUNDS
1 13:10 anna Tip                 5.00 t-1   table-1  5020
1 14:00 dina PromoStreamersDebit  100.00 p-1  stream-1 4711
1 14:05 dina PromoStreamersCredit 250.00 p-2  stream-1 4711
1 15:00 anna BetPlacingAbort    15.00 a-5   round-5  4711     NO_MATCHING_MOVEMENT
1 15:15 anna BetPlacing         15.00 b-5   round-5  4711
2 09:00 anna PromoWin           12.00 x-1   promo-1  4711
2 09:30 anna DropAndWin          8.00 x-2   drop-1   4711
2 10:00 anna Win                40.00 w-9   round-9  4711     NO_MATCHING_MOVEMENT
2 10:01 anna BetPlacing         10.00 b-9   round-9  4711
2 10:02 anna Win                40.00 w-9   round-9  4711
2 10:05 anna Win                25.00 w-10  round-10 4711     NO_MATCHING_MOVEMENT
2 11:00 anna BetPlacing         25.00 b-1   round-1  4711     MOVEMENT_DIFFERS
2 11:01 anna BetPlacing         20.00 b-1   round-1  4711     repeat
2 11:05 chen BetPlacing          2000 b-1   round-1  4711     MOVEMENT_DIFFERS
2 11:10 anna Win                10.00 b-2   round-2  4711     EVENT_TYPE_DIFFERS
2 12:00 zoe  BetPlacing         10.00 z-1   round-1  4711     PLAYER_UNKNOWN
2 13:00 chen BetPlacing         12000 s-8   bet-8    1037566
2 13:30 anna BetPlacing         30.00 s-9   bet-9    1037566
2 14:00 anna Win                90.00 s-10  bet-9    1037566
2 15:00 anna SportBetCancel     90.00 s-11  bet-9    1037566
2 16:00 chen +technicalFix        500 fix-1 round-4  5020
2 16:10 bora Deposit           100.00 pay-5
2 17:00 anna BonusRevoke        10.00 bonus-2
3 09:00 dina Tip                 1.00 t-2   table-2  5020     PLAYER_BLOCKED
3 10:00 chen BetPlacing         15001 b-12  round-12 5020     LIMIT_EXCEEDED
3 10:30 chen BetPlacing          8000 b-13  round-13 5020
3 10:31 chen Win                20000 w-13  round-13 5020
3 11:00 anna BetPlacing          7.00 s-12  bet-11   1037566
3 11:30 anna BetPlacingAbort     7.00 s-13  bet-11   1037566
3 12:00 chen SportBetCancel       300 s-14  bet-99   777
3 13:00 anna BetPayedAbort      40.00 w-11  round-9  4711
4 09:00 anna SportBetCancel      7.00 s-15  bet-11   1037566
5 23:59 dina BetPlacing          2.50 b-14  round-14 4711     PLAYER_BLOCKED
"""


class Storyteller:
    """Plays the story on a ledger whose clock it turns."""

    def __init__(self, url: str) -> None:
        self.now = OPENED
        self.ledger = PlacedLedger(url, clock=lambda: self.now)
        self.tokens: dict[str, bytes] = {}
        self.told: dict[str, Receipt] = {}

    async def tell(self) -> None:
        """Play everything, in the order of the clock."""
        try:
            for user_id, currency in PLAYERS.items():
                await self._open(user_id, currency)
            for line in STORY.strip().splitlines():
                await self._line(*line.split())
            await self._aside()
            await self._by_hand()
        finally:
            await self.ledger.close()

    async def _open(self, user_id: str, currency: str) -> None:
        await open_account(
            self.ledger,
            user_id=user_id,
            agent=AGENT,
            currency=ISO_CURRENCIES[currency],
            nickname=user_id.title(),
            language="en",
        )
        issued = await issue_token(self.ledger, user_id, timedelta(days=30), origin="transfer")
        assert not isinstance(issued, Refusal)
        self.tokens[user_id] = token_hash(issued.token)

    async def _line(
        self,
        day: str,
        time: str,
        user_id: str,
        what: str,
        amount: str,
        transaction_id: str,
        event_id: str | None = None,
        game_or_end: str | None = None,
        end: str = "accepted",
    ) -> None:
        hour, minute = map(int, time.split(":"))
        self.now = datetime(2026, 3, int(day), hour, minute, tzinfo=UTC)
        if (day, time) == ("3", "09:00"):
            await self._settle_accounts()
        movement = _movement(
            self.now, user_id, what, amount, transaction_id, event_id, game_or_end,
            self.tokens.get(user_id),
        )  # fmt: skip
        (receipt,) = await move_funds(self.ledger, [movement], POLICY)
        assert _outcome(receipt) == end, (transaction_id, receipt)
        self.told.setdefault(transaction_id, receipt)

    async def _settle_accounts(self) -> None:
        """On the third day dina is blocked and chen gets limits."""
        changes = {
            "dina": AccountChange(is_suspended=True),
            "chen": AccountChange(limits={"stake_bet": "15000", "loss_month": "50000"}),
        }
        for user_id, change in changes.items():
            note = ChangeNote(AGENT, "account/update", "{}", bytes(16), self.now)
            await update_account(self.ledger, user_id, change, raises=RaiseRules(), note=note)

    async def _aside(self) -> None:
        """Tell what no movement tells: a request not understood, a silence, announcements."""
        self.now = datetime(2026, 3, 5, 10, tzinfo=UTC)
        await log_refusal(
            self.ledger,
            RefusalRecord(
                user_id="anna", source="callback", operation="moveFunds", transaction_id="b-77",
                event_id="round-77", event_type="BetPlacing", direction="credit", amount="5.00",
                refusal="DIRECTION_NOT_ALLOWED", reason="BetPlacing is no credit", differs=None,
                asked="{}", delivery=bytes(16), event_time=self.now,
            ),
        )  # fmt: skip
        silent = [self.told["b-13"], self.told["w-13"]]
        entries = [r.entry for r in silent if isinstance(r, Posting)]
        await list_unknown_outcomes(
            self.ledger, [Delivery(e.key, e.delivery, "chen") for e in entries]
        )
        self.now += timedelta(seconds=30)
        again = _movement(
            self.now, "chen", "BetPlacing", "8000", "b-13", "round-13", str(ROULETTE), None
        )
        (receipt,) = await move_funds(self.ledger, [again], POLICY)
        assert isinstance(receipt, Replay)
        for minute, status in ((0, "created"), (30, "started")):
            self.now = datetime(2026, 3, 5, 12, minute, tzinfo=UTC)
            await keep_notice(
                self.ledger,
                Notice(
                    status, "m-1", [ROULETTE], {"comment": "tables"}, None, None, ["USD"], [12],
                    self.now, "{}",
                ),
            )  # fmt: skip

    async def _by_hand(self) -> None:
        """Two people pay a win whose bet never came; the rest waits in the inbox."""
        self.now = datetime(2026, 3, 5, 14, tzinfo=UTC)
        mira, noah = (
            Operator(name, is_verified=True, roles=frozenset(Role), via=Via.PAGE, source="10.0.0.7")
            for name in ("mira", "noah")
        )
        request = Request(
            "anna", Direction.CREDIT, Pocket.REAL, "25.00", AdjustmentReason.REFUSED_MOVEMENT,
            "T-118", settles="w-10",
        )  # fmt: skip
        preview = await propose(self.ledger, mira, request)
        assert isinstance(preview, Preview)
        self.now += timedelta(minutes=20)
        number = preview.adjustment.adjustment_id
        assert isinstance(await approve(self.ledger, noah, number, solo_max={}), Approved)
        await collect(self.ledger)
        for exception in await inbox(self.ledger, kind=ExceptionKind.UNCOVERED_CANCEL):
            if exception.transaction_id == "s-14":
                await take(self.ledger, mira, exception.exception_id)


def _movement(
    now: datetime,
    user_id: str,
    what: str,
    amount: str,
    transaction_id: str,
    event_id: str | None,
    game_id: str | None,
    token: bytes | None,
) -> Movement:
    kind = EventType(what.lstrip("+-"))
    is_game = kind in GAME_EVENT_TYPES
    way = Direction.CREDIT if what.startswith("+") else next(iter(_ways(kind)))
    return Movement(
        delivery=bytes(8) + int(now.timestamp()).to_bytes(8),
        key=Key("callback" if is_game else AGENT, transaction_id, ""),
        user_id=user_id,
        event_type=kind,
        direction=way,
        amount=amount,
        received_at=now,
        token=token if is_game else None,
        event_id=event_id,
        game_id=int(game_id) if game_id else None,
        extra_data="{}" if is_game else None,
    )


def _ways(kind: EventType) -> list[Direction]:
    """The direction that is not there for zeros only comes first."""
    rule = RULES[kind]
    return sorted(rule.directions - rule.zero_only)


def _outcome(receipt: Receipt) -> str:
    match receipt:
        case Posting():
            return "accepted"
        case Replay():
            return "repeat"
        case Declined(refusal=refusal) | Refused(refusal=refusal):
            return refusal.name
