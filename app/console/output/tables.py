"""Movements and rounds as tables for people."""

from collections.abc import Iterable

from rich.console import Group, RenderableType

from app.cashier.staff_lookups import MovementDetails, RoundDetails, TransactionDetails
from app.console.output.layout import Facts, Rows
from app.ledger.lookups import AccountChangeNote, OwnedEntry, RoundAccount
from app.ledger.slips.looking import ShownSlip
from app.settings import BETBY_SOURCE, CALLBACK_SOURCE
from app.wallet.events import RULES
from app.wallet.journal import JournalEntry
from app.wallet.refusal_record import RefusalRecord
from app.wallet.words import (
    decision,
    limit_words,
    moment,
    money,
    reasons,
    remarks,
    split,
    state_of,
)


def entries_table(title: str, entries: list[OwnedEntry]) -> Rows:
    """Movements, one a row."""
    return Rows(
        title,
        ("position", "decided", "what", "transaction", "real", "bonus", "balance", "decision"),
        map(movement_row, entries),
        amounts="position real bonus balance",
    )


def movement_row(owned: OwnedEntry) -> tuple[object, ...]:
    """A movement: its place, when, what, its id, the pockets, and why."""
    entry, hit = owned.entry, owned.limit_hit
    text = entry.currency.text
    limit = None if hit is None else limit_words(hit, entry.currency)
    return (
        entry.position,
        moment(entry.ledger_time),
        f"{RULES[entry.event_type].words} {text(entry.amount)}",
        entry.key.transaction_id,
        text(entry.delta.real),
        text(entry.delta.bonus),
        text(entry.after.balance),
        tuple(filter(None, (decision(entry), limit, remarks(entry)))),
    )


def transaction_shown(transaction_id: str, details: TransactionDetails) -> Group:
    """Everything under a transaction id."""
    parts: list[RenderableType] = []
    for movement in details.movements:
        for part in movement_parts(movement):
            parts += [part, ""]
    if details.refusals:
        parts.append(refusals_table(transaction_id, details.refusals))
    return Group(*parts)


def movement_parts(movement: MovementDetails) -> tuple[Facts, Rows, Facts]:
    """A movement: what was asked and decided, the pockets, its place in chain and round."""
    return _asked(movement), _pockets(movement), _place(movement)


def refusals_table(transaction_id: str, refusals: Iterable[RefusalRecord]) -> Rows:
    """What was refused under a transaction id and left no outcome."""
    return Rows(
        f"Refused under {transaction_id} without an outcome",
        ("when", "source", "player", "what", "amount", "why", "differs"),
        map(_refusal_row, refusals),
        amounts="amount",
    )


def changes_table(request_id: str, changes: Iterable[AccountChangeNote]) -> Rows:
    """The changes of accounts that a request made."""
    return Rows(
        f"Changed by {request_id}",
        ("when", "by", "player", "what", "asked"),
        [
            (moment(each.ledger_time), each.source, each.user_id, each.operation, each.asked)
            for each in changes
        ],
    )


def _asked(movement: MovementDetails) -> Facts:
    owned, entry = movement.owned, movement.owned.entry
    beside = [other.entry for other in movement.beside]
    unheard = owned.unanswered_since
    return Facts(
        f"{entry.key.transaction_id}: {RULES[entry.event_type].words} of {owned.user_id}",
        {
            "asked by": _asker(entry),
            "asked for": f"{entry.event_type} {entry.direction}, "
            f"{money(entry.amount, entry.currency)}",
            "facet": entry.key.facet or None,
            "game": entry.game_id,
            "bonusCode": entry.bonus_code,
            "extraData": entry.extra_data,
            "arrived": moment(entry.event_time),
            "decided": moment(entry.ledger_time),
            "decision": decision(entry),
            "why": tuple(reasons(entry, beside, owned.limit_hit)),
            "remarks": _sentence(remarks(entry)),
            "unanswered": None
            if unheard is None
            else (f"its caller was told 503 at {moment(unheard)}, and has not come back",),
        },
    )


def _asker(entry: JournalEntry) -> str:
    if RULES[entry.event_type].is_manual:
        return "two of the operator's people"
    source = entry.key.source
    if source == BETBY_SOURCE:
        return "Betby"
    return "the game side" if source == CALLBACK_SOURCE else f"agent {source}"


