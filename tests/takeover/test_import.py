"""Players who come in from another wallet play on as if they had always been here."""

import pytest

from app.cashier.audit import audit
from app.edges.callback.answers import DuplicateReply, answer_to
from app.ledger.imports.session import ImportedBeforeError
from app.wallet.balance import Pockets
from app.wallet.facts import Policy
from app.wallet.movement import KeyScope
from app.wallet.outcomes import Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import Till
from tests.conftest import Database, in_buckets
from tests.takeover.conftest import Bring, bet, decided, lines_of, player, token


def code_of(receipt: Receipt, reply: DuplicateReply = DuplicateReply.CONFLICT) -> int:
    return answer_to(receipt, reply).code


@pytest.fixture
def anna(till: Till) -> Till:
    till.tokens["anna"] = "t-anna"
    return till


async def is_whole(db: Database) -> None:
    assert (await audit(db.service_url)).breaches == []


async def test_the_win_of_a_bet_that_came_in_pays_in_the_proportion_of_its_stake(
    bring: Bring, anna: Till, db: Database
) -> None:
    await bring(player(real="70.00", bonus="5.00"), bet("b1", "20.00", "10.00"), token())
    assert await anna.pockets() == Pockets(7000, 500)
    receipt = await anna.one(anna.movement("anna", "Win", "credit", "60", event_id="slip"))
    assert isinstance(receipt, Posting)
    assert receipt.entry.delta == Pockets(4000, 2000)
    await is_whole(db)


async def test_an_abort_gives_the_stake_of_a_bet_that_came_in_back_as_it_was_split(
    bring: Bring, anna: Till, db: Database
) -> None:
    await bring(player(real="70.00", bonus="5.00"), bet("b1", "20.00", "10.00"), token())
    back = anna.movement("anna", "BetPlacingAbort", "credit", "30", event_id="slip")
    receipt = await anna.one(back)
    assert isinstance(receipt, Posting)
    assert await anna.pockets() == Pockets(9000, 1500)
    assert receipt.entry.delta == Pockets(2000, 1000)
    await is_whole(db)


async def test_a_cancel_takes_back_what_is_left_of_a_payment_from_where_it_went(
    bring: Bring, anna: Till, db: Database
) -> None:
    payment = {
        "kind": "payment",
        "user_id": "anna",
        "transaction_id": "w1",
        "event_id": "slip",
        "game_id": 1,
        "amount": "50.00",
        "real": "30.00",
        "bonus": "10.00",
    }
    await bring(player(real="70.00", bonus="25.00"), bet("b1", "20.00"), payment, token())
    assert await anna.pockets() == Pockets(7000, 2500)
    cancel = anna.movement("anna", "SportBetCancel", "debit", "40", event_id="slip")
    receipt = await anna.one(cancel)
    assert isinstance(receipt, Posting)
    assert receipt.entry.delta == Pockets(-3000, -1000)
    # Its own id was decided with 50, whatever of it was left.
    again = anna.movement("anna", "Win", "credit", "50", event_id="slip", transaction_id="w1")
    assert code_of(await anna.one(again)) == 409
    await is_whole(db)


@pytest.mark.parametrize("scope", KeyScope)
@pytest.mark.parametrize("reply", DuplicateReply)
async def test_the_retry_of_an_old_bet_is_a_repeat_and_charges_nothing(
    bring: Bring, anna: Till, db: Database, scope: KeyScope, reply: DuplicateReply
) -> None:
    await anna.rows("UPDATE decision_settings SET key_scope = $1", scope.value)
    anna.policy = Policy(key_scope=scope)
    await bring(
        player(real="70.00"),
        bet("b1", "20.00"),
        decided("b0"),
        decided("b2", event_type="BetPlacing", direction="debit", amount="5", event_id="old"),
        token(),
    )
    for sent, expected in (
        (anna.bet(amount="20", event_id="slip", transaction_id="b1"), 409),
        (anna.bet(amount="21", event_id="slip", transaction_id="b1"), 409),
        (anna.bet(amount="99", event_id="any", transaction_id="b0"), 409),
        (anna.bet(amount="5.00", event_id="old", transaction_id="b2"), 409),
        (anna.bet(amount="5.00", event_id="new", transaction_id="b2"), 409),
    ):
        receipt = await anna.one(sent)
        answer = answer_to(receipt, reply)
        assert answer.code == expected, receipt
        assert b'"balance":70.00' in answer.body
    assert await anna.pockets() == Pockets(7000, 0)
    await is_whole(db)


async def test_content_that_differs_from_what_is_known_is_told(bring: Bring, anna: Till) -> None:
    await bring(player(), bet("b1", "20.00"), token())
    other = await anna.one(anna.bet(amount="21", event_id="slip", transaction_id="b1"))
    assert isinstance(other, Refused)
    assert (other.refusal, other.differs) == (Refusal.MOVEMENT_DIFFERS, "amount")
    win = anna.movement("anna", "Win", "credit", "5", event_id="slip", transaction_id="b1")
    other = await anna.one(win)
    assert isinstance(other, Refused)
    assert (other.refusal, code_of(other)) == (Refusal.EVENT_TYPE_DIFFERS, 400)


