"""Another wallet's traffic is decided again, and each kind of mistake of it is named."""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path

import pytest

from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.startup_checks import check_startup
from app.composition.shadow import shadowing
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.takeover.comparing import Cause, Comparison, Difference
from app.takeover.shadow import (
    NoShadowError,
    TrafficClock,
    begin_shadow,
    require_shadow,
    shadow,
)
from app.takeover.traffic import look_through, read_exchange
from app.wallet.facts import Policy
from tests.cashier.till import Till
from tests.conftest import Database, in_buckets
from tests.takeover.conftest import Bring, player, token
from tests.takeover.other_wallet import KEY, OtherWallet

Compare = Callable[[OtherWallet], Coroutine[object, object, tuple[Comparison, list[Difference]]]]

PLAYERS = ("anna", "bora", "chen")


def played(*mistakes: str, at: dict[str, str] | None = None) -> OtherWallet:
    """A story that every mistake changes something of."""
    other = OtherWallet(frozenset(mistakes))
    for user_id in PLAYERS:
        other.balances[user_id] = Decimal((at or {}).get(user_id, "100.00"))
    for user_id in PLAYERS:
        other.ask(user_id, "BetPlacing", "10.00", f"{user_id}-1", f"{user_id}-b1")
        other.ask(user_id, "BetPlacing", "10.00", f"{user_id}-1", f"{user_id}-b1")
        other.ask(user_id, "Win", "25.55", f"{user_id}-1", f"{user_id}-w1")
        other.ask(user_id, "BetPlacing", "7.00", f"{user_id}-2", f"{user_id}-b2")
        other.ask(user_id, "BetPlacingAbort", "7.00", f"{user_id}-2", f"{user_id}-a2")
        other.ask(user_id, "BetPlacing", "5000.00", f"{user_id}-3", f"{user_id}-b3")
        other.ask(user_id, "Win", "1.00", f"{user_id}-4", f"{user_id}-w4")
        other.ask(user_id, "BetPlacing", "3.00", f"{user_id}-5", f"{user_id}-b5")
    return other


@pytest.fixture
async def compare(db: Database, bring: Bring, tmp_path: Path) -> Compare:
    """Compare a wallet's traffic on a marked ledger, in which everybody has 100."""
    await begin_shadow(db.service_url, "olga")
    everybody = [player(name) for name in PLAYERS]
    await bring(*everybody, *(token(f"t-{name}", name) for name in PLAYERS))

    async def run(other: OtherWallet) -> tuple[Comparison, list[Difference]]:
        path = other.written(tmp_path / "traffic.jsonl")
        settings = Settings(callback_keys=(KEY,))
        told: list[Difference] = []
        clock = TrafficClock()
        await require_shadow(db.service_url)
        assert look_through(path).bad == []
        async with shadowing(settings, db.service_url, clock) as deciding:
            done = await shadow(path, deciding, clock, told.append, lambda _done: None)
        return done, told

    return run


@in_buckets
async def test_a_wallet_that_is_right_has_no_difference(compare: Compare) -> None:
    done, told = await compare(played())
    assert told == []
    assert (done.compared, done.differences) == (24, 0)


@pytest.mark.parametrize(
    ("mistake", "cause", "per_player"),
    [
        ("charges repeats", Cause.REPEAT_ACCEPTED, 1),
        ("moves money of repeats", Cause.REPEAT_MOVED_MONEY, 1),
        ("forgets aborts", Cause.MOVED_NOTHING_THERE, 1),
        ("pays twice", Cause.MOVED_TWICE, 1),
        ("rounds", Cause.ROUNDED, 1),
        ("lends", Cause.REFUSED_HERE, 1),
        ("breaks", Cause.OTHER_STATUS, 5),
    ],
)
async def test_each_mistake_is_found_once_a_player_and_named(
    compare: Compare, mistake: str, cause: Cause, per_player: int
) -> None:
    done, told = await compare(played(mistake))
    assert {difference.cause for difference in told} == {cause}
    assert {difference.user_id for difference in told} == set(PLAYERS)
    assert len(told) == per_player * len(PLAYERS)
    assert done.players_apart == set(PLAYERS)


