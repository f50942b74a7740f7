"""The projector: whatever is committed in which order, and whoever dies where, the same rows."""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random as Dice
from typing import Final

import pytest

from app.cashier import slips
from app.cashier.event_log import number_all
from app.cashier.inbox import collect, inbox
from app.ledger.money.book import Book
from app.ledger.slips import reading, writing
from app.slips import projector as projector_module
from app.slips.deriving import derive
from app.slips.projector import Projector
from app.telemetry.spare import SpareTime
from app.wallet.inbox import ExceptionKind
from app.wallet.outcomes import Posting
from tests.cashier.dying import Dying
from tests.cashier.till import AGENT, Till, connect
from tests.conftest import Database, in_buckets
from tests.slips.slip_texts import betslip, leg, settled

TABLES: Final = ("sport_bets", "sport_legs", "slip_faults", "slip_mismatches")


async def kept(till: Till) -> dict[str, list[tuple[object, ...]]]:
    """Every row that was projected, and the counts."""
    rows = {
        table: [tuple(row) for row in await till.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3")]
        for table in TABLES
    }
    counts = await till.rows(
        "SELECT sum(movements), sum(without_slip), max(reached_at) FROM slip_progress"
    )
    return rows | {"counts": [tuple(counts[0])]}


async def project(till: Till) -> None:
    """Project everything there is."""
    await number_all(till.ledger)
    await Projector(till.ledger).look()


async def bets(till: Till, columns: str = "status") -> dict[str, tuple[object, ...]]:
    """Bets by their event."""
    rows = await till.rows(f"SELECT event_id, {columns} FROM sport_bets ORDER BY position")
    return {row[0]: tuple(row)[1:] for row in rows}


async def play(till: Till, user_id: str, dice: Dice) -> None:
    """Play some rounds of a player, of sports bets and of others, well and badly told."""
    for number in range(4):
        event = f"{user_id}-{number}"

        async def move(kind: str, way: str, amount: str, text: str, event: str = event) -> None:
            receipt = await till.one(
                till.movement(user_id, kind, way, amount, event_id=event, extra_data=text)
            )
            assert isinstance(receipt, Posting), receipt

        legs = [leg(n, live=dice.random() < 0.5) for n in range(dice.randint(1, 4))]
        slip = f"slip-{event}"
        told = dice.choice(
            [
                betslip(slip, kind=f"{len(legs)}/{len(legs)}", legs=legs, potential_win=4000),
                f'{{"placedBetId": "{slip}", "status": "accepted"}}',
                '{"betslip": {"id": [1]}}',
                '{"gameName": "a slot"}',
            ]
        )
        await move("BetPlacing", "debit", "10", told)
        match dice.randint(0, 5):
            case 0:
                await move("Lose", "credit", "0", settled("lost", slip, {"leg-0": "lost"}))
            case 1:
                await move("Win", "credit", "20", settled("win", slip, {"leg-0": "won"}))
                await move("SportBetCancel", "debit", "20", "{}")
                await move("Lose", "credit", "0", settled("lost", slip, {"leg-0": "lost"}))
            case 2:
                await move("Win", "credit", "4", settled("win", slip, is_cashout=True))
                await move("Win", "credit", "4", settled("win", slip, is_cashout=True))
            case 3:
                await move("BetPlacingAbort", "credit", "10", "{}")
            case 4:
                await move("Win", "credit", "5", settled("win", "another slip"))
                await move("SportBetCancel", "debit", "7", "no json")
            case _:
                pass


async def played(till: Till, seed: int, players: int = 3) -> None:
    dice = Dice(seed)  # noqa: S311 - a game
    for n in range(players):
        user_id = await till.player(f"player-{n}", "1000")
        await play(till, user_id, dice)


async def test_a_settled_slip_has_its_legs_and_results(till: Till) -> None:
    await till.player("anna", "100")
    legs = [leg(1), leg(2, live=True, odds="1.5")]
    text = betslip(kind="2/2", legs=legs, odds="3.000", potential_win=3000)
    await till.one(till.bet(extra_data=text))
    await project(till)
    columns = "status, slip_id, stake, told_stake, potential_win, live, legs, paid"
    assert [str(value) for value in (await bets(till, columns))["event-1"]] == [
        *("open", "slip-1", "10.00000000", "10.00", "30.00", "mixed", "2", "0E-8")
    ]
    win = settled("win", picks={"leg-1": "won", "leg-2": "won"})
    await till.one(till.movement("anna", "Win", "credit", "30", extra_data=win))
    await project(till)
    assert (await bets(till, "status, said, paid::text"))["event-1"] == (
        "won",
        "win",
        "30.00000000",
    )
    rows = await till.rows("SELECT leg, odds::text, result FROM sport_legs ORDER BY leg")
    assert [tuple(row) for row in rows] == [(1, "2.00", "won"), (2, "1.5", "won")]
    assert await till.rows("SELECT FROM slip_mismatches") == []


async def test_on_a_full_machine_slips_wait_as_long_as_they_may_and_no_longer(till: Till) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip()))
    full = SpareTime(timedelta(milliseconds=500), idle=lambda: 0)
    begun = time.monotonic_ns()
    task = asyncio.create_task(Projector(till.ledger, spare=full).run())
    try:
        async with asyncio.timeout(10):
            while not await till.rows("SELECT FROM sport_bets"):
                pass
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic_ns() - begun > 450_000_000


