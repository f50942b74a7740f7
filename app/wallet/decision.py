"""The decision: movement and facts in, outcome out; a batch is decided by folding it in order.

The order of the checks is the contract's (callback contract, section 4). A key is not looked up
before it matters: whoever is about to be refused must first know whether his key is taken (a
retry of an all-in bet must hear that it was processed, never that money lacks); whoever is about
to be accepted learns it from the insert itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.wallet.balance import EMPTY
from app.wallet.events import Part
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.journal import JournalEntry
from app.wallet.judgement import Plan, judge
from app.wallet.limits import counted, rolled
from app.wallet.money import Minor
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import (
    Decisions,
    Declined,
    KeyNeeded,
    Outcome,
    Posting,
    Refused,
    Replay,
    RoundChange,
)
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

REFUSED_ABORTS_MAX = 64
"""Amounts of refused aborts a round remembers; they only flag the bet they overtook."""


@dataclass(slots=True)
class Changes:
    """What a fold has changed so far: a working copy of the facts, and what rounds gain."""

    wallets: dict[str, Wallet]
    rounds: dict[RoundKey, Round]
    taken: dict[Key, JournalEntry]
    round_changes: dict[RoundKey, RoundChange]


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

    key = _round_key(movement, wallet)
    round_ = changes.rounds.get(key, _NEW_ROUND) if key else _NEW_ROUND
    verdict = judge(movement, amount, wallet, round_, facts, policy)
    if isinstance(verdict, Plan):
        entry = _entry(movement, amount, wallet, facts.now, verdict)
        _apply_to_wallet(entry, verdict, wallet, movement.user_id, changes)
        if key is not None:
            _apply_to_round(movement, entry, verdict, key, round_, changes)
        return Posting(entry)
    if movement.key not in facts.free:
        return KeyNeeded(movement.key)
    refusal, detail = verdict
    if key is not None:
        _remember_refused_abort(movement, amount, refusal, wallet, key, changes)
    if not refusal.is_final:
        return Refused(refusal, pockets, currency, detail=detail)
    entry = _entry(movement, amount, wallet, facts.now, refusal)
    changes.taken[entry.key] = entry
    changes.wallets[movement.user_id] = changes.wallets[movement.user_id]._replace(
        position=entry.position, chain=entry.chain
    )
    return Declined(entry, refusal)


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


_NEW_ROUND = Round(history=())


def _round_key(movement: Movement, wallet: Wallet) -> RoundKey | None:
    rule = movement.rule
    if rule.part is Part.NONE or movement.event_id is None:
        return None
    return RoundKey(wallet.player_id, movement.event_id, rule.is_streamer)


def _entry(
    movement: Movement, amount: Minor, wallet: Wallet, now: datetime, verdict: Plan | Refusal
) -> JournalEntry:
    plan, refusal = (verdict, None) if isinstance(verdict, Plan) else (None, verdict)
    undoing = plan.undoing if plan else None
    return JournalEntry(
        wallet.player_id,
        wallet.position + 1,
        wallet.version + (plan is not None),
        movement.key,
        movement.delivery,
        movement.event_type,
        movement.direction,
        refusal,
        amount,
        wallet.currency,
        wallet.pockets,
        plan.delta if plan else EMPTY,
        movement.rule.contra,
        movement.event_id,
        movement.game_id,
        movement.bonus_code,
        movement.extra_data,
        undoing.reverses if undoing else (),
        plan.flags if plan else (),
        movement.received_at,
        now,
        b"",
    ).chained(wallet.chain)


def _apply_to_wallet(
    entry: JournalEntry, plan: Plan, wallet: Wallet, user_id: str, changes: Changes
) -> None:
    usage = wallet.usage
    if plan.effects:
        usage = rolled(usage, entry.ledger_time.toordinal())
        for effect in plan.effects:
            usage = counted(usage, effect)
    changes.taken[entry.key] = entry
    changes.wallets[user_id] = Wallet(
        wallet.player_id,
        wallet.agent,
        wallet.currency,
        plan.after,
        entry.version,
        entry.position,
        entry.chain,
        wallet.is_blocked,
        wallet.limits,
        usage,
        wallet.has_refused_aborts,
    )


def _apply_to_round(
    movement: Movement,
    entry: JournalEntry,
    plan: Plan,
    key: RoundKey,
    round_: Round,
    changes: Changes,
) -> None:
    history = None if round_.history is None else (*round_.history, entry)
    is_settled = _SETTLES.get(movement.rule.part, round_.is_settled)
    changes.rounds[key] = Round(
        round_.tally.plus(plan.change), is_settled, round_.refused_aborts, history
    )
    known = changes.round_changes.get(key)
    changes.round_changes[key] = (
        RoundChange(entry.currency, movement.game_id, plan.change, is_settled)
        if known is None
        else known._replace(tally=known.tally.plus(plan.change), is_settled=is_settled)
    )


_SETTLES = {Part.BET: False, Part.CANCEL: False, Part.PAYMENT: True}
"""Whether a round is settled after a movement of this part; the others leave it as it was."""


def _remember_refused_abort(
    movement: Movement,
    amount: Minor,
    refusal: Refusal,
    wallet: Wallet,
    key: RoundKey,
    changes: Changes,
) -> None:
    """Note an abort that found no bet: the bet it was meant for may still be on its way.

    And is flagged then.
    """
    if refusal not in {Refusal.NO_MATCHING_MOVEMENT, Refusal.ALREADY_GIVEN_BACK}:
        return
    if movement.rule.part is not Part.ABORT:
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
