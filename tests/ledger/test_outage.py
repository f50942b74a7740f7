"""An outage of the database is one line when it begins and one when it ends."""

from collections.abc import MutableMapping
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.ledger import connections
from app.ledger.errors import LedgerAwayError
from app.ledger.money.book import Book
from app.ledger.outage import Outage, reason_of
from app.ledger.transaction import Ledger
from app.postgres import EmbeddedPostgres
from tests.cashier.line import Line

Heard = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def _soon_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fifth of a second, not two, nobody waits for a database that lets nobody in."""
    monkeypatch.setattr(connections, "SHUT_NANOSECONDS_MAX", 200_000_000)


async def answer(book: Book) -> int:
    return int(await book.connection.fetchval("SELECT 7"))


def of_the_database(heard: Heard) -> list[tuple[str, str]]:
    return [(str(h["event"]), str(h["log_level"])) for h in heard if "database" in str(h["event"])]


async def test_an_outage_is_told_when_it_begins_and_when_it_is_over(line: Line) -> None:
    ledger = Ledger(line.url)
    with capture_logs() as heard:
        assert await ledger.serializable(answer) == 7
        assert heard == []
        line.is_down = True
        line.cut()
        for _ in range(5):
            with pytest.raises(LedgerAwayError):
                await ledger.serializable(answer)
            with pytest.raises(LedgerAwayError):
                await ledger.read_only(answer)
        line.come_back()
        assert await ledger.serializable(answer) == 7
        assert await ledger.serializable(answer) == 7
        assert of_the_database(heard) == [("database away", "error"), ("database back", "warning")]
        away, back = heard
        port = line.url.rpartition(":")[2].partition("/")[0]
        assert away["host"] == back["host"] == f"127.0.0.1:{port}"
        assert away["reason"]
        assert back["away_seconds"] >= 0
        # The next one is told again.
        line.is_down = True
        line.cut()
        with pytest.raises(LedgerAwayError):
            await ledger.serializable(answer)
        assert len(of_the_database(heard)) == 3
    await ledger.close()


@pytest.mark.parametrize(
    ("where", "reason"),
    [("127.0.0.1:1", "nobody listens there"), ("no-such-host.invalid", "name is not known")],
)
async def test_the_line_says_why_and_where_without_role_or_password(
    where: str, reason: str
) -> None:
    ledger = Ledger(f"postgresql+asyncpg://a-role:a-secret@{where}/a-database")
    with capture_logs() as heard, pytest.raises(LedgerAwayError):
        await ledger.serializable(answer)
    (line,) = heard
    assert line["host"].startswith(where)
    assert reason in line["reason"]
    assert not any(word in str(line) for word in ("a-role", "a-secret", "a-database"))
    await ledger.close()


async def test_who_is_not_let_in_is_told_why(postgres: EmbeddedPostgres) -> None:
    url = postgres.url_for("no_such_role")
    ledger = Ledger(url)
    with capture_logs() as heard, pytest.raises(LedgerAwayError):
        await ledger.serializable(answer)
    (line,) = heard
    assert line["reason"] == "the server does not let this role in"
    await ledger.close()


def test_a_standby_that_answers_reads_is_still_an_outage() -> None:
    outage = Outage("postgresql://host/x")
    with capture_logs() as heard:
        outage.begin(asyncpg.ReadOnlySQLTransactionError("no"))
        outage.begin(asyncpg.ReadOnlySQLTransactionError("no"))
        outage.end(wrote=False)
        assert [line["event"] for line in heard] == ["database away"]
        assert "standby" in heard[0]["reason"]
        outage.end()
        outage.end()
    assert [line["event"] for line in heard] == ["database away", "database back"]


def test_every_reason_is_in_plain_words() -> None:
    for error, words in (
        (asyncpg.InvalidPasswordError('role "secret"'), "the password is wrong"),
        (asyncpg.CannotConnectNowError("x"), "the server is starting or stopping"),
        (asyncpg.TooManyConnectionsError("x"), "no connection left"),
        (TimeoutError(), "does not answer in time"),
        (ConnectionResetError(), "was cut"),
        (asyncpg.ConnectionDoesNotExistError("x"), "SQLSTATE 08003"),
    ):
        assert words in reason_of(error)
        assert "secret" not in reason_of(error)
