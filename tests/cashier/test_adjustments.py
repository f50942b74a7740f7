"""Adjustments: two people, one movement, and a key that nobody can use again."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.cashier.adjustments import (
    Approved,
    NotAdjusted,
    Preview,
    Request,
    approve,
    latest_adjustments,
    propose,
    reject,
    show_adjustment,
)
from app.cashier.audit import audit
from app.wallet.adjustments import AdjustmentReason, AdjustmentState
from app.wallet.balance import Pockets
from app.wallet.events import Direction, Pocket
from app.wallet.facts import Policy
from app.wallet.movement import KeyScope
from app.wallet.operators import MAY, Operator, Permission, Role, Via
from app.wallet.outcomes import SETTLED_BY_HAND, Posting, Refused
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, connect


def person(name: str, *, is_verified: bool = True) -> Operator:
    roles = frozenset({Role.FINANCE, Role.APPROVER} if is_verified else ())
    return Operator(name, is_verified, roles, Via.CONSOLE, "tty1")


MIRA, NOAH = person("mira"), person("noah")


def wanted(amount: str = "5.00", **changes: Any) -> Request:  # noqa: ANN401 - any field
    request = Request(
        "anna", Direction.CREDIT, Pocket.REAL, amount, AdjustmentReason.GOODWILL, "T-7"
    )
    return request._replace(**changes)


async def asked(till: Till, amount: str = "5.00", **changes: Any) -> int:  # noqa: ANN401 - any field
    preview = await propose(till.ledger, MIRA, wanted(amount, **changes))
    assert isinstance(preview, Preview), preview
    return preview.adjustment.adjustment_id


async def done(till: Till, amount: str = "5.00", **changes: Any) -> Approved:  # noqa: ANN401 - any field
    number = await asked(till, amount, **changes)
    approved = await approve(till.ledger, NOAH, number, solo_max={})
    assert isinstance(approved, Approved), approved
    return approved


async def refused(till: Till, by: Operator, number: int, **solo_max: str) -> str:
    told = await approve(till.ledger, by, number, solo_max=solo_max)
    assert isinstance(told, NotAdjusted)
    return told.words


@pytest.fixture
async def anna(till: Till) -> Till:
    await till.player("anna", real="100.00", bonus="20.00")
    return till


async def test_one_asks_and_another_approves_and_the_money_moves_once(anna: Till) -> None:
    preview = await propose(anna.ledger, MIRA, wanted())
    assert isinstance(preview, Preview)
    assert (preview.before, preview.after) == (Pockets(10_000, 2_000), Pockets(10_500, 2_000))
    assert await anna.pockets() == Pockets(10_000, 2_000), "nothing moves before the approval"
    number = preview.adjustment.adjustment_id
    approved = await approve(anna.ledger, NOAH, number, solo_max={}, note="seen")
    assert isinstance(approved, Approved)
    assert approved.entry.after == Pockets(10_500, 2_000)
    assert approved.entry.key == ("wallet:adjustment", f"adjustment-{number}", "")
    assert approved.adjustment.state is AdjustmentState.APPROVED
    assert approved.adjustment.decision_note == "seen"
    assert (await refused(anna, NOAH, number)).endswith("is approved by noah already.")
    assert await anna.pockets() == Pockets(10_500, 2_000)
    assert (await audit(anna.superuser_url)).is_clean


@pytest.mark.parametrize(
    ("pocket", "direction", "after"),
    [
        (Pocket.REAL, Direction.CREDIT, Pockets(10_300, 2_000)),
        (Pocket.REAL, Direction.DEBIT, Pockets(9_700, 2_000)),
        (Pocket.BONUS, Direction.CREDIT, Pockets(10_000, 2_300)),
        (Pocket.BONUS, Direction.DEBIT, Pockets(10_000, 1_700)),
    ],
)
async def test_the_named_pocket_moves_and_no_other(
    anna: Till, pocket: Pocket, direction: Direction, after: Pockets
) -> None:
    await done(anna, "3.00", pocket=pocket, direction=direction)
    assert await anna.pockets() == after


@pytest.mark.parametrize("role", Role)
async def test_a_role_that_may_not_does_nothing(anna: Till, role: Role) -> None:
    somebody = Operator("olga", is_verified=True, roles=frozenset({role}), via=Via.PAGE, source="")
    number = await asked(anna)
    told = {
        Permission.ADJUST: await propose(anna.ledger, somebody, wanted()),
        Permission.APPROVE: await approve(anna.ledger, somebody, number, solo_max={}),
    }
    for permission, receipt in told.items():
        assert isinstance(receipt, NotAdjusted) is (permission not in MAY[role])
    if role is not Role.APPROVER:
        assert isinstance(await reject(anna.ledger, somebody, number), NotAdjusted)
        assert await anna.pockets() == Pockets(10_000, 2_000)


async def test_who_asked_cannot_approve(anna: Till) -> None:
    number = await asked(anna)
    assert "another person has to approve it" in await refused(anna, MIRA, number)
    assert await anna.pockets() == Pockets(10_000, 2_000)


@pytest.mark.parametrize("who_has_not_signed_in", ["mira", "noah"])
async def test_who_has_not_signed_in_may_be_anybody(anna: Till, who_has_not_signed_in: str) -> None:
    mira, noah = (
        person(name, is_verified=name != who_has_not_signed_in) for name in ("mira", "noah")
    )
    preview = await propose(anna.ledger, mira, wanted())
    assert isinstance(preview, Preview)
    told = await refused(anna, noah, preview.adjustment.adjustment_id)
    assert told.startswith("An adjustment needs two people who have signed in")


async def test_a_small_amount_needs_one_person_where_the_setting_says_so(anna: Till) -> None:
    number = await asked(anna, "5.00")
    assert "another person" in await refused(anna, MIRA, number, USD="4.99", JPY="500")
    approved = await approve(anna.ledger, MIRA, number, solo_max={"USD": "5.00"})
    assert isinstance(approved, Approved)
    assert (await audit(anna.superuser_url)).is_clean


@pytest.mark.parametrize(
    ("decided_by", "is_verified", "solo_max"), [("mira", "true", "4.99"), ("noah", "false", "0")]
)
async def test_the_database_itself_wants_two_people(
    anna: Till, decided_by: str, is_verified: str, solo_max: str
) -> None:
    """Whoever calls the function with a movement that is otherwise right is refused."""
    number = await asked(anna)
    connection = await connect(anna.superuser_url)
    body = await connection.fetchval("SELECT pg_get_functiondef('record_adjustment_v1'::regproc)")
    # Leave out what the road itself checks, which needs a whole batch.
    alone = body.replace("PERFORM record_movements_v2", "-- ").replace(
        "renewed, returned, counters_after, hits, holds_after, decided_at);", "", 1
    )
    await connection.execute(alone)
    (player_id,) = await connection.fetchval("SELECT array_agg(player_id) FROM players")
    entry = (
        f"ROW({player_id},3,3,'wallet:adjustment','x','',gen_random_uuid(),'Adjustment','credit','ACCEPTED',"
        "'USD',2,5,100,20,5,0,'house:adjustments',NULL,NULL,NULL,NULL,'','',0,'')::journal_row_v1"
    )
    with pytest.raises(Exception, match="by another person"):
        await connection.execute(
            f"SELECT record_adjustment_v1(NULL, NULL, ARRAY[{entry}], NULL, NULL, NULL, NULL, NULL,"
            " NULL, NULL, NULL,"
            f" now(), ROW({number}, '{decided_by}', {is_verified}, 'page', 'x', NULL, {solo_max})"
            "::adjustment_approval_v1)"
        )
    await connection.close()


async def test_a_rejected_one_moves_nothing_for_ever(anna: Till) -> None:
    number = await asked(anna)
    told = await reject(anna.ledger, NOAH, number, "no such ticket")
    assert not isinstance(told, NotAdjusted)
    assert (told.state, told.decision_note) == (AdjustmentState.REJECTED, "no such ticket")
    assert (await refused(anna, NOAH, number)).endswith("is rejected by noah already.")
    assert isinstance(await reject(anna.ledger, NOAH, number), NotAdjusted)
    assert await anna.pockets() == Pockets(10_000, 2_000)


async def test_one_that_nobody_decided_expires(anna: Till) -> None:
    number = await asked(anna)
    connection = await connect(anna.superuser_url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        "UPDATE adjustments SET proposed_at = proposed_at - $1::interval,"
        " expires_at = expires_at - $1::interval",
        timedelta(days=7),
    )
    await connection.close()
    assert (await refused(anna, NOAH, number)).endswith("is expired already.")
    assert await latest_adjustments(anna.ledger) == []
    (expired,) = await latest_adjustments(anna.ledger, state=AdjustmentState.EXPIRED)
    assert expired.adjustment_id == number


async def test_of_two_who_decide_at_once_one_is_heard(anna: Till) -> None:
    number = await asked(anna)
    told = await asyncio.gather(
        *(
            approve(anna.ledger, person(name), number, solo_max={})
            for name in ("noah", "olga", "pete")
        ),
        reject(anna.ledger, NOAH, number),
    )
    assert sum(not isinstance(each, NotAdjusted) for each in told) == 1
    moved = any(isinstance(each, Approved) for each in told)
    assert await anna.pockets() == Pockets(10_500 if moved else 10_000, 2_000)
    assert (await audit(anna.superuser_url)).is_clean


async def test_a_pocket_never_falls_below_zero_and_the_request_stays_open(anna: Till) -> None:
    number = await asked(anna, "20.01", pocket=Pocket.BONUS, direction=Direction.DEBIT)
    told = await refused(anna, NOAH, number)
    assert told == (
        "Refused: not enough money (100.00 real, 20.00 bonus, USD). The request stays open."
    )
    shown = await show_adjustment(anna.ledger, number)
    assert isinstance(shown, Preview)
    assert shown.adjustment.state is AdjustmentState.OPEN
    assert shown.after is Refusal.INSUFFICIENT_FUNDS
    assert await anna.count("movements", "event_type = 'Adjustment'") == 0
    assert await anna.count("refusals") == 0
    await anna.move(anna.movement("anna", "BonusGrant", "credit", "0.01"))
    assert isinstance(await approve(anna.ledger, NOAH, number, solo_max={}), Approved)


async def test_a_credit_to_bonus_pays_no_debt_and_one_to_real_does(anna: Till) -> None:
    cancel = anna.movement("anna", "SportBetCancel", "debit", "130.00")
    assert isinstance(await anna.one(cancel), Posting)
    assert await anna.pockets() == Pockets(-1_000, 0)
    await done(anna, "4.00", pocket=Pocket.BONUS)
    assert await anna.pockets() == Pockets(-1_000, 400)
    await done(anna, "10.00", reason=AdjustmentReason.DEBT_FORGIVEN)
    assert await anna.pockets() == Pockets(0, 400)
    assert (await audit(anna.superuser_url)).is_clean


class TestAnAdjustmentForARefusedMovement:
    @pytest.mark.parametrize("scope", KeyScope)
    async def test_takes_its_key_so_that_its_later_delivery_hears_409(
        self, anna: Till, scope: KeyScope
    ) -> None:
        anna.policy = Policy(key_scope=scope)
        await anna.rows("UPDATE decision_settings SET key_scope = $1", scope.value)
        win = anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1")
        assert isinstance(await anna.one(win), Refused)
        approved = await done(anna, "7.00", settles="w-1")
        assert approved.entry.key == ("callback", "w-1", "Win:credit")
        assert approved.entry.event_id == "event-1"
        # Its bet comes after all, and then the win again.
        assert isinstance(await anna.one(anna.bet(amount="1.00")), Posting)
        before = await anna.pockets()
        receipt = await anna.one(win._replace(delivery=bytes(16)))
        assert isinstance(receipt, Refused)
        assert (receipt.refusal, receipt.detail) == (Refusal.MOVEMENT_DIFFERS, SETTLED_BY_HAND)
        assert await anna.pockets() == before
        assert (await audit(anna.superuser_url)).is_clean

    async def test_is_refused_if_the_movement_was_accepted_meanwhile(self, anna: Till) -> None:
        win = anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1")
        await anna.one(win)
        number = await asked(anna, "7.00", settles="w-1")
        await anna.move(anna.bet(amount="1.00"))
        assert isinstance(await anna.one(win), Posting)
        assert "has been accepted or settled meanwhile" in await refused(anna, NOAH, number)
        told = await propose(anna.ledger, MIRA, wanted("7.00", settles="w-1"))
        assert told == NotAdjusted("The Win w-1 was accepted since.")
        assert await anna.pockets() == Pockets(10_600, 2_000)

    async def test_is_made_once_however_many_ask(self, anna: Till) -> None:
        await anna.one(anna.movement("anna", "Win", "credit", "7.00", transaction_id="w-1"))
        numbers = [await asked(anna, "7.00", settles="w-1") for _ in range(2)]
        assert isinstance(await approve(anna.ledger, NOAH, numbers[0], solo_max={}), Approved)
        assert "meanwhile" in await refused(anna, NOAH, numbers[1])
        told = await propose(anna.ledger, MIRA, wanted("7.00", settles="w-1"))
        assert told == NotAdjusted("The Win w-1 was settled by hand already.")

    async def test_lets_no_late_bet_pay_for_an_abort_that_it_settled(self, anna: Till) -> None:
        """The abort came first and waits for its bet; settled by hand, it waits no longer."""
        abort = anna.movement("anna", "BetPlacingAbort", "credit", "9.00", transaction_id="a-1")
        assert isinstance(await anna.one(abort), Refused)
        await done(anna, "9.00", settles="a-1")
        assert await anna.count("early_aborts", "state = 'settled'") == 1
        assert isinstance(await anna.one(anna.bet(amount="9.00")), Posting)
        assert (await audit(anna.superuser_url)).is_clean

    async def test_says_which_movement_where_there_is_a_choice_or_none(self, anna: Till) -> None:
        for kind in ("Win", "BetPlacingAbort"):
            await anna.one(anna.movement("anna", kind, "credit", "7.00", transaction_id="x"))
        told = await propose(anna.ledger, MIRA, wanted(settles="x"))
        assert told == NotAdjusted(
            "Several were refused under x: say which of BetPlacingAbort, Win."
        )
        told = await propose(anna.ledger, MIRA, wanted(settles="y"))
        assert isinstance(told, NotAdjusted)
        assert told.words.startswith("No movement of anna was refused under the transaction id y")
        told = await propose(
            anna.ledger, MIRA, wanted(settles="x", event_type="Win", direction=Direction.DEBIT)
        )
        assert told == NotAdjusted("The Win x was a credit.")

    async def test_has_an_id_of_its_own_where_the_refusal_is_for_ever(self, anna: Till) -> None:
        bet = anna.bet(amount="500.00", transaction_id="b-1")
        await anna.one(bet)
        approved = await done(anna, "2.00", settles="b-1", direction=Direction.DEBIT)
        assert approved.entry.key == ("callback", "b-1", "BetPlacing:debit")
        receipt = await anna.one(bet._replace(delivery=bytes(16)))
        assert isinstance(receipt, Refused)
        assert receipt.detail == SETTLED_BY_HAND


async def test_before_the_upgrade_has_ended_nothing_is_asked_for(anna: Till) -> None:
    await anna.rows("UPDATE decision_settings SET rule_version = 1")
    told = await propose(anna.ledger, MIRA, wanted())
    assert isinstance(told, NotAdjusted)
    assert told.words.endswith("run `wallet migrate --finish` first.")


async def test_bad_input_is_told_in_one_sentence(anna: Till) -> None:
    told = [
        await propose(anna.ledger, MIRA, wanted(user_id="nobody")),
        await propose(anna.ledger, MIRA, wanted("1.001")),
        await show_adjustment(anna.ledger, 999),
        await approve(anna.ledger, NOAH, 999, solo_max={}),
        await reject(anna.ledger, NOAH, 999),
    ]
    missing = "There is no adjustment 999; `wallet adjust list` shows which there are."
    assert [each.words for each in told if isinstance(each, NotAdjusted)] == [
        "There is no player nobody.",
        "USD has 2 decimals, and the amount is finer.",
        missing,
        missing,
        missing,
    ]


async def test_an_adjustment_is_in_no_figure_but_its_own(anna: Till) -> None:
    await done(anna, "5.00")
    (row,) = await anna.rows(
        "SELECT adjustments, turnover, payments, ggr, ngr, bonuses, corrections, deposits"
        " FROM ops.daily_movements WHERE event_type = 'Adjustment'"
    )
    assert [str(value) for value in row] == ["5.00", *["0.00"] * 7]
    assert await anna.count("ops.daily_revenue", "corrections <> 0 OR ngr > 0") == 0
    (row,) = await anna.rows(
        "SELECT balance FROM ops.house_accounts WHERE account = 'house:adjustments'"
    )
    assert str(row[0]) == "-5.00000000"
