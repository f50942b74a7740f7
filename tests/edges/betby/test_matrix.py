"""Each method by each refusal, repeated, with other content, late, and before what it names.

Every row is a call over real HTTP with a real JWT. A refusal leaves the balance as it was; one that
is for ever is heard again when its reason is gone, and any other leaves the id free.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.wallet.alarms import Alarm
from tests.edges.betby.bookmaker import (
    Bookmaker,
    Json,
    Told,
    making,
    refunding,
    rolling_back,
    winning,
)
from tests.edges.callback.house import Seat

METHODS = ("make", "commit", "win", "lost", "refund", "rollback", "discard", "settlement")
MOVING = ("make", "win", "lost", "refund", "rollback")
"""Those with an id and an answer of their own."""
OF_A_BET = ("commit", "win", "lost", "refund", "rollback", "settlement")


@pytest.fixture(scope="module", autouse=True)
def _audited(betby: Bookmaker) -> Iterator[None]:
    yield
    assert betby.audit() == []


class Alarms:
    """The alarms that were raised since they were last asked for."""

    def __init__(self, logged: list[EventDict]) -> None:
        self._logged = logged

    def raised(self) -> list[tuple[str, str | None]]:
        """Which alarms, and the field that each names."""
        lines = [line for line in self._logged if line["event"] == "alarm"]
        self._logged.clear()
        return [(line["alarm"], line.get("differs")) for line in lines]


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    with capture_logs() as logged:
        yield Alarms(logged)


@dataclass
class Table:
    """A player with a bet of 10.00 that was won with 5.00, and Betby's calls about it."""

    betby: Bookmaker
    seat: Seat
    made: Json
    bet: Told
    won: Told

    @classmethod
    def laid(cls, betby: Bookmaker) -> "Table":
        seat = betby.seat("100.00")
        made = making(seat)
        bet = betby.call("make", made)
        return cls(betby, seat, made, bet, betby.win(bet, 500))

    def call(self, method: str) -> Json:
        """A call of this method, under an id of its own, that nothing speaks against."""
        match method:
            case "make":
                return making(self.seat)
            case "win":
                return winning(self.bet.id, 700)
            case "lost":
                return winning(self.bet.id, 0)
            case "refund":
                return refunding(self.bet.id)
            case "rollback":
                return rolling_back(self.bet.id, self.won.id)
            case "discard":
                transaction_id = self.made["transaction"]["id"]
                return {"ext_player_id": self.seat.user_id, "transaction_id": transaction_id}
            case "settlement":
                return {"bet_transaction_id": self.bet.id, "status": "won"}
            case _:
                return {"bet_transaction_id": self.bet.id}

    @property
    def balance(self) -> str:
        return self.betby.balance(self.seat)


# --- what is wrong with a call itself ------------------------------------------------------------


class Fault(NamedTuple):
    """What is changed in a call, in which methods, and the code that follows."""

    methods: tuple[str, ...]
    changes: Json
    code: int


