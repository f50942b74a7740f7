"""Exports the state of an agent's players, as an import reads it: a move to another wallet.

Every id that was decided is told, and of each round what may still be undone: bets that stand, and
what is left of payments. It is read on one snapshot, or on one of each bucket, if they are on
several nodes: every player is as they were at one moment.

Bets of streamers, aborts that came before their bet, and limits of deposits and of products are not
told; nor is what came through Betby's own contract, which names bets by their place in this
journal.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from app.ledger.snapshot import snapshot_of_each
from app.ledger.state import (
    State,
    Token,
    currencies_of,
    open_named_bets,
    states,
    withdrawals_under_way,
)
from app.takeover.state_lines import CALLBACK, FORMAT, TRANSFER, VERSION
from app.wallet.balance import Pockets
from app.wallet.events import GAME_EVENT_TYPES, RULES, EventType, Part
from app.wallet.journal import JournalEntry
from app.wallet.limits import Limits
from app.wallet.moments import FOREVER, FOREVER_TEXT
from app.wallet.money import Currency
from app.wallet.rounds import Standing

Members = dict[str, object]


class NotExportedError(Exception):
    """The state cannot be told as it is; the message says why and what to do."""


class Exported(NamedTuple):
    """What was written."""

    players: int
    lines: int
    limits_left_out: int


async def export_state(
    url: str,
    agent: str,
    currencies: Mapping[str, int],
    write: Callable[[str], None],
) -> Exported:
    """Write the state of an agent's players, a JSON object a line."""
    async with snapshot_of_each(url) as connections:
        waiting = sum([await withdrawals_under_way(each, agent) for each in connections])
        if waiting:
            raise NotExportedError(
                f"{waiting} withdrawals are under way: settle or release them first "
                "(`wallet hold list`)."
            )
        named = sum([await open_named_bets(each, agent) for each in connections])
        if named:
            raise NotExportedError(
                f"{named} bets of Betby's own contract are open, which names them by ids of this "
                "ledger: wait until they are settled."
            )
        lines = 1
        players = left_out = 0
        # Also of those that the settings no longer name.
        known = dict(currencies)
        for each in connections:
            known |= await currencies_of(each, agent)
        header = {"format": FORMAT, "version": VERSION, "agent": agent}
        write(_text({"kind": "header", **header, "currencies": known}))
        for each in connections:
            async for state in states(each, agent):
                for members in _of_player(state):
                    write(_text(members))
                    lines += 1
                players += 1
                left_out += state.further_limits
        write(_text({"kind": "end", "lines": lines}))
    return Exported(players, lines + 1, left_out)


def _text(members: Mapping[str, object]) -> str:
    return json.dumps({k: v for k, v in members.items() if v is not None}, ensure_ascii=False)


def _of_player(state: State) -> Iterator[Members]:
    yield _player(state)
    contents = _contents(state)
    told: set[tuple[str, str]] = set()
    for members in _rounds(state, contents):
        told.add((str(members["transaction_id"]), str(members.get("event_type", "BetPlacing"))))
        yield members
    for entry in state.entries:
        is_theirs = entry.key.source == CALLBACK or RULES[entry.event_type].is_cashier
        if is_theirs and (entry.key.transaction_id, entry.event_type.value) not in told:
            yield _decided(state, entry)
    for token in state.tokens:
        yield _token(state, token)


def _player(state: State) -> Members:
    text = state.currency.text
    limits = {
        name: text(amount)
        for name, amount in zip(Limits._fields, state.limits, strict=True)
        if amount is not None
    }
    return {
        "kind": "player",
        "user_id": state.user_id,
        "currency": state.currency.code,
        "real": text(state.pockets.real),
        "bonus": text(state.pockets.bonus),
        "nickname": state.nickname,
        "language": state.language,
        "email": state.email,
        "first_name": state.first_name,
        "last_name": state.last_name,
        "blocked": True if state.is_blocked else None,
        "excluded_until": None if state.excluded_until is None else _exclusion(state),
        "limits": limits or None,
    }


