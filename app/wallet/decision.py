"""The decision: movements and facts in, receipts out; a batch is decided in order.

The order of the checks is the contract's (callback contract, section 4): the player, the amount's
scale, the transaction id, and only then everything that `judge` looks at. A retry must get the
outcome of its transaction id, whatever has happened to the player or the round since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from app.wallet.balance import EMPTY
from app.wallet.early_aborts import AbortState, EarlyAbort, find, remembered, replaced
from app.wallet.events import Part
from app.wallet.facts import Facts, Policy, RuleVersion, SourceAndId, Wallet
from app.wallet.journal import JournalEntry
from app.wallet.judgement import Objection, Plan, judge
from app.wallet.limits import counted, rolled
from app.wallet.money import Minor
from app.wallet.movement import Key, Movement, facet_of_type
from app.wallet.outcomes import (
    SETTLED_BY_HAND,
    Decisions,
    Declined,
    Posting,
    Receipt,
    Refused,
    Replay,
    RoundAfter,
)
from app.wallet.refusals import Refusal
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


def decide_all(movements: Iterable[Movement], facts: Facts, policy: Policy) -> Decisions:
    """Decide a batch: each movement sees the facts as its predecessors left them."""
    changes = Changes(dict(facts.wallets), dict(facts.rounds), dict(facts.taken))
    receipts = [_decide_next(movement, facts, changes, policy) for movement in movements]
    wallets = {user_id: changes.wallets[user_id] for user_id in changes.moved}
    return Decisions(receipts, wallets, changes.rounds_after, facts.now)


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
    refusal, detail = verdict
    declined = None
    if refusal.is_final and not rule.is_manual:
        declined = _entry(movement, amount, wallet, facts.now, refusal)
        _take_key(declined, changes)
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
        if entry.key.facet == wide:
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
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry
) -> Replay | Refused:
    pockets, currency = wallet.pockets, wallet.currency
    is_own = entry.delivery == movement.delivery
    differs = _difference(movement, amount, wallet, entry)
    if entry.is_accepted and not is_own and _is_settled_by_hand(movement, entry):
        refusal = Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs, detail=SETTLED_BY_HAND)
    if differs is not None and (entry.is_accepted or movement.rule.is_cashier):
        of_type = differs in {"eventType", "direction"}
        refusal = Refusal.EVENT_TYPE_DIFFERS if of_type else Refusal.MOVEMENT_DIFFERS
        return Refused(refusal, pockets, currency, differs=differs)
    return Replay(entry, is_own, pockets, currency, differs)


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
    movement: Movement, amount: Minor, wallet: Wallet, entry: JournalEntry
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
    _take_key(entry, changes)
    changes.moved.add(user_id)
    changes.wallets[user_id] = Wallet(
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
