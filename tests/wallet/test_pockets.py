"""Which pocket pays, and which is paid (callback contract, section 3, "Pockets")."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wallet.balance import (
    Pockets,
    StakeOrder,
    bonus_only,
    debt_first,
    real_only,
    reverse_parts,
    share,
    stake_from,
)
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, delta, movement, refusal

REAL_FIRST, BONUS_FIRST = StakeOrder.REAL_FIRST, StakeOrder.BONUS_FIRST
amounts = st.integers(0, 10**20)
pockets_of_any_kind = st.builds(Pockets, st.integers(-(10**20), 10**20), amounts)
parts_of_any_kind = st.builds(Pockets, amounts, amounts)


@pytest.mark.parametrize(
    ("order", "pockets", "amount", "paid"),
    [
        (REAL_FIRST, (100, 50), 80, (80, 0)),
        (REAL_FIRST, (100, 50), 120, (100, 20)),
        (REAL_FIRST, (100, 50), 150, (100, 50)),
        (REAL_FIRST, (100, 50), 151, None),
        (BONUS_FIRST, (100, 50), 40, (0, 40)),
        (BONUS_FIRST, (100, 50), 120, (70, 50)),
        (BONUS_FIRST, (100, 50), 151, None),
        (REAL_FIRST, (0, 0), 0, (0, 0)),
        (REAL_FIRST, (-100, 0), 0, (0, 0)),
        (REAL_FIRST, (-100, 150), 50, (0, 50)),
        (REAL_FIRST, (-100, 150), 51, None),
        (BONUS_FIRST, (-100, 150), 51, None),
        (BONUS_FIRST, (-100, 100), 1, None),
    ],
)
def test_a_stake_takes_the_pockets_in_order_and_a_debt_counts(
    order: StakeOrder, pockets: tuple[int, int], amount: int, paid: tuple[int, int] | None
) -> None:
    assert stake_from(Pockets(*pockets), amount, order) == paid


@pytest.mark.parametrize("kind", ["BetPlacing", "PromoStreamersDebit", "technicalFix"])
@pytest.mark.parametrize(("order", "paid"), [(REAL_FIRST, (-100, -20)), (BONUS_FIRST, (-70, -50))])
def test_stakes_and_corrections_follow_the_stake_order(
    kind: str, order: StakeOrder, paid: tuple[int, int]
) -> None:
    story = Story(Policy(stake_order=order)).player(real=100, bonus=50)
    assert delta(story.one(movement(kind, "1.20", direction="debit"))) == paid


@pytest.mark.parametrize("order", StakeOrder)
@pytest.mark.parametrize("kind", ["Tip", "Withdrawal"])
def test_a_tip_and_a_withdrawal_take_real_money_only(kind: str, order: StakeOrder) -> None:
    story = Story(Policy(stake_order=order)).player(real=100, bonus=5000)
    assert refusal(story.one(movement(kind, "1.01"))) is Refusal.INSUFFICIENT_FUNDS
    assert delta(story.one(movement(kind, "1.00"))) == (-100, 0)


def test_a_revocation_takes_bonus_money_only() -> None:
    story = Story().player(real=5000, bonus=100)
    assert refusal(story.one(movement("BonusRevoke", "1.01"))) is Refusal.INSUFFICIENT_FUNDS
    assert delta(story.one(movement("BonusRevoke", "1.00"))) == (0, -100)


@pytest.mark.parametrize("kind", ["BetPlacing", "Tip", "PromoStreamersDebit", "technicalFix"])
def test_a_debit_of_zero_is_always_funded_be_there_a_debt(kind: str) -> None:
    story = Story().player(real=-500, bonus=0)
    assert delta(story.one(movement(kind, "0", direction="debit"))) == (0, 0)


@pytest.mark.parametrize("kind", ["Win", "PromoWin", "DropAndWin"])
@pytest.mark.parametrize(
    ("code", "to_bonus"), [(None, False), ("", False), ("  ", False), ("\t", False), ("FREE", True)]
)
def test_a_win_with_a_bonus_code_that_is_not_blank_goes_to_bonus(
    kind: str, code: str | None, *, to_bonus: bool
) -> None:
    story = Story().player(real=1000)
    story.one(movement("BetPlacing", "1"))
    receipt = story.one(movement(kind, "3", direction="credit", bonus_code=code))
    assert delta(receipt) == ((0, 300) if to_bonus else (300, 0))


@pytest.mark.parametrize("kind", ["Lose", "technicalFix", "PromoStreamersCredit"])
def test_a_bonus_code_means_nothing_to_other_credits(kind: str) -> None:
    story = Story().player(real=1000)
    story.one(movement("BetPlacing", "1"))
    story.one(movement("PromoStreamersDebit", "1"))
    receipt = story.one(movement(kind, "3", direction="credit", bonus_code="FREE"))
    assert delta(receipt) == (300, 0)


@pytest.mark.parametrize(
    ("bet", "pay"),
    [
        ("BetPlacing", "Win"),
        ("BetPlacing", "Lose"),
        ("PromoStreamersDebit", "PromoStreamersCredit"),
    ],
)
def test_a_payment_goes_where_the_standing_stakes_came_from_bonus_rounded_down(
    bet: str, pay: str
) -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement(bet, "3.00"))
    assert delta(story.one(movement(pay, "1.00"))) == (34, 66)


def test_bonus_is_rounded_down_to_the_scale_of_the_currency() -> None:
    story = Story().player(real=1, bonus=2, currency=ISO_CURRENCIES["KRW"])
    story.one(movement("BetPlacing", "3"))
    assert delta(story.one(movement("Win", "10"))) == (4, 6)
    fine = Story().player(real=1, bonus=2, currency=Currency("BTC", 8))
    fine.one(movement("BetPlacing", "0.00000003"))
    assert delta(fine.one(movement("Win", "0.00000010"))) == (4, 6)


def test_only_stakes_that_stand_count_for_the_proportion() -> None:
    story = Story().player(real=100, bonus=500)
    story.one(movement("BetPlacing", "1.00"))
    story.one(movement("BetPlacing", "5.00"))
    story.one(movement("BetPlacingAbort", "5.00"))
    assert delta(story.one(movement("Win", "10"))) == (1000, 0)


def test_a_payment_without_a_stake_that_stands_goes_to_real() -> None:
    story = Story().player(bonus=500)
    story.one(movement("SportBetCancel", "0"))
    assert delta(story.one(movement("Win", "7"))) == (700, 0)


def test_an_abort_gives_back_as_the_bet_was_split() -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "2.50"))
    story.one(movement("Deposit", "9"))
    assert delta(story.one(movement("BetPlacingAbort", "2.50"))) == (100, 150)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("technicalFix", (300, 0)), ("Deposit", (300, 0)), ("PromoWin", (300, 0))],
)
def test_everything_else_goes_to_real(kind: str, expected: tuple[int, int]) -> None:
    story = Story().player(bonus=100)
    assert delta(story.one(movement(kind, "3", direction="credit"))) == expected


@pytest.mark.parametrize(
    ("real", "expected"), [(-100, (100, 200)), (-300, (300, 0)), (-500, (300, 0)), (0, (0, 300))]
)
def test_a_debt_is_paid_before_bonus_is_filled(real: int, expected: tuple[int, int]) -> None:
    story = Story().player(real=real)
    receipt = story.one(movement("PromoWin", "3", direction="credit", bonus_code="FREE"))
    assert delta(receipt) == expected


def test_what_a_credit_brings_to_real_counts_against_the_debt_first() -> None:
    """Two thirds would go to bonus; the real third leaves a debt of 1.00, so 1.00 is redirected."""
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.change(pockets=Pockets(-200, 0))
    assert delta(story.one(movement("Win", "3.00"))) == (200, 100)


def test_an_abort_pays_a_debt_first_too() -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.change(pockets=Pockets(-150, 0))
    assert delta(story.one(movement("BetPlacingAbort", "3.00"))) == (150, 150)


def test_only_a_bonus_grant_goes_to_bonus_whole_whatever_the_debt() -> None:
    story = Story().player(real=-1000)
    assert delta(story.one(movement("BonusGrant", "3"))) == (0, 300)
    assert story.pockets() == (-1000, 300)


def test_a_deposit_pays_a_debt_back() -> None:
    story = Story().player(real=-1000)
    story.one(movement("Deposit", "15"))
    assert story.pockets() == (500, 0)


def test_taking_back_draws_on_the_pockets_in_the_parts_in_which_the_money_came() -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.one(movement("Win", "9.00"))
    story.change(pockets=Pockets(5000, 5000))
    assert delta(story.one(movement("BetPayedAbort", "9.00"))) == (-300, -600)


def test_a_part_taken_back_is_split_in_proportion_bonus_rounded_down() -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.one(movement("Win", "9.00"))
    story.change(pockets=Pockets(5000, 5000))
    assert delta(story.one(movement("BetPayedAbort", "1.00"))) == (-34, -66)


@pytest.mark.parametrize(
    ("pockets", "drawn"),
    [
        ((0, 900), (0, -900)),
        ((100, 800), (-100, -800)),
        ((900, 0), (-900, 0)),
        ((500, 400), (-500, -400)),
        ((300, 600), (-300, -600)),
        ((1000, 100), (-800, -100)),
    ],
)
def test_what_a_pocket_lacks_is_drawn_from_real_then_from_bonus(
    pockets: tuple[int, int], drawn: tuple[int, int]
) -> None:
    """The win brought 3.00 to real and 6.00 to bonus."""
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.one(movement("Win", "9.00"))
    story.change(pockets=Pockets(*pockets))
    assert delta(story.one(movement("BetPayedAbort", "9.00"))) == drawn


def test_what_is_missing_makes_real_negative_for_a_cancel_and_402_for_the_others() -> None:
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.one(movement("Win", "9.00"))
    story.change(pockets=Pockets(100, 100))
    receipt = story.one(movement("BetPayedAbort", "9.00"))
    assert refusal(receipt) is Refusal.INSUFFICIENT_FUNDS
    assert delta(story.one(movement("SportBetCancel", "9.00"))) == (-800, -100)
    assert story.pockets() == (-700, 0)


def test_a_payment_is_taken_back_from_the_pockets_above_zero_be_there_an_older_debt() -> None:
    """The debt is not made larger; a stake, against which it counts, would be refused."""
    story = Story().player(real=100, bonus=200)
    story.one(movement("BetPlacing", "3.00"))
    story.one(movement("Win", "9.00"))
    story.change(pockets=Pockets(-1000, 1200))
    assert refusal(story.one(movement("BetPlacing", "9.00"))) is Refusal.INSUFFICIENT_FUNDS
    assert delta(story.one(movement("BetPayedAbort", "9.00"))) == (0, -900)
    assert story.pockets() == (-1000, 300)


@pytest.mark.parametrize(
    ("real", "kind"), [(99999999999999999999, "Deposit"), (99999999999999999999, "technicalFix")]
)
def test_a_balance_that_would_not_fit_is_refused_and_leaves_no_outcome(
    real: int, kind: str
) -> None:
    story = Story().player(real=real)
    receipt = story.one(movement(kind, "0.01", direction="credit"))
    assert refusal(receipt) is Refusal.BALANCE_TOO_LARGE
    assert not story.journal
    assert isinstance(story.one(movement(kind, "0", direction="credit")), Posting)


def test_the_sum_of_the_pockets_must_fit_too() -> None:
    story = Story().player(real=99999999999999999999 - 100, bonus=100)
    receipt = story.one(movement("Deposit", "0.01"))
    assert refusal(receipt) is Refusal.BALANCE_TOO_LARGE


def test_a_debt_that_would_not_fit_is_refused_even_to_a_cancel() -> None:
    story = Story().player()
    assert isinstance(story.one(movement("SportBetCancel", "999999999999999999.99")), Posting)
    receipt = story.one(movement("SportBetCancel", "0.01"))
    assert refusal(receipt) is Refusal.BALANCE_TOO_LARGE


def test_a_crypto_balance_has_twelve_digits_before_the_point() -> None:
    story = Story().player(currency=Currency("BTC", 8))
    too_large = movement("Deposit", "1000000000000")
    assert refusal(story.one(too_large)) is Refusal.BALANCE_TOO_LARGE
    assert isinstance(story.one(movement("Deposit", "999999999999.99999999")), Posting)


@given(pockets_of_any_kind, amounts, st.sampled_from(StakeOrder))
def test_a_stake_is_paid_whole_by_pockets_above_zero_or_not_at_all(
    pockets: Pockets, amount: int, order: StakeOrder
) -> None:
    paid = stake_from(pockets, amount, order)
    if paid is None:
        assert amount > max(pockets.balance, 0)
        return
    assert paid.balance == amount
    after = pockets.minus(paid)
    assert min(paid) >= 0
    assert after.bonus >= 0
    assert after.real >= min(pockets.real, 0)
    assert amount == 0 or after.balance >= 0


@given(pockets_of_any_kind, amounts)
def test_a_single_pocket_pays_alone_or_not_at_all(pockets: Pockets, amount: int) -> None:
    assert real_only(pockets, amount) == (
        Pockets(amount, 0) if amount <= max(pockets.real, 0) else None
    )
    assert bonus_only(pockets, amount) == (Pockets(0, amount) if amount <= pockets.bonus else None)


@given(parts_of_any_kind, amounts)
def test_a_share_is_whole_and_its_bonus_rounded_down(parts: Pockets, amount: int) -> None:
    split = share(amount, parts)
    assert split.balance == amount
    assert min(split) >= 0
    if parts.balance:
        assert split.bonus * parts.balance <= amount * parts.bonus
        assert (split.bonus + 1) * parts.balance > amount * parts.bonus
    else:
        assert split.bonus == 0


@given(parts_of_any_kind, st.data())
def test_a_share_of_what_is_there_takes_no_more_than_each_part(
    parts: Pockets, data: st.DataObject
) -> None:
    split = share(data.draw(st.integers(0, parts.balance)), parts)
    assert split.real <= parts.real
    assert split.bonus <= parts.bonus


@given(pockets=pockets_of_any_kind, parts=parts_of_any_kind, may_overdraw=st.booleans())
def test_taking_back_is_whole_and_only_a_cancel_leaves_a_new_debt(
    pockets: Pockets, parts: Pockets, *, may_overdraw: bool
) -> None:
    taken = reverse_parts(pockets, parts.balance, parts, may_overdraw=may_overdraw)
    if taken is None:
        assert not may_overdraw
        assert parts.balance > max(pockets.real, 0) + pockets.bonus
        return
    assert taken.balance == parts.balance
    assert min(taken) >= 0
    after = pockets.minus(taken)
    assert after.bonus >= 0
    if after.real < min(pockets.real, 0):
        assert may_overdraw
        assert after.bonus == 0, "a debt was made while there was bonus money"


@given(pockets_of_any_kind, parts_of_any_kind)
def test_redirecting_moves_exactly_what_the_debt_still_asks_for(
    pockets: Pockets, credit: Pockets
) -> None:
    given_ = debt_first(pockets, credit)
    assert given_.balance == credit.balance
    assert given_.real >= credit.real
    assert given_.bonus >= 0
    after = pockets.plus(given_)
    assert after.real >= 0 or given_.bonus == 0
    assert given_ == credit or after.real <= 0
