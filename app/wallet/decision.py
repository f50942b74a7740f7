"""The decision: movement and facts in, outcome out; a batch is decided by folding it in order.

The order of the checks is the contract's (callback contract, section 4). A key is not looked up
before it matters: whoever is about to be refused must first know whether his key is taken (a
retry of an all-in bet must hear that it was processed, never that money lacks); whoever is about
to be accepted learns it from the insert itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from app.wallet.balance import (
    EMPTY,
    Pockets,
    bonus_only,
    debt_first,
    real_only,
    share,
    stake_from,
    take_back,
)
from app.wallet.events import CreditTo, DebitFrom, Direction, LimitEffect, Part, Rule
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.journal import Flag, JournalEntry
from app.wallet.limits import Effect, counted, exceeds, rolled
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key, KeyScope, Movement
from app.wallet.refusals import Refusal
from app.wallet.rounds import (
    NOTHING_YET,
    Round,
    RoundKey,
    StandingBet,
    Tally,
    Undoing,
    bet_to_give_back,
    give_back,
    reopen,
    take_back_payment,
)

REFUSED_ABORTS_MAX = 64
"""How many different amounts of refused aborts a round remembers.

They only flag the bet they overtook.
"""


class Posting(NamedTuple):
    """A movement accepted: the entry to write."""

    entry: JournalEntry


class Remembered(NamedTuple):
    """A refusal that is an outcome for ever: the entry to write, which moves nothing."""

    entry: JournalEntry
    refusal: Refusal


class Replay(NamedTuple):
    """The key is in the journal already."""

    entry: JournalEntry
    is_own: bool
    """the entry was written by this very delivery, whose first answer never arrived"""
    pockets: Pockets
    """the asking player's balance now"""
    currency: Currency
    """the asking player's"""
    differs: str | None
    """the field whose content differs from the entry's (a refusal is repeated all the same)"""


class Refused(NamedTuple):
    """A refusal that is no outcome: a later attempt under the same key may be decided otherwise."""

    refusal: Refusal
    pockets: Pockets | None = None
    """the balance, None while the player is unknown"""
    currency: Currency | None = None
    differs: str | None = None
    detail: str | None = None
    """which limit, for people"""


class KeyNeeded(NamedTuple):
    """Not decided: the key must be looked up first, because the movement would be refused."""

    key: Key


Receipt: TypeAlias = Posting | Remembered | Replay | Refused
Outcome: TypeAlias = Receipt | KeyNeeded


class Plan(NamedTuple):
    """How an acceptable movement would change the wallet, its round and the use of the limits."""

    delta: Pockets
    change: Tally
    effects: tuple[Effect, ...]
    undoing: Undoing | None
    flags: tuple[Flag, ...]


@dataclass(slots=True)
class Changes:
    """What a fold has changed so far: the working copy of the facts.

    And the rounds' sums to add.
    """

    wallets: dict[str, Wallet]
    rounds: dict[RoundKey, Round]
    taken: dict[Key, JournalEntry]
    round_changes: dict[RoundKey, "RoundChange"]


class RoundChange(NamedTuple):
    """What a batch adds to one round."""

    currency: Currency
    game_id: int | None
    tally: Tally = NOTHING_YET
    is_settled: bool = False
    """as the round stands after the batch"""
    refused_aborts: tuple[Minor, ...] = ()


class Decisions(NamedTuple):
    """The outcome of each movement, in order, and the wallets and rounds after all of them."""

    outcomes: list[Outcome]
    wallets: dict[str, Wallet]
    """wallets that moved, as they stand after the batch, by user id"""
    round_changes: dict[RoundKey, RoundChange]
    now: datetime

    @property
    def keys_needed(self) -> set[Key]:
        """The keys to look up before these decisions can be believed."""
        return {outcome.key for outcome in self.outcomes if isinstance(outcome, KeyNeeded)}


def decide_all(movements: Iterable[Movement], facts: Facts, policy: Policy) -> Decisions:
    """Decide a batch: each movement sees the facts as its predecessors left them."""
    changes = Changes(dict(facts.wallets), dict(facts.rounds), dict(facts.taken), {})
    outcomes = [_decide_next(movement, facts, changes, policy) for movement in movements]
    moved = {
        user_id: wallet
        for user_id, wallet in changes.wallets.items()
        if wallet is not facts.wallets[user_id]
    }
    return Decisions(outcomes, moved, changes.round_changes, facts.now)


