"""The simulator's oracle against examples computed by hand from the contract."""

import itertools
from dataclasses import dataclass, field, replace

import pytest

from app.simulator.expected import Expected
from app.simulator.laws import LAWS, Direction, usual_direction
from app.simulator.moves import Event, Move, Question, Token
from app.simulator.oracle import Oracle, ServerSettings
from app.simulator.pockets import Pockets
from app.simulator.units import read_amount

SETTINGS = ServerSettings("conflict", "real_first", "transaction")
numbers = itertools.count()


@dataclass
class Player:
    """An oracle that is asked in the contract's words."""

    oracle: Oracle
    last: Move = field(init=False)

    def says(
        self,
        event_type: str,
        amount: str,
        *,
        event: str = "e",
        direction: Direction | None = None,
        code: str | None = None,
        id_: str | None = None,
        token: Token = Token.LIVE,
    ) -> str:
        self.last = Move(
            event_type,
            usual_direction(event_type) if direction is None else direction,
            f"t{next(numbers)}" if id_ is None else id_,
            Event(event, 7),
            amount,
            token,
            code,
        )
        return told(self.oracle.move(self.last))

    def repeats(self, move: Move) -> str:
        return told(self.oracle.move(move))


def told(expected: Expected) -> str:
    if expected.code:
        return str(expected.code)
    return f"{expected.printed.balance} = {expected.printed.real} + {expected.printed.bonus}"


def player(
    real: str,
    bonus: str,
    *,
    scale: int = 2,
    debt: bool = False,
    settings: ServerSettings = SETTINGS,
) -> Player:
    units = [read_amount(text, scale) for text in (real, bonus)]
    assert units[0] is not None
    assert units[1] is not None
    return Player(Oracle(Pockets(-units[0] if debt else units[0], units[1]), scale, settings))


# --- stakes and wins -------------------------------------------------------------------------


def test_a_stake_takes_real_first_and_its_win_comes_back_in_proportion() -> None:
    one = player("100", "50")
    assert one.says("BetPlacing", "120") == "30.00 = 0.00 + 30.00"
    # A sixth of the stake was bonus: 10.01 / 6 = 1.668…, rounded down.
    assert one.says("Win", "10.01") == "40.01 = 8.35 + 31.66"


def test_a_stake_takes_bonus_first_where_it_is_set_so() -> None:
    one = player("100", "50", settings=replace(SETTINGS, stake_order="bonus_first"))
    assert one.says("BetPlacing", "120") == "30.00 = 30.00 + 0.00"
    # 50 of 120 was bonus: 10.01 × 5 / 12 = 4.170…
    assert one.says("Win", "10.01") == "40.01 = 35.84 + 4.17"


def test_the_proportion_is_of_all_stakes_that_stand() -> None:
    one = player("5", "10")
    one.says("BetPlacing", "3")
    assert one.says("BetPlacing", "4") == "8.00 = 0.00 + 8.00"
    # Real 5, bonus 2 of 7: 1.00 × 2 / 7 = 0.285…
    assert one.says("Win", "1") == "9.00 = 0.72 + 8.28"
    assert one.says("BetPayedAbort", "1") == "8.00 = 0.00 + 8.00"
    assert one.says("BetPlacingAbort", "3") == "11.00 = 3.00 + 8.00"
    # Only the bet of 4 stands, half of it bonus.
    assert one.says("Win", "1") == "12.00 = 3.50 + 8.50"


def test_a_proportion_in_yen_is_rounded_down_to_whole_yen() -> None:
    one = player("2", "1", scale=0)
    assert one.says("BetPlacing", "3") == "0 = 0 + 0"
    assert one.says("Win", "10") == "10 = 7 + 3"


def test_a_proportion_of_twenty_digits_is_exact() -> None:
    one = player("333333333333333333.33", "666666666666666666.66")
    one.says("BetPlacing", "999999999999999999.99")
    assert (
        one.says("Win", "100000000000000000.01")
        == "100000000000000000.01 = 33333333333333333.34 + 66666666666666666.67"
    )


