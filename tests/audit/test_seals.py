"""Whatever somebody with the owner's password does to a sealed ledger, an audit finds it."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cashier.audit import Findings, audit
from app.cashier.proofs import NoProofError, prove
from app.cashier.seal_audit import INVARIANTS
from app.cashier.sealing import Sealer, SealingError, append_seals, read_seals, seal
from app.ledger import seals as seals_module
from app.ledger.audit.journal import CANONICAL
from app.ledger.sealed_lists import LISTS
from app.ledger.seals import KEPT
from app.ledger.tables import APPEND_ONLY, metadata
from app.proof.evidence import (
    Proof,
    ProofFaultError,
    document_of,
    proofs_from_text,
    verify,
)
from app.proof.keys import make_key, public_text
from app.proof.seal import SealFaultError, seals_from_lines, sign
from tests.audit.by_hand import PLAYERS, hands
from tests.audit.conftest import STORY
from tests.conftest import ON_NODES, Database, clone, schema_for

pytestmark = pytest.mark.timeout(180)
"""The first test waits for the ledger and its story, which take longer on a cluster's nodes."""

TWO_HOURS_AGO = "now() - interval '2 hours'"


@dataclass(frozen=True)
class Sealed:
    """A ledger with two seals, the file of the seals, and the key that everybody knows."""

    db: Database
    sealer: Sealer
    public: str

    async def audit(self, *, keys: bool = True, against: bool = False) -> Findings:
        return await audit(
            self.db.service_url,
            keys=[self.public] if keys else [],
            against=read_seals(self.sealer.file) if against else None,
        )


async def as_owner(db: Database, *statements: str) -> None:
    """Do what the owner of the schema may, with the triggers put aside meanwhile."""
    async with hands(db.owner_url) as hand:
        await hand.put_triggers_aside("DISABLE")
        await hand.run(*statements)
        await hand.put_triggers_aside("ENABLE")


async def prepare(db: Database, sealer: Sealer) -> None:
    """Age the lists, so that a seal covers them, and seal twice."""
    await as_owner(
        db,
        "UPDATE refusals SET ledger_time = ledger_time - interval '2 hours'",
        "UPDATE early_aborts SET first_at = first_at - interval '2 hours'",
        f"""
        INSERT INTO {schema_for("anna")}.account_changes (player_id, source, operation, asked,
            outcome, delivery, event_time, ledger_time)
        SELECT :anna, 'me', 'account/note', n::text, 'noted', gen_random_uuid(), {TWO_HOURS_AGO},
               {TWO_HOURS_AGO}
        FROM generate_series(1, 3) n
        """,
    )
    assert await seal(db.service_url, sealer) is not None
    assert await seal(db.service_url, sealer) is not None