def decide(movement: Movement, facts: Facts, policy: Policy) -> Outcome:
    """Decide one movement."""
    return decide_all((movement,), facts, policy).outcomes[0]


def _decide_next(movement: Movement, facts: Facts, changes: Changes, policy: Policy) -> Outcome:
    wallet = changes.wallets.get(movement.user_id)
    if wallet is None:
        return Refused(Refusal.PLAYER_UNKNOWN)
    rule = movement.rule
    pockets, currency = wallet.pockets, wallet.currency
    if rule.is_cashier and wallet.agent != movement.key.source:
        return Refused(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
    amount = currency.minor(movement.amount)
    if amount is None:
        return Refused(Refusal.AMOUNT_TOO_FINE, pockets, currency)
    taken = changes.taken.get(movement.key)
    if taken is not None:
        return _decide_repeat(movement, amount, wallet, taken)

    verdict = _judge(movement, amount, wallet, facts, changes, policy)
    if isinstance(verdict, Plan):
        entry = _entry(movement, amount, wallet, facts.now, verdict)
        _apply(movement, entry, verdict, wallet, changes)
        return Posting(entry)
    if movement.key not in facts.free:
        return KeyNeeded(movement.key)
    refusal, detail = verdict
    _remember_refused_abort(movement, amount, refusal, wallet, changes)
    if not refusal.is_remembered:
        return Refused(refusal, pockets, currency, detail=detail)
    entry = _entry(movement, amount, wallet, facts.now, refusal)
    changes.taken[entry.key] = entry
    changes.wallets[movement.user_id] = changes.wallets[movement.user_id]._replace(
        position=entry.position, chain=entry.chain
    )
    return Remembered(entry, refusal)


def _decide_repeat(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry
) -> Replay | Refused:
    pockets, currency = wallet.pockets, wallet.currency
    is_own = entry.delivery == movement.delivery
    differs = _difference(movement, amount, wallet, entry)
    if differs is not None and (entry.is_accepted or movement.rule.is_cashier):
        of_type = differs in {"eventType", "direction"}
        refusal = Refusal.EVENT_TYPE_DIFFERS if of_type else Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs)
    return Replay(entry, is_own, pockets, currency, differs)


def _difference(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry
) -> str | None:
    """The contract's name of the first field whose content differs.

    What was not processed comes first.
    """
    if movement.event_type is not entry.event_type:
        return "eventType"
    if movement.direction is not entry.direction:
        return "direction"
    if wallet.player_id != entry.player_id:
        return "userId"
    if movement.event_id != entry.event_id:
        return "eventId"
    return "amount" if amount != entry.amount else None


Objection: TypeAlias = tuple[Refusal, str | None]


def _judge(
    movement: Movement,
    amount: Minor,
    wallet: Wallet,
    facts: Facts,
    changes: Changes,
    policy: Policy,
) -> Plan | Objection:
    """Steps 6 to 9 of the contract: token, block, event, limits, funds."""
    rule = movement.rule
    if movement.token is not None:
        expires_at = facts.sessions.get((wallet.player_id, movement.token))
        if expires_at is None:
            return Refusal.TOKEN_UNKNOWN, None
        if rule.is_play and expires_at <= facts.now:
            return Refusal.TOKEN_EXPIRED, None
    if wallet.is_blocked and rule.refused_when_blocked:
        return Refusal.PLAYER_BLOCKED, None

    today = facts.now.toordinal()
    round_ = _round_of(movement, wallet, changes)
    undoing = _undoing(movement, amount, round_, policy, today)
    if isinstance(undoing, Refusal):
        return undoing, None

    effects = undoing.effects if undoing else _effects(movement, amount, today)
    if rule.is_play:
        (effect,) = effects
        usage = rolled(wallet.usage, today)
        limit = exceeds(wallet.limits, usage, stake=effect.stake, loss=effect.loss)
        if limit is not None:
            return Refusal.LIMIT_EXCEEDED, limit

    delta = _delta(movement, amount, wallet.pockets, round_, undoing, policy)
    if delta is None:
        return Refusal.INSUFFICIENT_FUNDS, None
    after, maximum = wallet.pockets.plus(delta), wallet.currency.maximum
    if max(abs(after.real), after.bonus, abs(after.balance)) > maximum:
        return Refusal.BALANCE_TOO_LARGE, None
    change = undoing.change if undoing else _ordinary_change(rule, delta, amount)
    flags = _flags(movement, amount, round_, undoing, policy)
    return Plan(delta, change, effects, undoing, flags)