def test_a_bonus_code_sends_a_win_to_bonus_unless_it_is_blank() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "1")
    assert one.says("Win", "2", code="spins") == "11.00 = 9.00 + 2.00"
    assert one.says("Win", "2", code="  ") == "13.00 = 11.00 + 2.00"
    assert one.says("Lose", "2", code="spins") == "15.00 = 13.00 + 2.00"
    assert one.says("DropAndWin", "1", code="spins") == "16.00 = 13.00 + 3.00"
    assert one.says("technicalFix", "1", code="spins") == "17.00 = 14.00 + 3.00"


def test_a_win_needs_a_bet_that_stands() -> None:
    one = player("10", "0")
    assert one.says("Win", "1") == "406"
    assert one.says("BetPlacing", "1") == "9.00 = 9.00 + 0.00"
    assert one.says("BetPlacingAbort", "1") == "10.00 = 10.00 + 0.00"
    assert one.says("Win", "1") == "406"
    assert one.says("SportBetCancel", "3") == "7.00 = 7.00 + 0.00"
    assert one.says("Win", "1") == "8.00 = 8.00 + 0.00"


# --- what may not be overdrawn ---------------------------------------------------------------


def test_a_debit_takes_no_more_than_the_balance_shown() -> None:
    # A bonus granted beside a debt: the debt counts.
    one = player("3", "10", debt=True)
    assert one.says("BetPlacing", "7.01") == "402"
    assert one.says("Tip", "0.01") == "402"
    assert one.says("technicalFix", "8", direction="debit") == "402"
    assert one.says("BetPlacing", "7") == "0.00 = -3.00 + 3.00"
    assert one.says("BetPlacing", "0") == "0.00 = -3.00 + 3.00"


def test_a_tip_takes_real_money_only() -> None:
    one = player("2", "50")
    assert one.says("Tip", "2.01") == "402"
    assert one.says("Tip", "2") == "50.00 = 0.00 + 50.00"


def test_no_money_is_remembered_for_ever_whatever_the_id_carries() -> None:
    one = player("5", "0")
    assert one.says("BetPlacing", "6") == "402"
    refused = one.last
    one.says("technicalFix", "100")
    assert one.repeats(refused) == "402"
    assert one.repeats(replace(refused, amount="1", event=Event("other", 7))) == "402"
    assert one.says("BetPlacing", "6") == "99.00 = 99.00 + 0.00"


# --- taking back -----------------------------------------------------------------------------


def test_parts_of_a_payment_are_taken_back_as_what_still_stands_is_split() -> None:
    one = player("2", "1")
    one.says("BetPlacing", "3")
    assert one.says("Win", "10") == "10.00 = 6.67 + 3.33"
    # 1.00 × 3.33 / 10.00 = 0.333: the bonus part is 0.33, and 9.00 with 3.00 bonus stand.
    assert one.says("BetPayedAbort", "1") == "9.00 = 6.00 + 3.00"
    # 0.02 × 3.00 / 9.00 = 0.0066: all of it real.
    assert one.says("BetPayedAbort", "0.02") == "8.98 = 5.98 + 3.00"
    assert one.says("BetPayedAbort", "8.99") == "406"
    assert one.says("BetPayedAbort", "8.98") == "0.00 = 0.00 + 0.00"
    assert one.says("BetPayedAbort", "0.01") == "406"
    assert one.says("BetPayedAbort", "0") == "406"


def test_the_latest_payment_of_exactly_the_amount_goes_before_one_that_is_larger() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "0")
    one.says("Win", "5")
    one.says("Win", "3", code="b")
    assert one.says("Win", "5", code="b") == "23.00 = 15.00 + 8.00"
    assert one.says("BetPayedAbort", "3") == "20.00 = 15.00 + 5.00"
    assert one.says("BetPayedAbort", "4") == "16.00 = 15.00 + 1.00"
    assert one.says("BetPayedAbort", "5") == "11.00 = 10.00 + 1.00"
    assert one.says("BetPayedAbort", "1") == "10.00 = 10.00 + 0.00"
    assert one.says("BetPayedAbort", "1") == "406"


