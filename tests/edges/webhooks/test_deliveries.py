"""Webhooks: every event once at least, a player's in order, whatever the receiver does."""

import asyncio
import functools
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.cashier import deliveries
from app.cashier.deliveries import Standing
from app.cashier.event_log import number, page_after
from app.cashier.restored import Accepted, Marked, mark
from app.edges.webhooks import deliverer as delivering_module
from app.edges.webhooks import health, stream
from app.edges.webhooks.addresses import AddressRefusedError, addresses_of, place_of
from app.edges.webhooks.attempts import NO_ANSWER
from app.edges.webhooks.deliverer import NUMBER_EVERY, Deliverer, pause_after
from app.ledger.errors import LedgerAwayError
from app.ledger.event_log.webhooks import LEASE
from app.telemetry.spare import SpareTime
from app.wallet.event_log import LoggedType, RetryState
from app.wallet.movement import Key
from tests.cashier.test_restored import MIRA
from tests.cashier.till import AGENT, Till
from tests.cashier.yes import look_and_accept
from tests.conftest import Database, in_buckets
from tests.edges.webhooks.conftest import Deliver, delivering, endpoint
from tests.edges.webhooks.receiver import Heard, Receiver
from tests.ledger.tls_server import Authority


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds instead of seconds; they grow all the same."""
    monkeypatch.setattr(health, "ENDPOINT_FIRST_MS", 20)
    monkeypatch.setattr(health, "ENDPOINT_MAX_MS", 200)
    monkeypatch.setattr(health, "EVENT_FIRST_MS", 20)
    monkeypatch.setattr(health, "EVENT_MAX_MS", 200)


async def signed_on(till: Till) -> None:
    """Wait until the endpoints are known, so that what follows is told to them."""
    for _ in range(500):
        if await till.count("webhook_shards", "held_by IS NOT NULL"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody delivers")


async def standing_when(
    till: Till, holds: Callable[[Standing], bool], agent: str = AGENT
) -> Standing:
    """Wait until an endpoint stands so."""
    for _ in range(1000):
        (standing,) = await deliveries.show(till.ledger, agent)
        if holds(standing):
            return standing
        await asyncio.sleep(0.01)
    raise AssertionError("it never stood so")


async def counted(deliverer: Deliverer, outcome: str) -> None:
    """Wait until an attempt has had this outcome."""
    for _ in range(1000):
        if deliverer.counts.attempts[AGENT, outcome]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(deliverer.counts.attempts)


async def deposits(till: Till, names: list[str], count: int) -> None:
    for _ in range(count):
        await till.move(*(till.movement(name, "Deposit", "credit", "1") for name in names))


async def everything_numbered(till: Till) -> None:
    """Wait until a look finds nothing, with nobody else at it."""
    for _ in range(500):
        done = await number(till.ledger)
        if done is not None and done.events == 0 and not done.is_more:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("there is always something to number")


async def logged(till: Till) -> list[str]:
    """The ids of all events, in order."""
    await everything_numbered(till)
    page = await page_after(till.ledger, AGENT, None, count_max=100_000)
    assert page is not None
    return [event.id for event in page.events]


def in_order(heard: list[Heard]) -> bool:
    """Whether each player's events came one after the other, repeats left out."""
    latest: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    for one in heard:
        if one.id in seen:
            continue
        seen.add(one.id)
        if one.number <= latest[one.event["user_id"]]:
            return False
        latest[one.event["user_id"]] = one.number
    return True


async def all_taken(till: Till, receiver: Receiver, seconds: float = 20) -> None:
    """Wait until everything was taken, and hold it to the log."""
    expected = await logged(till)
    await receiver.until(lambda: len({h.id for h in receiver.taken}) >= len(expected), seconds)
    assert {h.id for h in receiver.taken} == set(expected)
    assert in_order(receiver.taken)