async def test_a_movement_without_text_changes_the_status_of_its_slip(till: Till) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip()))
    await project(till)
    for kind, way, amount, status in (
        ("Win", "credit", "20", "won"),
        ("SportBetCancel", "debit", "20", "open"),
        ("Win", "credit", "15", "won"),
        ("BetPayedAbort", "debit", "15", "open"),
        ("Lose", "credit", "0", "lost"),
        ("SportBetCancel", "debit", "0", "open"),
        ("BetPlacingAbort", "credit", "10", "given_back"),
        ("SportBetCancel", "debit", "10", "open"),
        ("Win", "credit", "20", "won"),
    ):
        await till.one(till.movement("anna", kind, way, amount, extra_data=""))
        await project(till)
        assert await bets(till) == {"event-1": (status,)}, kind


async def test_one_odd_text_breaks_nothing_and_is_counted(till: Till) -> None:
    await till.player("anna", "1000")
    odd = {
        "deep": '{"betslip": {"id": ' + "[" * 10_000 + "]" * 10_000 + "}}",
        "number": betslip(odds=1).replace('"k": 1,', '"k": 1e400,'),
        "nul": betslip(slip_id="a\0b"),
        "surrogate": betslip(slip_id="x").replace('"x"', r'"\ud800"'),
        "legs": betslip(legs=[leg(n) for n in range(1000)]),
        "cut": '{"betslip',
        "none": "hello",
    }
    for event, text in odd.items():
        await till.one(till.bet(amount="1", event_id=event, extra_data=text))
    await till.one(till.bet(amount="10", event_id="good", extra_data=betslip()))
    await project(till)
    told = await till.rows("SELECT event_id, reason FROM slip_faults ORDER BY event_id")
    assert dict(map(tuple, told)) == {
        "cut": "not_json",
        "deep": "too_deep",
        "legs": "too_many_legs",
        "nul": "bad_text",
        "number": "bad_number",
        "surrogate": "not_json",
    }
    assert (await bets(till, "status, fault"))["good"] == ("open", None)
    # A bet whose slip could not be read is a bet all the same.
    assert (await bets(till, "status, fault"))["nul"] == ("open", "bad_text")
    assert "none" not in await bets(till)
    (counts,) = await till.rows("SELECT sum(movements), sum(without_slip) FROM slip_progress")
    assert tuple(counts) == (9, 2)


@pytest.mark.parametrize("seed", [1, 2])
async def test_reading_from_zero_writes_the_same_rows_again(till: Till, seed: int) -> None:
    await played(till, seed)
    await project(till)
    before = await kept(till)
    assert before["sport_bets"]
    assert before["slip_faults"] or before["slip_mismatches"]
    await slips.begin_anew(till.ledger)
    await project(till)
    assert await kept(till) == before
    for table in TABLES:
        await till.rows(f"DELETE FROM {table}")
    await slips.begin_anew(till.ledger)
    await project(till)
    assert await kept(till) == before


