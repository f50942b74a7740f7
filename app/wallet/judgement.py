"""The judgement: whether a movement without an outcome is acceptable, and what it would change.

Steps 6 to 9 of the contract's order (callback contract, section 4): token, block, event, limits,
funds. The first check that fails gives the refusal.
"""

from datetime import datetime
from typing import NamedTuple, TypeAlias

from app.wallet.balance import (
    EMPTY,
    Pockets,
)
from app.wallet.early_aborts import (
    AbortState,
    EarlyAbort,
    OvertakenBet,
    find,
    in_time,
    waiting_for,
)
from app.wallet.events import (
    HoldPart,
    LimitEffect,
    Part,
    Rule,
)
from app.wallet.facts import Facts, Policy, RuleVersion, Wallet
from app.wallet.further_limits import (
    DEPOSITS,
    UNNAMED,
    Count,
    deposit_hit,
    loss_counter,
    product_hit,
    product_of,
    stake_counter,
)
from app.wallet.holds import Hold, HoldState
from app.wallet.journal import Flag
from app.wallet.limits import Effect, LimitHit, limit_hit, rolled
from app.wallet.money import Minor
from app.wallet.movement import KeyScope, Movement
from app.wallet.named import NoEffect, names_open_bet, undo_named
from app.wallet.pocket_change import pocket_change
from app.wallet.refusals import Refusal
from app.wallet.rounds import (
    NOTHING_YET,
    Round,
    Tally,
    Undoing,
    bet_to_void,
    may_be_paid,
    reopen,
    reverse_payment,
    void_bet,
)
from app.wallet.sessions import token_refusal


class Plan(NamedTuple):
    """How an acceptable movement would change the wallet, its round and the limits' usage."""

    delta: Pockets
    after: Pockets
    """the pockets after it"""
    change: Tally
    effects: tuple[Effect, ...]
    undoing: Undoing | None
    flags: tuple[Flag, ...]
    counts: tuple[Count, ...] = ()
    """what it adds to the counters of limits that only some players have"""
    hold: Hold | None = None
    """the hold that it closes"""
    no_effect: NoEffect | None = None
    """because of what nothing is left to undo"""


Objection: TypeAlias = tuple[Refusal, str | LimitHit | None]


def judge(
    movement: Movement,
    amount: Minor,
    wallet: Wallet,
    round_: Round,
    hold: Hold | None,
    facts: Facts,
    policy: Policy,
) -> Plan | Objection:
    """Check steps 6 to 9 of the contract: token, block, event, limits, funds.

    `hold` is the one that the movement settles or releases, if there is such a hold.
    """
    rule = movement.rule
    if movement.names is not None and movement.names.is_discard:
        return Refusal.BET_DISCARDED, None
    of_token = _of_token(movement, rule, wallet, facts, policy)
    if isinstance(of_token, Refusal):
        return of_token, None
    if wallet.is_blocked and rule.refused_when_blocked:
        return Refusal.PLAYER_BLOCKED, None

    today = policy.limit_days.of(facts.now)
    undoing = _undoing(movement, rule, amount, round_, policy, today)
    if isinstance(undoing, Refusal):
        return undoing, None
    if isinstance(undoing, NoEffect):
        return Plan(EMPTY, wallet.pockets, NOTHING_YET, (), None, of_token, no_effect=undoing)
    flags = of_token
    if rule.part is Part.BET and (round_.early_aborts or round_.untimed_aborts):
        overtaken = _overtaken(movement, amount, round_, policy, facts.now)
        if isinstance(overtaken, EarlyAbort):
            return Refusal.BET_OVERTAKEN, overtaken.transaction_id
        flags = (*of_token, *overtaken)

    if rule.hold is not None:
        refusal = _hold_refusal(rule.hold, amount, wallet, hold, policy)
        if refusal is not None:
            return refusal, None
    if movement.is_vetoed:
        return Refusal.DEPOSIT_CHECK, None
    effects = undoing.effects if undoing else _effects(rule, amount, today)
    product = UNNAMED
    counts: tuple[Count, ...] = ()
    if wallet.further is not None:
        product = _product(movement, undoing, facts)
        counts = _counts(rule, amount, effects, product, today)
    if rule.is_play:
        (effect,) = effects
        usage = rolled(wallet.usage, today)
        stake, loss = effect.stake, effect.loss
        hit = limit_hit(wallet.limits, usage, stake=stake, loss=loss)
        if hit is None and wallet.further is not None:
            hit = product_hit(wallet.further, today, product, stake=stake, loss=loss)
        if hit is not None:
            return Refusal.LIMIT_EXCEEDED, hit
    elif wallet.further is not None and rule.limit_effect is LimitEffect.DEPOSIT:
        hit = deposit_hit(wallet.further, today, amount)
        if hit is not None:
            return Refusal.DEPOSIT_LIMIT, hit

    delta = pocket_change(movement, rule, amount, wallet.pockets, round_, undoing, policy)
    if delta is None:
        return Refusal.INSUFFICIENT_FUNDS, None
    after, maximum = wallet.pockets.plus(delta), wallet.currency.maximum
    real, bonus = after
    if not (-maximum <= real <= maximum and bonus <= maximum and real + bonus <= maximum):
        return Refusal.BALANCE_TOO_LARGE, None
    change = undoing.change if undoing else _ordinary_change(rule, delta, amount)
    if undoing is not None:
        is_in_debt = rule.is_named and delta.real < 0 and after.real < 0
        of_undoing = _flags(movement, rule, round_, undoing, policy, is_in_debt=is_in_debt)
        flags = (*of_token, *of_undoing)
    return Plan(delta, after, change, effects, undoing, flags, counts, hold)