MISSING = None
FAULTS = {
    "no such player": Fault(("make",), {"player_id": "nobody"}, 2004),
    "no such player at all": Fault(
        ("make",), {"player_id": "nobody", "transaction": {"id": "tx"}}, 1006
    ),
    "no player": Fault(("make",), {"player_id": MISSING}, 2004),
    "no session": Fault(("make",), {"session_id": MISSING}, 2004),
    "unknown session": Fault(("make",), {"session_id": "unknown"}, 1007),
    "endless session": Fault(("make",), {"session_id": "x" * 251}, 2004),
    "odd bonus": Fault(("make",), {"bonus_type": "odd"}, 3001),
    "bonus of another form": Fault(("make",), {"bonus_type": ["snr"]}, 2004),
    "currency of others": Fault(("make", "win", "lost"), {"currency": "THB"}, 2002),
    "currency of nobody": Fault(("make", "win", "lost"), {"currency": "XXX"}, 2002),
    "no currency": Fault(("make", "win", "lost"), {"currency": MISSING}, 2004),
    "no amount": Fault(("make", "win", "lost"), {"amount": MISSING}, 2004),
    "negative amount": Fault(("make", "win", "lost"), {"amount": -1}, 2004),
    "amount in parts": Fault(("make", "win", "lost"), {"amount": 1.5}, 2004),
    "amount with an exponent": Fault(("make", "win", "lost"), {"amount": 1e30}, 2004),
    "amount as a text": Fault(("make", "win", "lost"), {"amount": "0"}, 2004),
    "amount that is true": Fault(("make", "win", "lost"), {"amount": True}, 2004),
    "amount of 31 digits": Fault(("make", "win"), {"amount": 10**30}, 2004),
    "amount of 21 digits": Fault(("make", "win"), {"amount": 10**20}, 2004),
    "amount beyond the balance's digits": Fault(("win",), {"amount": 10**20 - 1}, 2004),
    "a lost of money": Fault(("lost",), {"amount": 1}, 2004),
    "odd flag": Fault(("win",), {"is_snr_lost": "true"}, 2004),
    "no transaction": Fault(MOVING, {"transaction": MISSING}, 2004),
    "transaction of another form": Fault(MOVING, {"transaction": "8000"}, 2004),
    "no id": Fault(MOVING, {"transaction": {}}, 2004),
    "empty id": Fault(MOVING, {"transaction": {"id": ""}}, 2004),
    "id of another form": Fault(MOVING, {"transaction": {"id": ["a"]}}, 2004),
    "endless id": Fault(MOVING, {"transaction": {"id": "x" * 245}}, 2004),
    "id with a control character": Fault(MOVING, {"transaction": {"id": "a\tb"}}, 2004),
    "player of another name": Fault(
        ("make",), {"transaction": {"id": "tx", "ext_player_id": "another"}}, 2004
    ),
    "bet of another player": Fault(
        ("win", "lost", "refund", "rollback"),
        {"transaction": {"id": "tx", "ext_player_id": "another"}},
        2003,
    ),
    "no bet": Fault(OF_A_BET, {"bet_transaction_id": MISSING}, 2004),
    "bet of another form": Fault(OF_A_BET, {"bet_transaction_id": {}}, 2004),
    "no id of ours": Fault(OF_A_BET, {"bet_transaction_id": "8000"}, 2003),
    "no bet of ours": Fault(OF_A_BET, {"bet_transaction_id": "999999-1"}, 2003),
    "no operation": Fault(("rollback",), {"parent_transaction_id": MISSING}, 2004),
    "no operation of ours": Fault(("rollback",), {"parent_transaction_id": "8000"}, 2003),
    "operation of another player": Fault(
        ("rollback",), {"parent_transaction_id": "999999-2"}, 2003
    ),
    "unknown player": Fault(("discard",), {"ext_player_id": "nobody"}, 1006),
    "no player named": Fault(("discard",), {"ext_player_id": MISSING}, 2004),
    "nothing to discard": Fault(("discard",), {"transaction_id": MISSING}, 2004),
    "endless id to discard": Fault(("discard",), {"transaction_id": "x" * 245}, 2004),
    "no status": Fault(("settlement",), {"status": MISSING}, 2004),
    "odd status": Fault(("settlement",), {"status": "odd"}, 2004),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_refused_moves_nothing_and_leaves_the_id_free(
    betby: Bookmaker, name: str
) -> None:
    fault = FAULTS[name]
    for method in fault.methods:
        table = Table.laid(betby)
        right = table.call(method)
        changes = dict(fault.changes)
        if isinstance(changes.get("transaction"), dict) and "tx" in changes["transaction"].values():
            changes["transaction"] = {**changes["transaction"], "id": right["transaction"]["id"]}
        before = table.balance
        told = betby.call(method, {**right, **changes})
        assert (told.status, told.code) == (400, fault.code), (method, told)
        assert set(told.said) == {"code", "message"}
        assert table.balance == before
        assert betby.call(method, right).status == 200, method


# --- refusals of a bet ---------------------------------------------------------------------------

Reason = Callable[[Bookmaker, Seat], None]


def take_the_money(betby: Bookmaker, seat: Seat) -> None:
    """Leave less than a bet costs."""
    there = int(betby.balance(seat).replace(".", ""))
    assert betby.make(seat, there - 500).balance == 500


def give_money(betby: Bookmaker, seat: Seat) -> None:
    betby.house.deposit(seat, "500.00")


def block(betby: Bookmaker, seat: Seat) -> None:
    betby.house.block(seat)


def unblock(betby: Bookmaker, seat: Seat) -> None:
    betby.house.sql(
        "UPDATE wallets SET blocked = false, revision = revision + 1 FROM players p"
        " WHERE p.player_id = wallets.player_id AND user_id = $1",
        seat.user_id,
    )


def limit(betby: Bookmaker, seat: Seat) -> None:
    betby.house.limit(seat, "stake_bet", 999)


def lift(betby: Bookmaker, seat: Seat) -> None:
    betby.house.limit(seat, "stake_bet", 10**6)


def expire(betby: Bookmaker, seat: Seat) -> None:
    betby.house.sql(
        "UPDATE sessions SET expires_at = now() - interval '30 days' FROM players p"
        " WHERE p.player_id = sessions.player_id AND p.user_id = $1",
        seat.user_id,
    )


def renew(betby: Bookmaker, seat: Seat) -> None:
    betby.house.sql(
        "UPDATE sessions SET expires_at = now() + interval '1 day' FROM players p"
        " WHERE p.player_id = sessions.player_id AND p.user_id = $1",
        seat.user_id,
    )


REASONS: dict[int, tuple[Reason, Reason, bool]] = {
    2001: (take_the_money, give_money, True),
    1005: (block, unblock, True),
    4001: (limit, lift, True),
    1007: (expire, renew, False),
}
"""Why a bet is refused, how that ends, and whether the refusal is for ever."""


@pytest.mark.parametrize("code", REASONS)
def test_a_bet_is_refused_and_its_id_hears_for_ever_what_is_for_ever(
    betby: Bookmaker, code: int
) -> None:
    begins, ends, is_for_ever = REASONS[code]
    table = Table.laid(betby)
    begins(betby, table.seat)
    before, payload = table.balance, table.call("make")
    first = betby.call("make", payload)
    assert (first.status, first.code, table.balance) == (400, code, before)
    assert betby.call("make", payload) == first
    ends(betby, table.seat)
    again = betby.call("make", payload)
    assert again == first if is_for_ever else again.status == 200
    assert betby.call("make", table.call("make")).status == 200


@pytest.mark.parametrize("code", [code for code, (*_, for_ever) in REASONS.items() if for_ever])
@pytest.mark.parametrize(
    "changes", [{"amount": 1001}, {"bonus_type": "comboboost"}, {"bonus_id": "7"}]
)
def test_a_refused_bets_id_with_other_content_is_another_refusal(
    betby: Bookmaker, code: int, changes: Json
) -> None:
    begins, ends, _ = REASONS[code]
    table = Table.laid(betby)
    begins(betby, table.seat)
    payload = table.call("make")
    assert betby.call("make", payload).code == code
    ends(betby, table.seat)
    assert betby.call("make", {**payload, **changes}).code == 2004
    assert betby.call("make", payload).code == code


@pytest.mark.parametrize("code", REASONS)
@pytest.mark.parametrize("method", [method for method in METHODS if method != "make"])
def test_nothing_but_a_bet_is_refused_for_money_limits_blocks_and_sessions(
    betby: Bookmaker, method: str, code: int
) -> None:
    table = Table.laid(betby)
    REASONS[code][0](betby, table.seat)
    assert betby.call(method, table.call(method)).status == 200


def test_refusals_of_one_bet_come_in_the_contracts_order(betby: Bookmaker) -> None:
    """Session, block, limit, money: the first that holds is told, and only the first for ever."""
    table = Table.laid(betby)
    for reason in (take_the_money, limit, block, expire):
        reason(betby, table.seat)
    told = []
    for ends in (None, renew, unblock, lift, give_money):
        if ends is not None:
            ends(betby, table.seat)
        told.append(betby.call("make", table.call("make")).code)
    assert told == [1007, 1005, 4001, 2001, 0]


# --- repeats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_repeat_hears_the_first_answer_whatever_has_happened_since(
    betby: Bookmaker, method: str
) -> None:
    table = Table.laid(betby)
    payload = table.call(method)
    first = betby.call(method, payload)
    assert first.status == 200
    take_the_money(betby, table.seat)
    block(betby, table.seat)
    expire(betby, table.seat)
    before = table.balance
    for _ in range(2):
        assert betby.call(method, payload) == first
    assert table.balance == before