def _round_of(movement: Movement, wallet: Wallet, changes: Changes) -> Round:
    key = _round_key(movement, wallet)
    return changes.rounds.get(key, _NEW_ROUND) if key else _NEW_ROUND


_NEW_ROUND = Round(history=())


def _round_key(movement: Movement, wallet: Wallet) -> RoundKey | None:
    rule = movement.rule
    if rule.part is Part.NONE or movement.event_id is None:
        return None
    return RoundKey(wallet.player_id, movement.event_id, rule.is_streamer)


def _undoing(
    movement: Movement, amount: Minor, round_: Round, policy: Policy, today: int
) -> Undoing | Refusal | None:
    """Step 8, the event rules: what the movement undoes, None if nothing.

    Or why it may not happen.
    """
    tally = round_.tally
    match movement.rule.part:
        case Part.PAYMENT:
            has_match = tally.bets_standing > 0 or tally.cancels > 0
            may_pay = has_match or not movement.rule.needs_bet
            return None if may_pay else Refusal.NO_MATCHING_MOVEMENT
        case Part.ABORT:
            bet = bet_to_give_back(
                round_,
                amount,
                movement.key.transaction_id,
                by_transaction=policy.key_scope is KeyScope.TRANSACTION_EVENT,
            )
            return give_back(bet) if isinstance(bet, StandingBet) else bet
        case Part.PAYMENT_ABORT:
            return take_back_payment(round_, amount, today)
        case Part.CANCEL:
            return reopen(round_, amount, today)
        case Part.BET | Part.NONE:
            return None


def _delta(
    movement: Movement,
    amount: Minor,
    pockets: Pockets,
    round_: Round,
    undoing: Undoing | None,
    policy: Policy,
) -> Pockets | None:
    """What each pocket gains (or loses, negative); None: not enough money."""
    rule = movement.rule
    parts = undoing.parts if undoing else EMPTY
    if movement.direction is Direction.DEBIT:
        drawn = _drawn(rule, amount, pockets, parts, policy)
        return None if drawn is None else EMPTY.minus(drawn)
    return _given(rule, amount, pockets, parts, round_.tally.stakes, movement.bonus_code)


def _drawn(
    rule: Rule, amount: Minor, pockets: Pockets, parts: Pockets, policy: Policy
) -> Pockets | None:
    match rule.debit_from:
        case DebitFrom.STAKE_ORDER:
            return stake_from(pockets, amount, policy.stake_order)
        case DebitFrom.REAL:
            return real_only(pockets, amount)
        case DebitFrom.BONUS:
            return bonus_only(pockets, amount)
        case DebitFrom.AS_PAID:
            return take_back(pockets, amount, parts, may_overdraw=rule.may_overdraw)


def _given(
    rule: Rule,
    amount: Minor,
    pockets: Pockets,
    parts: Pockets,
    stakes: Pockets,
    bonus_code: str | None,
) -> Pockets:
    has_code = bonus_code is not None and not bonus_code.isspace() and bonus_code != ""
    to_real, to_bonus = Pockets(amount, 0), Pockets(0, amount)
    match rule.credit_to:
        case CreditTo.BONUS:
            return to_bonus
        case CreditTo.REAL:
            return to_real
        case CreditTo.AS_STAKED:
            return debt_first(pockets, parts)
        case CreditTo.BONUS_BY_CODE:
            return debt_first(pockets, to_bonus if has_code else to_real)
        case CreditTo.STAKES_OR_BONUS_BY_CODE:
            return debt_first(pockets, to_bonus if has_code else share(amount, stakes))
        case CreditTo.STAKES:
            return debt_first(pockets, share(amount, stakes))


