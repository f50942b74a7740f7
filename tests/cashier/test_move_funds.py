"""`move_funds` with real commits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from app.cashier.move_funds import move_funds
from app.ledger import transaction
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.balance import Pockets
from app.wallet.early_aborts import OvertakenBet
from app.wallet.facts import Policy
from app.wallet.journal import Flag
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import Till
from tests.conftest import Database


@pytest.fixture(params=[False, True], ids=["unlocked", "under locks"])
async def till(db: Database, request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    """The contract is the same whether a batch runs once, or again under locks."""
    ledger = PlacedLedger(db.service_url)
    yield Till(ledger, db.superuser_url, is_stale_at_first=request.param)
    await ledger.close()


def kinds(receipts: list[Receipt]) -> list[type]:
    return [type(receipt) for receipt in receipts]


def again(movement: Movement, number: int) -> Movement:
    return movement._replace(delivery=number.to_bytes(16, "big"))


async def together(tills: list[Till], movements: list[Movement]) -> list[Receipt]:
    """Every movement in a transaction of its own, by turns of the processes."""
    tasks = [tills[number % len(tills)].one(movement) for number, movement in enumerate(movements)]
    return list(await asyncio.gather(*tasks))


async def test_a_bet_takes_its_stake_and_a_repeat_takes_nothing(till: Till) -> None:
    await till.player("anna", "100", "20")
    bet = till.bet(amount="105.50", transaction_id="b1")
    first = await till.one(bet)
    assert isinstance(first, Posting)
    assert first.entry.after == Pockets(0, 1450)
    second = await till.one(again(bet, 1))
    assert isinstance(second, Replay)
    assert second.entry == first.entry, "what was written is what was decided"
    assert second.pockets == Pockets(0, 1450)
    assert not second.is_own


async def test_a_whole_round_in_one_batch(till: Till) -> None:
    await till.player("anna", "100")
    receipts = await till.move(
        till.bet(amount="10"),
        till.movement("anna", "Win", "credit", "25"),
        till.movement("anna", "BetPayedAbort", "debit", "25"),
        till.movement("anna", "BetPlacingAbort", "credit", "10"),
        till.movement("anna", "BetPlacingAbort", "credit", "10"),
        till.bet(amount="1000"),
        till.bet("nobody", "1000"),
    )
    expected = [Posting, Posting, Posting, Posting, Declined, Declined, Refused]
    assert kinds(receipts) == expected
    gone = receipts[4]
    assert isinstance(gone, Declined)
    assert gone.refusal is Refusal.ALREADY_GIVEN_BACK
    assert await till.pockets() == Pockets(10000, 0)
    await till.is_sound()


async def test_a_round_over_several_transactions(till: Till) -> None:
    await till.player("anna", "100", "50")
    for kind, way, amount in [
        ("BetPlacing", "debit", "120"),
        ("Win", "credit", "25"),
        ("SportBetCancel", "debit", "30"),
        ("Lose", "credit", "0"),
    ]:
        receipt = await till.one(till.movement("anna", kind, way, amount))
        assert isinstance(receipt, Posting), receipt
    assert await till.pockets() == Pockets(0, 2500)


async def test_an_abort_before_its_bet_refuses_it_and_hears_that_all_is_given_back(
    till: Till,
) -> None:
    await till.player("anna", "100")
    early = till.movement("anna", "BetPlacingAbort", "credit", "10")
    abort = await till.one(early)
    assert isinstance(abort, Refused)
    assert abort.refusal is Refusal.NO_MATCHING_MOVEMENT
    bet = await till.one(till.bet())
    assert isinstance(bet, Declined)
    assert bet.refusal is Refusal.BET_OVERTAKEN
    assert kinds(await till.move(again(early, 1), till.bet())) == [Declined, Posting]
    assert isinstance(await till.one(again(early, 2)), Replay)
    (row,) = await till.rows("SELECT amount::int, state FROM early_aborts")
    assert tuple(row) == (10, "settled")
    assert await till.pockets() == (9000, 0)
    await till.is_sound()


async def test_a_round_that_only_refused_aborts_know_takes_more_of_them(till: Till) -> None:
    """It has a row and no entries: its history is empty, not unknown."""
    await till.player("anna", "100")
    for amount in ("10", "10", "7"):
        for kind, way in (
            ("BetPlacingAbort", "credit"),
            ("BetPayedAbort", "debit"),
        ):
            receipt = await till.one(till.movement("anna", kind, way, amount))
            assert isinstance(receipt, Refused)
    assert await till.count("early_aborts") == 3
    receipts = await till.move(till.bet(), till.bet(), till.bet(), till.bet(amount="7"))
    assert kinds(receipts) == [Declined, Declined, Posting, Declined]
    await till.is_sound()


async def test_an_abort_before_its_bet_flags_it_where_the_operator_wants_that(till: Till) -> None:
    till.policy = Policy(overtaken_bet=OvertakenBet.FLAG)
    await till.player("anna", "100")
    await till.one(till.movement("anna", "BetPlacingAbort", "credit", "10"))
    bet = await till.one(till.bet())
    assert isinstance(bet, Posting)
    assert bet.entry.flags == (Flag.ABORT_OVERTOOK,)


async def test_a_batch_is_decided_however_its_refusals_depend_on_each_other(till: Till) -> None:
    """Each key looked up turns a neighbour's acceptance into a refusal that needs the next one."""
    await till.player("anna")
    receipts = await till.move(
        till.bet(amount="1000", transaction_id="k1"),
        till.movement("anna", "DropAndWin", "credit", "20", transaction_id="k1"),
        till.bet(amount="10", transaction_id="k2"),
        till.movement("anna", "DropAndWin", "credit", "10", transaction_id="k2"),
        till.bet(amount="10", transaction_id="k3"),
    )
    assert kinds(receipts) == [Declined, Replay, Declined, Replay, Declined]