OTHER_CONTENT = [
    *((method, "currency", code) for method in ("make", "win", "lost") for code in ("THB", "XXX")),
    *(("make", "amount", 1001), ("make", "bonus_id", "7"), ("make", "bonus_type", "snr")),
    *(("make", "bonus_type", "freebet_refund"), ("win", "amount", 701), ("win", "amount", 0)),
    *(("win", "bonus_id", "7"), ("win", "bonus_type", "snr"), ("win", "is_snr_lost", True)),
    *(("win", "bet_transaction_id", None), ("lost", "bet_transaction_id", None)),
    *(("refund", "bet_transaction_id", None), ("rollback", "parent_transaction_id", None)),
]


@pytest.mark.parametrize(("method", "name", "value"), OTHER_CONTENT)
def test_other_content_is_refused_with_an_alarm_and_the_first_stays(
    betby: Bookmaker, alarms: Alarms, method: str, name: str, value: object
) -> None:
    table = Table.laid(betby)
    other_bet, other_win = betby.make(table.seat), betby.win(table.bet, 100)
    payload = table.call(method)
    first = betby.call(method, payload)
    if value is None:
        value = other_bet.id if name == "bet_transaction_id" else other_win.id
    before = table.balance
    alarms.raised()
    assert betby.call(method, {**payload, name: value}).code == 2004
    # A payment of another kind is another operation.
    of_kind = (Alarm.CREDIT_UNDER_A_USED_ID, "transaction.operation")
    expected = of_kind if name == "is_snr_lost" else (Alarm.OTHER_CONTENT, name)
    if value == "freebet_refund":
        # By its kind nothing would move.
        expected = (Alarm.OTHER_CONTENT, "amount")
    assert alarms.raised() == [expected]
    assert betby.call(method, payload) == first
    assert table.balance == before