async def test_reading_from_zero_writes_nothing_that_is_there_already(till: Till) -> None:
    await played(till, 1)
    await project(till)
    places = "SELECT ctid FROM sport_bets UNION ALL SELECT ctid FROM sport_legs"
    before = sorted(str(row[0]) for row in await till.rows(places))
    await slips.begin_anew(till.ledger)
    await project(till)
    assert sorted(str(row[0]) for row in await till.rows(places)) == before


async def test_movements_from_before_the_event_log_are_read_too(till: Till) -> None:
    await played(till, 3)
    await number_all(till.ledger)
    await project(till)
    before = await kept(till)
    await slips.begin_anew(till.ledger)
    # As an upgrade leaves them: no row of the journal has a transaction, and no event tells of it.
    await till.rows("ALTER TABLE movements DISABLE TRIGGER USER")
    await till.rows("UPDATE movements SET xid = NULL")
    await till.rows("ALTER TABLE event_log DISABLE TRIGGER USER")
    await till.rows("DELETE FROM event_log WHERE type LIKE 'movement%' OR type = 'round.settled'")
    for table in TABLES:
        await till.rows(f"DELETE FROM {table}")
    await project(till)
    assert await kept(till) == before


async def test_looks_of_any_size_write_the_same_rows(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await played(till, 4)
    await project(till)
    before = await kept(till)
    for most in (1, 7):
        monkeypatch.setattr(reading, "EVENTS_MAX", most)
        monkeypatch.setattr(reading, "SCANNED_MAX", most)
        for table in TABLES:
            await till.rows(f"DELETE FROM {table}")
        await slips.begin_anew(till.ledger)
        await project(till)
        assert await kept(till) == before


async def test_two_projectors_beside_each_other_write_what_one_does(
    till: Till, other_till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EVENTS_MAX", 3)
    monkeypatch.setattr(projector_module, "YIELD_SECONDS", 0)
    first, second = Projector(till.ledger), Projector(other_till.ledger)
    working = [asyncio.create_task(one.run()) for one in (first, second)]
    await played(till, 5)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await project(till)
    before = await kept(till)
    await slips.begin_anew(till.ledger)
    await project(till)
    assert await kept(till) == before


async def test_a_batch_that_somebody_else_wrote_after_is_not_written(
    till: Till, other_till: Till
) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip()))
    await number_all(till.ledger)
    (stale,) = [
        await slips.read_next(till.ledger, each.progress)
        for each in await slips.progress(till.ledger)
        if each.progress.agent == AGENT
    ]
    await till.one(till.movement("anna", "Lose", "credit", "0"))
    await project(other_till)
    assert not await slips.write(till.ledger, stale, derive(stale.rounds))
    assert await bets(till) == {"event-1": ("lost",)}


async def test_a_process_killed_after_any_statement_leaves_a_whole_batch_or_nothing(
    till: Till,
) -> None:
    await played(till, 6, players=2)
    await project(till)
    expected = await kept(till)
    for table in TABLES:
        await till.rows(f"DELETE FROM {table}")
    for statements in range(1, 12):
        await slips.begin_anew(till.ledger)
        for each in await slips.progress(till.ledger):
            progress = next(
                b.progress
                for b in await slips.progress(till.ledger)
                if b.progress.agent == each.progress.agent
            )
            batch = await slips.read_next(till.ledger, progress)
            derived = derive(batch.rounds)
            connection = await connect(till.superuser_url)
            transaction = connection.transaction()
            await transaction.start()
            dying = Book(Dying(connection, statements), None)  # type: ignore[arg-type]
            try:
                if await writing.advance(dying, batch):
                    await writing.write(dying, [r.id for r in batch.rounds], derived)
                await transaction.commit()
            except ConnectionResetError:
                await connection.close()
                now = await slips.progress(till.ledger)
                assert progress in [b.progress for b in now]
            else:
                await connection.close()
        await project(till)
        assert await kept(till) == expected


async def test_a_round_longer_than_any_bets_is_left_out_as_a_whole(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip(total=100), amount="1"))
    await project(till)
    assert len(await bets(till)) == 1
    monkeypatch.setattr("app.ledger.slips.reading.MOVEMENTS_MAX", 3)
    for _ in range(3):
        await till.one(till.bet(extra_data=betslip(total=100), amount="1"))
    await project(till)
    assert await bets(till) == {}
    assert [row[0] for row in await till.rows("SELECT reason FROM slip_faults")] == [
        "too_many_movements"
    ]


