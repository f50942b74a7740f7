"""Journal entries and rounds as documents for programs: amounts as exact texts, times in UTC."""

from collections.abc import Sequence
from typing import Any

from app.cashier.staff_lookups import MovementDetails
from app.ledger.lookups import AccountChangeNote, OwnedEntry, RoundAccount
from app.ledger.slips.looking import ShownSlip
from app.wallet.balance import Pockets
from app.wallet.events import RULES
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.refusal_record import RefusalRecord
from app.wallet.words import decision, moment, reasons, state_of


def pockets_record(pockets: Pockets, currency: Currency) -> dict[str, str]:
    """Both pockets and their sum."""
    return {
        "balance": currency.text(pockets.balance),
        "real": currency.text(pockets.real),
        "bonus": currency.text(pockets.bonus),
    }


def limit_record(hit: LimitHit, currency: Currency) -> dict[str, str]:
    """Which limit refused a movement: its name, its value, what was used and left."""
    return {
        "name": hit.limit_name,
        "value": currency.text(hit.limit),
        "used": currency.text(hit.used),
        "remaining": currency.text(hit.left),
    }


def entry_record(owned: OwnedEntry, beside: Sequence[JournalEntry] = ()) -> dict[str, Any]:
    """A movement: what was asked, what was decided and why, the pockets before and after."""
    entry = owned.entry
    currency = entry.currency
    unheard, hit = owned.unanswered_since, owned.limit_hit
    return {
        "transaction_id": entry.key.transaction_id,
        "source": entry.key.source,
        "facet": entry.key.facet or None,
        "user_id": owned.user_id,
        "agent": owned.agent,
        "event_type": entry.event_type.value,
        "what": RULES[entry.event_type].words,
        "direction": entry.direction.value,
        "amount": currency.text(entry.amount),
        "currency": currency.code,
        "event_id": entry.event_id,
        "game_id": entry.game_id,
        "bonus_code": entry.bonus_code,
        "extra_data": entry.extra_data,
        "accepted": entry.is_accepted,
        "refusal": None if entry.refusal is None else entry.refusal.name,
        "decision": decision(entry),
        "reasons": reasons(entry, beside, owned.limit_hit),
        "limit": None if hit is None else limit_record(hit, currency),
        "flags": [flag.value for flag in entry.flags],
        "before": pockets_record(entry.before, currency),
        "change": pockets_record(entry.delta, currency),
        "after": pockets_record(entry.after, currency),
        "contra": entry.contra.value,
        "reverses": [
            {
                "position": reversal.position,
                "real": currency.text(reversal.real),
                "bonus": currency.text(reversal.bonus),
            }
            for reversal in entry.reverses
        ],
        "position": entry.position,
        "version": entry.version,
        "chain": entry.chain.hex(),
        "delivery": entry.delivery.hex(),
        "arrived_at": moment(entry.event_time),
        "decided_at": moment(entry.ledger_time),
        "unanswered_since": None if unheard is None else moment(unheard),
    }


def movement_record(details: MovementDetails) -> dict[str, Any]:
    """A movement with its place in the chain, and with its round."""
    beside = [other.entry for other in details.beside]
    return {
        **entry_record(details.owned, beside),
        "hash_holds": details.hash_holds,
        "chain_length": details.links.last_position,
        "reversed_by": [other.key.transaction_id for other in details.reversed_by],
        "round": None if details.round is None else round_record(details.round),
    }


def refusal_record(kept: RefusalRecord) -> dict[str, Any]:
    """A refusal that left no outcome."""
    return {
        **kept._asdict(),
        "delivery": kept.delivery.hex(),
        "event_time": moment(kept.event_time),
        "ledger_time": None if kept.ledger_time is None else moment(kept.ledger_time),
    }


def slip_record(slip: ShownSlip) -> dict[str, Any]:
    """What a bet slip says, with its legs."""
    return {
        **slip._asdict(),
        "kind": slip.kind,
        "legs": [
            {
                **leg._asdict(),
                "scheduled_at": None if leg.scheduled_at is None else moment(leg.scheduled_at),
            }
            for leg in slip.legs
        ],
    }


def round_record(account: RoundAccount) -> dict[str, Any]:
    """A round with all its sums."""
    tally, text = account.round.tally, account.currency.text
    return {
        "event_id": account.key.event_id,
        "user_id": account.user_id,
        "agent": account.agent,
        "streamer": account.key.is_streamer,
        "game_id": account.game_id,
        "state": state_of(account.round),
        "currency": account.currency.code,
        "bets_placed": tally.bets_placed,
        "bets_open": tally.bets_open,
        "staked": text(tally.staked),
        "stakes_open": pockets_record(tally.stakes, account.currency),
        "paid": text(tally.paid),
        "taken_back": text(tally.taken_back),
        "paid_net": text(tally.paid_net),
        "cancels": tally.cancels,
        "uncovered": text(tally.uncovered),
        "early_aborts": [
            {
                "transaction_id": abort.transaction_id,
                "amount": text(abort.amount),
                "first_at": moment(abort.first_at),
                "state": abort.state.value,
            }
            for abort in account.round.early_aborts
        ],
        "opened_at": moment(account.opened_at),
        "last_at": moment(account.last_at),
    }


def change_record(change: AccountChangeNote) -> dict[str, Any]:
    """A change of an account: whose, by whom, and what was asked."""
    return {**change._asdict(), "ledger_time": moment(change.ledger_time)}
