"""The journal in words: what a movement was, what it did to the pockets, and why."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, assert_never

from app.wallet.balance import Pockets
from app.wallet.events import RULES, CreditTo, DebitFrom, Direction
from app.wallet.journal import Flag, JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round

FLAGS: Final = {
    Flag.EVENT_UNKNOWN: "the event has no bet",
    Flag.UNCOVERED: "more than the payments that stood",
    Flag.OTHER_GAME: "not the sportsbook's game id",
    Flag.ABORT_OVERTOOK: "an abort had come before it",
    Flag.ABORT_BESIDE_PAYMENT: "another bet of the event was paid",
    Flag.TOKEN_UNKNOWN: "the restored ledger did not know its token",
    Flag.PAID_BET_GIVEN_BACK: "a payment of the bet stands",
    Flag.OVERDRAWN: "the player owes what was missing",
}
if set(FLAGS) != set(Flag):
    raise AssertionError("every flag has its words")


def moment(value: datetime) -> str:
    """A moment for people and programs: `2026-11-20 12:00:00.123456Z`."""
    text = value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


def money(amount: int, currency: Currency) -> str:
    """An amount with its currency: `100.50 USD`."""
    return f"{currency.text(amount)} {currency.code}"


def split(pockets: Pockets, currency: Currency) -> str:
    """Both pockets: `80.00 real + 20.00 bonus`; one of them where the other has nothing."""
    real, bonus = currency.text(pockets.real), currency.text(pockets.bonus)
    if not pockets.bonus:
        return f"{real} real"
    return f"{real} real + {bonus} bonus" if pockets.real else f"{bonus} bonus"


def remarks(entry: JournalEntry) -> str | None:
    """What operations should see about a movement."""
    return "; ".join(FLAGS[flag] for flag in entry.flags) or None


def decision(entry: JournalEntry) -> str:
    """What was decided."""
    return "accepted" if entry.refusal is None else f"refused for ever ({entry.refusal.name})"


def limit_words(hit: LimitHit, currency: Currency) -> str:
    """Which limit refused: `deposit_day is 100.00 USD, 80.00 were used, 20.00 were left`."""
    return (
        f"{hit.limit_name} is {money(hit.limit, currency)}, {currency.text(hit.used)} were used, "
        f"{currency.text(hit.left)} were left"
    )


def reasons(
    entry: JournalEntry, beside: Sequence[JournalEntry], hit: LimitHit | None = None
) -> list[str]:
    """Why it was decided so, a sentence each; `beside`: the movements of the same event."""
    if entry.refusal is not None:
        return list(_refused(entry, entry.refusal, hit))
    return [*_pockets(entry), *_reversals(entry, beside)]


def state_of(round_: Round) -> str:
    """How a round stands, in one word or two."""
    tally = round_.tally
    if tally.bets_placed == 0:
        return "no bet"
    if round_.is_settled:
        return "settled"
    if tally.bets_open == 0:
        return "given back"
    return "re-opened" if tally.cancels else "open"


def _refused(entry: JournalEntry, refusal: Refusal, hit: LimitHit | None) -> Iterator[str]:
    words = refusal.value
    yield f"{words[0].upper()}{words[1:]}."
    if refusal is Refusal.INSUFFICIENT_FUNDS:
        there = split(entry.before, entry.currency)
        yield f"{money(entry.amount, entry.currency)} were asked for, and there were {there}."
    if hit is not None:
        yield f"{limit_words(hit, entry.currency)}."
    yield "Nothing moved; this transaction id hears the same for ever."


def _pockets(entry: JournalEntry) -> Iterator[str]:
    if entry.amount == 0:
        yield "Nothing moved: the amount is 0."
        return
    rule = RULES[entry.event_type]
    if rule.moves_from is not None:
        yield f"No pocket changed; {_debit_rule(rule.debit_from)}."
        return
    parts = entry.delta if entry.direction is Direction.CREDIT else Pockets(0, 0).minus(entry.delta)
    shown = split(parts, entry.currency)
    if entry.direction is Direction.DEBIT:
        yield f"Taken from the pockets: {shown}; {_debit_rule(rule.debit_from)}."
        if entry.after.real < min(entry.before.real, 0):
            yield "The player owes what was missing: this movement must succeed."
        return
    has_code = bool(entry.bonus_code and entry.bonus_code.strip())
    yield f"Brought to the pockets: {shown}; {_credit_rule(rule.credit_to, has_code=has_code)}."
    if entry.before.real < 0 and entry.delta.real > 0:
        owed = money(-entry.before.real, entry.currency)
        yield f"The player owed {owed}, which a credit pays first."


def _debit_rule(debit_from: DebitFrom) -> str:
    match debit_from:
        case DebitFrom.STAKE_ORDER:
            return "one pocket first, then the other, as WALLET_STAKE_ORDER says"
        case DebitFrom.REAL:
            return "only real money pays for it"
        case DebitFrom.BONUS:
            return "only bonus money is taken"
        case DebitFrom.AS_PAID:
            return "first in the parts in which the money had come, then real, then bonus"
        case DebitFrom.HOLD:
            return "its money had left the pockets when the withdrawal began"
        case DebitFrom.NAMED:
            return "only from the pocket that was named"
    assert_never(debit_from)


def _credit_rule(credit_to: CreditTo, *, has_code: bool) -> str:
    match credit_to:
        case CreditTo.REAL:
            return "it goes to real"
        case CreditTo.BONUS:
            return "a grant goes to bonus whole"
        case CreditTo.AS_STAKED:
            return "as the bet had been split"
        case CreditTo.BONUS_BY_CODE | CreditTo.STAKES_OR_BONUS_BY_CODE if has_code:
            return "its bonusCode sends it to bonus"
        case CreditTo.BONUS_BY_CODE:
            return "it has no bonusCode, so it goes to real"
        case CreditTo.STAKES | CreditTo.STAKES_OR_BONUS_BY_CODE:
            return "in the proportion of the stakes that stood"
        case CreditTo.NAMED:
            return "it goes to the pocket that was named"
    assert_never(credit_to)


def _reversals(entry: JournalEntry, beside: Sequence[JournalEntry]) -> Iterator[str]:
    there = {other.position: other for other in beside}
    for reversal in entry.reverses:
        parts = split(reversal.parts, entry.currency)
        other = there.get(reversal.position)
        what = (
            "a movement that is lost"
            if other is None
            else f"the {RULES[other.event_type].words} {other.key.transaction_id}"
        )
        yield f"It undoes {what} (position {reversal.position}): {parts}."