def test_what_one_pocket_lacks_is_taken_from_the_other() -> None:
    one = player("0", "6")
    one.says("BetPlacing", "0")
    one.says("Win", "4")
    one.says("Tip", "3")
    # The payment was real, and 1.00 of it is left there.
    assert one.says("BetPayedAbort", "4") == "3.00 = 0.00 + 3.00"


def test_a_bonus_spent_is_taken_back_from_real() -> None:
    one = player("9", "0", settings=replace(SETTINGS, stake_order="bonus_first"))
    one.says("BetPlacing", "0")
    one.says("Win", "4", code="b")
    assert one.says("BetPlacing", "3", event="f") == "10.00 = 9.00 + 1.00"
    assert one.says("BetPayedAbort", "4") == "6.00 = 6.00 + 0.00"


def test_a_payment_already_spent_is_402_and_stays_so() -> None:
    one = player("0", "0")
    one.says("BetPlacing", "0")
    one.says("Win", "4")
    one.says("Tip", "3")
    assert one.says("BetPayedAbort", "4") == "402"
    refused = one.last
    one.says("technicalFix", "50")
    assert one.repeats(refused) == "402"
    assert one.says("BetPayedAbort", "4") == "47.00 = 47.00 + 0.00"


# --- SportBetCancel --------------------------------------------------------------------------


def test_a_cancel_drives_into_debt_and_the_debt_is_paid_first() -> None:
    one = player("5", "2")
    assert one.says("SportBetCancel", "20") == "-13.00 = -13.00 + 0.00"
    assert one.says("Win", "10", code="b") == "-3.00 = -3.00 + 0.00"
    assert one.says("PromoWin", "5", code="b") == "2.00 = 0.00 + 2.00"


def test_a_win_shared_between_pockets_pays_the_debt_with_its_bonus_part() -> None:
    one = player("1", "1")
    one.says("BetPlacing", "2")
    one.says("SportBetCancel", "4", event="other")
    # 3.00 to real leaves 1.00 of debt; of 3.00 for bonus 1.00 goes there.
    assert one.says("Win", "6") == "2.00 = 0.00 + 2.00"
    # What was posted was 4.00 real and 2.00 bonus, and so it goes back.
    assert one.says("technicalFix", "10") == "12.00 = 10.00 + 2.00"
    assert one.says("BetPayedAbort", "3") == "9.00 = 8.00 + 1.00"


def test_a_cancel_goes_over_payments_latest_first_and_the_remainder_is_debited() -> None:
    one = player("0", "0")
    one.says("BetPlacing", "0")
    one.says("Win", "4")
    assert one.says("Win", "6", code="b") == "10.00 = 4.00 + 6.00"
    # 6.00 of the second (bonus) and 2.00 of the first (real).
    assert one.says("SportBetCancel", "8") == "2.00 = 2.00 + 0.00"
    # 2.00 of the first stand; 3.00 are nobody's.
    assert one.says("SportBetCancel", "5") == "-3.00 = -3.00 + 0.00"
    assert one.says("BetPayedAbort", "1") == "406"


def test_a_remainder_comes_from_real_then_bonus_then_debt() -> None:
    one = player("3", "4")
    assert one.says("SportBetCancel", "5") == "2.00 = 0.00 + 2.00"
    assert one.says("SportBetCancel", "5") == "-3.00 = -3.00 + 0.00"


def test_a_cancel_of_exactly_a_payment_takes_that_one() -> None:
    one = player("0", "0")
    one.says("BetPlacing", "0")
    one.says("Win", "4", code="b")
    one.says("Win", "6")
    assert one.says("SportBetCancel", "4") == "6.00 = 6.00 + 0.00"