def _effects(movement: Movement, amount: Minor, today: int) -> tuple[Effect, ...]:
    match movement.rule.limit_effect:
        case LimitEffect.STAKE:
            return (Effect(today, amount, amount),)
        case LimitEffect.TIP:
            return (Effect(today, 0, amount),)
        case LimitEffect.PAYMENT:
            return (Effect(today, 0, -amount),)
        case LimitEffect.NONE | LimitEffect.STAKE_RETURN:
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
    movement: Movement, amount: Minor, round_: Round, undoing: Undoing | None, policy: Policy
) -> tuple[Flag, ...]:
    part = movement.rule.part
    if part is Part.BET:
        return (Flag.ABORT_OVERTOOK,) if amount in round_.refused_aborts else ()
    if part is not Part.CANCEL or undoing is None:
        return ()
    is_other_game = policy.sport_game_id is not None and movement.game_id != policy.sport_game_id
    flags = (
        (Flag.EVENT_UNKNOWN, round_.tally.bets_placed == 0),
        (Flag.REMAINDER, undoing.change.remainder > 0),
        (Flag.OTHER_GAME, is_other_game),
    )
    return tuple(flag for flag, holds in flags if holds)


def _entry(
    movement: Movement, amount: Minor, wallet: Wallet, now: datetime, verdict: Plan | Refusal
) -> JournalEntry:
    plan = verdict if isinstance(verdict, Plan) else None
    return JournalEntry(
        player_id=wallet.player_id,
        position=wallet.position + 1,
        version=wallet.version + (plan is not None),
        key=movement.key,
        delivery=movement.delivery,
        event_type=movement.event_type,
        direction=movement.direction,
        refusal=None if isinstance(verdict, Plan) else verdict,
        amount=amount,
        currency=wallet.currency,
        before=wallet.pockets,
        delta=plan.delta if plan else EMPTY,
        contra=movement.rule.contra,
        event_id=movement.event_id,
        game_id=movement.game_id,
        bonus_code=movement.bonus_code,
        extra_data=movement.extra_data,
        reverses=plan.undoing.reverses if plan and plan.undoing else (),
        flags=plan.flags if plan else (),
        event_time=movement.received_at,
        ledger_time=now,
        chain=b"",
    ).chained(wallet.chain)


def _apply(
    movement: Movement, entry: JournalEntry, plan: Plan, wallet: Wallet, changes: Changes
) -> None:
    usage = wallet.usage
    if plan.effects:
        usage = rolled(usage, entry.ledger_time.toordinal())
        for effect in plan.effects:
            usage = counted(usage, effect)
    changes.taken[entry.key] = entry
    changes.wallets[movement.user_id] = wallet._replace(
        pockets=entry.after,
        version=entry.version,
        position=entry.position,
        chain=entry.chain,
        usage=usage,
    )
    key = _round_key(movement, wallet)
    if key is None:
        return
    round_ = changes.rounds.get(key, _NEW_ROUND)
    history = None if round_.history is None else (*round_.history, entry)
    is_settled = _SETTLES.get(movement.rule.part, round_.is_settled)
    changes.rounds[key] = Round(
        round_.tally.plus(plan.change), is_settled, round_.refused_aborts, history
    )
    known = changes.round_changes.get(key)
    changes.round_changes[key] = (
        RoundChange(wallet.currency, movement.game_id, plan.change, is_settled)
        if known is None
        else known._replace(tally=known.tally.plus(plan.change), is_settled=is_settled)
    )


_SETTLES = {Part.BET: False, Part.CANCEL: False, Part.PAYMENT: True}
"""Whether a round is settled after a movement of this part; the others leave it as it was."""


def _remember_refused_abort(
    movement: Movement, amount: Minor, refusal: Refusal, wallet: Wallet, changes: Changes
) -> None:
    """Note an abort that found no bet: the bet it was meant for may still be on its way.

    And is flagged then.
    """
    if refusal not in {Refusal.NO_MATCHING_MOVEMENT, Refusal.ALREADY_GIVEN_BACK}:
        return
    key = _round_key(movement, wallet)
    if key is None or movement.rule.part is not Part.ABORT:
        return
    round_ = changes.rounds.get(key, _NEW_ROUND)
    known = round_.refused_aborts
    if amount in known or len(known) >= REFUSED_ABORTS_MAX:
        return
    changes.rounds[key] = round_._replace(refused_aborts=known | {amount})
    change = changes.round_changes.get(key) or RoundChange(wallet.currency, movement.game_id)
    changes.round_changes[key] = change._replace(
        is_settled=round_.is_settled,
        refused_aborts=(*change.refused_aborts, amount),
    )
    changes.wallets[movement.user_id] = wallet._replace(has_refused_aborts=True)