@in_buckets
async def test_every_event_comes_signed_and_a_players_in_order(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    await deliver()
    await signed_on(till)
    names = await till.players(10)
    await deposits(till, names, 5)
    await all_taken(till, receiver)
    assert len(receiver.heard) == 60
    assert {h.event["type"] for h in receiver.heard} == {"account.opened", "movement.posted"}
    assert all(h.id == h.event["id"] for h in receiver.heard)


async def test_a_webhook_says_what_the_transfer_api_says_of_the_event(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    await deliver()
    await signed_on(till)
    await till.player("anna", "12.50")
    await receiver.until(lambda: len(receiver.heard) == 2)
    _, deposit = receiver.heard
    assert deposit.event["user_id"] == "anna"
    assert deposit.event["data"]["amount"] == 12.5
    assert list(deposit.event) == ["id", "type", "occurred_at", "user_id", "cursor", "data"]


async def test_on_a_full_machine_events_wait_as_long_as_they_may_and_no_longer(
    till: Till, db: Database, receiver: Receiver
) -> None:
    full = SpareTime(timedelta(seconds=1), idle=lambda: 0)
    async with delivering(db.service_url, endpoint(receiver), spare=full) as deliverer:
        await signed_on(till)
        # From one look to the next a second passes, so between two of them half of one has.
        looked_at = deliverer.numbered_at
        while deliverer.numbered_at == looked_at:  # noqa: ASYNC110 - what is waited for
            await asyncio.sleep(0.01)
        await till.player("anna", "1")
        begun = time.monotonic_ns()
        await receiver.until(lambda: len(receiver.heard) == 2)
        assert time.monotonic_ns() - begun > 500_000_000


async def test_only_the_types_of_the_settings_are_delivered(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    await deliver(types=frozenset({LoggedType.ACCOUNT_OPENED}))
    await signed_on(till)
    await till.player("anna", "1")
    await till.player("boris", "1")
    await receiver.until(lambda: len(receiver.heard) == 2)
    assert [h.event["user_id"] for h in receiver.heard] == ["anna", "boris"]


@pytest.mark.parametrize("fault", ["500", "503", "429", "302", "hang up", "garbage", "endless"])
async def test_an_endpoint_that_fails_hears_everything_when_it_is_back(
    till: Till, receiver: Receiver, deliver: Deliver, fault: str
) -> None:
    is_back = asyncio.Event()
    if fault == "garbage":
        receiver.raw_answer = b"SSH-2.0-OpenSSH_9.6\r\n"
    elif fault == "endless":
        receiver.raw_answer = b"HTTP/1.1 204 No\r\nx: " + b"y" * 200_000

    def answer(_: dict[str, Any]) -> int | None:
        if is_back.is_set():
            receiver.raw_answer = None
            return 204
        return {"hang up": None, "garbage": 207, "endless": 207}.get(fault, 0) or (
            None if fault == "hang up" else int(fault) if fault.isdigit() else 207
        )

    receiver.answer = answer
    await deliver()
    await signed_on(till)
    names = await till.players(4)
    await deposits(till, names, 3)
    await receiver.until(lambda: len(receiver.heard) >= 8)
    assert receiver.taken == []
    is_back.set()
    await all_taken(till, receiver)


async def test_an_endpoint_that_is_away_hears_everything_when_it_is_back(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    await receiver.close()
    deliverer: Deliverer = await deliver()
    await signed_on(till)
    names = await till.players(4)
    await deposits(till, names, 3)
    await counted(deliverer, "not connected")
    standing = await standing_when(till, lambda s: s.endpoint.failing_since is not None)
    assert standing.backlog.events > 0
    await receiver.open()
    await all_taken(till, receiver)


async def test_an_answer_that_does_not_come_is_waited_for_within_bounds(
    till: Till, receiver: Receiver, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ANSWER_SECONDS_MAX", 1)
    is_slow = True

    async def answer(_: dict[str, Any]) -> int:
        if is_slow:
            await asyncio.sleep(30)
        return 204

    receiver.answer = answer
    deliverer: Deliverer = await deliver()
    await signed_on(till)
    await till.player("anna", "1")
    await counted(deliverer, NO_ANSWER)
    is_slow = False
    await all_taken(till, receiver)


async def test_an_event_that_is_refused_holds_its_player_back_and_nobody_else(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    anna_is_taken = asyncio.Event()
    receiver.answer = lambda event: (
        500 if event["user_id"] == "anna" and not anna_is_taken.is_set() else 204
    )
    await deliver()
    await signed_on(till)
    names = [await till.player(name) for name in ("anna", "boris", "carol")]
    await deposits(till, names, 20)
    expected = await logged(till)
    await receiver.until(lambda: len({h.id for h in receiver.taken}) == 2 * 21)
    assert len({h.id for h in receiver.heard if h.event["user_id"] == "anna"}) == 1
    anna_is_taken.set()
    await all_taken(till, receiver)
    assert len(expected) == 63


async def test_a_dead_endpoint_parks_its_own_events_only(
    till: Till, receiver: Receiver, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "GIVEN_UP_AFTER", timedelta(milliseconds=200))
    # No event is given up by itself before five of them have shown that the endpoint is dead.
    monkeypatch.setattr(health, "EVENT_FIRST_MS", 60_000)
    async with Receiver() as rival:
        rival.answer = lambda _: 500
        async with delivering(
            db.service_url, endpoint(receiver), endpoint(rival, "rival")
        ) as deliverer:
            await signed_on(till)
            names = await till.players(24)
            await till.rows("UPDATE wallets SET agent = 'rival' WHERE player_id % 2 = 0")
            for agent in (AGENT, "rival"):
                for number in range(5):
                    await till.move(
                        *(
                            till.movement(name, "Deposit", "credit", "1")._replace(
                                key=Key(agent, f"{agent}-{name}-{number}", "")
                            )
                            for name in names
                        )
                    )
            await standing_when(till, lambda s: s.endpoint.is_parked, "rival")
            # Those that were refused before it was found dead wait, too, or the next events of
            # their players would go before them.
            assert await till.count("webhook_retries") > 0
            assert await till.count("webhook_retries", "state = 'parked'") == 0
            (ours,) = await deliveries.show(till.ledger, AGENT)
            assert not ours.endpoint.is_parked
            await receiver.until(lambda: len(receiver.taken) >= 12 * 5)
            assert deliverer.counts.attempts["house", "refused"] == 0
            rival.answer = lambda _: 204
            assert await deliveries.retry(till.ledger, "rival") is not None
            await everything_numbered(till)
            page = await page_after(till.ledger, "rival", None, count_max=1000)
            assert page is not None
            wanted = {event.id for event in page.events}
            await rival.until(lambda: wanted <= {h.id for h in rival.taken})
            assert in_order(rival.taken)


async def test_events_that_are_refused_for_three_days_are_parked_and_shown(
    till: Till, receiver: Receiver, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "GIVEN_UP_AFTER", timedelta(milliseconds=300))
    receiver.answer = lambda event: 500 if event["user_id"] == "anna" else 204
    await deliver()
    await signed_on(till)
    for name in ("anna", "boris"):
        await till.player(name)
    await deposits(till, ["anna", "boris"], 3)
    standing = await standing_when(till, lambda s: s.backlog.parked == 4)
    assert not standing.endpoint.is_parked
    assert [retry.last_outcome for retry in standing.retries] == ["500"] * 4
    assert len(receiver.taken) == 4
    receiver.answer = lambda _: 204
    assert await deliveries.retry(till.ledger, AGENT) == 4
    await all_taken(till, receiver)


async def under_way_for_the_last_time(
    till: Till, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Event:
    """Let an event be tried that is given up if it is refused; it is when this event is set."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def answer(_: dict[str, Any]) -> int:
        if not receiver.heard:
            return 500
        begun.set()
        await goes_on.wait()
        receiver.answer = lambda _: 204
        return 500

    receiver.answer = answer
    await signed_on(till)
    await till.player("anna")
    await asyncio.wait_for(begun.wait(), 20)
    await standing_when(till, lambda s: bool(s.retries))
    monkeypatch.setattr(health, "GIVEN_UP_AFTER", timedelta(0))
    return goes_on


@pytest.mark.parametrize("person", ["is seen before the answer", "comes before the answer"])
async def test_a_persons_retry_stands_though_an_attempt_was_under_way(
    till: Till,
    receiver: Receiver,
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
    person: str,
) -> None:
    monkeypatch.setattr(delivering_module, "BEAT_EVERY", timedelta(milliseconds=50))
    deliverer: Deliverer = await deliver()
    goes_on = await under_way_for_the_last_time(till, receiver, monkeypatch)
    assert await deliveries.retry(till.ledger, AGENT) == 1
    if person == "is seen before the answer":
        await until(lambda: deliverer._streams[AGENT]._set_aside.epoch == 1)
    goes_on.set()
    await all_taken(till, receiver, seconds=5)
    standing = await standing_when(till, lambda s: s.retries == [])
    assert (standing.backlog.events, standing.backlog.parked) == (0, 0)
    assert len(receiver.heard) == 3


async def test_a_persons_retry_stands_though_the_end_of_an_attempt_is_written_after_it(
    till: Till, receiver: Receiver, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering_module, "WRITE_EVERY", timedelta(milliseconds=600))
    deliverer: Deliverer = await deliver()
    goes_on = await under_way_for_the_last_time(till, receiver, monkeypatch)
    goes_on.set()
    changed = deliverer._streams[AGENT]._set_aside.changed
    await until(lambda: any(retry.state is RetryState.PARKED for retry in changed.values()))
    # Nothing of that is written yet.
    assert await deliveries.retry(till.ledger, AGENT) == 1
    await all_taken(till, receiver, seconds=5)
    await standing_when(till, lambda s: s.retries == [])


async def test_what_was_given_up_is_tried_again_beside_a_later_event_of_its_player(
    till: Till, receiver: Receiver, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliverer: Deliverer = await deliver()
    goes_on = await under_way_for_the_last_time(till, receiver, monkeypatch)
    goes_on.set()
    await standing_when(till, lambda s: s.backlog.parked == 1)
    monkeypatch.setattr(health, "GIVEN_UP_AFTER", timedelta(days=3))
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def answer(event: dict[str, Any]) -> int:
        if event["type"] == LoggedType.ACCOUNT_OPENED:
            return 204
        if begun.is_set():
            await goes_on.wait()
            return 204
        begun.set()
        return 500

    receiver.answer = answer
    await deposits(till, ["anna"], 1)
    await until(lambda: bool(deliverer._streams[AGENT]._set_aside._under_way))
    await standing_when(till, lambda s: len(s.retries) == 2)
    assert await deliveries.retry(till.ledger, AGENT) == 2
    await until(lambda: deliverer._streams[AGENT]._set_aside.epoch == 1)
    goes_on.set()
    expected = set(await logged(till))
    await receiver.until(lambda: {h.id for h in receiver.taken} == expected, seconds=5)
    await standing_when(till, lambda s: s.retries == [])


async def test_what_was_set_aside_comes_first_for_its_player_after_a_restart_too(
    till: Till, receiver: Receiver, db: Database
) -> None:
    receiver.answer = lambda event: 500 if event["user_id"] == "anna" else 204
    async with delivering(db.service_url, endpoint(receiver)):
        await signed_on(till)
        for name in ("anna", "boris"):
            await till.player(name)
        await deposits(till, ["anna", "boris"], 3)
        await receiver.until(lambda: len(receiver.taken) == 4)
    assert await till.count("webhook_retries", "state = 'waiting'") > 0
    await deposits(till, ["anna", "boris"], 3)
    receiver.answer = lambda _: 204
    async with delivering(db.service_url, endpoint(receiver)):
        await all_taken(till, receiver)


async def test_a_receiver_that_is_gone_is_parked_at_once(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.answer = lambda _: 410
    await deliver()
    await signed_on(till)
    await till.player("anna", "1")
    standing = await standing_when(till, lambda s: s.endpoint.is_parked)
    assert standing.endpoint.last_outcome == "410"
    assert len(receiver.heard) == 1


async def test_a_deliverer_that_is_killed_loses_nothing_and_redelivers_under_the_same_id(
    till: Till, receiver: Receiver, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ledger.event_log.webhooks.LEASE", timedelta(seconds=30))
    async with delivering(db.service_url, endpoint(receiver)):
        await signed_on(till)
        names = await till.players(5)
    for turn in range(4):
        async with delivering(db.service_url, endpoint(receiver)) as deliverer:
            killed = asyncio.create_task(deposits(till, names, 6))
            wanted = 10 * turn + 8
            await receiver.until(functools.partial(has_heard, receiver, wanted))
            # What a killed process leaves behind: no goodbye, and a lease that runs.
            monkeypatch.setattr(deliverer, "_say_goodbye", _no_goodbye(deliverer))
            await killed
        await till.rows("UPDATE webhook_shards SET held_until = now() - interval '1 s'")
        # Nor does it count any more when shards are shared.
        await till.rows("UPDATE webhook_deliverers SET seen_at = 'epoch'")
    async with delivering(db.service_url, endpoint(receiver)):
        await all_taken(till, receiver)
    assert LEASE.seconds > stream.ANSWER_SECONDS_MAX


async def test_whoever_stops_while_it_takes_shards_leaves_them_to_others(
    till: Till, receiver: Receiver, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is committed, and the deliverer is stopped before it knows what it has claimed."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(stream.Stream, "hold", never)
    async with delivering(db.service_url, endpoint(receiver)):
        await signed_on(till)
    assert await till.count("webhook_shards", "held_by IS NOT NULL") == 0
    assert await till.count("webhook_deliverers", "seen_at > 'epoch'") == 0


def has_heard(receiver: Receiver, count: int) -> bool:
    return len(receiver.heard) > count


def _no_goodbye(deliverer: Deliverer) -> Any:  # noqa: ANN401 - a coroutine function
    async def die() -> None:
        for one in deliverer._streams.values():
            await one.close()

    return die


async def test_several_deliverers_share_an_endpoint_and_take_over_from_each_other(
    till: Till, receiver: Receiver, db: Database
) -> None:
    async with delivering(db.service_url, endpoint(receiver)) as first:
        await signed_on(till)
        names = await till.players(30)
        async with delivering(db.service_url, endpoint(receiver)) as second:
            for _ in range(1000):
                if [len(d._streams[AGENT].order.shards) for d in (first, second)] == [4, 4]:
                    break
                await asyncio.sleep(0.01)
            await deposits(till, names, 5)
            await all_taken(till, receiver)
            assert all(d.counts.attempts[AGENT, "delivered"] > 0 for d in (first, second))
        await deposits(till, names, 5)
        await all_taken(till, receiver)
    assert len({h.id for h in receiver.taken}) == 30 * 11


async def test_whoever_takes_over_from_one_that_was_killed_keeps_the_order_and_the_ids(
    till: Till, receiver: Receiver, db: Database
) -> None:
    """One of two dies with events under way that were heard and never written down."""
    async with delivering(db.service_url, endpoint(receiver)) as survivor:
        await signed_on(till)
        names = await till.players(16)
        await all_taken(till, receiver)
        async with delivering(db.service_url, endpoint(receiver)) as killed:
            await shared_by(survivor, killed)
            theirs = set(killed._streams[AGENT].order.shards)
            users = await users_of(till, theirs)
            answering = asyncio.Event()

            async def answer(event: dict[str, Any]) -> int:
                if event["user_id"] in users:
                    await answering.wait()
                return 204

            receiver.answer = answer
            await deposits(till, names, 6)
            stream_of_killed = killed._streams[AGENT]
            await until(lambda: len(stream_of_killed._busy) >= len(users))
            # A process that is killed writes nothing, and says no goodbye; its lease runs out.
            killed._write = _says_no_more  # type: ignore[method-assign]
            killed._say_goodbye = _no_goodbye(killed)  # type: ignore[method-assign]
        answering.set()
        await till.rows(
            "UPDATE webhook_shards SET held_until = now() - interval '1 s'"
            " WHERE held_by IS NOT NULL AND shard = ANY($1)",
            sorted(theirs),
        )
        await till.rows(
            "UPDATE webhook_deliverers SET seen_at = 'epoch' WHERE name = $1", killed._name
        )
        await all_taken(till, receiver)
        again = [one.id for one in receiver.heard if one.event["user_id"] in users]
        assert len(again) > len(set(again)), "what was under way is delivered again"
        assert in_order(receiver.taken)
        assert survivor._streams[AGENT].order.shards == frozenset(range(8))


async def shared_by(*deliverers: Deliverer) -> None:
    """Wait until each of two deliverers has half of the shards."""
    await until(lambda: [len(d._streams[AGENT].order.shards) for d in deliverers] == [4, 4])


async def users_of(till: Till, shards: set[int]) -> set[str]:
    rows = await till.rows("SELECT player_id, user_id FROM players")
    return {row["user_id"] for row in rows if row["player_id"] % 8 in shards}


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to this")


async def _says_no_more() -> bool:
    return False


async def test_what_was_delivered_long_ago_is_forgotten_within_bounds(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "FORGOTTEN_MAX", 3)
    await till.rows(
        "INSERT INTO webhook_retries (agent, number, player_id, state, attempts, next_attempt_at)"
        " SELECT 'house', n, 1, CASE WHEN n <= 5 THEN 'delivered' WHEN n <= 7 THEN 'parked'"
        " WHEN n <= 9 THEN 'waiting' ELSE 'delivered' END, 1,"
        " now() - make_interval(days => CASE WHEN n <= 9 THEN 31 ELSE 29 END)"
        " FROM generate_series(1, 11) AS n"
    )
    assert [await deliveries.forget(till.ledger) for _ in range(3)] == [True, False, False]
    rows = await till.rows("SELECT number, state FROM webhook_retries ORDER BY number")
    assert [row["number"] for row in rows] == [6, 7, 8, 9, 10, 11], "only what nobody waits for"


async def test_a_replay_delivers_everything_again_under_the_same_ids(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    await deliver()
    await signed_on(till)
    names = await till.players(3)
    await deposits(till, names, 2)
    await all_taken(till, receiver)
    page = await page_after(till.ledger, AGENT, None, count_max=4)
    assert page is not None
    first = len(receiver.heard)
    assert await deliveries.replay(till.ledger, AGENT, page.cursor) == 5
    await receiver.until(lambda: len(receiver.heard) == first + 5)
    again = [h.id for h in receiver.heard[first:]]
    assert sorted(again) == sorted((await logged(till))[4:])
    assert await deliveries.replay(till.ledger, "nobody", None) is None
    wrong = page.cursor._replace(mark="00000000") if page.cursor else None
    assert await deliveries.replay(till.ledger, AGENT, wrong) is None


async def test_ten_thousand_behind_are_caught_up_with_in_order(
    till: Till, receiver: Receiver, deliver: Deliver, db: Database
) -> None:
    async with delivering(db.service_url, endpoint(receiver)):
        await signed_on(till)
    names = await till.players(200)
    for _ in range(50):
        await till.move(*(till.movement(name, "Deposit", "credit", "1") for name in names))
    await deliver()
    await all_taken(till, receiver, seconds=40)
    assert len({h.id for h in receiver.taken}) == 200 * 51


def test_the_more_a_look_finds_the_longer_the_next_is_waited_for_within_bounds() -> None:
    pauses = [pause_after(events) for events in (0, 10, 100, 1000, 10**6)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(0)
    assert pauses[-1] + NUMBER_EVERY == timedelta(milliseconds=400)


async def test_while_a_secret_is_changed_both_sign(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    """The receiver knows the one that is being taken away."""
    await deliver(
        secrets=["whsec_" + "bmV4dCBzZWNyZXQgb2Ygc29tZSBsZW5ndGg=", endpoint(receiver).secrets[0]]
    )
    await signed_on(till)
    await till.player("anna")
    await receiver.until(lambda: len(receiver.taken) == 1)
    assert receiver.taken[0].headers["webhook-signature"].count("v1,") == 2


async def test_a_certificate_of_nobody_we_trust_is_no_endpoint(
    till: Till, db: Database, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path, "their-authority")
    certificate, key = authority.issue("platform")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with Receiver(tls=tls) as receiver:
        async with delivering(db.service_url, endpoint(receiver)) as deliverer:
            await signed_on(till)
            await till.player("anna")
            await counted(deliverer, "tls")
            assert receiver.heard == []
        trusting = ssl.create_default_context(cafile=str(authority.file))
        async with delivering(db.service_url, endpoint(receiver), tls=trusting):
            await receiver.until(lambda: len(receiver.taken) == 1)


# --- where webhooks may go ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "[fd00::1]",
        "192.168.1.1",
        "224.0.0.1",
        "100.64.0.1",
    ],
)
async def test_an_endpoint_is_never_an_address_of_our_own_network(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        await addresses_of(place_of(f"https://{host}/hooks"), [], may_be_loopback=False)


async def test_an_endpoint_may_be_public_or_in_a_network_that_is_named() -> None:
    public = await addresses_of(place_of("https://93.184.216.34/"), [], may_be_loopback=False)
    assert public == ["93.184.216.34"]
    inside = [ip_network("10.1.0.0/16")]
    assert await addresses_of(place_of("https://10.1.2.3/"), inside, may_be_loopback=False)
    with pytest.raises(AddressRefusedError):
        await addresses_of(place_of("http://93.184.216.34/"), [], may_be_loopback=True)


async def test_an_address_that_is_refused_is_told_and_nothing_is_sent(
    till: Till, receiver: Receiver, deliver: Deliver
) -> None:
    deliverer: Deliverer = await deliver(may_be_loopback=False)
    await signed_on(till)
    await till.player("anna")
    await counted(deliverer, "address refused")
    assert deliverer.counts.attempts[AGENT, "address refused"]
    assert receiver.connections == 0


class TestARestore:
    async def test_positions_of_the_lost_time_line_are_never_written(
        self, till: Till, receiver: Receiver, deliver: Deliver
    ) -> None:
        """A restore turns the positions back; a process that goes on must not jump over events."""
        deliverer = await deliver()
        await signed_on(till)
        names = await till.players(4)
        await deposits(till, names, 3)
        await everything_numbered(till)
        first = await heard_of(receiver, 16)
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        await noticed(deliverer)
        # As the restored ledger has them; a lease of that moment has ended long ago.
        await till.rows("UPDATE webhook_shards SET delivered_to = 0, held_until = 'epoch'")
        yes = await look_and_accept(till.ledger, MIRA, "the disk was lost", timedelta(0))
        assert yes == Accepted([2], None, ())
        again = await heard_of(receiver, 2 * len(first))
        assert sorted(again[len(first) :]) == sorted(first)

    async def test_nor_where_the_restore_is_noticed_as_they_are_written(
        self, till: Till, deliver: Deliver
    ) -> None:
        deliverer = await deliver()
        ledger = deliverer._ledger
        assert await deliveries.keep(ledger, "me", [], restored=0) == frozenset()
        assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
        await look_and_accept(till.ledger, MIRA, "the disk was lost", timedelta(0))
        ledger.timeline.doubt()
        with pytest.raises(LedgerAwayError, match="was restored"):
            await deliveries.keep(ledger, "me", [], restored=0)


async def noticed(deliverer: Deliverer) -> None:
    """Wait until a deliverer knows of a restore; a real one ends its connections, too."""
    for _ in range(500):
        if deliverer._ledger.timeline.restored:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never noticed")


async def heard_of(receiver: Receiver, count: int) -> list[str]:
    """Wait for so many events, and return their ids in the order in which they came."""
    for _ in range(1000):
        if len(receiver.heard) >= count:
            break
        await asyncio.sleep(0.01)
    return [heard.id for heard in receiver.heard]