def test_a_cancel_undoes_an_abort_and_the_bet_stands_again_as_it_was_split() -> None:
    one = player("1", "1")
    one.says("BetPlacing", "2")
    assert one.says("BetPlacingAbort", "2") == "2.00 = 1.00 + 1.00"
    assert one.says("SportBetCancel", "2") == "0.00 = 0.00 + 0.00"
    assert one.says("Win", "1.01") == "1.01 = 0.51 + 0.50"


def test_an_abort_that_paid_a_debt_is_undone_from_where_its_money_went() -> None:
    one = player("1", "1")
    one.says("BetPlacing", "2")
    one.says("SportBetCancel", "5", event="other")
    # 1.00 for real and 1.00 for bonus: both to the debt.
    assert one.says("BetPlacingAbort", "2") == "-3.00 = -3.00 + 0.00"
    one.says("technicalFix", "10")
    assert one.says("PromoWin", "3", code="b") == "10.00 = 7.00 + 3.00"
    assert one.says("SportBetCancel", "2") == "8.00 = 5.00 + 3.00"
    # The bet stands again with its first split, half bonus.
    assert one.says("Win", "4") == "12.00 = 7.00 + 5.00"


# --- aborts ----------------------------------------------------------------------------------


def test_an_abort_answers_406_without_its_bet_and_409_for_ever_when_none_stands() -> None:
    one = player("10", "0")
    assert one.says("BetPlacingAbort", "2") == "406"
    one.says("BetPlacing", "3")
    assert one.says("BetPlacingAbort", "4") == "406"
    assert one.says("BetPlacingAbort", "3") == "10.00 = 10.00 + 0.00"
    assert one.says("BetPlacingAbort", "5") == "409"
    too_late = one.last
    assert one.says("BetPlacing", "5") == "400"
    assert one.says("BetPlacing", "5") == "5.00 = 5.00 + 0.00"
    assert one.repeats(too_late) == "409"
    assert one.says("BetPlacingAbort", "5") == "10.00 = 10.00 + 0.00"


def test_of_two_bets_one_may_be_paid_and_the_other_given_back() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "2")
    one.says("BetPlacing", "3")
    one.says("Win", "5")
    assert one.says("BetPlacingAbort", "2") == "12.00 = 12.00 + 0.00"
    assert one.says("BetPlacingAbort", "3") == "406"


def test_a_win_after_all_bets_were_given_back_needs_a_cancel_that_lacked_something() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "2")
    one.says("Win", "5")
    one.says("SportBetCancel", "5")
    one.says("BetPlacingAbort", "2")
    assert one.says("Win", "1") == "406"
    assert one.says("SportBetCancel", "0") == "10.00 = 10.00 + 0.00"
    assert one.says("Win", "1") == "11.00 = 11.00 + 0.00"


# --- aborts before their bets ----------------------------------------------------------------


def test_a_bet_after_its_abort_is_refused_for_ever_and_uses_the_abort_up() -> None:
    one = player("10", "0")
    assert one.says("BetPlacingAbort", "2") == "406"
    abort = one.last
    assert one.repeats(abort) == "406"
    assert one.says("BetPlacing", "2") == "400"
    bet = one.last
    assert one.repeats(replace(bet, amount="3")) == "400"
    assert one.says("BetPlacing", "2") == "8.00 = 8.00 + 0.00"
    assert one.repeats(abort) == "409"
    assert one.repeats(abort) == "409"
    assert one.says("BetPlacingAbort", "2") == "10.00 = 10.00 + 0.00"


def test_where_the_setting_says_flag_such_a_bet_is_accepted() -> None:
    one = player("10", "0", settings=replace(SETTINGS, overtaken_bet="flag"))
    one.says("BetPlacingAbort", "2")
    abort = one.last
    assert one.says("BetPlacing", "2") == "8.00 = 8.00 + 0.00"
    assert one.repeats(abort) == "10.00 = 10.00 + 0.00"