@in_buckets
async def test_the_bets_of_all_rounds_add_up_to_the_journal(till: Till) -> None:
    for seed in range(3):
        dice = Dice(seed)  # noqa: S311 - a game
        await play(till, await till.player(f"p-{seed}", "1000"), dice)
    await project(till)
    rows = await till.rows(
        "SELECT r.event_id, r.stake_real + r.stake_bonus - r.paid + r.taken_back + r.remainder,"
        " sum(b.turnover) - sum(b.paid)"
        " FROM rounds r JOIN sport_bets b USING (player_id, event_id) GROUP BY 1, 2"
    )
    assert len(rows) > 5
    for event_id, ours, theirs in rows:
        assert ours == theirs, event_id


async def test_kill_9_in_the_middle_leaves_nothing_half_written(till: Till, db: Database) -> None:
    """A real process is killed in the middle of its n-th batch, and then another ends the work."""
    await played(till, 7, players=4)
    await project(till)
    expected = await kept(till)
    for table in TABLES:
        await till.rows(f"DELETE FROM {table}")
    await slips.begin_anew(till.ledger)
    script = Path(__file__).with_name("killed_projector.py")
    root = Path(__file__).parents[2]
    for batches in (1, 3):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), db.service_url),
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        for _ in range(batches):
            assert await process.stdout.readline() == b"in the middle\n"
        process.kill()
        await process.communicate()
    await project(till)
    assert await kept(till) == expected


async def test_the_inbox_tells_of_a_mismatch_until_it_is_put_right(till: Till) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip()))
    text = settled("win", "slip-2")
    await till.one(till.movement("anna", "Win", "credit", "20", extra_data=text))
    await project(till)
    await collect(till.ledger)
    await collect(till.ledger)
    (case,) = await inbox(till.ledger)
    assert case.kind is ExceptionKind.SLIP_MISMATCH
    assert case.summary == "a settlement names another slip (slip-2, not slip-1)"
    assert (case.user_id, case.event_id, case.amount) == ("anna", "event-1", "20.00")


async def test_the_inbox_tells_of_a_bet_that_is_open_long_after_its_last_leg(till: Till) -> None:
    await till.player("anna", "100")
    late = betslip(legs=[leg(scheduled=1_600_000_000)])
    await till.one(till.bet(extra_data=late))
    await project(till)
    await collect(till.ledger)
    (case,) = await inbox(till.ledger)
    assert case.summary == "a bet is open long after its last leg"
    await till.one(till.movement("anna", "Lose", "credit", "0"))
    await project(till)
    await collect(till.ledger)
    assert await inbox(till.ledger) == []


async def test_the_inbox_tells_of_an_outcome_on_which_too_much_may_be_won(till: Till) -> None:
    for n, user_id in enumerate(await till.players(3, "100")):
        slip = betslip(f"slip-{n}", potential_win=2000)
        await till.one(till.bet(user_id, event_id=f"bet-{n}", extra_data=slip))
    projector = Projector(till.ledger, {"USD": "60"})
    await project(till)
    await projector.count()
    await collect(till.ledger)
    (case,) = await inbox(till.ledger)
    assert case.kind is ExceptionKind.LARGE_LIABILITY
    assert (case.amount, case.currency, case.event_id) == ("60.00", "USD", "match-1")
    assert case.summary == "3 open bets may win this on Home, Match winner, Home – Away"
    (figures,) = projector.figures.largest
    assert (figures.rank, figures.bets, figures.potential_win) == (1, 3, "60.00")
    winner = (await till.rows("SELECT user_id FROM players LIMIT 1"))[0][0]
    event = (
        await till.rows(
            "SELECT event_id FROM sport_bets JOIN players USING (player_id) WHERE user_id = $1",
            winner,
        )
    )[0][0]
    await till.one(till.movement(winner, "Lose", "credit", "0", event_id=event))
    await project(till)
    await projector.count()
    await collect(till.ledger)
    assert await inbox(till.ledger) == []
