"""Hold the ledger against its seals: what was sealed is still there, and nothing else is said.

What is sealed once is covered by every later seal, since each link of a chain rests on all links
before it: so the tree is computed again for the last seal alone, and that each chain still goes
through where it stood at every seal is a law of the journal's audit. A rewrite that is consistent
within the database, its seals included, is found by the file outside (`against`).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from app.ledger.audit.scope import Invariant
from app.ledger.guards import guards, missing_guards, schema_label
from app.ledger.sealed_lists import LISTS, list_by_seal
from app.ledger.seals import (
    every_seal,
    kept_rows,
    sealed_heads_at,
)
from app.proof.merkle import Tree
from app.proof.seal import NONE_BEFORE, Seal, SealFaultError, SignedSeal

if TYPE_CHECKING:
    from app.ledger.snapshot import Connection

Offender = tuple[str, dict[str, Any]]

GUARDS: Final = Invariant(
    "guards_are_there",
    "every constraint and trigger of the schema is there, and what all nodes have is the same",
)
SIGNED: Final = Invariant("seal_is_signed", "every seal is signed by a key that was named")
CHAINED: Final = Invariant(
    "seals_are_chained", "every seal names the one before it, from the first"
)
COVERED: Final = Invariant(
    "heads_are_as_sealed", "where the chains stood makes the root that was sealed last"
)
LIST: Final = Invariant(
    "list_is_as_sealed", "every row of a list that is only added to is as it was sealed"
)
KEPT: Final = Invariant("rows_are_kept", "no table has fewer rows than when it was sealed")
UNCHANGED: Final = Invariant(
    "guards_are_as_sealed", "the schema's constraints, triggers and privileges are as sealed"
)
OUTSIDE: Final = Invariant(
    "seals_are_as_outside", "the ledger has every seal that stands outside of it, unchanged"
)

INVARIANTS: Final = (GUARDS, SIGNED, CHAINED, COVERED, LIST, KEPT, UNCHANGED, OUTSIDE)
"""The laws of seals; SIGNED is looked at if keys are named, OUTSIDE if a file is."""


def invariants(keys: Sequence[str], against: Sequence[SignedSeal] | None) -> list[Invariant]:
    """Return the laws that are looked at."""
    left_out = {SIGNED} if not keys else set()
    if against is None:
        left_out.add(OUTSIDE)
    return [law for law in INVARIANTS if law not in left_out]


async def audit_seals(
    connection: "Connection", keys: Sequence[str], against: Sequence[SignedSeal] | None
) -> list[Offender]:
    """Return those who break the laws of seals."""
    found: list[Offender] = [
        (GUARDS.name, {"missing": name}) for name in await missing_guards(connection)
    ]
    stored = await every_seal(connection)
    for place, outside in enumerate(against or ()):
        if place >= len(stored) or stored[place] != outside:
            found.append((OUTSIDE.name, {"number": place + 1, "hash": outside.hash}))
    try:
        seals = [signed.seal for signed in stored]
    except SealFaultError as error:
        return [*found, (CHAINED.name, {"unreadable": str(error)})]
    found += _chained(stored, seals)
    if keys:
        found += [
            (SIGNED.name, {"number": each.seal.number, "key": each.key})
            for each in (*stored, *(against or ()))
            if not each.is_signed_by(keys)
        ]
    if seals:
        found += await _as_sealed(connection, seals)
    return found


def _chained(stored: Sequence[SignedSeal], seals: Sequence[Seal]) -> Iterator[Offender]:
    previous = NONE_BEFORE
    for place, (signed, seal) in enumerate(zip(stored, seals, strict=True)):
        if (seal.number, seal.previous) != (place + 1, previous):
            yield CHAINED.name, {"number": seal.number, "previous": seal.previous}
        previous = signed.hash


async def _as_sealed(connection: "Connection", seals: Sequence[Seal]) -> list[Offender]:
    last, found = seals[-1], list[Offender]()
    tree = Tree()
    async for _, leaf in sealed_heads_at(connection, last.number):
        tree.add(leaf)
    chains, root = tree.size, tree.finish()[0].hex()
    if (chains, root) != (last.chains, last.root):
        found.append((COVERED.name, {"seal": last.number, "chains": chains, "sealed": last.chains}))
    for name in {part.name: None for seal in seals for part in seal.lists}:
        if name.partition("@")[0] in LISTS:
            found += await _list(connection, name, seals)
    counted = await kept_rows(connection)
    found += [
        (KEPT.name, {"table": name, "rows": counted[name], "sealed": rows, "seal": last.number})
        for name, rows in last.kept.items()
        if counted.get(name, rows) < rows
    ]
    if await schema_label(connection) == last.schema and await guards(connection) != last.guards:
        found.append((UNCHANGED.name, {"schema": last.schema, "seal": last.number}))
    return found


async def _list(connection: "Connection", name: str, seals: Sequence[Seal]) -> list[Offender]:
    parts = [(seal.number, part) for seal in seals for part in seal.lists if part.name == name]
    there = await list_by_seal(connection, name, [part.last_id for _, part in parts])
    nothing = (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    return [
        (LIST.name, {"table": name, "seal": number, "rows": rows, "sealed": part.rows})
        for place, (number, part) in enumerate(parts)
        for rows, digest in [there.get(place, nothing)]
        if (rows, digest) != (part.rows, part.digest)
    ]
