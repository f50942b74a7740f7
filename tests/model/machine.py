"""A Hypothesis state machine: the real service over HTTP beside the naive model, step by step.

Every example has players, events and ids of its own, so that one database serves thousands of
them. A difference shrinks to a short story, which Hypothesis prints as a program of steps.
"""

import base64
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.books import FOREVER, LIMITS, Player
from tests.model.caller import Caller, Reply
from tests.model.contract import TABLE, Expected, Model
from tests.model.served import Clock

AGENTS = {"north": b"n" * 32, "south": b"s" * 32}
SEATS = (("north", "USD"), ("north", "BTC"), ("south", "KRW"))
"""The players of each example: whose, and in which currency."""

BEGINS = (
    datetime(2026, 10, 23, 12, tzinfo=UTC),
    datetime(2026, 10, 25, 18, tzinfo=UTC),
    datetime(2026, 10, 31, 20, tzinfo=UTC),
)
"""Two days before a day of 25 hours in one of the zones; the evening of that day, a Sunday; and the
evening on which a month ends, and no week."""
HUGE = "999999999999999999"
AMOUNTS = ("5", "10.00", "3", "0", "1", "7", "0.01", "33.33", "100", "2.50", "0.00000001", HUGE)
ODD_AMOUNTS = ("", "-1", "+1", "1e2", " 1", "1.", ".5", "1" * 19, "0." + "1" * 19, "NaN")
WAITS = (
    *(timedelta(seconds=1), timedelta(seconds=599), timedelta(minutes=10), timedelta(minutes=59)),
    *(timedelta(hours=2), timedelta(hours=25)),
    *(timedelta(days=6), timedelta(days=8), timedelta(days=40)),
)