@pytest.mark.parametrize("bets", [1, 40])
async def test_a_batch_where_every_key_is_taken_is_decided(till: Till, bets: int) -> None:
    await till.player("anna", "100")
    movements = [till.bet(amount="1") for _ in range(bets)]
    await till.move(*movements)
    receipts = await till.move(*(again(movement, 1) for movement in movements))
    assert set(kinds(receipts)) == {Replay}
    assert await till.pockets() == (10000 - 100 * bets, 0)


async def test_taken_and_fresh_keys_in_one_batch(till: Till) -> None:
    """The retry of an all-in bet comes with a bet that its refunded stake would have paid."""
    await till.player("anna", "100")
    all_in = till.bet(amount="100")
    await till.one(all_in)
    receipts = await till.move(
        again(all_in, 1),
        till.bet(amount="100"),
        till.movement("anna", "Win", "credit", "30"),
        till.bet(amount="30"),
        again(all_in, 2),
    )
    assert kinds(receipts) == [Replay, Declined, Posting, Posting, Replay]
    assert await till.pockets() == (0, 0)
    await till.is_sound()


async def test_an_unknown_player_alone_leaves_only_a_refusal(till: Till) -> None:
    receipt = await till.one(till.bet("nobody"))
    assert isinstance(receipt, Refused)
    assert receipt.refusal is Refusal.PLAYER_UNKNOWN
    assert await till.count("movements") == 0
    assert await till.count("refusals") == 1