def _pockets(movement: MovementDetails) -> Rows:
    entry = movement.owned.entry
    text = entry.currency.text
    columns = (entry.before, entry.delta, entry.after)
    return Rows(
        "",
        (entry.currency.code, "before", "change", "after"),
        [
            ("real", *(text(column.real) for column in columns)),
            ("bonus", *(text(column.bonus) for column in columns)),
            ("balance", *(text(column.balance) for column in columns)),
        ],
        amounts="before change after",
    )


def _place(movement: MovementDetails) -> Facts:
    entry, account = movement.owned.entry, movement.round
    undone_by = tuple(
        f"{RULES[other.event_type].words} {other.key.transaction_id}"
        for other in movement.reversed_by
    )
    holds = "holds" if movement.hash_holds else "DOES NOT HOLD: run `wallet audit`"
    return Facts(
        "",
        {
            "event": entry.event_id,
            "round": None if account is None else (_summary(account),),
            "undone by": undone_by or None,
            "house": f"{entry.contra} is the other side",
            "in the chain": (
                f"{entry.position} of {movement.links.last_position}; the hash {holds}",
            ),
            "hash": entry.chain.hex(),
            "delivery": entry.delivery.hex(),
        },
    )


def _refusal_row(kept: RefusalRecord) -> tuple[object, ...]:
    what = " ".join(filter(None, (kept.event_type or kept.operation, kept.direction)))
    when = None if kept.ledger_time is None else moment(kept.ledger_time)
    why = _sentence(kept.reason)
    return (when, kept.source, kept.user_id, what, kept.amount, why, kept.differs)


def _sentence(words: str | None) -> tuple[str, ...] | None:
    """A text that may be wrapped between its words."""
    return None if words is None else (words,)


def _summary(account: RoundAccount) -> str:
    tally, currency = account.round.tally, account.currency
    return (
        f"{state_of(account.round)}: {tally.bets_open} of {tally.bets_placed} bets stand "
        f"({split(tally.stakes, currency)}), {money(tally.paid_net, currency)} paid"
    )


def round_shown(details: RoundDetails) -> list[RenderableType]:
    """A round with its sums, and its movements."""
    facts, entries = round_parts(details)
    slips = [part for slip in details.slips for part in (*slip_parts(slip), "")]
    return [facts, "", *slips, entries, ""]


def slip_parts(slip: ShownSlip) -> list[RenderableType]:
    """What a bet slip says, as the sportsbook said it, and each of its legs."""
    has_odds = slip.total_odds is not None
    facts = {
        "slip": (f"{slip.kind}, {slip.status.replace('_', ' ')}",),
        "stake": f"{slip.stake} {slip.currency}" + (f" at {slip.total_odds}" if has_odds else ""),
        "may win": slip.potential_win,
        "paid": slip.paid,
        "cashed out": slip.cash_out if slip.cash_out.strip("0.") else None,
        "said": slip.said,
        "free bet": slip.free_bet,
        "not read": slip.fault,
    }
    parts: list[RenderableType] = [Facts(f"slip {slip.slip_id or '–'}", facts)]
    if slip.legs:
        parts.append(
            Rows(
                "",
                ("leg", "match", "market", "outcome", "odds", "begins", "result"),
                [
                    (
                        leg.leg,
                        " · ".join(filter(None, (leg.competitors, leg.tournament))) or "–",
                        leg.market or "–",
                        leg.outcome or "–",
                        leg.odds or "–",
                        "–" if leg.scheduled_at is None else moment(leg.scheduled_at)[:16],
                        leg.result or "–",
                    )
                    for leg in slip.legs
                ],
                amounts="odds",
            )
        )
    return parts


def round_parts(details: RoundDetails) -> tuple[Facts, Rows]:
    """A round's sums, and its movements."""
    account = details.account
    tally, text = account.round.tally, account.currency.text
    kind = " with streamer money" if account.key.is_streamer else ""
    facts = {
        "round": (_summary(account),),
        "game": account.game_id,
        "agent": account.agent,
        "staked": money(tally.staked, account.currency),
        "paid": (f"{text(tally.paid)}, of which {text(tally.taken_back)} were taken back",),
        "re-opened": f"{tally.cancels} times" if tally.cancels else None,
        "uncovered": f"{text(tally.uncovered)} beyond the payments there were"
        if tally.uncovered
        else None,
        "opened": moment(account.opened_at),
        "latest": moment(account.last_at),
    }
    title = f"{account.key.event_id} of {account.user_id}{kind}"
    return Facts(title, facts), entries_table("", details.entries)