def _exclusion(state: State) -> str:
    until = state.excluded_until
    return FOREVER_TEXT if until is None or until == FOREVER else until.isoformat()


def _contents(state: State) -> Mapping[tuple[str, Part], JournalEntry]:
    """The ids that another wallet had accepted before, by what they were to their round."""
    return {
        (entry.key.transaction_id, RULES[entry.event_type].part): entry
        for entry in state.entries
        if entry.is_decided_elsewhere and not entry.is_id_alone
    }


def _rounds(state: State, contents: Mapping[tuple[str, Part], JournalEntry]) -> Iterator[Members]:
    of_rounds: dict[str, list[JournalEntry]] = {}
    for entry in state.entries:
        rule = RULES[entry.event_type]
        is_own = rule.part is not Part.NONE and not (rule.is_streamer or rule.is_named)
        if is_own and entry.is_accepted and entry.event_id is not None:
            of_rounds.setdefault(entry.event_id, []).append(entry)
    for event_id, entries in of_rounds.items():
        standing = Standing.after(tuple(entries))
        base = {"user_id": state.user_id, "event_id": event_id}
        bets = [
            {
                "kind": "bet",
                "transaction_id": bet.entry.key.transaction_id,
                "game_id": bet.entry.game_id,
                **_parts(state.currency, bet.split),
                **base,
            }
            for bet in standing.bets
            if bet.stands
        ]
        by_position = {entry.position: entry for entry in entries}
        payments = [
            _payment(by_position[payment.position], payment.parts, contents) | base
            for payment in standing.payments
            if payment.parts.balance > 0
        ]
        yield from (*bets, *payments) if _is_settled(entries) else (*payments, *bets)


def _payment(
    entry: JournalEntry, left: Pockets, contents: Mapping[tuple[str, Part], JournalEntry]
) -> Members:
    """Return what is left of a payment, under the type and the amount it was asked for."""
    first = entry
    if entry.event_type is EventType.IMPORTED_PAYMENT:
        first = contents[entry.key.transaction_id, Part.PAYMENT]
    return {
        "kind": "payment",
        "transaction_id": entry.key.transaction_id,
        "event_type": first.event_type.value,
        "amount": entry.currency.text(first.amount),
        "game_id": entry.game_id,
        **_parts(entry.currency, left),
    }


def _parts(currency: Currency, parts: Pockets) -> Members:
    return {"real": currency.text(parts.real), "bonus": currency.text(parts.bonus)}


_SETTLES: Final = {Part.BET: False, Part.CANCEL: False, Part.PAYMENT: True}


def _is_settled(entries: list[JournalEntry]) -> bool:
    """Whether a payment came after the round's latest bet and cancel."""
    parts = [RULES[entry.event_type].part for entry in entries]
    return next((_SETTLES[part] for part in reversed(parts) if part in _SETTLES), False)


def _decided(state: State, entry: JournalEntry) -> Members:
    members: Members = {
        "kind": "decided",
        "user_id": state.user_id,
        "transaction_id": entry.key.transaction_id,
    }
    if entry.key.source != CALLBACK:
        members["door"] = TRANSFER
    if entry.refusal is not None and not entry.is_decided_elsewhere:
        members["outcome"] = entry.refusal.name
    # What two people moved by hand under an id leaves the id alone.
    if entry.event_type in GAME_EVENT_TYPES or RULES[entry.event_type].is_cashier:
        members |= {
            "event_type": entry.event_type.value,
            "direction": entry.direction.value,
            "amount": entry.currency.text(entry.amount),
            "event_id": entry.event_id,
            "game_id": entry.game_id,
        }
    return members


def _token(state: State, token: Token) -> Members:
    return {
        "kind": "token",
        "user_id": state.user_id,
        "token_sha256": token.token_hash.hex(),
        "expires_at": token.expires_at.isoformat(),
        "life_seconds": token.life_seconds,
    }