class TestTogether:
    async def test_thirty_deliveries_of_one_bet_take_one_stake(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "100")
        bet = till.bet()
        receipts = await together([till, other_till], [again(bet, n) for n in range(30)])
        assert Counter(kinds(receipts)) == {Posting: 1, Replay: 29}
        assert await till.pockets() == (9000, 0)
        await till.is_sound()

    async def test_twenty_bets_race_for_money_for_five(self, till: Till, other_till: Till) -> None:
        await till.player("anna", "50")
        receipts = await together([till, other_till], [till.bet() for _ in range(20)])
        assert Counter(kinds(receipts)) == {Posting: 5, Declined: 15}
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_the_lock_and_the_key_alone_would_keep_the_money(
        self, till: Till, other_till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each guard holds on its own: here without SERIALIZABLE."""
        monkeypatch.setattr(transaction, "SERIALIZABLE", "BEGIN ISOLATION LEVEL READ COMMITTED;")
        await till.let_money_move_at_any_isolation()
        await till.player("anna", "50")
        bets = [till.bet() for _ in range(12)]
        twice = [again(bet, number) for number, bet in enumerate(bets)]
        receipts = await together([till, other_till], [*bets, *twice])
        assert Counter(kinds(receipts)) == {Posting: 5, Declined: 7, Replay: 12}
        assert await till.pockets() == (0, 0)
        await till.is_sound()

    async def test_two_players_with_one_id_make_one_movement(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        for number in range(5):
            receipts = await together(
                [till, other_till],
                [till.bet(name, transaction_id=f"same-{number}") for name in ("anna", "boris")],
            )
            assert Counter(kinds(receipts)) == {Posting: 1, Refused: 1}
            (refused,) = [r for r in receipts if isinstance(r, Refused)]
            assert (refused.refusal, refused.differs) == (Refusal.MOVEMENT_DIFFERS, "userId")
        anna, boris = await till.pockets("anna"), await till.pockets("boris")
        assert anna.balance + boris.balance == 15000
        await till.is_sound()

    async def test_an_abort_delivered_eight_times_gives_back_once(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "100")
        await till.one(till.bet())
        abort = till.movement("anna", "BetPlacingAbort", "credit", "10")
        receipts = await together([till, other_till], [again(abort, n) for n in range(8)])
        assert Counter(kinds(receipts)) == {Posting: 1, Replay: 7}
        assert await till.pockets() == (10000, 0)

    async def test_eight_aborts_of_one_bet_give_back_once(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "100")
        await till.one(till.bet())
        aborts = [till.movement("anna", "BetPlacingAbort", "credit", "10") for _ in range(8)]
        receipts = await together([till, other_till], aborts)
        assert Counter(kinds(receipts)) == {Posting: 1, Declined: 7}
        assert await till.pockets() == (10000, 0)
        await till.is_sound()

    async def test_a_bet_and_its_abort_leave_all_or_nothing_of_the_stake(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "100")
        for number in range(10):
            event = f"event-{number}"
            bet = till.bet(event_id=event)
            abort = till.movement("anna", "BetPlacingAbort", "credit", "10", event_id=event)
            before = await till.pockets()
            first, second = await together([till, other_till], [bet, abort])
            if isinstance(first, Posting):
                assert isinstance(second, Posting)
            else:
                assert isinstance(first, Declined)
                assert first.refusal is Refusal.BET_OVERTAKEN
                assert isinstance(second, Refused)
                assert second.refusal is Refusal.NO_MATCHING_MOVEMENT
                late = await till.one(again(abort, number))
                assert isinstance(late, Declined)
            assert await till.pockets() == before
        await till.is_sound()

    async def test_withdrawals_racing_bets_never_take_the_same_money(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "50", "20")
        bets = [till.bet() for _ in range(8)]
        withdrawals = [till.movement("anna", "Withdrawal", "debit", "10") for _ in range(8)]
        mixed = [m for pair in zip(bets, withdrawals, strict=True) for m in pair]
        receipts = await together([till, other_till], mixed)
        taken = sum(isinstance(receipt, Posting) for receipt in receipts)
        pockets = await till.pockets()
        assert pockets.balance == 7000 - 1000 * taken
        assert min(pockets) >= 0
        assert pockets.real == 0, "money was left that somebody asked for"
        await till.is_sound()

    async def test_rounds_of_one_player_in_two_processes_add_up(
        self, till: Till, other_till: Till
    ) -> None:
        await till.player("anna", "1000")
        bets = [till.bet(amount="1", event_id=f"e{n % 3}") for n in range(24)]
        receipts = await together([till, other_till], bets)
        assert set(kinds(receipts)) == {Posting}
        rows = await till.rows("SELECT bets_placed, bets_standing, staked::int FROM rounds")
        assert [tuple(row) for row in rows] == [(8, 8, 8)] * 3
        await till.is_sound()

    async def test_batches_of_many_players_in_opposite_order_all_get_through(
        self, till: Till, other_till: Till
    ) -> None:
        names = await till.players(12, "100")
        one = [till.bet(name) for name in names]
        other = [till.bet(name) for name in reversed(names)]
        results = await asyncio.gather(
            *(t.move(*batch) for t in (till, other_till) for batch in (one, other)),
            *(
                move_funds(t.ledger, [t.bet(name) for name in names], t.policy)
                for t in (till, other_till)
            ),
        )
        counted = Counter(kind for receipts in results for kind in kinds(receipts))
        assert counted == {Posting: 12 * 4, Replay: 12 * 2}
        assert all("40P01" not in t.ledger.retries for t in (till, other_till))
        await till.is_sound()


class TestTheRefusalLog:
    """Refusals that are no outcome, and repeats with other content, each leave a row."""

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"user_id": "nobody"}, "PLAYER_UNKNOWN"),
            ({"amount": "1.001"}, "AMOUNT_TOO_FINE"),
            ({"token": b"x" * 32}, "TOKEN_UNKNOWN"),
        ],
    )
    async def test_every_refusal_that_is_no_outcome_has_its_row(
        self, till: Till, change: dict[str, object], refusal: str
    ) -> None:
        await till.player("anna", "100")
        bet = till.bet(extra_data='{"a": 1}')._replace(**change)  # type: ignore[arg-type]
        assert isinstance(await till.one(bet), Refused)
        (row,) = await till.rows("SELECT * FROM refusals")
        assert (row["refusal"], row["differs"]) == (refusal, None)
        assert row["user_id"] == bet.user_id
        assert row["delivery"].bytes == bet.delivery
        found = (row["source"], row["transaction_id"], row["event_id"], row["amount"])
        assert found == (*bet.key[:2], bet.event_id, bet.amount)
        assert (row["event_type"], row["direction"]) == ("BetPlacing", "debit")
        assert '{\\"a\\": 1}' in row["asked"]
        assert await till.count("movements", "event_type = 'BetPlacing'") == 0

    async def test_a_win_without_a_bet_has_its_row(self, till: Till) -> None:
        await till.player("anna", "100")
        await till.one(till.movement("anna", "Win", "credit", "5"))
        (row,) = await till.rows("SELECT refusal, reason FROM refusals")
        assert tuple(row) == ("NO_MATCHING_MOVEMENT", Refusal.NO_MATCHING_MOVEMENT.value)

    async def test_a_repeat_with_other_content_has_its_row_and_names_the_field(
        self, till: Till
    ) -> None:
        await till.player("anna", "100")
        accepted, refused = till.bet(), till.bet(amount="5000")
        await till.move(accepted, refused)
        await till.one(again(accepted, 1)._replace(amount="11"))
        await till.one(again(accepted, 2)._replace(event_id="other"))
        await till.one(again(refused, 3)._replace(amount="1"))
        rows = await till.rows("SELECT refusal, differs FROM refusals ORDER BY refusal_id")
        assert [tuple(row) for row in rows] == [
            ("MOVEMENT_DIFFERS", "amount"),
            ("MOVEMENT_DIFFERS", "eventId"),
            ("MOVEMENT_DIFFERS", "amount"),
        ]

    async def test_an_outcome_and_a_plain_repeat_leave_none(self, till: Till) -> None:
        await till.player("anna", "100")
        bet, poor = till.bet(), till.bet(amount="5000")
        await till.move(bet, poor)
        await till.move(again(bet, 1), again(poor, 2))
        assert await till.count("refusals") == 0

    async def test_no_token_is_anywhere_in_the_database(self, till: Till, db: Database) -> None:
        await till.player("anna", "100")
        token = till.tokens["anna"]
        await till.move(
            till.bet(),
            till.bet(token="stolen-token"),
            till.movement("anna", "Win", "credit", "1", event_id="unknown"),
        )
        tables = await till.rows(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        )
        assert db.name
        for (table,) in tables:
            for row in await till.rows(f"SELECT {table}::text FROM {table}"):
                assert token not in row[0]
                assert token.encode().hex() not in row[0]
                assert "stolen-token" not in row[0]
