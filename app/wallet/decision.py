"""The decision: movements and facts in, receipts out; a batch is decided in order.

The order of the checks is the contract's (callback contract, section 4): the player, the amount's
scale, the transaction id, and only then everything that `judge` looks at. A retry must get the
outcome of its transaction id, whatever has happened to the player or the round since.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import starmap

from app.wallet import further_limits
from app.wallet.balance import EMPTY
from app.wallet.changes import Changes, write_round
from app.wallet.early_aborts import AbortState, find, replaced
from app.wallet.events import RULES, Direction, EventType, HoldPart, Part
from app.wallet.facts import Facts, Policy, RuleVersion, Wallet
from app.wallet.holds import Hold, HoldKey, HoldState
from app.wallet.journal import JournalEntry, Reversal
from app.wallet.judgement import Plan, judge
from app.wallet.limits import LimitHit, counted, rolled
from app.wallet.money import Minor
from app.wallet.movement import Key, Movement, Names, facet_of_type
from app.wallet.outcomes import (
    SETTLED_BY_HAND,
    Decisions,
    Declined,
    HoldAfter,
    Posting,
    Receipt,
    Refused,
    Replay,
)
from app.wallet.refusals import UNKNOWN_TO_LAST_RELEASE, Refusal
from app.wallet.refused_in_round import RefusedInRound, apply_refusal_to_round
from app.wallet.rounds import Round, RoundKey


def decide_all(movements: Iterable[Movement], facts: Facts, policy: Policy) -> Decisions:
    """Decide a batch: each movement sees the facts as its predecessors left them."""
    changes = Changes(
        dict(facts.wallets),
        dict(facts.rounds),
        dict(facts.taken),
        holds=dict(facts.holds),
        limit_hits=dict(facts.limit_hits),
    )
    receipts = [_decide_next(movement, facts, changes, policy) for movement in movements]
    wallets = {user_id: changes.wallets[user_id] for user_id in changes.moved}
    holds = tuple(starmap(HoldAfter, changes.holds_after.items()))
    return Decisions(receipts, wallets, changes.rounds_after, facts.now, holds)


def _decide_next(movement: Movement, facts: Facts, changes: Changes, policy: Policy) -> Receipt:
    wallet = changes.wallets.get(movement.user_id)
    if wallet is None:
        return Refused(Refusal.PLAYER_UNKNOWN)
    rule = movement.rule
    pockets, currency = wallet.pockets, wallet.currency
    if rule.is_cashier and wallet.agent != movement.key.source:
        return Refused(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
    if movement.currency is not None and movement.currency != currency.code:
        return _decide_in_other_currency(movement, wallet, changes)
    amount = currency.minor(movement.amount)
    if amount is None:
        return Refused(Refusal.AMOUNT_TOO_FINE, pockets, currency)
    under_this_id = changes.taken.get(movement.key[:2])
    if under_this_id is not None:
        taken = _taken_by(movement, under_this_id)
        if taken is not None:
            return _decide_repeat(movement, amount, wallet, taken, changes)

    key = _round_key(movement, wallet)
    round_ = changes.rounds.get(key, _NEW_ROUND) if key else _NEW_ROUND
    hold = changes.holds.get(movement.hold) if movement.hold else None
    verdict = judge(movement, amount, wallet, round_, hold, facts, policy)
    if isinstance(verdict, Plan):
        entry = _entry(movement, amount, wallet, facts.now, verdict)
        _apply_to_wallet(entry, verdict, wallet, movement, policy, changes)
        if key is not None and verdict.no_effect is None:
            _apply_to_round(movement, entry, verdict, key, round_, changes)
        return Posting(entry)
    refusal, detail = verdict
    declined = None
    if _is_outcome(refusal, policy) and not rule.is_manual:
        declined = _entry(movement, amount, wallet, facts.now, refusal)
        _take_key(declined, changes)
        if isinstance(detail, LimitHit):
            changes.limit_hits[declined.player_id, declined.position] = detail
        changes.wallets[movement.user_id] = wallet._replace(
            position=declined.position, chain=declined.chain
        )
        changes.moved.add(movement.user_id)
    if key is not None and not (rule.is_named and rule.part is not Part.BET):
        refused = RefusedInRound(movement, amount, verdict, declined, key, round_)
        apply_refusal_to_round(refused, facts.now, policy, changes)
    if declined is None:
        return Refused(refusal, pockets, currency, detail=detail)
    return Declined(declined, refusal, detail)


def _decide_in_other_currency(
    movement: Movement, wallet: Wallet, changes: Changes
) -> Replay | Refused:
    """Refuse a movement in another currency than the wallet's; under a taken id it is a repeat."""
    under_this_id = changes.taken.get(movement.key[:2])
    taken = None if under_this_id is None else _taken_by(movement, under_this_id)
    if taken is None:
        return Refused(Refusal.CURRENCY_DIFFERS, wallet.pockets, wallet.currency)
    amount = wallet.currency.minor(movement.amount) or 0
    return _decide_repeat(movement, amount, wallet, taken, changes)


