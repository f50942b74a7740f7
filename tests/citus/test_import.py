"""Players move from another wallet into the buckets of several nodes, in one transaction."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.cashier.audit import audit
from app.ledger.errors import LedgerError
from app.ledger.imports.session import ImportedBeforeError, TakenMeanwhileError
from app.ledger.imports.staging import counts
from app.takeover import importing
from app.takeover.importing import Imported, import_state
from app.takeover.staging import BadLinesError, Request
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of
from app.wallet.outcomes import Posting, Refused
from tests.cashier.till import AGENT, Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.takeover.conftest import (
    CURRENCIES,
    SOMEBODY,
    bet,
    decided,
    lines_of,
    player,
    token,
)

pytestmark = pytest.mark.timeout(180)


def names() -> list[str]:
    """Two new players of each bucket."""
    found: list[str] = []
    for bucket in range(BUCKETS):
        some = (f"in-{next(numbers)}" for _ in range(1000))
        theirs = [name for name in some if bucket_of(name, BUCKETS) == bucket]
        found += theirs[:2]
    return found


def records_of(whose: Iterable[str]) -> list[dict[str, Any]]:
    """Everybody has a balance, an open bet, an id that was decided there, and a token."""
    records = []
    for name in whose:
        records += [
            player(name, "70.00", "5.00"),
            bet(f"b-{name}", "20.00", "10.00", user_id=name, event_id=f"e-{name}"),
            decided(f"d-{name}", user_id=name),
            token(f"t-{name}", name),
        ]
    return records


async def bring(
    citus: Citus, folder: Path, *records: dict[str, Any], is_dry_run: bool = False
) -> Imported:
    path = folder / "state.jsonl"
    path.write_text(lines_of(*records), encoding="utf-8")
    request = Request(path, frozenset({AGENT}), CURRENCIES, SOMEBODY, is_dry_run, lambda *_: None)
    return await import_state(citus.service_url, request)


async def test_they_play_on_as_if_they_had_always_been_here(
    citus: Citus, till: Till, far_till: Till, tmp_path: Path
) -> None:
    whose = names()
    done = await bring(citus, tmp_path, *records_of(whose))
    assert done.counted.players == len(whose)
    with pytest.raises(ImportedBeforeError):
        await bring(citus, tmp_path, *records_of(whose))
    for number, name in enumerate(whose):
        this = far_till if number % 2 else till
        this.tokens[name] = f"t-{name}"
        assert await this.pockets(name) == Pockets(7000, 500)
        win = this.movement(name, "Win", "credit", "60", event_id=f"e-{name}")
        receipt = await this.one(win)
        assert isinstance(receipt, Posting)
        assert receipt.entry.delta == Pockets(4000, 2000), "in the proportion of the stake"
    first, *others = whose
    for other in others:
        for taken in (f"b-{first}", f"d-{first}"):
            stolen = await till.one(till.bet(other, "1", transaction_id=taken, event_id="x"))
            assert isinstance(stolen, Refused)
            assert stolen.differs == "userId"
    for name in whose:
        found = await audit(citus.service_url, user_id=name)
        assert found.breaches == [], name
    (row,) = await till.rows(
        "SELECT count(*) FILTER (WHERE xid IS NOT NULL) FROM account_openings"
        " WHERE user_id = ANY($1)",
        whose,
    )
    assert row[0] == 0, "no event tells of it"


async def test_a_dry_run_leaves_nothing(citus: Citus, till: Till, tmp_path: Path) -> None:
    whose = names()
    done = await bring(citus, tmp_path, *records_of(whose), is_dry_run=True)
    assert done.import_id is None
    assert await till.rows("SELECT FROM players WHERE user_id = ANY($1)", whose) == []
    for name in whose:
        await till.player(name, "10")
    other = whose[-1]
    free = till.bet(other, "1", transaction_id=f"b-{whose[0]}", event_id="x")
    assert isinstance(await till.one(free), Posting), "its ids are free"


async def test_what_any_bucket_has_already_is_named_by_its_line(
    citus: Citus, till: Till, tmp_path: Path
) -> None:
    whose = names()
    for name in (whose[0], whose[-1]):
        await till.player(name, "10")
    other = await till.player(names()[3], "100")
    taken = till.bet(other, "1", transaction_id=f"b-{whose[3]}", event_id="x")
    assert isinstance(await till.one(taken), Posting)
    with pytest.raises(BadLinesError) as told:
        await bring(citus, tmp_path, *records_of(whose))
    assert sorted(told.value.bad) == [
        (2, "opens an account that this ledger has already"),
        (2 + 4 * 3 + 1, "has a transaction id that this ledger has decided already"),
        (2 + 4 * (len(whose) - 1), "opens an account that this ledger has already"),
    ]


async def test_nobody_takes_an_id_that_is_coming_in_and_the_file_can_be_brought_again(
    citus: Citus, till: Till, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import has claimed its ids, and dies before its commit."""
    whose = names()
    rival = await till.player(names()[0], "100")

    async def dies(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_audit", dies)
        with pytest.raises(ConnectionError):
            await bring(citus, tmp_path, *records_of(whose))
    assert await till.rows("SELECT FROM players WHERE user_id = ANY($1)", whose) == []
    wanted = till.bet(rival, "1", transaction_id=f"b-{whose[5]}", event_id="x")
    with pytest.raises((LedgerError, TimeoutError)):
        async with asyncio.timeout(3):
            await till.one(wanted)
    assert (await bring(citus, tmp_path, *records_of(whose))).counted.bets == len(whose)
    refused = await till.one(wanted)
    assert isinstance(refused, Refused)
    assert refused.differs == "userId"


async def test_an_id_that_somebody_claims_is_not_brought_in(
    citus: Citus, till: Till, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bet takes the id after the file was held against the ledger."""
    whose = names()
    rival = await till.player(names()[0], "100")

    async def late(*given: Any) -> Any:  # noqa: ANN401
        bet_of_theirs = till.bet(rival, "1", transaction_id=f"b-{whose[5]}", event_id="x")
        assert isinstance(await till.one(bet_of_theirs), Posting)
        return await counts(*given)

    monkeypatch.setattr(importing, "counts", late)
    with pytest.raises(TakenMeanwhileError):
        await bring(citus, tmp_path, *records_of(whose))
    assert await till.rows("SELECT FROM players WHERE user_id = ANY($1)", whose) == []
