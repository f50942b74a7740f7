"""Nothing is told before the synchronous standby has it, whoever asks and by whichever road."""

import asyncio
import time
from datetime import timedelta

import pytest

from app.cashier.readiness import why_not_ready
from app.cashier.tail import follow
from app.ledger.errors import LedgerError
from app.ledger.money.statements import CONFIRM
from app.ledger.standby import COMMITS_WAITING, CONFIRM_SECONDS
from app.ledger.tail import TailFilter
from app.ledger.transaction import Ledger
from app.postgres.cluster import SERVICE
from tests.cashier.homes import connect
from tests.edges.transfer.bank import CALLBACK_KEY, Bank, unique
from tests.model.caller import sign
from tests.standby.pair import WAIT_SECONDS_MAX, Pair, PairDatabase, until

AWAY = 103
AT_ONCE_SECONDS = 0.5


def is_told_again(bank: Bank, user_id: str) -> bool:
    return bank.ask("account/balance", user_id=user_id).code == 0


def status_of_game(bank: Bank, method: str, token: str, user_id: str) -> int:
    """Ask the callback API; return the HTTP status."""
    fields = {"token": token, "userId": user_id}
    headers = {"Hash-Authorization": sign(fields, CALLBACK_KEY)}
    return bank.client.get(f"/{method}", params=fields, headers=headers).status_code


def status_of(bank: Bank, transaction_id: str) -> str:
    """Ask what became of a movement; a machine too busy to say so knows nothing either."""
    reply = bank.ask("transaction/check", transaction_id=transaction_id)
    return "unknown" if reply.code == AWAY else str(reply.data["status"])


def test_money_that_the_standby_lacks_is_not_told_to_anybody(bank: Bank, pair: Pair) -> None:
    player, deposit = bank.player("100"), unique("cash")
    token = bank.token(player)
    pair.standby.freeze()
    assert bank.move("account/deposit", player, "5", deposit).code == AWAY
    assert status_of(bank, deposit) == "unknown"
    # Once it is known that the standby is away, nobody waits for it.
    until(lambda: bank.ask("account/balance", user_id=player).code == AWAY)
    began = time.monotonic()
    assert bank.ask("account/balance", user_id=player).code == AWAY
    assert bank.move("account/deposit", player, "5", deposit).code == AWAY
    assert bank.ask("history", type="ALL").code == AWAY
    assert bank.ask("account/statement", user_id=player).code == AWAY
    assert bank.ask("events").code == AWAY
    for method in ("getBalance", "playerDetails", "sessionCheck"):
        assert status_of_game(bank, method, token, player) == 503
    assert time.monotonic() - began < 7 * AT_ONCE_SECONDS
    # The row is there and not to be seen, for nobody has given up its commit.
    seen = bank.sql("SELECT count(*) AS n FROM movements WHERE transaction_id = $1", deposit)
    assert seen[0]["n"] == 0
    assert pair.commits_waiting() > 0
    assert pair.given_up() == []

    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))
    assert bank.move("account/deposit", player, "5", deposit).pockets == ("105.00", "0.00")
    until(lambda: status_of(bank, deposit) == "completed")
    assert bank.balance(player) == ("105.00", "0.00")


def test_a_row_that_a_restart_has_shown_is_told_once_the_standby_has_it(
    bank: Bank, pair: Pair
) -> None:
    player, deposit = bank.player("100"), unique("cash")
    token = bank.token(player)
    pair.standby.freeze()
    assert bank.move("account/deposit", player, "5", deposit).code == AWAY
    pair.primary.kill()
    pair.primary.start()
    seen = bank.sql("SELECT count(*) AS n FROM movements WHERE transaction_id = $1", deposit)
    assert seen[0]["n"] == 1, "after a restart PostgreSQL shows what its log has"
    assert status_of(bank, deposit) == "unknown"
    assert bank.ask("account/balance", user_id=player).code == AWAY
    assert bank.move("account/deposit", player, "5", deposit).code == AWAY
    assert bank.ask("history", type="ALL").code == AWAY
    assert bank.ask("account/statement", user_id=player).code == AWAY
    assert bank.ask("events").code == AWAY
    for method in ("getBalance", "playerDetails"):
        assert status_of_game(bank, method, token, player) == 503

    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))
    until(lambda: status_of(bank, deposit) == "completed")
    assert bank.move("account/deposit", player, "5", deposit).pockets == ("105.00", "0.00")
    assert bank.balance(player) == ("105.00", "0.00")
    assert pair.given_up() == []


async def test_a_commit_counts_as_waiting_once_it_waits_for_longer_than_it_should(
    bank: Bank, pair: Pair
) -> None:
    """Many that have just begun to wait must not keep a confirmation from being sent."""
    del bank
    sender, asker = [await connect(PairDatabase(pair).service_url) for _ in range(2)]
    pair.standby.freeze()
    began = time.monotonic()
    commit = asyncio.create_task(sender.execute(CONFIRM))
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not await asker.fetchval(COMMITS_WAITING):  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.02)
    assert time.monotonic() - began >= CONFIRM_SECONDS
    pair.standby.thaw()
    await commit
    await asyncio.gather(sender.close(), asker.close())


