"""The decision: movements and facts in, receipts out; a batch is decided in order.

The order of the checks is the contract's (callback contract, section 4): the player, the amount's
scale, the transaction id, and only then everything that `judge` looks at. A retry must get the
outcome of its transaction id, whatever has happened to the player or the round since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from typing import Final, NamedTuple

from app.wallet import further_limits
from app.wallet.balance import EMPTY
from app.wallet.early_aborts import AbortState, EarlyAbort, find, remembered, replaced
from app.wallet.events import HoldPart, Part
from app.wallet.facts import Facts, PlaceInChain, Policy, RuleVersion, SourceAndId, Wallet
from app.wallet.holds import Hold, HoldKey, HoldState
from app.wallet.journal import JournalEntry, Reversal
from app.wallet.judgement import Objection, Plan, judge
from app.wallet.limits import LimitHit, counted, rolled
from app.wallet.money import Minor
from app.wallet.movement import Movement, facet_of_type
from app.wallet.outcomes import (
    SETTLED_BY_HAND,
    Decisions,
    Declined,
    HoldAfter,
    Posting,
    Receipt,
    Refused,
    Replay,
    RoundAfter,
)
from app.wallet.refusals import UNKNOWN_TO_LAST_RELEASE, Refusal
from app.wallet.rounds import Round, RoundKey, has_open_bet_of

UNTIMED_ABORTS_MAX: Final = 64
"""The most amounts of refused aborts that the previous release stored for one round."""


@dataclass(slots=True)
class Changes:
    """The state while a batch is decided: a working copy of the facts, and what must be written."""

    wallets: dict[str, Wallet]
    rounds: dict[RoundKey, Round]
    taken: dict[SourceAndId, tuple[JournalEntry, ...]]
    moved: set[str] = field(default_factory=set)
    """players whose wallets must be written, by user id"""
    rounds_after: dict[RoundKey, RoundAfter] = field(default_factory=dict)
    holds: dict[HoldKey, Hold] = field(default_factory=dict)
    holds_after: dict[HoldKey, Hold] = field(default_factory=dict)
    limit_hits: dict[PlaceInChain, LimitHit] = field(default_factory=dict)


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
        if key is not None:
            _apply_to_round(movement, entry, verdict, key, round_, changes)
        return Posting(entry)
    refusal, detail = verdict
    declined = None
    if _is_outcome(refusal, policy):
        declined = _entry(movement, amount, wallet, facts.now, refusal)
        _take_key(declined, changes)
        if isinstance(detail, LimitHit):
            changes.limit_hits[declined.player_id, declined.position] = detail
        changes.wallets[movement.user_id] = wallet._replace(
            position=declined.position, chain=declined.chain
        )
        changes.moved.add(movement.user_id)
    if key is not None:
        refused = RefusedInRound(movement, amount, verdict, declined, key, round_)
        _apply_refusal_to_round(refused, facts.now, policy, changes)
    if declined is None:
        return Refused(refusal, pockets, currency, detail=detail)
    return Declined(declined, refusal, detail)


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
    if movement.rule.is_cashier:
        return entries[0]
    wide = key.facet or facet_of_type(movement.event_type, movement.direction)
    narrow = None
    for entry in entries:
        if entry.key.facet == wide:
            return entry
        if not entry.key.facet:
            narrow = entry
    if narrow is None or not key.facet:
        return narrow
    is_same = narrow.event_type is movement.event_type and narrow.direction is movement.direction
    return narrow if is_same else None


def _take_key(entry: JournalEntry, changes: Changes) -> None:
    source_and_id = entry.key[:2]
    changes.taken[source_and_id] = (*changes.taken.get(source_and_id, ()), entry)


def _decide_repeat(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry, changes: Changes
) -> Replay | Refused:
    pockets, currency = wallet.pockets, wallet.currency
    is_own = entry.delivery == movement.delivery
    differs = _difference(movement, amount, wallet, entry, changes)
    if entry.is_accepted and _is_settled_by_hand(movement, entry):
        refusal = Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs, detail=SETTLED_BY_HAND)
    if differs is not None and (entry.is_accepted or movement.rule.is_cashier):
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
    if not facet:
        return False
    return facet != movement.key.facet or facet != facet_of_type(entry.event_type, entry.direction)


def _difference(
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry, changes: Changes
) -> str | None:
    """Return the contract's name of the first field whose content differs from the entry's."""
    if movement.event_type is not entry.event_type:
        return "eventType"
    if movement.direction is not entry.direction:
        return "direction"
    if wallet.player_id != entry.player_id:
        return "userId"
    if movement.event_id != entry.event_id:
        return "eventId"
    if amount != entry.amount:
        return "amount"
    return "hold_id" if movement.hold and _is_other_hold(movement.hold, entry, changes) else None


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
        _reverses(plan),
        plan.flags if plan else (),
        movement.received_at,
        now,
        b"",
    ).chained(wallet.chain)


def _reverses(plan: Plan | None) -> tuple[Reversal, ...]:
    """What an entry names as undone: a bet, payments, or the hold that it closes."""
    if plan is None:
        return ()
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
    _write_round(movement, key, after, settled, changes)


_SETTLES = {Part.BET: False, Part.CANCEL: False, Part.PAYMENT: True}
"""Whether a round is settled after a movement of this part; the others leave it as it was."""


class RefusedInRound(NamedTuple):
    """A refused movement that belongs to a round."""

    movement: Movement
    amount: Minor
    objection: Objection
    declined: JournalEntry | None
    """its journal entry, if the refusal is final"""
    key: RoundKey
    round: Round

    @property
    def abort_found_no_bet(self) -> bool:
        """Whether it is an abort told 406 or 409."""
        return self.movement.rule.part is Part.ABORT and self.objection[0] in _FOUND_NO_BET


def _apply_refusal_to_round(
    refused: RefusedInRound, now: datetime, policy: Policy, changes: Changes
) -> None:
    """Update the round's early aborts after a refusal, and add a declined bet to its history."""
    movement, declined, key, round_ = (
        refused.movement,
        refused.declined,
        refused.key,
        refused.round,
    )
    is_declined_bet = declined is not None and movement.rule.part is Part.BET
    if declined is not None and is_declined_bet and round_.history is not None:
        round_ = round_._replace(history=(*round_.history, declined))
        changes.rounds[key] = round_
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        amounts = _untimed_aborts_after(refused)
        if amounts != round_.untimed_aborts:
            _write_round(movement, key, round_._replace(untimed_aborts=amounts), None, changes)
            changes.moved.add(movement.user_id)
        return
    changed = _early_abort_after(refused, now)
    if changed is not None:
        after = round_._replace(early_aborts=replaced(round_.early_aborts, changed))
        _write_round(movement, key, after, changed, changes)
        changes.moved.add(movement.user_id)


