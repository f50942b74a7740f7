import asyncio

from app.wallet.balance import Pockets
from app.wallet.decision import Posting, Refused, Remembered, Replay
from app.wallet.refusals import Refusal


async def test_a_bet_takes_its_stake_and_a_repeat_takes_nothing(till):
    await till.player("anna", "100", "20")
    bet = till.movement("anna", "BetPlacing", "debit", "105.50", transaction_id="b1")
    (first,) = await till.move(bet)
    assert isinstance(first, Posting)
    assert first.entry.after == Pockets(0, 1450)
    again = bet._replace(delivery=bytes(16))
    (second,) = await till.move(again)
    assert isinstance(second, Replay)
    assert second.entry == first.entry
    assert second.pockets == Pockets(0, 1450)
    assert not second.is_own


async def test_a_whole_round_in_one_batch(till):
    await till.player("anna", "100")
    receipts = await till.move(
        till.movement("anna", "BetPlacing", "debit", "10"),
        till.movement("anna", "Win", "credit", "25"),
        till.movement("anna", "BetPayedAbort", "debit", "25"),
        till.movement("anna", "BetPlacingAbort", "credit", "10"),
        till.movement("anna", "BetPlacingAbort", "credit", "10"),
        till.movement("anna", "BetPlacing", "debit", "1000"),
        till.movement("nobody", "BetPlacing", "debit", "1000"),
    )
    kinds = [type(r) for r in receipts]
    assert kinds == [Posting, Posting, Posting, Posting, Remembered, Remembered, Refused]
    assert receipts[4].refusal is Refusal.ALREADY_GIVEN_BACK
    assert receipts[3].entry.after == Pockets(10000, 0)


async def test_a_round_over_several_transactions(till):
    await till.player("anna", "100", "50")
    for kind, way, amount in [
        ("BetPlacing", "debit", "120"),
        ("Win", "credit", "25"),
        ("SportBetCancel", "debit", "30"),
        ("Lose", "credit", "0"),
    ]:
        (receipt,) = await till.move(till.movement("anna", kind, way, amount))
        assert isinstance(receipt, Posting), receipt
    assert receipt.entry.after == Pockets(0, 2500)


async def test_an_abort_before_its_bet_is_refused_and_the_bet_flagged(till):
    await till.player("anna", "100")
    (abort,) = await till.move(till.movement("anna", "BetPlacingAbort", "credit", "10"))
    assert abort.refusal is Refusal.NO_MATCHING_MOVEMENT
    (bet,) = await till.move(till.movement("anna", "BetPlacing", "debit", "10"))
    assert [flag.value for flag in bet.entry.flags] == ["abort_overtook"]


async def test_thirty_deliveries_of_one_bet_take_one_stake(till):
    await till.player("anna", "100")
    bet = till.movement("anna", "BetPlacing", "debit", "10")
    results = await asyncio.gather(
        *(till.move(bet._replace(delivery=bytes([n]) * 16)) for n in range(30))
    )
    kinds = [type(r[0]) for r in results]
    assert kinds.count(Posting) == 1
    assert kinds.count(Replay) == 29