def test_every_repeat_of_what_the_standby_lacks_is_unknown_until_it_has_it(
    bank: Bank, pair: Pair
) -> None:
    """By every road that writes, and after a restart that shows the rows."""
    player, newcomer, jti = bank.player("100"), unique("newcomer"), unique("jti")
    bet = {
        "token": bank.token(player),
        "userId": player,
        "gameId": "1",
        "eventId": unique("e"),
        "direction": "debit",
        "transactionId": unique("bet"),
        "eventType": "BetPlacing",
        "amount": "7.00",
    }
    opening = {"user_id": newcomer, "currency": "USD", "nickname": "newcomer", "language": "en"}

    def bet_status() -> int:
        headers = {"Hash-Authorization": sign(bet, CALLBACK_KEY)}
        return bank.client.post("/moveFunds", data=bet, headers=headers).status_code

    def codes() -> list[int]:
        return [
            bank.ask("account/session", user_id=player, jti=jti).code,
            bank.ask("account/init", **opening).code,
            bank.ask("bonus/grant", user_id=player, transaction_id=jti, amount="3").code,
            bank.ask("account/update", user_id=player, status="blocked").code,
            bank.ask("account/hold", user_id=player, transaction_id=newcomer, amount="2").code,
        ]

    pair.standby.freeze()
    assert bet_status() == 503
    assert codes() == [AWAY] * 5
    pair.primary.kill()
    pair.primary.start()
    for _ in range(2):
        assert bet_status() == 503
        assert codes() == [AWAY] * 5
        assert bank.ask("account/balance", user_id=newcomer).code == AWAY
        for method in ("sessionCheck", "playerDetails", "getBalance"):
            assert status_of_game(bank, method, bet["token"], player) == 503
        query = {"userId": player}
        headers = {"Hash-Authorization": sign(query, CALLBACK_KEY)}
        assert bank.client.get("/getUserToken", params=query, headers=headers).status_code == 503
    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))
    assert bet_status() == 200
    assert pair.given_up() == []


def test_a_hold_that_is_there_is_never_called_unknown_while_the_standby_is_away(
    bank: Bank, pair: Pair
) -> None:
    player, hold, settle = bank.player("100"), unique("hold"), unique("settle")
    assert bank.move("account/hold", player, "40", hold).code == 0
    pair.standby.freeze()
    asked = {"transaction_id": settle, "hold_id": hold}
    assert bank.ask("hold/settle", **asked).code == AWAY
    until(lambda: bank.ask("account/balance", user_id=player).code == AWAY)
    assert bank.ask("hold/settle", **asked).code == AWAY
    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))
    assert bank.ask("hold/settle", **asked).code == 0


def test_commits_that_are_given_up_do_not_use_up_the_server(bank: Bank, pair: Pair) -> None:
    player = bank.player("100")
    pair.standby.freeze()
    assert bank.move("account/deposit", player, "5").code == AWAY
    until(lambda: bank.ask("account/balance", user_id=player).code == AWAY)
    for _ in range(50):
        assert bank.move("account/deposit", player, "5").code == AWAY
    assert pair.commits_waiting() < 10
    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))


async def test_whoever_follows_movements_sees_none_that_the_standby_lacks(
    bank: Bank, pair: Pair
) -> None:
    player, deposit = bank.player("100"), unique("cash")
    pair.standby.freeze()
    assert bank.move("account/deposit", player, "5", deposit).code == AWAY
    pair.primary.kill()
    pair.primary.start()
    ledger, wanted = Ledger(pair.url_for(SERVICE)), TailFilter(user_id=player)
    with pytest.raises(LedgerError):
        await anext(follow(ledger, wanted, back=timedelta(hours=1)))
    await ledger.close()
    pair.standby.thaw()
    until(lambda: is_told_again(bank, player))
    ledger = Ledger(pair.url_for(SERVICE))
    assert len(await anext(follow(ledger, wanted, back=timedelta(hours=1)))) == 2
    await ledger.close()


async def test_readiness_says_that_the_standby_does_not_confirm(pair: Pair) -> None:
    ledger = Ledger(pair.url_for(SERVICE))
    assert await why_not_ready(ledger) is None
    pair.standby.freeze()
    reason = "the synchronous standby does not confirm what is committed"
    assert await why_not_ready(ledger) == reason
    pair.standby.thaw()
    for _ in range(100):
        if await why_not_ready(ledger) is None:
            break
        await asyncio.sleep(0.05)
    assert await why_not_ready(ledger) is None
    await ledger.close()


def test_what_was_told_is_there_after_the_primary_is_killed_and_the_standby_promoted(
    bank: Bank, pair: Pair
) -> None:
    player = bank.player("100")
    told = [unique("cash") for _ in range(20)]
    for transaction_id in told:
        assert bank.move("account/deposit", player, "1", transaction_id).code == 0
    pair.standby.kill()
    untold = [unique("cash") for _ in range(4)]
    for transaction_id in untold:
        assert bank.move("account/deposit", player, "1", transaction_id).code == AWAY
        assert status_of(bank, transaction_id) == "unknown"
    pair.primary.kill()
    pair.standby.start()
    pair.fail_over()
    until(lambda: is_told_again(bank, player))
    assert bank.balance(player) == ("120.00", "0.00")
    for transaction_id in told:
        assert status_of(bank, transaction_id) == "completed"
    assert {status_of(bank, transaction_id) for transaction_id in untold} == {"unknown"}
    for transaction_id in untold:
        assert bank.move("account/deposit", player, "1", transaction_id).code == 0
    assert bank.balance(player) == ("124.00", "0.00")
    assert pair.given_up() == []
    pair.follow()