def test_an_id_that_found_nothing_left_to_undo_is_of_what_it_named(betby: Bookmaker) -> None:
    table = Table.laid(betby)
    other = betby.win(table.bet, 500)
    done = betby.rollback(table.bet, table.won)
    without_effect = table.call("rollback")
    assert betby.call("rollback", without_effect) == done
    before = table.balance
    changed = {**without_effect, "parent_transaction_id": other.id}
    assert betby.call("rollback", changed).code == 2004
    refund = {**table.call("refund"), "transaction": without_effect["transaction"]}
    assert betby.call("refund", refund).code == 2004
    assert (betby.call("rollback", without_effect), table.balance) == (done, before)


SAME_CONTENT: dict[str, Json] = {
    "make": {"session_id": "gone", "betslip": {}, "potential_win": 1, "note": 1},
    "win": {"is_cashout": True, "selections": [1], "odds": "2.00", "comboboost_multiplier": 1},
    "lost": {"selections": [1]},
    "refund": {"reason": "another", "reason_code": 4, "bonus_id": "7"},
    "rollback": {"reason": "another"},
    "discard": {"reason": "another", "amount": 1},
    "settlement": {"note": 1},
    "commit": {"note": 1},
}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_only_kept_may_differ_in_a_repeat(betby: Bookmaker, method: str) -> None:
    table = Table.laid(betby)
    payload = table.call(method)
    first = betby.call(method, payload)
    assert betby.call(method, {**payload, **SAME_CONTENT[method]}) == first


@pytest.mark.parametrize("second", [*MOVING, "discard"])
@pytest.mark.parametrize("first", MOVING)
def test_an_id_names_one_operation_of_one_kind(betby: Bookmaker, first: str, second: str) -> None:
    table = Table.laid(betby)
    used = table.call(first)
    told = betby.call(first, used)
    assert told.status == 200
    before, transaction_id = table.balance, used["transaction"]["id"]
    payload = table.call(second)
    if second == "discard":
        payload["transaction_id"] = transaction_id
    else:
        payload["transaction"] = {**payload["transaction"], "id": transaction_id}
    code = betby.call(second, payload).code
    if (first, second) == ("make", "discard"):
        assert code == 0
        return
    assert code == (0 if first == second else 2004)
    assert table.balance == before
    assert betby.call(first, used) == told