def _of_token(
    movement: Movement, rule: Rule, wallet: Wallet, facts: Facts, policy: Policy
) -> Refusal | tuple[Flag, ...]:
    """Step 6: the refusal of a token, or the flags of a movement that is accepted under it.

    For some time after a restore the ledger lacks tokens that it had issued: money that comes back
    under one is not refused for it.
    """
    if movement.token is None:
        return ()
    refusal = token_refusal(
        facts.sessions.get((wallet.player_id, movement.token)),
        facts.now,
        must_be_live=rule.is_play,
    )
    if refusal is None:
        return ()
    is_open = facts.money_until is not None and facts.now < facts.money_until
    if (
        is_open
        and refusal is Refusal.TOKEN_UNKNOWN
        and not rule.is_play
        # The previous release cannot read the flag.
        and policy.rule_version is not RuleVersion.LAST_RELEASE
    ):
        return (Flag.TOKEN_UNKNOWN,)
    return refusal


def _hold_refusal(
    part: HoldPart, amount: Minor, wallet: Wallet, hold: Hold | None, policy: Policy
) -> Refusal | None:
    """Return why a hold is not made or closed, or None."""
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        return Refusal.UPGRADE_UNFINISHED
    if part is HoldPart.OPEN:
        return None
    if hold is None or (hold.player_id, hold.amount) != (wallet.player_id, amount):
        return Refusal.HOLD_UNKNOWN
    return None if hold.state is HoldState.PENDING else Refusal.HOLD_CLOSED


def _product(movement: Movement, undoing: Undoing | None, facts: Facts) -> str:
    """The product of a movement: what its game, or the game of the bet it undoes, is named."""
    bet = undoing.bet if undoing else None
    if bet is not None:
        return product_of(facts.games, bet.game_id, bet.ledger_time)
    return product_of(facts.games, movement.game_id, facts.now)


def _counts(
    rule: Rule, amount: Minor, effects: tuple[Effect, ...], product: str, today: int
) -> tuple[Count, ...]:
    if rule.limit_effect is LimitEffect.DEPOSIT:
        return (Count(DEPOSITS, today, amount),)
    stakes = [Count(stake_counter(product), effect.day, effect.stake) for effect in effects]
    losses = [Count(loss_counter(product), effect.day, effect.loss) for effect in effects]
    return (*stakes, *losses)


