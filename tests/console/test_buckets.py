"""`wallet buckets …`, and `WALLET_BUCKETS` where it is not what the ledger has."""

import pytest

from app.wallet.buckets import bucket_of, schema_of
from tests.conftest import Database
from tests.console.conftest import Console

pytestmark = pytest.mark.one_bucket("it begins with one")


def test_a_ledger_is_split_at_the_console_and_says_so_from_then_on(
    in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    monkeypatch.setenv("WALLET_OWNER_DATABASE_URL", db.owner_url)
    (before,) = in_process("buckets", "show", "--json").document["buckets"]
    assert before["schema"] == "public"

    assert in_process("buckets", "settle").out == "Nothing is to be settled.\n"
    assert in_process("buckets", "settle", "--json").document == {"not_done": [], "node_away": []}

    opening = ("--agent", "a", "--currency", "USD", "--nickname", "Anna")
    assert in_process("player", "open", "anna", *opening).code == 0
    with monkeypatch.context() as several:
        several.setenv("WALLET_BUCKETS", "4")
        assert "`wallet buckets split --into 4`" in in_process("migrate").complaint

    done = in_process("buckets", "split", "--into", "4")
    assert done.code == 0, done.err
    assert done.out.startswith("The ledger has 4 buckets: set WALLET_BUCKETS=4")
    assert "players: 1 rows" in done.err
    assert "The audit after it is clean: 1 players" in done.err

    there = in_process("buckets", "show", "--json").document["buckets"]
    assert [(b["schema"], b["players"]) for b in there] == [
        (schema_of(bucket, 4), int(bucket == bucket_of("anna", 4))) for bucket in range(4)
    ]
    # A command that moves money asks the ledger how many there are.
    assert in_process("deposit", "anna", "5.00").code == 0
    assert in_process("player", "open", "player-1", *opening).code == 0
    assert in_process("deposit", "player-1", "3.00").code == 0
    assert "USD,a,2,8.00," in in_process("report", "funds", "--csv").out
    assert "b03_of_04" in in_process("buckets", "show").out
    assert "has 4 buckets already" in in_process("buckets", "split", "--into", "8").err
    assert in_process("migrate").code == 0