def test_where_ids_are_shared_an_abort_refuses_the_bet_of_its_own_id_at_any_amount() -> None:
    one = player("10", "0", settings=replace(SETTINGS, key_scope="transaction_event"))
    assert one.says("BetPlacingAbort", "2", id_="x") == "406"
    assert one.says("BetPlacing", "2", id_="y") == "8.00 = 8.00 + 0.00"
    assert one.says("BetPlacing", "5", id_="x") == "400"
    assert one.says("BetPlacingAbort", "2", id_="x") == "409"


def test_the_abort_of_a_bet_refused_for_ever_refuses_no_other_and_the_next_one_does() -> None:
    one = player("1", "0")
    assert one.says("BetPlacing", "2") == "402"
    assert one.says("BetPlacingAbort", "2") == "406"
    one.says("technicalFix", "9")
    assert one.says("BetPlacing", "2", event="e") == "8.00 = 8.00 + 0.00"
    assert one.says("BetPlacingAbort", "2") == "10.00 = 10.00 + 0.00"
    assert one.says("BetPlacingAbort", "2") == "409"
    assert one.says("BetPlacing", "2") == "400"


def test_streamer_bets_are_overtaken_by_streamer_aborts_only() -> None:
    one = player("10", "0")
    one.says("PromoStreamersBetPlacingAbort", "2")
    assert one.says("BetPlacing", "2") == "8.00 = 8.00 + 0.00"
    assert one.says("PromoStreamersDebit", "2") == "400"


def test_an_abort_gives_back_the_latest_bet_of_its_amount() -> None:
    one = player("3", "5")
    one.says("BetPlacing", "2")
    one.says("BetPlacing", "3")
    assert one.says("BetPlacing", "2") == "1.00 = 0.00 + 1.00"
    assert one.says("BetPlacingAbort", "2") == "3.00 = 0.00 + 3.00"
    assert one.says("BetPlacingAbort", "2") == "5.00 = 2.00 + 3.00"
    assert one.says("BetPlacingAbort", "3") == "8.00 = 3.00 + 5.00"


def test_where_ids_are_shared_an_abort_means_the_bet_of_its_own_id() -> None:
    one = player("2", "2", settings=replace(SETTINGS, key_scope="transaction_event"))
    one.says("BetPlacing", "2", id_="first")
    one.says("BetPlacing", "2", id_="second")
    assert one.says("BetPlacingAbort", "2", id_="first") == "2.00 = 2.00 + 0.00"


def test_streamers_keep_apart_from_players_in_the_same_event() -> None:
    one = player("10", "0")
    one.says("PromoStreamersDebit", "2")
    assert one.says("Win", "1") == "406"
    assert one.says("BetPlacingAbort", "2") == "406"
    assert one.says("PromoStreamersCredit", "5", code="b") == "13.00 = 13.00 + 0.00"
    assert one.says("BetPayedAbort", "5") == "406"
    assert one.says("PromoStreamersBetPlacingAbort", "2") == "406"
    assert one.says("PromoStreamersBetPayedAbort", "5") == "8.00 = 8.00 + 0.00"
    assert one.says("PromoStreamersBetPlacingAbort", "2") == "10.00 = 10.00 + 0.00"


# --- ids and the order of checks -------------------------------------------------------------


def test_the_same_id_with_other_content_moves_nothing() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "2", id_="x")
    bet = one.last
    assert one.repeats(bet) == "409"
    assert one.repeats(replace(bet, amount="2.000")) == "409"
    assert one.repeats(replace(bet, amount="3")) == "409"
    assert one.repeats(replace(bet, event=Event("other", 7))) == "409"
    assert one.says("Win", "2", id_="x") == "400"
    assert one.oracle.printed.balance == "8.00"


def test_where_ids_are_shared_a_bets_id_settles_it() -> None:
    one = player("10", "0", settings=replace(SETTINGS, key_scope="transaction_event"))
    one.says("BetPlacing", "2", id_="x")
    assert one.says("Win", "5", id_="x") == "13.00 = 13.00 + 0.00"
    assert one.says("Win", "5", id_="x") == "409"


