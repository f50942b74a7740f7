"""Imports a wallet's state: all of a file in one transaction, or nothing.

1. The file's hash: a file that was imported already is not read again.
2. Each line is read and staged; a line that is wrong is named, and the rest is still looked at.
3. The file as a whole is held against itself and the ledger.
4. Accounts are opened, and what came in of each player is written, chained from their opening.
5. Every law of the audit is checked for these players, before the commit.

A dry run does all of it, and commits nothing.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.cashier.policy import policy_of_ledger
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.imports.on_nodes import Nodes, nodes_of
from app.ledger.imports.session import Connection, importing
from app.ledger.imports.staging import Counts, counts, faults, make
from app.ledger.imports.writing import (
    Record,
    Source,
    Written,
    breaches,
    brought_in,
    finish,
    keys_of,
    note_import,
    open_accounts,
    write,
)
from app.ledger.money.rows import currency_of
from app.ledger.operator_actions import Action
from app.takeover.staging import (
    BadFileError,
    BadLinesError,
    Progress,
    Request,
    digest_of,
    stage,
)
from app.takeover.state_lines import VERSION
from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy, RuleVersion
from app.wallet.imports import (
    Brought,
    Content,
    Decided,
    OpenBet,
    Opening,
    OpenPayment,
    move_in,
)
from app.wallet.money import Currency, Minor
from app.wallet.refusals import Refusal

READ_AT_ONCE: Final = 2_000
"""Records, not players: of a player there may be many."""

DELIVERY_BYTES: Final = 16


class LawBrokenError(Exception):
    """What the file brings in would break a law of the ledger; nothing was written."""


class Imported(NamedTuple):
    """What was brought in, or would be."""

    import_id: int | None
    """None: a dry run"""
    digest: str
    imported_at: datetime
    agent: str
    lines: int
    counted: Counts


async def import_state(url: str, request: Request) -> Imported:
    """Import a file; raise BadFileError, BadLinesError, LawBrokenError or LedgerError."""
    policy = await _policy(url)
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        raise BadFileError("Finish the upgrade first: run `wallet migrate --finish`.")
    digest = digest_of(request.path)
    async with (
        importing(url, commits=not request.is_dry_run) as connection,
        nodes_of(url, connection) as nodes,
    ):
        await make(connection, digest)
        header, lines = await stage(connection, request, digest, policy.key_scope)
        found = await faults(connection, nodes)
        if found:
            raise BadLinesError([(line, words) for line, words in found], len(found))
        counted = await counts(connection)
        by = request.operator.noted_as
        name = request.path.name
        source = Source(digest, name, VERSION, header.agent, by, lines)
        noted = await open_accounts(connection, source, counted, nodes)
        claims = None if request.is_dry_run else nodes
        what = _Import(noted.import_id, header.agent, by, noted.imported_at, policy, digest, claims)
        await _write_players(connection, what, counted, request.progress)
        await finish(connection, nodes)
        await _audit(connection, nodes, counted.players, request.progress)
        await note_import(connection, request.operator, _action(what, digest, name, counted))
    import_id = None if request.is_dry_run else noted.import_id
    return Imported(import_id, digest, noted.imported_at, header.agent, lines, counted)


class _Import(NamedTuple):
    """The import under way."""

    import_id: int
    agent: str
    by: str
    now: datetime
    policy: Policy
    digest: str
    nodes: Nodes | None
    """where ids have to be claimed"""


async def _policy(url: str) -> Policy:
    ledger = PlacedLedger(url, pool_size=2)
    try:
        return await policy_of_ledger(ledger)
    finally:
        await ledger.close()


# --- writing ---------------------------------------------------------------------------------


async def _write_players(
    connection: Connection, what: _Import, counted: Counts, progress: Progress
) -> None:
    done = 0
    players: list[Written] = []
    async for records in brought_in(connection, READ_AT_ONCE):
        # While PostgreSQL writes some players, the next ones are put together.
        writing = asyncio.create_task(_write(connection, what, players))
        try:
            ready = []
            for rows in records:
                ready.append(_written(what, rows))
                await asyncio.sleep(0)
        finally:
            await writing
        done += len(players)
        progress("writing", done, counted.players)
        players = ready
    await _write(connection, what, players)


async def _write(connection: Connection, what: _Import, players: Sequence[Written]) -> None:
    if what.nodes is not None:
        await what.nodes.claim(what.digest, keys_of(players))
    await write(connection, players, what.by, what.now)


def _written(what: _Import, rows: Sequence[Record]) -> Written:
    """Return everything to write of one player, from their rows."""
    first = rows[0]
    currency = currency_of(first["currency"], first["scale"])
    pockets = Pockets(_minor(currency, first["real"]), _minor(currency, first["bonus"]))
    delivery = os.urandom(DELIVERY_BYTES)
    asked = {
        "import": what.import_id,
        "line": first["line"],
        "real": currency.text(pockets.real),
        "bonus": currency.text(pockets.bonus),
        "currency": currency.code,
    }
    opening = Opening(
        first["player_id"],
        currency,
        pockets,
        first["chain"],
        delivery,
        json.dumps({"import": what.import_id}),
    )
    brought = [_brought(currency, row) for row in rows if row["kind"] is not None]
    moved = move_in(opening, brought, what.policy.key_scope, what.now)
    note = json.dumps(asked)
    return Written(
        first["player_id"],
        first["user_id"],
        what.agent,
        currency,
        moved,
        delivery,
        note,
        first["outcome"],
        first["schema_name"],
    )


def _brought(currency: Currency, row: Record) -> Brought:
    content = None
    if row["event_type"] is not None:
        content = Content(
            EventType(row["event_type"]),
            Direction(row["direction"]),
            _minor(currency, row["amount"]),
            row["event_id"],
            row["game_id"],
        )
    refusal = None if row["refusal"] is None else Refusal[row["refusal"]]
    decided = Decided(row["source"], row["transaction_id"], content, refusal)
    if row["kind"] == "decided":
        return decided
    part = Pockets(_minor(currency, row["part_real"]), _minor(currency, row["part_bonus"]))
    if row["kind"] == "payment":
        return OpenPayment(decided, part)
    return OpenBet(row["source"], row["transaction_id"], row["event_id"], row["game_id"], part)


def _minor(currency: Currency, text: str) -> Minor:
    """Return an amount that was checked when the file was staged, which may be below zero."""
    amount = currency.minor(text.removeprefix("-"))
    if amount is None:
        raise AssertionError("a staged amount fits its currency")
    return -amount if text.startswith("-") else amount


async def _audit(
    connection: Connection, nodes: Nodes | None, players: int, progress: Progress
) -> None:
    done = 0
    async for looked, found in breaches(connection, nodes):
        if found:
            law, offender = found[0]
            raise LawBrokenError(f"The import breaks the law {law}: {json.dumps(offender)}")
        done += looked
        progress("auditing", done, players)


def _action(what: _Import, digest: str, name: str, counted: Counts) -> Action:
    details = {"digest": digest, "file": name, "players": counted.players, "bets": counted.bets}
    return Action(
        "import.file",
        "import",
        str(what.import_id),
        os.urandom(DELIVERY_BYTES),
        details=json.dumps(details),
    )
