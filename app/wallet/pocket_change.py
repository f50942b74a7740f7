"""What a movement takes from each pocket or gives to it: by its rule, its bonus code and its round.

Amounts are minor units of the player's currency (callback contract, section 3, "Pockets").
"""

from app.wallet.balance import (
    EMPTY,
    Pockets,
    bonus_only,
    debt_first,
    real_only,
    reverse_parts,
    share,
    stake_from,
)
from app.wallet.events import CreditTo, DebitFrom, Direction, Pocket, Rule
from app.wallet.facts import Policy
from app.wallet.money import Minor
from app.wallet.movement import Movement
from app.wallet.rounds import Round, Undoing


def pocket_change(
    movement: Movement,
    rule: Rule,
    amount: Minor,
    pockets: Pockets,
    round_: Round,
    undoing: Undoing | None,
    policy: Policy,
) -> Pockets | None:
    """Return the change of each pocket (negative: a loss), or None if funds are insufficient."""
    parts = undoing.parts if undoing else EMPTY
    if movement.direction is Direction.DEBIT:
        drawn = _drawn(movement, rule, amount, pockets, parts, policy)
        return None if drawn is None else EMPTY.minus(drawn)
    return _given(movement, rule, amount, pockets, parts, round_.tally.stakes)


def _drawn(
    movement: Movement,
    rule: Rule,
    amount: Minor,
    pockets: Pockets,
    parts: Pockets,
    policy: Policy,
) -> Pockets | None:
    match rule.debit_from:
        case DebitFrom.STAKE_ORDER:
            return stake_from(pockets, amount, policy.stake_order)
        case DebitFrom.REAL:
            return real_only(pockets, amount)
        case DebitFrom.BONUS:
            return bonus_only(pockets, amount)
        case DebitFrom.AS_PAID:
            return reverse_parts(pockets, amount, parts, may_overdraw=rule.may_overdraw)
        case DebitFrom.HOLD:
            return EMPTY
        case DebitFrom.NAMED:
            take = bonus_only if movement.pocket is Pocket.BONUS else real_only
            return take(pockets, amount)


def _given(
    movement: Movement,
    rule: Rule,
    amount: Minor,
    pockets: Pockets,
    parts: Pockets,
    stakes: Pockets,
) -> Pockets:
    bonus_code = movement.bonus_code
    has_code = bonus_code is not None and not bonus_code.isspace() and bonus_code != ""
    to_real, to_bonus = Pockets(amount, 0), Pockets(0, amount)
    match rule.credit_to:
        case CreditTo.STAKES_OR_BONUS_BY_CODE:  # a win: the most frequent comes first
            return debt_first(pockets, to_bonus if has_code else share(amount, stakes))
        case CreditTo.BONUS:
            return to_bonus
        case CreditTo.REAL:
            return to_real
        case CreditTo.AS_STAKED:
            return debt_first(pockets, parts)
        case CreditTo.BONUS_BY_CODE:
            return debt_first(pockets, to_bonus if has_code else to_real)
        case CreditTo.STAKES:
            return debt_first(pockets, share(amount, stakes))
        case CreditTo.NAMED:
            return to_bonus if movement.pocket is Pocket.BONUS else to_real