def _is_outcome(refusal: Refusal, policy: Policy) -> bool:
    """Whether a refusal is stored; not one that processes of the previous release cannot read."""
    if policy.rule_version is RuleVersion.LAST_RELEASE and refusal in UNKNOWN_TO_LAST_RELEASE:
        return False
    return refusal.is_final


def _taken_by(movement: Movement, entries: tuple[JournalEntry, ...]) -> JournalEntry | None:
    """Return the entry that holds this movement's key, of those under its transaction id, or None.

    The key in its wide form (with event type and direction) counts in either scope, and is looked
    at first: an adjustment that two people made by hand for this movement has that form. Where the
    wide form is the key, an entry of the narrow scope holds it only if it has the same event type
    and direction.
    """
    key = movement.key
    if movement.rule.is_manual:
        return _settled_already(key, entries)
    if movement.rule.is_cashier:
        return entries[0]
    wide = key.facet or facet_of_type(movement.event_type, movement.direction)
    narrow = None
    for entry in entries:
        if entry.key.facet == wide or entry.is_id_alone:
            return entry
        if not entry.key.facet:
            narrow = entry
    if narrow is None or not key.facet:
        return narrow
    is_same = narrow.event_type is movement.event_type and narrow.direction is movement.direction
    return narrow if is_same else None


def _settled_already(key: Key, entries: tuple[JournalEntry, ...]) -> JournalEntry | None:
    """Return the entry that leaves nothing for an adjustment under this key, or None.

    It is the adjustment itself, or the movement that it settles, if that was accepted meanwhile.
    """
    for entry in entries:
        of_entry = facet_of_type(entry.event_type, entry.direction)
        if entry.key.facet == key.facet or (entry.is_accepted and of_entry == key.facet):
            return entry
    return None


def _take_key(entry: JournalEntry, changes: Changes) -> None:
    source_and_id = entry.key[:2]
    changes.taken[source_and_id] = (*changes.taken.get(source_and_id, ()), entry)


def _decide_repeat(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry, changes: Changes
) -> Replay | Refused:
    pockets, currency = wallet.pockets, wallet.currency
    is_own = entry.delivery == movement.delivery
    differs = _difference(movement, amount, wallet, entry, changes)
    if entry.is_accepted and not is_own and _is_settled_by_hand(movement, entry):
        refusal = Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs, detail=SETTLED_BY_HAND)
    is_accepted = entry.is_accepted or entry.is_decided_elsewhere
    is_told = is_accepted or movement.rule.is_cashier or movement.names is not None
    if differs is not None and is_told:
        of_type = differs in {"eventType", "direction"}
        refusal = Refusal.EVENT_TYPE_DIFFERS if of_type else Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs)
    hit = changes.limit_hits.get((entry.player_id, entry.position)) if entry.refusal else None
    return Replay(entry, is_own, pockets, currency, differs, hit)


def _is_settled_by_hand(movement: Movement, entry: JournalEntry) -> bool:
    """Whether an entry holds this movement's key because two people moved its money by hand.

    Such an entry has the key's wide form where the movement itself would not have it, or under
    another event type than the one that the key names.
    """
    facet = entry.key.facet
    if not facet or entry.event_type is EventType.BETBY_NO_EFFECT:
        return False
    return facet != movement.key.facet or facet != facet_of_type(entry.event_type, entry.direction)


def _difference(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry, changes: Changes
) -> str | None:
    """Return the contract's name of the first field whose content differs from the entry's."""
    if entry.is_id_alone:
        return None if wallet.player_id == entry.player_id else "userId"
    names = movement.names
    if names is not None and (names.is_discard or entry.refusal is Refusal.BET_DISCARDED):
        # A discard says whose bet it is, and no more.
        if movement.event_type is not entry.event_type:
            return "eventType"
        return "userId" if wallet.player_id != entry.player_id else None
    if names is not None and entry.event_type is EventType.BETBY_NO_EFFECT:
        return _difference_without_effect(movement, names, wallet, entry)
    if movement.event_type is not entry.event_type:
        return "eventType"
    if movement.direction is not entry.direction:
        return "direction"
    if wallet.player_id != entry.player_id:
        return "userId"
    if movement.event_id != entry.event_id:
        return "eventId"
    if names is not None and names.parent is not None and entry.is_accepted:
        # Of what a rollback undid, the last is what it named; its amount is that one's.
        return None if entry.reverses[-1].position == names.parent else "parent"
    if movement.currency is not None and movement.currency != wallet.currency.code:
        return "currency"
    if amount != entry.amount:
        return "amount"
    return "hold_id" if movement.hold and _is_other_hold(movement.hold, entry, changes) else None


