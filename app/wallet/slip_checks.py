"""Where a bet's slip and the journal do not agree."""

from typing import Final

from app.wallet.money import Minor
from app.wallet.sport_round import Bet, Mismatch, MismatchKind, Payment, RoundMovement

LOST: Final = frozenset({"lose", "lost"})
WON: Final = frozenset({"win", "won", "half_win", "half-won", "cash_out"})
BACK: Final = frozenset({"return", "refund", "canceled", "cancelled"})


def mismatches(bet: Bet, told_stake: Minor | None, potential_win: Minor | None) -> list[Mismatch]:
    """Return what of a bet does not fit its slip; the two amounts are those that the slip names."""
    found: list[Mismatch] = []

    def note(movement: RoundMovement, kind: MismatchKind, expected: object, told: object) -> None:
        found.append(
            Mismatch(
                movement.position, bet.placed.position, kind, str(expected), str(told), movement.at
            )
        )

    slip, stake = bet.slip, bet.placed.amount
    has_total = slip is not None and slip.total is not None
    if has_total and stake > 0 and bet.decimals is None:
        note(bet.placed, MismatchKind.SUM_DIFFERS, stake, told_stake)
    standing = [payment for payment in bet.payments if payment.stands and bet.stands]
    for earlier, later in _double_cash_outs(standing):
        note(
            later.movement,
            MismatchKind.DOUBLE_CASH_OUT,
            earlier.movement.transaction_id,
            later.movement.transaction_id,
        )
    sum_is_known = bet.decimals is not None
    paid = sum(payment.left for payment in standing)
    if standing and sum_is_known and potential_win is not None and paid > potential_win:
        note(standing[-1].movement, MismatchKind.PAID_ABOVE_POTENTIAL, potential_win, paid)
    if standing and stake > 0 and _says_otherwise(standing[-1]):
        note(
            standing[-1].movement,
            MismatchKind.SAYS_OTHERWISE,
            standing[-1].left,
            said_by(standing[-1]),
        )
    return found


def _double_cash_outs(standing: list[Payment]) -> list[tuple[Payment, Payment]]:
    """Return cash-outs with an earlier one of the same words and amount.

    A bet may be cashed out in parts, each at the odds of its moment. The same amount at the same
    odds is the same cash-out under two ids.
    """
    seen: dict[tuple[object, ...], Payment] = {}
    found = []
    for payment in standing:
        words = payment.words
        if words is None or not words.is_cash_out or payment.left == 0:
            continue
        same = (payment.movement.amount, words.odds, words.picks)
        if same in seen:
            found.append((seen[same], payment))
        else:
            seen[same] = payment
    return found


def _says_otherwise(payment: Payment) -> bool:
    said, words = said_by(payment), payment.words
    if words is None or said is None:
        return False
    if said in LOST:
        return payment.left > 0 and not words.is_bonus and not payment.is_bonus
    return said in WON | BACK and payment.left == 0


def said_by(payment: Payment | None) -> str | None:
    """Return the word of a payment for its result, in small letters."""
    words = None if payment is None else payment.words
    return None if words is None or words.said is None else words.said.lower()
