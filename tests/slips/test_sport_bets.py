"""What stands of a bet: the journal alone says it, and where the slip says otherwise is told."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.slips.reading import read_slip
from app.wallet.events import EventType
from app.wallet.sport_bets import RoundNow, round_now
from app.wallet.sport_round import MismatchKind, RoundMovement
from tests.slips.slip_texts import betslip, leg, settled

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Played:
    """A round written down by hand: kind, amount, what it reverses, and its text."""

    def __init__(self, *, scale: int = 2, currency: str = "USD") -> None:
        self.movements: list[RoundMovement] = []
        self.texts: list[str | None] = []
        self.scale, self.currency = scale, currency

    def move(
        self, kind: str, amount: int, text: str | None = None, reverses: str = "", flags: str = ""
    ) -> "Played":
        position = len(self.movements) + 1
        self.movements.append(
            RoundMovement(
                *(1, position, "event-1", EventType(kind), amount, 0, reverses, flags),
                *(NOON + timedelta(hours=position), "callback", f"t-{position}", 7),
                *(self.currency, self.scale),
            )
        )
        self.texts.append(text)
        return self

    @property
    def now(self) -> RoundNow:
        now = round_now(self.movements, list(map(read_slip, self.texts)))
        assert now is not None
        return now

    @property
    def status(self) -> str:
        return self.now.bets[-1].status.value

    @property
    def kinds(self) -> list[MismatchKind]:
        return [found.kind for found in self.now.mismatches]


def placed(text: str | None = None, amount: int = 1000) -> Played:
    return Played().move("BetPlacing", amount, text or betslip())


def test_a_round_that_tells_of_no_slip_is_no_sports_bet() -> None:
    played = Played().move("BetPlacing", 10, '{"gameName": "x"}').move("Win", 5, "no")
    assert round_now(played.movements, list(map(read_slip, played.texts))) is None
    # The simulator's bets of casino games say so; no sportsbook does.
    bet = Played().move("BetPlacing", 10, '{"selections": [{"id": 1}]}')
    assert round_now(bet.movements, list(map(read_slip, bet.texts))) is None


def test_the_last_settlement_that_stands_is_the_result() -> None:
    played = placed()
    assert played.status == "open"
    assert played.move("Win", 2000).status == "won"
    assert played.move("SportBetCancel", 2000, reverses="2/2000/0").status == "open"
    assert played.move("Lose", 0).status == "lost"
    assert played.move("SportBetCancel", 0).status == "open"
    assert played.move("Win", 1500).status == "won"
    assert played.move("BetPayedAbort", 1500, reverses="6/1500/0").status == "open"
    (bet,) = played.now.bets
    assert (bet.settlements, bet.reopenings, bet.paid, bet.turnover) == (3, 2, 0, 1000)


def test_a_bet_given_back_costs_nothing_and_stands_again_when_that_is_undone() -> None:
    played = placed().move("BetPlacingAbort", 1000, reverses="1/1000/0")
    (bet,) = played.now.bets
    assert (bet.status, bet.turnover, bet.settled_at) == ("given_back", 0, played.movements[1].at)
    played.move("SportBetCancel", 1000, reverses="2/1000/0")
    assert (played.status, played.now.bets[0].turnover) == ("open", 1000)


def test_a_cash_out_in_parts_is_followed_by_the_rest() -> None:
    played = placed(betslip(potential_win=2000))
    played.move("Win", 300, settled("win", picks={"leg-1": "open"}, is_cashout=True))
    assert (played.status, played.now.bets[0].cash_out) == ("cashed_out", 300)
    played.move("Win", 200, settled("win", picks={"leg-1": "open"}, is_cashout=True))
    played.move("Win", 900, settled("win", picks={"leg-1": "won"}))
    (bet,) = played.now.bets
    assert (bet.status, bet.paid, bet.cash_out) == ("won", 1400, 500)
    assert bet.legs[0].result == "won"
    assert played.kinds == []


def test_the_words_of_a_settlement_that_was_taken_back_count_no_more() -> None:
    played = placed().move("Win", 2000, settled("win", picks={"leg-1": "won"}))
    assert played.now.bets[0].legs[0].result == "won"
    played.move("SportBetCancel", 2000, reverses="2/2000/0")
    (bet,) = played.now.bets
    assert (bet.status, bet.said, bet.legs[0].result) == ("open", None, None)


def test_a_refund_is_what_pays_the_stake_and_says_so() -> None:
    assert placed().move("Win", 1000, settled("refund")).status == "refunded"
    assert placed().move("Win", 1000, settled("win")).status == "won"
    older = Played().move("BetPlacing", 1000, '{"placedBetId": 5}')
    assert older.move("Win", 1000, '{"placedBetId": 5, "result": "return"}').status == "refunded"


def test_two_bets_of_a_round_are_paid_by_the_slip_that_is_named() -> None:
    played = placed(betslip("a")).move("BetPlacing", 500, betslip("b", total=500))
    played.move("Win", 700, settled("win", "a")).move("Lose", 0, settled("lost", "b"))
    first, second = played.now.bets
    assert (first.status, first.paid) == ("won", 700)
    assert (second.status, second.paid) == ("lost", 0)
    assert played.kinds == []


@pytest.mark.parametrize(
    ("total", "potential", "stake"),
    [(1000, 2500, 1000), ("10.00", "25.00", 1000), (10, 25, 1000), (1000, 2500.0, 1000)],
)
def test_the_slips_amounts_are_read_in_the_units_that_its_stake_shows(
    total: object, potential: object, stake: int
) -> None:
    (bet,) = placed(betslip(total=total, potential_win=potential), stake).now.bets
    assert (bet.told_stake, bet.potential_win) == (1000, 2500)


def test_a_crypto_stake_in_other_units_is_understood() -> None:
    played = Played(scale=8, currency="BTC")
    played.move("BetPlacing", 150_000, betslip(total=1500, potential_win=3000))
    (bet,) = played.now.bets
    assert (bet.told_stake, bet.potential_win) == (150_000, 300_000)
    assert played.kinds == []


def test_a_free_bet_is_bonus_cost_and_a_lost_no_risk_bet_is_not_a_win() -> None:
    free = Played().move("BetPlacing", 0, betslip(bonus_type="freebet_freemoney"))
    free.move("Win", 1500, settled("win"))
    assert (free.now.bets[0].bonus_cost, free.now.bets[0].paid, free.kinds) == (1500, 1500, [])
    no_risk = placed(betslip(bonus_type="no_risk")).move(
        "Win", 1000, settled("lost", is_snr_lost=True)
    )
    assert (no_risk.now.bets[0].bonus_cost, no_risk.kinds) == (1000, [])


class TestWhereSlipAndJournalDisagree:
    def test_a_settlement_that_names_another_slip(self) -> None:
        played = placed().move("Win", 2000, settled("win", "slip-2"))
        assert played.kinds == [MismatchKind.OTHER_SLIP]
        (found,) = played.now.mismatches
        assert (found.position, found.expected, found.told) == (2, "slip-1", "slip-2")

    def test_a_sum_that_is_not_the_stake(self) -> None:
        assert placed(betslip(total=999)).kinds == [MismatchKind.SUM_DIFFERS]

    def test_the_same_cash_out_twice(self) -> None:
        out = settled("win", is_cashout=True, odds="1.5")
        assert placed().move("Win", 300, out).move("Win", 300, out).kinds == [
            MismatchKind.DOUBLE_CASH_OUT
        ]
        once = placed().move("Win", 300, out).move("SportBetCancel", 300, reverses="2/300/0")
        assert once.move("Win", 300, out).kinds == []

    def test_more_paid_than_could_be_won(self) -> None:
        text = betslip(potential_win=2000, potential_comboboost_win=100)
        assert placed(text).move("Win", 2100).kinds == []
        assert placed(text).move("Win", 2101).kinds == [MismatchKind.PAID_ABOVE_POTENTIAL]

    def test_a_cancel_beyond_what_was_paid(self) -> None:
        played = (
            placed()
            .move("Win", 500)
            .move("SportBetCancel", 700, reverses="2/500/0", flags="remainder")
        )
        assert played.kinds == [MismatchKind.CANCEL_BEYOND_PAID]
        assert played.now.bets[0].paid == -200

    @pytest.mark.parametrize(
        ("kind", "amount", "said"),
        [("Win", 500, "lost"), ("Lose", 0, "win"), ("Lose", 0, "refund")],
    )
    def test_words_that_are_not_what_was_paid(self, kind: str, amount: int, said: str) -> None:
        assert placed().move(kind, amount, settled(said)).kinds == [MismatchKind.SAYS_OTHERWISE]


moves = st.lists(
    st.sampled_from(["Win", "Lose", "Cancel", "Abort", "Undo", "Bet"]), min_size=1, max_size=12
)


@given(moves)
def test_the_bets_add_up_to_what_moved_whatever_happened(kinds: list[str]) -> None:
    """The sums of a round are those of its movements: stakes out, payments in, in any chain."""
    played = placed(betslip(legs=[leg()]))
    moved = 1000
    paid: dict[int, int] = {}
    back: list[int] = []
    standing = [(1, 1000)]
    for kind in kinds:
        position = len(played.movements) + 1
        match kind:
            case "Bet":
                played.move("BetPlacing", 400, betslip(f"slip-{position}", total=400))
                standing.append((position, 400))
                moved += 400
            case "Win":
                played.move("Win", 300, settled("win", f"slip-{position}"))
                paid[position] = 300
                moved -= 300
            case "Lose":
                played.move("Lose", 0)
            case "Cancel" if paid:
                at, amount = paid.popitem()
                played.move("SportBetCancel", amount + 50, None, f"{at}/{amount}/0", "remainder")
                moved += amount + 50
            case "Abort" if standing:
                at, amount = standing.pop()
                played.move("BetPlacingAbort", amount, None, f"{at}/{amount}/0")
                back.append(position)
                moved -= amount
            case "Undo" if back:
                at = back.pop()
                amount = played.movements[at - 1].amount
                played.move("SportBetCancel", amount, None, f"{at}/{amount}/0")
                bet = int(played.movements[at - 1].reverses.split("/")[0])
                standing.append((bet, amount))
                moved += amount
            case _:
                pass
    assert sum(bet.turnover - bet.paid for bet in played.now.bets) == moved