def _untimed_aborts_after(refused: RefusedInRound) -> frozenset[Minor]:
    """The amounts that the previous release would store of this round's refused aborts."""
    known = refused.round.untimed_aborts
    if not refused.abort_found_no_bet or len(known) >= UNTIMED_ABORTS_MAX:
        return known
    return known | {refused.amount}


def _early_abort_after(refused: RefusedInRound, now: datetime) -> EarlyAbort | None:
    """The early abort that a refusal adds or changes; None: none."""
    movement, round_ = refused.movement, refused.round
    refusal, detail = refused.objection
    if refusal is Refusal.BET_OVERTAKEN and isinstance(detail, str):
        used = find(round_.early_aborts, detail)
        return used._replace(state=AbortState.USED) if used else None
    if not refused.abort_found_no_bet:
        return None
    own = find(round_.early_aborts, movement.key.transaction_id)
    if own is not None:
        # Its id has an outcome now; an abort that still waits for its bet keeps waiting.
        is_over = own.state is AbortState.USED and refused.declined is not None
        return own._replace(state=AbortState.SETTLED) if is_over else None
    if has_open_bet_of(round_, refused.amount):
        return None
    history = round_.history or ()
    return remembered(round_.early_aborts, history, movement, refused.amount, now)


_NONE: Mapping[str, EarlyAbort] = {}
_FOUND_NO_BET = frozenset({Refusal.NO_MATCHING_MOVEMENT, Refusal.ALREADY_GIVEN_BACK})


def _write_round(
    movement: Movement,
    key: RoundKey,
    after: Round,
    early_abort: EarlyAbort | None,
    changes: Changes,
) -> None:
    """Store the round as it is after this movement, and the early abort that changed."""
    changes.rounds[key] = after
    known = changes.rounds_after.get(key)
    early_aborts = known.early_aborts if known else _NONE
    if early_abort is not None:
        early_aborts = {**early_aborts, early_abort.transaction_id: early_abort}
    game_id = known.game_id if known else movement.game_id
    changes.rounds_after[key] = RoundAfter(game_id, after, early_aborts)
