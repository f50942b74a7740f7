"""A standby that takes over goes on if it has what was told, and else is not served."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.cashier.restored import state
from app.ledger.errors import DeadlineError
from app.ledger.transaction import Ledger
from app.postgres.cluster import DATABASE, SERVICE
from app.wallet.operators import Operator, Role, Via
from app.wallet.timelines import TimelineKind
from tests.cashier.yes import look_and_accept
from tests.edges.transfer.bank import Bank, open_bank, unique
from tests.standby.pair import Pair, PairDatabase, until

MIRA = Operator("mira", True, frozenset({Role.ADMIN}), Via.CONSOLE, "pts/1")  # noqa: FBT003
AWAY = 103


@pytest.fixture
def bank(pair: Pair) -> Iterator[Bank]:
    """A wallet of the test's own: what it answered is what it looks for."""
    with open_bank(PairDatabase(pair), deadline_seconds="1.5") as bank:
        yield bank


def is_told(bank: Bank, user_id: str) -> bool:
    return bank.ask("account/balance", user_id=user_id).code == 0


def kinds(pair: Pair) -> list[str]:
    said = pair.primary.sql("SELECT kind FROM ledger_timelines ORDER BY number", DATABASE)
    return said.split()


def test_a_standby_that_has_everything_takes_over_by_itself(bank: Bank, pair: Pair) -> None:
    player = bank.player("100")
    assert bank.move("account/deposit", player, "1").code == 0
    before = kinds(pair)
    pair.primary.kill()
    pair.fail_over()
    until(lambda: is_told(bank, player))
    assert bank.move("account/deposit", player, "1").code == 0
    assert bank.balance(player) == ("102.00", "0.00")
    assert kinds(pair) == [*before, TimelineKind.TAKEN_OVER]
    pair.follow()


async def test_one_that_lacks_what_was_told_is_served_once_somebody_has_said_yes(
    bank: Bank, pair: Pair
) -> None:
    """Asynchronous replication: the primary answers alone, and is lost with what it answered."""
    player, lost = bank.player("100"), unique("cash")
    pair.wait_for_standby(wanted=False)
    pair.standby.kill()
    assert bank.move("account/deposit", player, "5", lost).code == 0
    pair.primary.kill()
    pair.standby.start()
    pair.fail_over()
    until(lambda: not is_told(bank, player) and kinds(pair)[-1:] == [TimelineKind.RESTORED])
    for _ in range(3):
        assert bank.ask("account/balance", user_id=player).code == AWAY
        assert bank.move("account/deposit", player, "1").code == AWAY
        assert bank.ask("events").code == AWAY
    ledger = Ledger(pair.url_for(SERVICE))
    found = await state(ledger)
    assert found.is_waiting
    assert "of the movements that a process had answered last" in found.timelines[0].why
    assert await look_and_accept(ledger, MIRA, "the platform sends its own again", timedelta(0))
    await ledger.close()
    until(lambda: is_told(bank, player))
    assert bank.balance(player) == ("100.00", "0.00")
    assert bank.move("account/deposit", player, "5", lost).code == 0
    assert bank.balance(player) == ("105.00", "0.00")
    pair.follow()


async def test_a_time_line_that_is_appended_before_anybody_has_looked_waits_for_the_standby(
    pair: Pair,
) -> None:
    """It is the first thing that a process writes: whether commits wait nobody has asked yet."""
    newcomer, people = (
        Ledger(pair.url_for(SERVICE), deadline=timedelta(seconds=s)) for s in (1, 9)
    )
    await people.verify_timeline()
    pair.primary.sql(
        "INSERT INTO ledger_timelines SELECT max(number) + 1, 'taken_over', 1, 1,"
        " 'as if it was another cluster', 'test', now() FROM ledger_timelines",
        DATABASE,
    )
    before = kinds(pair)
    pair.standby.freeze()
    with pytest.raises(DeadlineError):
        await newcomer.verify_timeline()
    await asyncio.sleep(0.5)
    assert newcomer.commits_let_go == 1
    assert pair.commits_waiting() > 0
    assert kinds(pair) == before, "nobody sees it before the standby has it"
    pair.standby.thaw()
    until(lambda: kinds(pair) == [*before, TimelineKind.RESTORED])
    assert pair.given_up() == []
    assert await look_and_accept(people, MIRA, "it was no other", timedelta(0))
    await asyncio.gather(newcomer.close(), people.close())