async def test_what_was_refused_for_ever_is_refused_again_with_the_same_code(
    bring: Bring, anna: Till, db: Database
) -> None:
    content = {"event_type": "BetPlacing", "direction": "debit", "amount": "500"}
    more = {"event_id": "slip", "outcome": "INSUFFICIENT_FUNDS"}
    await bring(player(real="900"), decided("b1", **content, **more), token())
    receipt = await anna.one(anna.bet(amount="500", event_id="slip", transaction_id="b1"))
    assert isinstance(receipt, Replay)
    assert code_of(receipt) == 402
    await is_whole(db)


async def test_a_deposit_that_was_done_elsewhere_is_done(
    bring: Bring, anna: Till, db: Database
) -> None:
    done = {"door": "transfer", "event_type": "Deposit", "direction": "credit", "amount": "40"}
    await bring(player(real="40"), decided("d1", **done))
    again = anna.movement("anna", "Deposit", "credit", "40", transaction_id="d1")
    receipt = await anna.one(again)
    assert isinstance(receipt, Replay)
    assert await anna.pockets() == Pockets(4000, 0)
    await is_whole(db)


async def test_sums_stay_zero_and_revenue_counts_none_of_it(
    bring: Bring, anna: Till, db: Database
) -> None:
    done = await bring(
        player(real="-12.00", bonus="5.00"),
        player("bora", real="10.00"),
        bet("b1", "20.00", "1.00"),
        token(),
    )
    assert done.counted.totals == (
        '{"USD": {"real": "-2.00", "bonus": "5.00", "open_stakes": "21.00"}}'
    )
    assert await anna.pockets() == Pockets(-1200, 500)
    ((entries,),) = await anna.rows("SELECT sum(amount) FROM ops.entries")
    assert entries == 0
    ((house,),) = await anna.rows(
        "SELECT balance FROM ops.house_accounts WHERE account = 'house:imports'"
    )
    assert house == -3
    ((bets, ggr, imports),) = await anna.rows(
        "SELECT sum(bets), sum(ggr), sum(imports) FROM ops.daily_movements"
    )
    assert (bets, ggr, imports) == (0, 0, 3)
    assert await anna.count("ops.daily_revenue") == 0
    await is_whole(db)


async def test_nothing_of_it_is_told_to_the_platform_and_everything_after_it_is(
    bring: Bring, anna: Till
) -> None:
    await bring(player(), bet("b1", "20.00"), token())
    for table in ("movements", "account_openings", "account_changes"):
        assert await anna.count(table, "xid IS NOT NULL") == 0
    await anna.one(anna.movement("anna", "Win", "credit", "5", event_id="slip"))
    assert await anna.count("movements", "xid IS NOT NULL") == 1


@in_buckets
async def test_each_player_has_a_note_and_the_file_a_row(bring: Bring, anna: Till) -> None:
    excluded = player(
        "bora", blocked=True, excluded_until="2099-01-01T00:00:00Z", limits={"stake_day": "50"}
    )
    done = await bring(player(), excluded, token())
    rows = await anna.rows(
        "SELECT user_id, operation, c.source, asked::jsonb ->> 'import' AS import,"
        " outcome::jsonb ->> 'status' AS status"
        " FROM account_changes c JOIN players USING (player_id) ORDER BY user_id"
    )
    noted = "console:olga (not verified)"
    number = str(done.import_id)
    assert [tuple(row) for row in rows] == [
        ("anna", "import", noted, number, "active"),
        ("bora", "import", noted, number, "blocked"),
    ]
    ((digest, by, lines),) = await anna.rows("SELECT digest, by, lines FROM imports")
    assert (digest, by, lines) == (done.digest, noted, 5)
    ((action, subject),) = await anna.rows("SELECT action, subject FROM operator_actions")
    assert (action, subject) == ("import.file", number)


async def test_the_same_file_twice_says_so(bring: Bring, anna: Till) -> None:
    text = lines_of(player(), token())
    await bring(text)
    with pytest.raises(ImportedBeforeError):
        await bring(text)
    assert await anna.count("players") == 1


async def test_a_dry_run_keeps_nothing(bring: Bring, anna: Till) -> None:
    done = await bring(player(), bet("b1", "20.00"), token(), dry_run=True)
    assert (done.import_id, done.counted.bets) == (None, 1)
    for table in ("players", "movements", "imports", "sessions", "operator_actions"):
        assert await anna.count(table) == 0
    await bring(player(), bet("b1", "20.00"), token())
    assert await anna.count("players") == 1
