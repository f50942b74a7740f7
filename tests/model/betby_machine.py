"""The state machine with all three contracts: the same players also bet with Betby itself.

What Betby is answered is compared with the model, and then both pockets, by the transfer API.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from typing_extensions import override

from tests.model.betby import WholeModel
from tests.model.betby_caller import ALGORITHMS, signed
from tests.model.books import Operation, Slip
from tests.model.caller import Reply
from tests.model.contract import Expected
from tests.model.machine import SEATS, Choice, Houses, WalletMachine, known, mostly_first, tokens

UNITS = (5, 3, 5, 7, 0, 11, 1, 30, 5, 2)
"""Amounts in Betby's units, alike and small, as in the other contract's stories."""

SLIP_WHAT = (
    *("make", "make", "make", "free make", "no-risk make", "win", "win", "bonus win"),
    *("no-risk win", "lost", "refund", "refund", "rollback", "rollback", "rollback", "rollback"),
    *("rollback of any", "rollback of any", "discard", "discard too early", "discarded make"),
    *("again", "again", "other content", "note"),
)
"""what happens next to a bet of Betby's"""

slip_steps = st.tuples(st.sampled_from(SLIP_WHAT), known)
CURRENCIES = [currency for _, currency in SEATS]
OTHER_CONTENT = (
    *("amount", "bonus_id", "bonus_type", "bet_transaction_id", "parent_transaction_id"),
    *("is_snr_lost", "session_id", "method", "selections"),
)