def _undoing(
    movement: Movement, rule: Rule, amount: Minor, round_: Round, policy: Policy, today: int
) -> Undoing | NoEffect | Refusal | None:
    """Step 8, the event rules: what the movement undoes (None: nothing), or the refusal."""
    if rule.is_named and rule.part is not Part.BET:
        if rule.needs_bet:
            has_bet = names_open_bet(movement.names, round_)
            return None if has_bet else Refusal.NO_MATCHING_MOVEMENT
        return undo_named(movement.names, movement.event_type, round_, today, policy.limit_days)
    match rule.part:
        case Part.BET | Part.NONE:
            return None
        case Part.PAYMENT:
            may_pay = not rule.needs_bet or _has_match(round_, policy)
            return None if may_pay else Refusal.NO_MATCHING_MOVEMENT
        case Part.ABORT:
            return _voiding(movement, amount, round_, policy)
        case Part.PAYMENT_ABORT:
            return reverse_payment(round_, amount, today)
        case Part.CANCEL:
            return reopen(round_, amount, today, policy.limit_days)


def _has_match(round_: Round, policy: Policy) -> bool:
    """Whether the event has the bet or SportBetCancel that a payment needs."""
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        return round_.tally.bets_open > 0 or round_.tally.cancels > 0
    return may_be_paid(round_)


def _voiding(movement: Movement, amount: Minor, round_: Round, policy: Policy) -> Undoing | Refusal:
    """Return what an abort voids, or the refusal."""
    transaction_id = movement.key.transaction_id
    if policy.rule_version is RuleVersion.LAST_RELEASE and round_.tally.paid_net > 0:
        return Refusal.NO_MATCHING_MOVEMENT
    early = find(round_.early_aborts, transaction_id)
    if early is not None and early.state is AbortState.USED:
        # It refused the bet it was meant for, so there is nothing left to void.
        return Refusal.ALREADY_GIVEN_BACK
    found = bet_to_void(
        round_,
        amount,
        transaction_id,
        by_transaction=policy.key_scope is KeyScope.TRANSACTION_EVENT,
    )
    if isinstance(found, Refusal):
        return found
    return void_bet(found.bet, policy.limit_days)._replace(beside_payment=found.beside_payment)


def _overtaken(
    movement: Movement, amount: Minor, round_: Round, policy: Policy, now: datetime
) -> EarlyAbort | tuple[Flag, ...]:
    """The early abort that refuses a bet; else the flags of a bet that is accepted."""
    is_flagged = amount in round_.untimed_aborts
    if policy.rule_version is not RuleVersion.LAST_RELEASE:
        waiting = waiting_for(round_.early_aborts, movement, amount, policy.key_scope)
        if policy.overtaken_bet is OvertakenBet.REFUSE:
            abort = in_time(waiting, now, policy.overtaken_window)
            if abort is not None:
                return abort
        is_flagged = is_flagged or bool(waiting)
    return (Flag.ABORT_OVERTOOK,) if is_flagged else ()


def _effects(rule: Rule, amount: Minor, today: int) -> tuple[Effect, ...]:
    match rule.limit_effect:
        case LimitEffect.STAKE:
            return (Effect(today, amount, amount),)
        case LimitEffect.PAYMENT:
            return (Effect(today, 0, -amount),)
        case LimitEffect.TIP:
            return (Effect(today, 0, amount),)
        case LimitEffect.NONE | LimitEffect.STAKE_RETURN | LimitEffect.DEPOSIT:
            return ()


def _ordinary_change(rule: Rule, delta: Pockets, amount: Minor) -> Tally:
    match rule.part:
        case Part.BET:
            return Tally(1, 1, -delta.real, -delta.bonus, amount)
        case Part.PAYMENT:
            return Tally(paid=amount)
        case _:
            return NOTHING_YET


def _flags(
    movement: Movement,
    rule: Rule,
    round_: Round,
    undoing: Undoing,
    policy: Policy,
    *,
    is_in_debt: bool,
) -> tuple[Flag, ...]:
    """Return what operations should know about a movement that undoes another."""
    if rule.is_named:
        if is_in_debt:
            return (Flag.OVERDRAWN,)
        return (Flag.PAID_BET_GIVEN_BACK,) if undoing.beside_payment else ()
    if rule.part is not Part.CANCEL:
        return (Flag.ABORT_BESIDE_PAYMENT,) if undoing.beside_payment else ()
    is_other_game = policy.sport_game_id is not None and movement.game_id != policy.sport_game_id
    flags = (
        (Flag.EVENT_UNKNOWN, round_.tally.bets_placed == 0),
        (Flag.UNCOVERED, undoing.change.uncovered > 0),
        (Flag.OTHER_GAME, is_other_game),
    )
    return tuple(flag for flag, holds in flags if holds)