def test_the_debit_of_a_promotion_leaves_the_id_to_its_credit() -> None:
    one = player("0", "0")
    assert one.says("PromoWin", "0", direction="debit", id_="p") == "0.00 = 0.00 + 0.00"
    assert one.says("PromoWin", "5", id_="p") == "5.00 = 5.00 + 0.00"
    assert one.says("PromoWin", "0", direction="debit", id_="p") == "409"
    assert one.says("PromoWin", "5", id_="p") == "409"
    assert one.says("PromoWin", "1", direction="debit") == "400"


def test_a_replay_is_the_first_answer_and_other_content_is_not() -> None:
    one = player("10", "0", settings=replace(SETTINGS, duplicate_reply="replay"))
    one.says("BetPlacing", "2")
    bet = one.last
    one.says("Win", "7")
    again = one.oracle.move(bet)
    assert again.echo
    assert told(again) == "8.00 = 8.00 + 0.00"
    assert one.repeats(replace(bet, amount="3")) == "409"
    one.says("BetPlacing", "99")
    refused = one.oracle.move(one.last)
    assert refused.echo
    assert refused.code == 402


def test_the_checks_come_in_the_contracts_order() -> None:
    one = player("10", "0")
    one.says("BetPlacing", "10")
    bet = one.last
    expired, unknown = Token.EXPIRED, Token.UNKNOWN
    assert one.repeats(replace(bet, user="nobody")) == "404"
    assert one.repeats(replace(bet, amount="10.001")) == "400"
    assert one.repeats(replace(bet, token=expired)) == "409"
    assert one.repeats(replace(bet, token=unknown)) == "409"
    assert one.says("BetPlacing", "1", token=expired) == "410"
    assert one.says("BetPlacing", "1", token=unknown) == "417"
    assert one.says("Win", "1", event="none", token=unknown) == "417"
    assert one.says("Win", "1", event="none", token=expired) == "406"
    assert one.says("Win", "1", token=expired) == "1.00 = 1.00 + 0.00"
    assert one.says("BetPayedAbort", "1", token=expired) == "0.00 = 0.00 + 0.00"


def test_what_is_in_no_table_is_400() -> None:
    one = player("10", "0")
    assert one.says("BetPlacing", "1", direction="credit") == "400"
    assert one.says("Jackpot", "1", direction="credit") == "400"
    assert one.says("Cancel", "1", direction="credit") == "400"
    one.says("BetPlacing", "1")
    assert one.says("Lose", "1", direction="debit") == "400"
    assert one.says("Lose", "0", direction="debit") == "9.00 = 9.00 + 0.00"


def test_a_result_beyond_the_digits_is_400_and_leaves_no_outcome() -> None:
    one = player("1", "0")
    assert one.says("PromoWin", "999999999999999999.99", id_="p") == "400"
    assert one.says("PromoWin", "1", id_="p") == "2.00 = 2.00 + 0.00"


def test_questions_are_answered_in_the_contracts_order() -> None:
    one = player("10", "0")
    codes = [
        one.oracle.ask(Question("getBalance", Token.UNKNOWN, user="nobody")).code,
        one.oracle.ask(Question("playerDetails", Token.ANOTHER)).code,
        one.oracle.ask(Question("sessionCheck", Token.EXPIRED)).code,
        one.oracle.ask(Question("getUserToken", user="nobody")).code,
        one.oracle.ask(Question("getUserToken", Token.EXPIRED)).code,
    ]
    assert codes == [404, 417, 410, 404, 0]


@pytest.mark.parametrize(("event_type", "direction"), sorted(LAWS))
def test_every_row_of_the_table_is_answered(event_type: str, direction: Direction) -> None:
    one = player("10", "0")
    assert one.says(event_type, "0", direction=direction) in {"10.00 = 10.00 + 0.00", "406"}