class WholeMachine(WalletMachine):
    """Players whom every contract moves."""

    def __init__(self, houses: Houses) -> None:
        super().__init__(houses)
        self.calls: list[tuple[str, dict[str, Any], int]] = []
        self.early: list[tuple[str, int]] = []
        """ids that were discarded before their bet came, and whose bet it is"""

    @override
    def serve(self, choice: Choice) -> None:
        self.caller = self.houses.callers[choice]
        self.model = self.whole = WholeModel(**choice._asdict())

    # --- what happens ---------------------------------------------------------------------------

    @rule(number=mostly_first, steps=st.lists(slip_steps, min_size=2, max_size=9))
    def slip_story(self, number: int, steps: list[tuple[str, int]]) -> None:
        """Bet, settle and undo with Betby, with a live session: where the rules are."""
        for what, which in steps:
            self.slip_step(number, what, which)

    @rule(
        number=mostly_first,
        amount=st.sampled_from((0, 5, 500, 10**19, 99_999_999_999_999_999_999)),
        token=tokens,
        bonus=st.sampled_from((None, None, "comboboost", "freebet_refund", "odd")),
        currency=st.sampled_from((None, None, None, "THB", "XXX")),
        by=st.sampled_from((True, True, True, False)),
    )
    def slip_bet(
        self,
        number: int,
        amount: int,
        token: str,
        bonus: str | None,
        currency: str | None,
        *,
        by: bool,
    ) -> None:
        """Bet any amount under any session."""
        changes: dict[str, Any] = {"session_id": self.token(number, token)}
        changes |= {} if bonus is None else {"bonus_type": bonus, "bonus_id": "7"}
        changes |= {} if currency is None else {"currency": currency}
        changes |= {} if by else {"player_id": "nobody", "transaction": {"id": self.new_id()}}
        self.make(number, amount, **changes)

    @rule(
        which=known,
        method=st.sampled_from(("win", "lost", "refund", "rollback", "commit", "settlement")),
        named=st.sampled_from(("nothing", "operation", "0-1", "999999999-1")),
    )
    def names_no_bet(self, which: int, method: str, named: str) -> None:
        """Name no bet, or an operation where a bet is meant."""
        operations = [
            our_id for our_id, made in self.whole.by_our_id.items() if isinstance(made, Operation)
        ]
        named = (
            operations[which % len(operations)] if named == "operation" and operations else named
        )
        payload = {
            "bet_transaction_id": named,
            "parent_transaction_id": named,
            "amount": 0,
            "currency": "USD",
            "status": "lost",
            "transaction": {"id": self.new_id()},
        }
        self.call(method, payload, 0)

    def slip_step(self, number: int, what: str, which: int) -> None:
        """Move on with one of the latest bets of a player."""
        player = self.model.players[self.user(number)]
        if self.model.tokens[self.tokens[player.user_id][-1]][1] <= self.now:
            self.open_session(number, ttl=100 * 86400)
        slips = [slip for slip in player.slips[-3:] if slip.our_id]
        slip = slips[-1 - which % len(slips)] if slips else None
        amount = UNITS[which]
        match what:
            case "make":
                self.make(number, amount)
            case "free make":
                kind = ("freebet_refund", "freebet_freemoney", "snr")[which % 3]
                self.make(number, amount, bonus_type=kind, bonus_id="7")
            case "no-risk make":
                self.make(number, amount, bonus_type="no_risk", bonus_id="7")
            case "discarded make" if self.early:
                transaction_id, owner = self.early[-1 - which % len(self.early)]
                named = {"id": transaction_id}
                self.make(owner, amount, transaction=named)
            case "discard too early":
                self.early.append((self.new_id(), number))
                self.discard(number, self.early[-1][0])
            case "again" if self.calls:
                self.call(*self.calls[-1 - which % len(self.calls)])
            case "other content" if self.calls:
                self.other_content(which)
            case "discarded make" | "again" | "other content":
                pass
            case _ if slip is not None:
                self.act_on(slip, number, what, which)
            case _:
                pass

    def act_on(self, slip: Slip, number: int, what: str, which: int) -> None:
        """Settle a bet, give it back, undo something, or note something about it."""
        bet = {"bet_transaction_id": slip.our_id}
        money = {"amount": UNITS[which], "currency": slip.player.currency, "selections": []}
        transaction = {"transaction": {"id": self.new_id(), "operation": what}}
        settled = {**bet, **money, **transaction}
        match what:
            case "win":
                self.call("win", {**settled, "is_cashout": which > 5}, number)
            case "bonus win":
                self.call("win", {**settled, "bonus_id": "7", "bonus_type": "snr"}, number)
            case "no-risk win":
                self.call("win", {**settled, "is_snr_lost": True}, number)
            case "lost":
                self.call("lost", {**settled, "amount": 0}, number)
            case "refund":
                self.call("refund", {**bet, **transaction, "reason": "canceled"}, number)
            case "rollback" | "rollback of any":
                told = [one.our_id for one in slip.operations if one.our_id is not None]
                if told:
                    last = which % 2 if what == "rollback" else which
                    parent = told[-1 - last % len(told)]
                    names = {**bet, "parent_transaction_id": parent}
                    self.call("rollback", {**names, **transaction}, number)
            case "discard":
                self.discard(number, slip.bet.transaction_id)
            case _:
                status = ("won", "lost", "canceled", "odd")[which % 4]
                method = "commit" if which > 6 else "settlement"
                self.call(method, {**bet, "status": status}, number)

    def make(self, number: int, amount: int, **changes: Any) -> None:  # noqa: ANN401 - any JSON
        user_id = self.user(number)
        payload = {
            "amount": amount,
            "currency": CURRENCIES[number],
            "player_id": user_id,
            "session_id": self.token(number, "newest"),
            "transaction": {"id": self.new_id(), "ext_player_id": user_id, "operation": "bet"},
            "betslip": {"id": "2500", "type": "1/1", "sum": amount, "bets": []},
            **changes,
        }
        self.call("make", payload, number)

    def discard(self, number: int, transaction_id: str) -> None:
        payload = {"ext_player_id": self.user(number), "transaction_id": transaction_id}
        self.call("discard", {**payload, "reason": "x"}, number)

    def other_content(self, which: int) -> None:
        """Call again under the same id with one thing changed, if the call has that."""
        method, payload, number = self.calls[-1 - which % len(self.calls)]
        name = OTHER_CONTENT[which % len(OTHER_CONTENT)]
        if name == "method" and method in {"win", "refund", "lost"}:
            method = {"win": "refund", "refund": "lost", "lost": "win"}[method]
            payload = {**payload, "amount": 0, "currency": CURRENCIES[number]}
        elif name in {"bet_transaction_id", "parent_transaction_id"} and name in payload:
            ours = list(self.whole.by_our_id) or ["nothing"]
            payload = {**payload, name: ours[-1 - which % 3 :][0]}
        elif name == "amount" and name in payload:
            payload = {**payload, name: payload[name] + 1}
        elif name == "is_snr_lost" and method == "win":
            payload = {**payload, name: not payload.get(name)}
        elif name in {"bonus_id", "bonus_type"}:
            payload = {**payload, name: "comboboost"}
        elif name in {"session_id", "selections"}:
            payload = {**payload, name: "something else"}
        self.call(method, payload, number)

    # --- what is compared -------------------------------------------------------------------------

    def call(self, method: str, payload: dict[str, Any], number: int) -> None:
        """Call the service and ask the model; they must agree, and so must both pockets."""
        self.calls.append((method, payload, number))
        algorithm = ALGORITHMS[len(self.calls) % len(ALGORITHMS)]
        reply = self.caller.betby(method, signed(payload, self.now, algorithm))
        expected = self.whole.betby(method, payload, self.now)
        self.check_betby(reply, expected, method, f"{method} {payload} at {self.now}")
        self.check_pockets(number)

    def check_betby(self, reply: Reply, expected: Expected, method: str, story: str) -> None:
        self.houses.answers[f"{method} {expected.code}"] += 1
        said, differs = reply.said, f"{story}: {reply.body!r}, not {expected}"
        assert said.get("code", 0) == expected.code, differs
        assert reply.status == (400 if expected.code else 200), differs
        told = expected.is_repeat_of
        if told is not None and told.first is None:
            # A discard gave this bet back and was not told how; whoever asks now is the first.
            assert_members(said, told.content, differs)
            told.first = reply.body
            self.whole.learn(told, str(said["id"]))
        self.check_bytes(reply, expected, differs)
        if expected.data is not None:
            assert_members(said, expected.data, differs)
        if expected.is_first_of is not None and "id" in said:
            self.whole.learn(expected.is_first_of, str(said["id"]))


def assert_members(said: Mapping[str, Any], members: Mapping[str, Any], differs: str) -> None:
    """The members must be these, with our id beside them."""
    assert {name: value for name, value in said.items() if name != "id"} == members, differs