async def test_a_balance_that_differs_at_the_start_is_told_once_a_player(
    compare: Compare,
) -> None:
    done, told = await compare(played(at={"anna": "250.00", "bora": "99.99"}))
    assert [(d.user_id, d.cause, d.line) for d in told] == [
        ("anna", Cause.STARTED_APART, 1),
        ("bora", Cause.ROUNDED, 9),
    ]
    assert done.compared == 24


async def test_a_session_that_began_since_is_the_other_wallets_to_judge(
    compare: Compare, till: Till
) -> None:
    """Its token is in no file: it came with a launch that the game side does not see."""
    other = played()
    await till.rows("DELETE FROM sessions")
    done, told = await compare(other)
    assert (told, done.differences) == ([], 0)


async def test_the_requests_time_is_the_ledgers(compare: Compare, till: Till) -> None:
    await compare(played())
    ((first, last),) = await till.rows(
        "SELECT min(ledger_time)::text, max(ledger_time)::text FROM movements"
        " WHERE source = 'callback'"
    )
    assert (first[:16], last[:16]) == ("2026-11-27 03:00", "2026-11-27 03:00")


async def test_a_ledger_with_players_is_never_made_a_shadow(till: Till, db: Database) -> None:
    await till.player("anna")
    with pytest.raises(NoShadowError, match="may answer for money"):
        await begin_shadow(db.service_url, "olga")
    with pytest.raises(NoShadowError, match="wallet shadow --begin"):
        await require_shadow(db.service_url)


async def test_the_composition_refuses_a_ledger_that_answers(db: Database) -> None:
    """Even if the console did not ask."""
    settings = Settings(callback_keys=(KEY,))
    with pytest.raises(LedgerUnfitError, match="answers for money"):
        async with shadowing(settings, db.service_url, TrafficClock()):
            pass


async def test_a_shadow_is_not_served(db: Database) -> None:
    await begin_shadow(db.service_url, "olga")
    ledger = PlacedLedger(db.service_url)
    try:
        with pytest.raises(LedgerUnfitError, match="wallet shadow"):
            await check_startup(ledger, PolicyInForce(Policy()), require_durability=False)
    finally:
        await ledger.close()


@pytest.mark.parametrize("path", ["//[", "/moveFunds?userId=[a&amount=1", "/%zz//?#"])
def test_a_path_that_is_no_address_is_read_as_it_was_sent(path: str) -> None:
    line = json.dumps({"method": "GET", "path": path, "status": 404, "answer": ""})
    exchange = read_exchange(1, line)
    assert exchange.fields.get("userId") == ("[a" if "userId" in path else None)


BAD: list[tuple[object, str]] = [
    ("{", "is no JSON object"),
    ([], "is no JSON object"),
    ({"method": "PUT"}, "must have method, one of GET, POST"),
    ({"path": "moveFunds"}, "must have path, such as /moveFunds"),
    ({"status": "200"}, "must have status, the HTTP status of the answer"),
    ({"at": "noon"}, "must have at as a moment such as"),
    ({"headers": ["x"]}, "must have headers as an object of names and texts"),
    ({"headers": {"A": "b\r\nC: d"}}, "must have headers as an object of names and texts"),
    ({"body": {}}, "must have body as a text"),
    ({"answer": "\ud800"}, "has half a character in answer"),
    ({"note": 1}, "has note, which an exchange does not have"),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=str)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, change: object, words: str) -> None:
    whole = {"method": "POST", "path": "/moveFunds", "status": 200, "answer": "{}"}
    line = json.dumps(whole | change) if isinstance(change, dict) else change
    path = tmp_path / "traffic.jsonl"
    text = line if isinstance(line, str) else json.dumps(line)
    path.write_text(json.dumps(whole) + "\n" + text + "\n", encoding="utf-8")
    found = look_through(path)
    assert (found.exchanges, found.bad_count) == (1, 1)
    ((number, said),) = found.bad
    assert (number, said[: len(words)]) == (2, words)