def _difference_without_effect(
    movement: Movement, names: Names, wallet: Wallet, entry: JournalEntry
) -> str | None:
    """The same where the first one found nothing left to undo."""
    if movement.rule.part is Part.BET or movement.rule.needs_bet:
        return "eventType"
    if wallet.player_id != entry.player_id:
        return "userId"
    if movement.event_id != entry.event_id:
        return "eventId"
    return None if entry.reverses[-1].position == (names.parent or names.bet) else "parent"


def _is_other_hold(key: HoldKey, entry: JournalEntry, changes: Changes) -> bool:
    """Whether an entry settled or released another hold than the one named."""
    hold = changes.holds.get(key)
    return hold is None or [hold.position] != [undone.position for undone in entry.reverses]


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
    event_type, direction = movement.event_type, movement.direction
    if plan is not None and plan.no_effect is not None:
        event_type, direction, amount = EventType.BETBY_NO_EFFECT, Direction.CREDIT, 0
    return JournalEntry(
        wallet.player_id,
        wallet.position + 1,
        wallet.version + (plan is not None),
        movement.key,
        movement.delivery,
        event_type,
        direction,
        refusal,
        amount,
        wallet.currency,
        wallet.pockets,
        plan.delta if plan else EMPTY,
        RULES[event_type].contra,
        movement.event_id,
        movement.game_id,
        movement.bonus_code,
        movement.extra_data,
        _reverses(movement, plan),
        plan.flags if plan else (),
        movement.received_at,
        now,
        b"",
    ).chained(wallet.chain)


def _reverses(movement: Movement, plan: Plan | None) -> tuple[Reversal, ...]:
    """What an entry names as undone: a bet, payments, or the hold that it closes."""
    if plan is None:
        return ()
    if plan.no_effect is not None and movement.names is not None:
        # Because of what there was nothing to undo, and what should have been undone.
        named = movement.names.parent or movement.names.bet or 0
        return (Reversal(plan.no_effect.because_of.position, 0, 0), Reversal(named, 0, 0))
    if plan.hold is not None:
        return (Reversal(plan.hold.position, plan.hold.amount, 0),)
    return plan.undoing.reverses if plan.undoing else ()


def _apply_to_wallet(
    entry: JournalEntry,
    plan: Plan,
    wallet: Wallet,
    movement: Movement,
    policy: Policy,
    changes: Changes,
) -> None:
    usage, further = wallet.usage, wallet.further
    if plan.effects:
        usage = rolled(usage, policy.limit_days.of(entry.ledger_time))
        for effect in plan.effects:
            usage = counted(usage, effect)
    if plan.counts and further is not None:
        today = policy.limit_days.of(entry.ledger_time)
        further = further_limits.counted(further, plan.counts, today)
    if movement.rule.hold is not None:
        _apply_to_hold(entry, plan, movement, changes)
    _take_key(entry, changes)
    changes.moved.add(movement.user_id)
    changes.wallets[movement.user_id] = Wallet(
        wallet.player_id,
        wallet.agent,
        wallet.currency,
        plan.after,
        entry.version,
        entry.position,
        entry.chain,
        wallet.revision,
        wallet.is_blocked,
        wallet.limits,
        usage,
        further,
    )


_CLOSED_AS = {HoldPart.SETTLE: HoldState.SETTLED, HoldPart.RELEASE: HoldState.RELEASED}


def _apply_to_hold(entry: JournalEntry, plan: Plan, movement: Movement, changes: Changes) -> None:
    """Make the hold that a movement opens, or close the one that it settles or releases."""
    key, part = movement.hold, movement.rule.hold
    if plan.hold is None or key is None or part is None:
        key = HoldKey(*entry.key[:2])
        after = Hold(entry.player_id, entry.position, entry.amount)
    else:
        after = plan.hold._replace(state=_CLOSED_AS[part], closed_position=entry.position)
    changes.holds[key] = changes.holds_after[key] = after


def _apply_to_round(
    movement: Movement,
    entry: JournalEntry,
    plan: Plan,
    key: RoundKey,
    round_: Round,
    changes: Changes,
) -> None:
    history = None if round_.history is None else (*round_.history, entry)
    early = find(round_.early_aborts, entry.key.transaction_id) if round_.early_aborts else None
    settled = None
    is_waiting = early is not None and early.state is AbortState.WAITING
    if early is not None and is_waiting and movement.rule.part is Part.ABORT:
        settled = early._replace(state=AbortState.SETTLED)
    after = Round(
        round_.tally.plus(plan.change),
        _SETTLES.get(movement.rule.part, round_.is_settled),
        replaced(round_.early_aborts, settled) if settled else round_.early_aborts,
        round_.untimed_aborts,
        history,
    )
    write_round(movement, key, after, settled, changes)


_SETTLES = {Part.BET: False, Part.CANCEL: False, Part.PAYMENT: True}
"""Whether a round is settled after a movement of this part; the others leave it as it was."""