def next_step(before: str, pick: int) -> str:
    """Return what comes after a step: of three, two are of those by which it shows."""
    likely = LIKELY.get(before, WHAT)
    return likely[pick // 3 % len(likely)] if pick % 3 else WHAT[pick // 3 % len(WHAT)]


def agents_setting() -> str:
    """Write the agents' keys as the setting has them."""
    keys = {name: [base64.urlsafe_b64encode(key).decode()] for name, key in AGENTS.items()}
    return json.dumps(keys)


players = st.integers(0, len(SEATS) - 1)
mostly_first = st.sampled_from((0, 0, 0, 1, 2))
events = st.sampled_from(("e1", "e1", "e2"))
amounts = st.sampled_from(AMOUNTS)
positive = st.sampled_from(tuple(amount for amount in AMOUNTS if amount != "0"))
known = st.integers(0, 9)
"""which of the amounts that are there already; beyond them, one of the others"""
bonus_codes = st.sampled_from((None, None, "FREE", " "))
STAKES = ("0.05", "0.03", "0.05", "0.07", "0", "0.11", "0.01", "0.30", "0.05", "0.02")
"""In hundredths, so that proportions are rounded; one of them twice, so that amounts meet again."""
OTHER = 9
"""the choice that takes none of the amounts that are there"""
WHAT = (
    *("bet", "bet", "bet of both", "bet of both", "bet alike", "bet to the limit"),
    *("win", "win", "free win", "abort", "abort", "abort by id"),
    *("take back", "take a part", "take a part", "cancel", "cancel"),
    *("abort too early", "overtaken bet", "overtaken bet", "early abort again", "again"),
)
LIKELY = {
    "bet": ("bet alike", "win", "win", "abort", "bet to the limit", "bet of both"),
    "bet of both": ("win", "win", "win", "bet alike", "bet alike", "abort"),
    "bet alike": ("win", "abort by id", "abort by id", "bet", "win"),
    "win": ("take a part", "take a part", "take back", "cancel", "abort", "bet"),
    "take a part": ("take a part", "cancel", "win", "take back"),
    "abort": ("cancel", "again", "abort", "bet to the limit", "bet"),
    "abort by id": ("cancel", "again", "abort by id", "win"),
    "cancel": ("bet to the limit", "win", "abort", "bet of both"),
    "abort too early": ("overtaken bet", "early abort again"),
}
"""what the rules make of one step shows in the next; after any other one, all are as likely"""
PICKS = 3 * 120
steps = st.tuples(st.integers(0, PICKS - 1), known)
"""which step comes next in an event, and which of the amounts it is about"""
tokens = st.sampled_from((*("newest",) * 8, "oldest", "another's", "unknown"))
ways = st.sampled_from(("form", "form", "json", "query"))


class Choice(NamedTuple):
    """The settings that one example is served under."""

    key_scope: str
    duplicate_reply: str
    stake_order: str


CHOICES = tuple(
    Choice(*words)
    for words in itertools.product(
        ("transaction", "transaction_event"), ("conflict", "replay"), ("real_first", "bonus_first")
    )
)


@dataclass
class Houses:
    """A server for each choice of settings, all under one clock."""

    clock: Clock
    callers: dict[Choice, Caller]
    examples: "itertools.count[int]" = field(default_factory=itertools.count)
    answers: Counter[str] = field(default_factory=Counter)
    """how many answers were compared, by what was asked and the code"""


class WalletMachine(RuleBasedStateMachine):
    def __init__(self, houses: Houses) -> None:
        super().__init__()
        self.houses = houses
        self.clock = houses.clock
        self.clock.now = BEGINS[0]
        self.name = f"x{next(houses.examples)}"
        self.numbers = itertools.count(1)
        self.request_ids = itertools.count(1)
        self.sent: list[tuple[dict[str, str], int]] = []
        self.refused: list[tuple[dict[str, str], int]] = []
        """for ever: for a lack of money, a limit, or a block"""
        self.paid: list[tuple[str, str, dict[str, str]]] = []
        self.held: list[tuple[str, str]] = []
        self.tokens: dict[str, list[str]] = {}

    # --- the stage ----------------------------------------------------------------------------

    @initialize(
        choice=st.sampled_from(CHOICES),
        begin=st.sampled_from(BEGINS),
        real=st.sampled_from((None, "7", "13", "50")),
        bonus=st.sampled_from((None, "4", "11", "20")),
    )
    def open_accounts(
        self, choice: Choice, begin: datetime, real: str | None, bonus: str | None
    ) -> None:
        self.clock.now = begin
        self.serve(choice)
        for number in range(len(SEATS)):
            self.open_account(number, real, bonus)

    def serve(self, choice: Choice) -> None:
        """Begin under this choice of settings."""
        self.caller = self.houses.callers[choice]
        self.model = Model(**choice._asdict())

    def open_account(self, number: int, real: str | None, bonus: str | None) -> None:
        """Open an account and launch a game; pay a little in, so that both pockets pay often."""
        agent, currency = SEATS[number]
        user_id = self.user(number)
        self.init(agent, user_id, currency)
        self.tokens[user_id] = []
        self.open_session(number, ttl=None)
        if real is not None:
            self.pay(number, "account/deposit", real)
        if bonus is not None:
            self.pay(number, "bonus/grant", bonus)

    def user(self, number: int) -> str:
        return f"{self.name}-player-{number}"

    def agent(self, number: int) -> str:
        return SEATS[number][0]

    @property
    def now(self) -> datetime:
        return self.clock.now

    @rule(by=st.sampled_from(WAITS))
    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)

    # --- the callback API: money ----------------------------------------------------------------

    @rule(
        number=mostly_first,
        event=events,
        streamer=st.sampled_from((False, False, True)),
        steps=st.lists(steps, min_size=2, max_size=8),
    )
    def story(
        self, number: int, event: str, steps: list[tuple[int, int]], *, streamer: bool
    ) -> None:
        """Bet, settle and take back in one event, with a live token: where the rules are."""
        what = ""
        for pick, which in steps:
            what = next_step(what, pick)
            self.step(number, event, what, which, streamer=streamer)

    def step(self, number: int, event: str, what: str, which: int, *, streamer: bool) -> None:
        """Move on in an event: bet, or settle, or take back one of the amounts that are there."""
        user_id = self.user(number)
        if what == "again":
            if self.sent:
                self.send_move(*self.sent[-1 - which % min(len(self.sent), 3)], "form")
            return
        if self.model.tokens[self.tokens[user_id][-1]][1] <= self.now:
            self.open_session(number, ttl=100 * 86400)
        round_ = self.model.players[user_id].round(event, streamer=streamer)
        bets = [bet.amount for bet in round_.bets]
        there = [payment.stands for payment in round_.payments]
        amount, code, direction = STAKES[which], None, "debit"
        transaction_id = None
        aborts = round_.early_aborts
        early = aborts[-1 - which % len(aborts)] if aborts else None
        match what:
            case "bet" | "bet of both" | "bet alike" | "bet to the limit":
                kind = "Debit" if streamer else "BetPlacing"
                amount = self.stake(number, what, bets, which)
            case "win" | "free win":
                kind, direction = "Credit" if streamer else "Win", "credit"
                code = "FREE" if what == "free win" else None
            case "abort":
                kind, direction = "BetPlacingAbort", "credit"
                amount = self.amount_like(number, bets, which)
            case "abort by id":
                kind, direction = "BetPlacingAbort", "credit"
                amount = self.amount_like(number, bets, which)
                if bets:
                    transaction_id = round_.bets[-1 - which % len(bets)].transaction_id
            case "abort too early":
                kind, direction = "BetPlacingAbort", "credit"
            case "overtaken bet":
                kind = "Debit" if streamer else "BetPlacing"
                if early is not None:
                    amount = self.amount_like(number, [early.amount], 0)
                    transaction_id = early.transaction_id if self.model.by_event_too else None
            case "early abort again":
                kind, direction = "BetPlacingAbort", "credit"
                if early is not None:
                    amount = self.amount_like(number, [early.amount], 0)
                    transaction_id = early.transaction_id
            case "take back":
                kind = "BetPayedAbort"
                amount = self.amount_like(number, there, which)
            case "take a part":
                kind = "BetPayedAbort"
                parts = [max(one * 2 // 3, 1) for one in there if one]
                amount = self.amount_like(number, parts, which)
            case _:
                kind = "SportBetCancel"
                amount = self.amount_like(number, bets + there, which)
        prefix = "PromoStreamers" if streamer and kind != "SportBetCancel" else ""
        self.move(
            *(number, prefix + kind, direction, event, amount),
            code=code,
            transaction_id=transaction_id,
        )

    def stake(self, number: int, what: str, bets: list[int], which: int) -> str:
        """Return a stake by which rules differ: of both pockets, seen before, or near a limit."""
        player = self.model.players[self.user(number)]
        if what == "bet of both":
            if player.real <= 0:
                self.pay(number, "account/deposit", STAKES[which])
            if not player.bonus:
                self.pay(number, "bonus/grant", STAKES[which])
        first, other = max(player.real, 0), player.bonus
        if self.model.bonus_first:
            first, other = other, first
        room = player.room(self.now)
        if what == "bet of both" and first and other:
            stake = first + min(other, 1 + which)
        elif what == "bet alike" and bets:
            stake = bets[-1 - which % len(bets)]
        elif what == "bet to the limit" and room is not None:
            # Every other one is one too much.
            stake = max(room, 0) + which % 2
        else:
            return STAKES[which]
        return format(Decimal(stake).scaleb(-player.scale), "f")

    @rule(
        number=mostly_first,
        event=events,
        amount=amounts,
        token=tokens,
        how=ways,
        kind=st.sampled_from(
            ("BetPlacing", "BetPlacing", "BetPlacing", "PromoStreamersDebit", "Tip")
        ),
    )
    def play(self, number: int, event: str, amount: str, token: str, how: str, kind: str) -> None:
        self.move(number, kind, "debit", event, amount, token=token, how=how)

    @rule(
        number=mostly_first,
        event=events,
        amount=amounts,
        code=bonus_codes,
        token=tokens,
        kind=st.sampled_from(("Win", "Win", "Lose", "PromoStreamersCredit")),
    )
    def settle(
        self, number: int, event: str, amount: str, code: str | None, token: str, kind: str
    ) -> None:
        self.move(number, kind, "credit", event, amount, code=code, token=token)

    @rule(number=mostly_first, event=events, which=known, streamer=st.booleans())
    def void_bet(self, number: int, event: str, which: int, *, streamer: bool) -> None:
        kind = "PromoStreamersBetPlacingAbort" if streamer else "BetPlacingAbort"
        bets = self.model.players[self.user(number)].round(event, streamer=streamer).bets
        amount = self.amount_like(number, [bet.amount for bet in bets], which)
        self.move(number, kind, "credit", event, amount)

    @rule(
        number=mostly_first,
        event=events,
        which=known,
        less=st.sampled_from((0, 0, 1, 50, -1)),
        kind=st.sampled_from(("BetPayedAbort", "SportBetCancel", "PromoStreamersBetPayedAbort")),
    )
    def reverse_parts(self, number: int, event: str, which: int, less: int, kind: str) -> None:
        streamer = kind.startswith("Promo")
        round_ = self.model.players[self.user(number)].round(event, streamer=streamer)
        there = [payment.stands for payment in round_.payments]
        there += [given.bet.amount for given in round_.given_back]
        amount = self.amount_like(number, [max(one - less, 0) for one in there], which)
        self.move(number, kind, "debit", event, amount)

    @rule(
        number=mostly_first,
        event=events,
        amount=amounts,
        code=bonus_codes,
        kind=st.sampled_from(("PromoWin", "DropAndWin", "technicalFix")),
        direction=st.sampled_from(("credit", "debit")),
    )
    def give(
        self, number: int, event: str, amount: str, code: str | None, kind: str, direction: str
    ) -> None:
        self.move(number, kind, direction, event, amount, code=code)

    @rule(
        number=mostly_first,
        event=events,
        amount=st.sampled_from((*AMOUNTS[:4], *ODD_AMOUNTS)),
        kind=st.sampled_from((*TABLE, "Bet", "win", "")),
        direction=st.sampled_from(("credit", "debit", "both")),
        token=tokens,
    )
    def anything(
        self, number: int, event: str, amount: str, kind: str, direction: str, token: str
    ) -> None:
        self.move(number, kind, direction, event, amount, token=token)

    @rule(
        which=st.integers(0, 30),
        change=st.sampled_from(
            (
                *("nothing", "nothing", "nothing", "spelling", "amount", "event", "player"),
                *("kind", "direction", "to win", "to abort", "to payed abort", "token", "rest"),
            )
        ),
        how=ways,
    )
    def repeat(self, which: int, change: str, how: str) -> None:
        """Send an earlier movement again, as it was or changed."""
        if not self.sent:
            return
        fields, number = self.sent[-1 - which % len(self.sent)]
        fields = dict(fields)
        match change:
            case "spelling":
                fields["amount"] = f"00{fields['amount'][:16]}"
            case "amount":
                fields["amount"] = "4"
            case "event":
                fields["eventId"] = "e2" if fields["eventId"] == "e1" else "e1"
            case "player":
                number = (number + 1) % len(SEATS)
                fields |= {"userId": self.user(number), "token": self.token(number, "newest")}
            case "kind":
                fields["eventType"] = "Tip" if fields["direction"] == "debit" else "PromoWin"
            case "direction":
                is_debit = fields["direction"] == "debit"
                fields["direction"] = "credit" if is_debit else "debit"
            case "to win":
                fields |= {"eventType": "Win", "direction": "credit"}
            case "to abort":
                fields |= {"eventType": "BetPlacingAbort", "direction": "credit"}
            case "to payed abort":
                fields |= {"eventType": "BetPayedAbort", "direction": "debit"}
            case "token":
                fields["token"] = self.token(number, "unknown")
            case "rest":
                fields |= {"gameId": "7", "bonusCode": "OTHER", "extraData": '{"x":1}'}
            case _:
                assert change == "nothing"
        self.send_move(fields, number, how)

    @rule(which=st.integers(0, 3))
    def afford(self, which: int) -> None:
        """Pay in what a refused movement lacked, and send it again: it stays refused."""
        if self.refused:
            fields, number = self.refused[-1 - which % len(self.refused)]
            if fields["amount"].strip("0."):
                self.pay(number, "account/deposit", fields["amount"])
            self.send_move(fields, number, "form")

    @rule(which=st.integers(0, 5), amount=amounts, credit_first=st.booleans())
    def promo_pair(self, which: int, amount: str, *, credit_first: bool) -> None:
        """Send PromoWin's debit of 0 and its credit under one id."""
        transaction_id = self.new_id()
        for direction in ("credit", "debit") if credit_first else ("debit", "credit"):
            money = amount if direction == "credit" else "0"
            number = which % len(SEATS)
            self.move(number, "PromoWin", direction, "e1", money, transaction_id=transaction_id)

    def amount_like(self, number: int, there: list[int], which: int) -> str:
        """Return one of the amounts that are there, as text; or one of the others."""
        scale = self.model.players[self.user(number)].scale
        if there and which < OTHER:
            return format(Decimal(there[-1 - which % len(there)]).scaleb(-scale), "f")
        return STAKES[which]

    def new_id(self) -> str:
        return f"{self.name}-t{next(self.numbers)}"

    def token(self, number: int, which: str) -> str:
        mine = self.tokens[self.user(number)]
        match which:
            case "newest":
                return mine[-1]
            case "oldest":
                return mine[0]
            case "another's":
                return self.tokens[self.user((number + 1) % len(SEATS))][0]
            case _:
                return "a token that nobody issued"

    def move(
        self,
        number: int,
        kind: str,
        direction: str,
        event: str,
        amount: str,
        *,
        token: str = "newest",  # noqa: S107 — which of the tokens
        code: str | None = None,
        how: str = "form",
        transaction_id: str | None = None,
    ) -> None:
        fields = {
            "token": self.token(number, token),
            "userId": self.user(number),
            "gameId": "1037566",
            "extraData": "{}",
            "eventId": event,
            "direction": direction,
            "transactionId": transaction_id or self.new_id(),
            "eventType": kind,
            "amount": amount,
        }
        if code is not None:
            fields["bonusCode"] = code
        self.sent.append((fields, number))
        self.send_move(fields, number, how)

    def send_move(self, fields: dict[str, str], number: int, how: str) -> None:
        reply = self.caller.move_funds(fields, how)
        expected = self.model.move_funds(fields, self.now)
        if expected.code in {402, 405, 456}:
            self.refused.append((fields, number))
        self.check_callback(reply, expected, fields["eventType"], f"{fields} at {self.now}")
        if "realBalance" not in reply.said:
            self.check_pockets(number)

    # --- the callback API: questions ------------------------------------------------------------

    @rule(
        method=st.sampled_from(("sessionCheck", "playerDetails", "getBalance")),
        number=players,
        token=tokens,
        known=st.sampled_from((True, True, True, False)),
    )
    def ask(self, method: str, number: int, token: str, *, known: bool) -> None:
        user_id = self.user(number) if known else "nobody"
        fields = {"token": self.token(number, token), "userId": user_id}
        expected = self.model.ask(method, user_id, fields["token"], self.now)
        reply = self.caller.ask(method, fields)
        self.check_callback(reply, expected, method, f"{fields}")
        pockets = {"realBalance", "bonusBalance"} & set(reply.said)
        assert pockets or method != "getBalance" or expected.code

    @rule(number=players, known=st.sampled_from((True, True, False)))
    def get_user_token(self, number: int, *, known: bool) -> None:
        user_id = self.user(number) if known else "nobody"
        reply = self.caller.ask("getUserToken", {"userId": user_id})
        expected = self.model.get_user_token(user_id)
        self.check_callback(reply, expected, "getUserToken", user_id)
        if known:
            self.keep(user_id, reply.said["token"], self.now + self.model.token_life)

    # --- the transfer API -----------------------------------------------------------------------

    @rule(
        number=mostly_first,
        operation=st.sampled_from(
            ("account/deposit", "account/withdraw", "account/hold", "bonus/grant", "bonus/revoke")
        ),
        amount=st.sampled_from((*AMOUNTS, *ODD_AMOUNTS[:4])),
        by=st.sampled_from(("owner", "owner", "owner", "other")),
    )
    def cash(self, number: int, operation: str, amount: str, by: str) -> None:
        agent = self.agent(number)
        if by == "other":
            agent = next(name for name in AGENTS if name != agent)
        self.pay(number, operation, amount, agent)

    @rule(
        which=st.integers(0, 10),
        change=st.sampled_from(("nothing", "nothing", "spelling", "amount", "player", "operation")),
    )
    def cash_again(self, which: int, change: str) -> None:
        if not self.paid:
            return
        agent, operation, fields = self.paid[-1 - which % len(self.paid)]
        fields = dict(fields)
        match change:
            case "spelling":
                fields["amount"] = f"0{fields['amount'][:17]}"
            case "amount":
                fields["amount"] = "4"
            case "player":
                fields["user_id"] = self.user(1 if fields["user_id"] == self.user(0) else 0)
            case "operation":
                is_deposit = operation == "account/deposit"
                operation = "bonus/grant" if is_deposit else "account/deposit"
            case _:
                assert change == "nothing"
        self.send_money(agent, operation, fields)

    @rule(
        which=st.integers(0, 5),
        operation=st.sampled_from(("hold/settle", "hold/release")),
        again=st.sampled_from((False, False, True)),
        by=st.sampled_from(("owner", "owner", "owner", "other")),
    )
    def close_hold(self, which: int, operation: str, by: str, *, again: bool) -> None:
        """Settle or release a hold, one that is closed too, or repeat that."""
        if not self.held:
            return
        agent, hold_id = self.held[-1 - which % len(self.held)]
        if by == "other":
            agent = next(name for name in AGENTS if name != agent)
        transaction_id = f"{hold_id}-closed" if again else self.new_id()
        fields = {"transaction_id": transaction_id, "hold_id": hold_id}
        expected = self.model.close(agent, operation, fields)
        reply = self.operate(operation, fields, agent)
        self.check_transfer(reply, expected, operation, f"{fields} by {agent}")

    @rule(number=players, which=st.sampled_from((None, None, "newest", "another's")))
    def revoke(self, number: int, which: str | None) -> None:
        user_id, agent = self.user(number), self.agent(number)
        token = None if which is None else self.token(number, which)
        reply = self.operate(
            "account/session", {"user_id": user_id, "revoke": token or "all"}, agent
        )
        expected = self.model.revoke(agent, user_id, token, self.now)
        self.check_transfer(reply, expected, "revoke", f"{token} of {user_id}")

    @rule(number=players, ttl=st.sampled_from((None, 1, 3600, 10 * 86400)))
    def open_session(self, number: int, ttl: int | None) -> None:
        user_id, agent = self.user(number), self.agent(number)
        fields: dict[str, Any] = {"user_id": user_id}
        if ttl is not None:
            fields["ttl_seconds"] = ttl
        reply = self.operate("account/session", fields, agent)
        expected = self.model.session(agent, user_id, self.now)
        self.check_transfer(reply, expected, "session", user_id)
        if expected.code == 0:
            life = self.model.token_life if ttl is None else timedelta(seconds=ttl)
            token = reply.said["data"]["token"]
            self.keep(user_id, token, self.now + life, is_fixed=ttl is not None)

    @rule(
        number=mostly_first,
        changes=st.one_of(
            st.fixed_dictionaries({"status": st.sampled_from(("active", "active", "blocked"))}),
            st.fixed_dictionaries(
                {"excluded_until": st.sampled_from((None, None, -1, 1, 30, "ever"))}
            ),
            st.fixed_dictionaries(
                {"confirm": st.lists(st.sampled_from(LIMITS), min_size=1, max_size=2, unique=True)}
            ),
            st.just({"confirm": "what waits"}),
            st.fixed_dictionaries(
                {
                    "limits": st.dictionaries(
                        st.sampled_from(LIMITS),
                        st.sampled_from((None, None, "0", "5", "20", "40", "90", "12.345")),
                        min_size=1,
                        max_size=3,
                    )
                }
            ),
        ),
    )
    def administer(self, number: int, changes: dict[str, Any]) -> None:
        """Block, exclude (for so many hours) or limit a player; confirm a raise."""
        hours = changes.get("excluded_until")
        if hours == "ever":
            changes = {"excluded_until": FOREVER}
        elif hours is not None:
            changes = {"excluded_until": self.now + timedelta(hours=hours)}
        if changes.get("confirm") == "what waits":
            changes = {"confirm": list(self.model.players[self.user(number)].raises)}
            if not changes["confirm"]:
                return
        self.update(number, changes)

    def update(self, number: int, changes: dict[str, Any]) -> None:
        user_id, agent = self.user(number), self.agent(number)
        fields = {"user_id": user_id, **changes}
        until = changes.get("excluded_until")
        if until is not None:
            fields["excluded_until"] = "forever" if until == FOREVER else until.isoformat()
        reply = self.operate("account/update", fields, agent)
        expected = self.model.update(agent, user_id, changes, self.now)
        self.check_transfer(reply, expected, "update", f"{fields}")

    @rule(number=players, currency=st.sampled_from(("USD", "KRW", "EUR")), by=st.booleans())
    def init_again(self, number: int, currency: str, *, by: bool) -> None:
        self.init(list(AGENTS)[by], self.user(number), currency)

    @rule(which=st.integers(0, 5), agent=st.sampled_from(tuple(AGENTS)))
    def check_transaction(self, which: int, agent: str) -> None:
        transaction_id = f"{self.name}-t{which}"
        if which < len(self.paid):
            transaction_id = self.paid[which][2]["transaction_id"]
        said = self.operate("transaction/check", {"transaction_id": transaction_id}, agent).said
        status, first = self.model.check(agent, transaction_id)
        assert (said["code"], said["data"]["status"]) == (0, status)
        if first is not None:
            assert first.first is not None
            assert said["data"]["answer"] == Reply(200, first.first).said

    @rule(number=mostly_first, kind=st.sampled_from(("ALL", "END", "ING")))
    def history(self, number: int, kind: str) -> None:
        user_id, agent = self.user(number), self.agent(number)
        said = self.operate("history", {"type": kind, "user_id": user_id}, agent).said
        assert said["code"] == 0
        told = {
            (told["event_id"], told["streamer"]): (
                *(told["stakes"], told["wins"], told["returns"], told["net"]),
                told["type"],
            )
            for told in said["data"]["rounds"]
        }
        wanted = self.model.history(user_id, kind)
        scale = self.model.players[user_id].scale
        assert told == {
            key: (*(Decimal(value).scaleb(-scale) for value in values), ended)
            for key, (*values, ended) in wanted.items()
        }, f"history {kind} of {user_id}"

    @rule(number=mostly_first, limit=st.integers(1, 4))
    def statement(self, number: int, limit: int) -> None:
        user_id, agent = self.user(number), self.agent(number)
        asked, movements = {"user_id": user_id, "limit": limit}, []
        while True:
            said = self.operate("account/statement", asked, agent).said
            assert said["code"] == 0
            movements += said["data"]["movements"]
            if said["data"]["next_cursor"] is None:
                break
            asked = {**asked, "cursor": said["data"]["next_cursor"]}
        left = [(told["real_balance"], told["bonus_balance"]) for told in movements]
        found = [(told["real_before"], told["bonus_before"]) for told in movements]
        player = self.model.players[user_id]
        has = tuple(Decimal(each).scaleb(-player.scale) for each in (player.real, player.bonus))
        assert [has, *found] == [*left, (0, 0)], f"statement of {user_id}"

    def init(self, agent: str, user_id: str, currency: str) -> None:
        fields = {"user_id": user_id, "currency": currency, "nickname": "nick", "language": "en"}
        reply = self.operate("account/init", fields, agent)
        self.check_transfer(reply, self.model.init(agent, fields), "init", f"{fields}")

    def pay(self, number: int, operation: str, amount: str, agent: str | None = None) -> None:
        fields = {
            "user_id": self.user(number),
            "transaction_id": self.new_id(),
            "amount": amount,
        }
        if operation.startswith("bonus"):
            fields["reason"] = "a story"
        agent = agent or self.agent(number)
        self.paid.append((agent, operation, fields))
        if operation == "account/hold":
            self.held.append((agent, fields["transaction_id"]))
        self.send_money(agent, operation, fields)

    def send_money(self, agent: str, operation: str, fields: dict[str, str]) -> None:
        fields.setdefault("reason", "a story")
        reply = self.operate(operation, fields, agent)
        expected = self.model.money(agent, operation, fields, self.now)
        self.check_transfer(reply, expected, operation, f"{fields} by {agent}")

    def operate(self, operation: str, fields: Mapping[str, Any], agent: str) -> Reply:
        members = {
            "iat": int(self.now.timestamp()),
            "op": operation,
            "jti": f"{self.name}-j{next(self.request_ids)}",
            **fields,
        }
        return self.caller.operate(operation, members, agent, AGENTS[agent])

    def keep(
        self, user_id: str, token: str, expires_at: datetime, *, is_fixed: bool = False
    ) -> None:
        self.tokens[user_id].append(token)
        self.model.keep_token(user_id, token, expires_at, is_fixed=is_fixed)

    # --- what is compared -------------------------------------------------------------------------

    def check_callback(self, reply: Reply, expected: Expected, kind: str, story: str) -> None:
        self.houses.answers[f"{kind} {expected.code}"] += 1
        assert reply.status == 200, story
        assert reply.code == expected.code, f"{story}: {reply.body!r}, not {expected}"
        self.check_bytes(reply, expected, story)
        said = reply.said
        if expected.is_repeat_of is not None:
            return
        player = expected.player
        if player is None:
            assert "balance" not in said, f"{story}: {reply.body!r}"
            return
        shown = {"balance": player.balance}
        if "realBalance" in said:
            shown |= {"realBalance": player.real, "bonusBalance": player.bonus}
        self.check_amounts(said, shown, player, story)
        for name, value in (expected.data or {}).items():
            assert said[name] == value, story

    def check_transfer(self, reply: Reply, expected: Expected, kind: str, story: str) -> None:
        self.houses.answers[f"{kind} {expected.code}"] += 1
        said = reply.said
        assert said["code"] == expected.code, f"{story}: {reply.body!r}, not {expected}"
        assert reply.status == (202 if expected.code else 200), story
        self.check_bytes(reply, expected, story)
        player, data = expected.player, said["data"]
        if player is not None:
            names = ("balance", "real_balance", "bonus_balance")
            values = (player.balance, player.real, player.bonus)
            self.check_amounts(data, dict(zip(names, values, strict=True)), player, story)
        for name, value in (expected.data or {}).items():
            assert data[name] == (Decimal(str(value)) if name == "amount" else value), story

    @staticmethod
    def check_bytes(reply: Reply, expected: Expected, story: str) -> None:
        """Keep a first answer; hold a repeat to it."""
        if expected.is_first_of is not None:
            expected.is_first_of.first = reply.body
        if expected.is_repeat_of is not None:
            assert reply.body == expected.is_repeat_of.first, story

    @staticmethod
    def check_amounts(
        said: Mapping[str, Any], shown: Mapping[str, int], player: Player, story: str
    ) -> None:
        for name, amount in shown.items():
            wanted = Decimal(amount).scaleb(-player.scale)
            assert said[name] == wanted, f"{story}: {name} is {said[name]}, not {wanted}"

    def check_pockets(self, number: int) -> None:
        user_id, agent = self.user(number), self.agent(number)
        reply = self.operate("account/balance", {"user_id": user_id}, agent)
        self.check_transfer(reply, self.model.balance(agent, user_id), "balance", user_id)