@pytest.fixture(scope="module")
def sealed_story(story: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    folder = tmp_path_factory.mktemp("seals")
    key = make_key(folder / "key.pem")
    sealer = Sealer(key, folder / "seals.jsonl")
    for db in clone(story.server, story.name):
        asyncio.run(prepare(db, sealer))
        yield Sealed(db, sealer, public_text(key.public_key()))


@pytest.fixture
def sealed(sealed_story: Sealed, tmp_path: Path) -> Iterator[Sealed]:
    """A copy of the ledger and of the file, for one test to break."""
    file = tmp_path / "seals.jsonl"
    file.write_text(sealed_story.sealer.file.read_text(encoding="utf-8"), encoding="utf-8")
    for db in clone(sealed_story.db.server, sealed_story.db.name):
        yield Sealed(db, sealed_story.sealer._replace(file=file), sealed_story.public)


RECHAIN = f"""
DO $$ DECLARE place record; link bytea; BEGIN
    SELECT chain_start INTO link FROM account_openings WHERE player_id = :anna;
    FOR place IN SELECT position FROM movements WHERE player_id = :anna ORDER BY position LOOP
        UPDATE movements m SET chain = sha256(link || convert_to({CANONICAL}, 'UTF8'))
        WHERE player_id = :anna AND position = place.position RETURNING chain INTO link;
    END LOOP;
    UPDATE wallets SET chain = link WHERE player_id = :anna;
END $$
"""
RICHER = (
    """
    ALTER TABLE movements DROP CONSTRAINT ck_movements_laws
    """,
    """
    UPDATE movements SET
        amount = CASE position WHEN 1 THEN amount + 1000 ELSE amount END,
        real_delta = CASE position WHEN 1 THEN real_delta + 1000 ELSE real_delta END,
        real_before = CASE position WHEN 1 THEN real_before ELSE real_before + 1000 END,
        real_after = real_after + 1000
    WHERE player_id = :anna
    """,
    "UPDATE wallets SET real = real + 1000 WHERE player_id = :anna",
    """
    UPDATE limit_counters SET day = day + 1000, week = week + 1000, month = month + 1000
    WHERE player_id = :anna AND counter = 'deposit'
    """,
    RECHAIN,
)
RESEAL_HEADS = """
UPDATE sealed_heads h SET chain = m.chain FROM movements m
WHERE m.player_id = h.player_id AND m.position = h.position
"""
CUT_OFF = (
    *(
        f"DELETE FROM {table} WHERE player_id = :anna"
        " AND position = (SELECT position FROM wallets WHERE player_id = :anna)"
        for table in ("transaction_keys", "movements")
    ),
    """
    UPDATE wallets w SET position = m.position, version = m.version, chain = m.chain,
        real = m.real_after, bonus = m.bonus_after
    FROM movements m
    WHERE w.player_id = :anna AND m.player_id = :anna AND m.position = w.position - 1
    """,
)
REMOVE_PLAYER = tuple(
    f"DELETE FROM {table} WHERE player_id = :bert"
    for table in [
        "transaction_keys",
        "movements",
        "rounds",
        "early_aborts",
        "sessions",
        "account_changes",
        "wallets",
        "account_openings",
        "sealed_heads",
        "players",
    ]
)
LATER = (
    """
    UPDATE movements SET ledger_time = ledger_time + interval '1 s',
        event_time = event_time + interval '1 s' WHERE player_id = :anna
    """,
    """
    UPDATE rounds SET opened_at = opened_at + interval '1 s',
        last_at = last_at + interval '1 s' WHERE player_id = :anna
    """,
    RECHAIN,
)

TAMPERING = {
    "a whole chain is rewritten with its balances": ("sealed_head_stands", RICHER),
    "it is rewritten, and the sealed heads with it": (
        "heads_are_as_sealed",
        (*RICHER, RESEAL_HEADS),
    ),
    "the last movement is cut off, with wallet and key": ("sealed_head_stands", CUT_OFF),
    "all times are moved and hashed anew": ("sealed_head_stands", LATER),
    "a player is removed whole": ("heads_are_as_sealed", REMOVE_PLAYER),
    "the changes of accounts are wiped": ("list_is_as_sealed", ("TRUNCATE account_changes",)),
    "one change of an account says another thing": (
        "list_is_as_sealed",
        ("UPDATE account_changes SET asked = 'else' WHERE asked = '2'",),
    ),
    "the refusals are wiped": ("list_is_as_sealed", ("DELETE FROM refusals",)),
    "the tokens are wiped": ("rows_are_kept", ("DELETE FROM sessions",)),
    "a trigger is dropped": (
        "guards_are_there",
        ("DROP TRIGGER append_only ON movements",),
    ),
    "a CHECK is dropped": (
        "guards_are_there",
        ("ALTER TABLE movements DROP CONSTRAINT ck_movements_laws",),
    ),
    "a CHECK stands there that checks nothing": (
        "guards_are_as_sealed",
        (
            """
            ALTER TABLE movements DROP CONSTRAINT ck_movements_laws,
                ADD CONSTRAINT ck_movements_laws CHECK (true)
            """,
        ),
    ),
    "a law that a CHECK calls holds nobody to it": (
        "guards_are_as_sealed",
        (
            """
            DO $do$ BEGIN EXECUTE replace(
                pg_get_functiondef('movement_is_lawful_v1'::regproc),
                'IF broken IS NULL', 'IF true');
            END $do$
            """,
        ),
    ),
    "a trigger's function forbids nothing": (
        "guards_are_as_sealed",
        (
            """
            CREATE OR REPLACE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RETURN NULL; END'
            """,
        ),
    ),
    "the service may change the journal": (
        "guards_are_as_sealed",
        ("GRANT UPDATE ON movements TO wallet_service",),
    ),
    "everybody may change the journal": (
        "guards_are_as_sealed",
        ("GRANT UPDATE ON movements TO PUBLIC",),
    ),
    "a seal is taken out of the middle": (
        "seals_are_chained",
        ("DELETE FROM seals WHERE number = 1",),
    ),
    "a seal says another thing": (
        "seal_is_signed",
        ("UPDATE seals SET seal = replace(seal, 'kept sessions 2', 'kept sessions 1')",),
    ),
    "the last seal is taken away": (
        "seals_are_as_outside",
        ("DELETE FROM seals WHERE number = 2",),
    ),
    "all seals are taken away": (
        "seals_are_as_outside",
        (*RICHER, "DELETE FROM sealed_heads", "DELETE FROM seals"),
    ),
}


async def test_a_sealed_ledger_that_nobody_touched_is_clean(sealed: Sealed) -> None:
    findings = await sealed.audit(against=True)
    assert findings.is_clean, findings.breaches
    (first, second) = read_seals(sealed.sealer.file)
    assert second.seal.previous == first.hash
    assert second.seal.chains == len(PLAYERS)
    assert first.seal.kept["sessions"] == len(PLAYERS)
    rows = Counter[str]()
    for part in first.seal.lists:
        rows[part.name.partition("@")[0]] += part.rows
    # Nothing on the other player's node is old enough.
    assert rows["account_changes"] == 3 + (1 if ON_NODES else len(PLAYERS))
    assert rows["refusals"] == 2


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_as_the_owner_is_found(sealed: Sealed, what: str) -> None:
    name, statements = TAMPERING[what]
    await as_owner(sealed.db, *statements)
    findings = await sealed.audit(against=True)
    assert name in {breach.invariant for breach in findings.breaches}, findings.breaches


def test_every_law_of_seals_is_broken_here_once() -> None:
    broken = {name for name, _ in TAMPERING.values()}
    assert broken == {law.name for law in INVARIANTS} | {"sealed_head_stands"}


async def test_a_rewrite_of_one_chain_is_consistent_where_nothing_was_sealed(
    played: Database,
) -> None:
    """Without seals nothing but the CHECKs that were dropped for it tells."""
    await as_owner(played, *RICHER)
    findings = await audit(played.service_url)
    assert {breach.invariant for breach in findings.breaches} == {"guards_are_there"}


async def test_a_rewrite_that_is_sealed_anew_with_another_key_is_found(
    sealed: Sealed, tmp_path: Path
) -> None:
    """The owner writes new seals over the rewritten chain, all of them, in order."""
    mine = Sealer(make_key(tmp_path / "mine.pem"), tmp_path / "mine.jsonl")
    await as_owner(sealed.db, *RICHER, "DELETE FROM sealed_heads", "DELETE FROM seals")
    for _ in range(2):
        assert await seal(sealed.db.service_url, mine) is not None
    blind = await sealed.audit(keys=False)
    assert {breach.invariant for breach in blind.breaches} == {"guards_are_there"}
    by_key = {breach.invariant for breach in (await sealed.audit()).breaches}
    by_file = {b.invariant for b in (await sealed.audit(keys=False, against=True)).breaches}
    assert "seal_is_signed" in by_key
    assert "seals_are_as_outside" in by_file


async def test_nothing_is_sealed_over_seals_that_were_taken_away(sealed: Sealed) -> None:
    await as_owner(sealed.db, "DELETE FROM seals WHERE number = 2")
    with pytest.raises(SealingError, match="wallet audit --against"):
        await seal(sealed.db.service_url, sealed.sealer)


async def test_a_seal_that_the_file_missed_is_appended_by_the_next_one(sealed: Sealed) -> None:
    """A process died between its commit and the file, in the middle of a line."""
    first, second = sealed.sealer.file.read_text(encoding="utf-8").splitlines(keepends=True)
    sealed.sealer.file.write_text(first + second[:40], encoding="utf-8")
    assert await seal(sealed.db.service_url, sealed.sealer) is not None
    assert [each.seal.number for each in read_seals(sealed.sealer.file)] == [1, 2, 3]


async def test_one_seal_a_day_is_enough(sealed: Sealed) -> None:
    today = datetime.now(UTC) - timedelta(hours=1)
    assert await seal(sealed.db.service_url, sealed.sealer, older_than=today) is None
    tomorrow = datetime.now(UTC) + timedelta(hours=1)
    made = await seal(sealed.db.service_url, sealed.sealer, older_than=tomorrow)
    assert made is not None
    assert made.number == 3


async def test_one_process_seals_at_a_time(sealed: Sealed) -> None:
    made = await asyncio.gather(*(seal(sealed.db.service_url, sealed.sealer) for _ in range(2)))
    numbers = [each.number for each in made if each is not None]
    assert numbers in ([3], [3, 4])


def test_every_list_that_is_only_added_to_is_sealed_or_held_by_another_law() -> None:
    """`movements` and their keys hold each other; settings of the release before are one row."""
    held = {*LISTS, *KEPT, "ledger_settings", "seals", "sealed_heads"}
    assert set(APPEND_ONLY) <= held
    for name, part in LISTS.items():
        assert {part.number, part.moment} <= set(metadata.tables[name].columns.keys())


async def proofs_of(sealed: Sealed, transaction_id: str) -> list[Proof]:
    document = document_of(transaction_id, await prove(sealed.db.service_url, transaction_id))
    told, proofs = proofs_from_text(json.dumps(document))
    assert told == transaction_id
    return proofs


@pytest.mark.parametrize("number", [0, 4, 11, len(STORY) - 1])
async def test_every_movement_is_proven_with_its_amounts_and_its_seal(
    sealed: Sealed, number: int
) -> None:
    transaction_id = f"bert-{number}"
    (proof,) = await proofs_of(sealed, transaction_id)
    proven = verify(proof, transaction_id, sealed.public)
    place, event_type, direction, amount, event_id = STORY[number]
    assert proven.movement["position"] == str(place)
    assert proven.movement["event_type"] == event_type.value
    assert proven.movement["direction"] == direction.value
    assert proven.movement["amount"] == amount
    assert proven.movement.get("event_id") == event_id
    assert proven.seal.number == 1


def holds(proof: Proof, transaction_id: str, key: str) -> bool:
    try:
        verify(proof, transaction_id, key)
    except ProofFaultError:
        return False
    return True


async def test_a_proof_that_was_changed_anywhere_does_not_hold(sealed: Sealed) -> None:
    transaction_id = "anna-4"
    (proof,) = await proofs_of(sealed, transaction_id)
    richer = proof.entries[0].replace("|3000|", "|9000|", 1)
    assert richer != proof.entries[0]
    unknown = sign(proof.seal.seal, make_key(sealed.sealer.file.parent / "another.pem"))
    changed = {
        "the amount": proof._replace(entries=(richer, *proof.entries[1:])),
        "the link before": proof._replace(before=bytes(32)),
        "an entry left out": proof._replace(entries=proof.entries[:-1]),
        "the leaf": proof._replace(leaf=1 - proof.leaf),
        "the path": proof._replace(path=(bytes(32),)),
        "no path": proof._replace(path=()),
        "no entry": proof._replace(entries=()),
        "the seal": proof._replace(
            seal=proof.seal._replace(text=proof.seal.text.replace("heads 2", "heads 3"))
        ),
        "who sealed": proof._replace(seal=unknown),
    }
    held = [what for what, each in changed.items() if holds(each, transaction_id, sealed.public)]
    assert held == []
    with pytest.raises(ProofFaultError, match="another transaction id"):
        verify(proof, "anna-5", sealed.public)


async def test_what_is_not_sealed_yet_has_no_proof(sealed: Sealed) -> None:
    await as_owner(sealed.db, "DELETE FROM sealed_heads", "DELETE FROM seals")
    with pytest.raises(NoProofError, match="not sealed yet"):
        await prove(sealed.db.service_url, "anna-4")
    with pytest.raises(NoProofError, match="Nothing was decided"):
        await prove(sealed.db.service_url, "nobody-4")


async def test_a_movement_that_was_changed_after_its_seal_has_no_proof(sealed: Sealed) -> None:
    await as_owner(sealed.db, *RICHER, RESEAL_HEADS)
    with pytest.raises(NoProofError, match="not what was sealed"):
        await prove(sealed.db.service_url, "anna-4")


async def test_a_sealing_ends_where_the_database_does_not_answer(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals_module, "SEALING_SECONDS_MAX", 0.2)
    async with hands(sealed.db.owner_url) as hand, hand.above.transaction(), asyncio.timeout(10):
        await hand.above.execute("LOCK TABLE seals IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TimeoutError, match="did not answer"):
            await seal(sealed.db.service_url, sealed.sealer)
    monkeypatch.undo()
    # The server notices at its next answer that its client has gone, and lets go of the place.
    for _ in range(400):
        if await seal(sealed.db.service_url, sealed.sealer) is not None:
            break
        await asyncio.sleep(0.02)
    assert len(read_seals(sealed.sealer.file)) == 3


@pytest.mark.parametrize(
    "line",
    ["", "no JSON", "[]", "{}", '{"seal": 1}', '{"seal": "x", "key": "x", "signature": "x"}'],
)
def test_what_is_no_seal_is_a_sentence_with_its_line(line: str) -> None:
    with pytest.raises(SealFaultError, match=r"^Line 1 is not a seal\. "):
        seals_from_lines([line])


def test_what_another_process_has_appended_is_not_appended_again(
    sealed: Sealed, tmp_path: Path
) -> None:
    """One seals and has not written its line yet, and another one finds the seal in the ledger."""
    file, seals = tmp_path / "seals", read_seals(sealed.sealer.file)
    for some in (seals[:1], seals, seals[1:], seals[:1]):
        append_seals(file, some)
    assert read_seals(file) == seals