@pytest.mark.parametrize("method", MOVING)
def test_nothing_but_its_bet_has_the_id_of_a_discard_that_came_first(
    betby: Bookmaker, method: str
) -> None:
    table = Table.laid(betby)
    payload = table.call(method)
    assert betby.discard(table.seat, payload["transaction"]["id"]) == Told(200, {})
    before = table.balance
    told = betby.call(method, payload)
    assert (told.status, told.code, table.balance) == (400, 2004, before)
    assert betby.discard(table.seat, payload["transaction"]["id"]) == Told(200, {})


# --- late, and early -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", [method for method in METHODS if method != "make"])
def test_what_comes_a_month_late_is_done(betby: Bookmaker, method: str) -> None:
    table = Table.laid(betby)
    expire(betby, table.seat)
    block(betby, table.seat)
    assert betby.call(method, table.call(method)).status == 200


@pytest.mark.parametrize("method", OF_A_BET)
def test_what_comes_before_its_bet_is_refused_for_now(
    betby: Bookmaker, alarms: Alarms, method: str
) -> None:
    table = Table.laid(betby)
    player_id, _, position = table.won.id.partition("-")
    coming = f"{player_id}-{int(position) + 1}"
    payload = {**table.call(method), "bet_transaction_id": coming}
    assert betby.call(method, payload).code == 2003
    # Somebody expects money that did not come.
    expected = [(Alarm.CREDIT_WITHOUT_MATCH, None)] if method in {"win", "lost", "refund"} else []
    assert alarms.raised() == expected
    bet = betby.make(table.seat)
    assert bet.id == coming
    if method == "rollback":
        payload["parent_transaction_id"] = betby.win(bet, 100).id
    assert betby.call(method, payload).status == 200


def test_a_rollback_before_what_it_undoes_is_refused_for_now(betby: Bookmaker) -> None:
    table = Table.laid(betby)
    player_id, _, position = table.won.id.partition("-")
    payload = rolling_back(table.bet.id, f"{player_id}-{int(position) + 1}")
    assert betby.call("rollback", payload).code == 2003
    late = betby.win(table.bet, 700)
    assert late.id == payload["parent_transaction_id"]
    assert betby.call("rollback", payload).balance == late.balance - 700


def test_an_operation_at_the_same_place_of_another_player_is_no_parent(betby: Bookmaker) -> None:
    table = Table.laid(betby)
    other = betby.make(betby.seat())
    place = f"{other.id.partition('-')[0]}-{table.won.id.partition('-')[2]}"
    assert betby.call("rollback", rolling_back(table.bet.id, place)).code == 2003
    assert table.balance == "95.00"


@pytest.mark.parametrize("undone", ["make", "discard", "commit"])
def test_what_cannot_be_rolled_back_is_no_parent(betby: Bookmaker, undone: str) -> None:
    table = Table.laid(betby)
    parent = table.bet.id
    if undone == "discard":
        betby.call("discard", table.call("discard"))
        told = betby.refund(table.bet)
        # A refund hears how the discard gave the bet back, as of any bet.
        assert told.said["parent_transaction_id"] == table.bet.id
        assert (told.said["operation"], told.said["amount"]) == ("refund", 1000)
        parent = told.id
    if undone == "commit":
        deposited = betby.house.sql(
            "SELECT min(position) AS position FROM movements m JOIN players p USING (player_id)"
            " WHERE p.user_id = $1",
            table.seat.user_id,
        )
        parent = f"{table.bet.id.partition('-')[0]}-{deposited[0]['position']}"
    assert betby.call("rollback", rolling_back(table.bet.id, parent)).code == 2003


def test_a_settlement_that_comes_again_or_changes_its_word_is_noted_once_each(
    betby: Bookmaker,
) -> None:
    table = Table.laid(betby)
    for status in ("lost", "lost", "won", "lost", "refund"):
        assert (
            betby.call("settlement", {**table.call("settlement"), "status": status}).status == 200
        )
    rows = betby.house.sql(
        "SELECT status, differs FROM betby_notes n JOIN players p USING (player_id)"
        " WHERE p.user_id = $1 ORDER BY noted_at",
        table.seat.user_id,
    )
    assert [tuple(row) for row in rows] == [
        ("lost", "a payment stands"),
        ("won", None),
        ("refund", "the stake was not given back"),
    ]
