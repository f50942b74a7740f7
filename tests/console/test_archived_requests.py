"""Archived requests: what the game side sent and was told, as `wallet dispute` shows it."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from app.wallet.buckets import bucket_of
from tests.conftest import Database, in_buckets, sql
from tests.console.conftest import Console, Done
from tests.edges.callback.house import KEY, NEXT_KEY, House, Seat, open_house, sign, unique

SEAL = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
OLD_SEAL = base64.urlsafe_b64encode(bytes(range(1, 33))).decode().rstrip("=")

Shown = Callable[..., Done]


@pytest.fixture(scope="module", params=["on", "off"])
def house(module_db: Database, request: pytest.FixtureRequest) -> Iterator[House]:
    with open_house(module_db, request_keys=SEAL, fast_path=request.param) as opened:
        yield opened


@pytest.fixture
def seat(house: House) -> Seat:
    seat = house.seat()
    house.deposit(seat, "100.00")
    return seat


@pytest.fixture
def dispute(house: House, in_process: Console, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """The command with the keys, once as many requests as named are written."""
    monkeypatch.setenv("WALLET_DATABASE_URL", house.database.service_url)
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", KEY)
    monkeypatch.setenv("WALLET_REQUEST_KEYS", f"{OLD_SEAL},{SEAL}")

    def run(transaction_id: str, *arguments: str, of: int = 1) -> Done:
        until = time.monotonic() + 10
        while count(house, transaction_id) < of:
            assert time.monotonic() < until, "it is not written"
        return in_process("dispute", transaction_id, *arguments)

    return run


def count(house: House, transaction_id: str) -> int:
    db = house.database
    counted = sql(
        db.server,
        f"SELECT count(*) FROM archived_requests WHERE transaction_id = '{transaction_id}'",
        db.name,
    )
    return int(counted)


def test_each_request_is_shown_with_its_signature_and_what_it_was_answered(
    house: House, seat: Seat, dispute: Shown
) -> None:
    fields = house.fields(seat, "BetPlacing", "10.50", extraData='{"slip":"ä/1"}')
    replies = [house.form(fields), house.json(json.dumps(fields), fields), house.form(fields)]
    done = dispute(fields["transactionId"], "--json", of=3)
    received = done.document["received"]
    assert [each["answer"] for each in received] == [reply.body.decode() for reply in replies]
    assert [each["is_signed"] for each in received] == [True] * 3
    assert [each["status"] for each in received] == [200] * 3
    assert len({each["request_id"] for each in received}) == 3
    assert {name: text for name, text in fields.items() if name != "token"} == received[0]["fields"]
    assert done.document["not_kept"] == {}
    assert seat.token not in done.out


@in_buckets
def test_it_is_found_whichever_bucket_its_player_is_in(
    db: Database, in_process: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", KEY)
    monkeypatch.setenv("WALLET_REQUEST_KEYS", SEAL)
    with open_house(db, request_keys=SEAL) as house:
        bets = []
        for seat in (house.seat("10.00") for _ in range(4 * db.buckets)):
            bets.append(house.fields(seat, "BetPlacing", "1.00"))
            assert house.form(bets[-1]).code == 0
        assert len({bucket_of(bet["userId"], db.buckets) for bet in bets}) > db.buckets // 2
        for bet in bets:
            until = time.monotonic() + 10
            while count(house, bet["transactionId"]) < 1:
                assert time.monotonic() < until, "it is not written"
            told = in_process("dispute", bet["transactionId"], "--json")
            (received,) = told.document["received"]
            assert received["fields"]["userId"] == bet["userId"]
            assert received["is_signed"]


def test_what_was_not_understood_is_kept_too(house: House, seat: Seat, dispute: Shown) -> None:
    fields = house.fields(seat, "BetPlacing", "1e3")
    reply = house.form(fields)
    (received,) = dispute(fields["transactionId"], "--json").document["received"]
    assert received["answer"] == reply.body.decode()
    assert received["fields"]["amount"] == "1e3"


def test_a_request_whose_signature_is_wrong_is_nobodys_and_not_kept(
    house: House, seat: Seat, dispute: Shown
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields, key="another key of the game side")
    house.form(fields)
    (received,) = dispute(fields["transactionId"], "--json").document["received"]
    assert received["is_signed"]


def test_to_the_byte_with_its_token_only_if_asked_for(
    house: House, seat: Seat, dispute: Shown
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields)
    done = dispute(fields["transactionId"], "--with-tokens", "--json")
    (received,) = done.document["received"]
    assert received["body"] == urlencode(fields)
    assert received["signature"] == sign(fields)
    assert seat.token in dispute(fields["transactionId"], "--with-tokens").out
    assert seat.token not in dispute(fields["transactionId"]).out


def test_the_database_never_has_a_token_or_anything_else_of_it_in_clear(
    house: House, seat: Seat, dispute: Shown
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields)
    dispute(fields["transactionId"])
    db = house.database
    hidden = (seat.token, fields["userId"], "status")
    texts = " OR ".join(f"position('{text}'::bytea IN sealed) > 0" for text in hidden)
    found = sql(db.server, f"SELECT count(*) FROM archived_requests WHERE {texts}", db.name)
    assert int(found) == 0


def test_without_the_key_it_stays_sealed_and_with_another_days_key_it_is_not_called_wrong(
    house: House, seat: Seat, dispute: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields)
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", NEXT_KEY)
    done = dispute(fields["transactionId"])
    assert done.code == 0
    assert "name the key of that day" in " ".join(done.out.split())
    monkeypatch.setenv("WALLET_REQUEST_KEYS", OLD_SEAL)
    done = dispute(fields["transactionId"])
    assert done.code == 0
    assert "set WALLET_REQUEST_KEYS" in " ".join(done.out.split())
    monkeypatch.delenv("WALLET_REQUEST_KEYS")
    (received,) = dispute(fields["transactionId"], "--json").document["received"]
    assert (received["is_signed"], received["fields"], received["answer"]) == (None, None, None)


def test_a_request_moved_under_another_id_no_longer_opens(
    house: House, seat: Seat, dispute: Shown
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    house.form(fields)
    dispute(fields["transactionId"])
    other, db = unique("other"), house.database
    sql(
        db.server,
        f"UPDATE archived_requests SET transaction_id = '{other}'"
        f" WHERE transaction_id = '{fields['transactionId']}'",
        db.name,
    )
    (received,) = dispute(other, "--json").document["received"]
    assert received["is_signed"] is None


def test_what_a_server_has_not_written_when_it_stops_is_written_then(module_db: Database) -> None:
    with open_house(module_db, request_keys=SEAL) as house:
        seat = house.seat()
        house.deposit(seat, "100.00")
        ids = [unique("bet") for _ in range(5)]
        for transaction_id in ids:
            house.move(seat, "BetPlacing", "1.00", transactionId=transaction_id)
    assert [count(house, transaction_id) for transaction_id in ids] == [1] * 5


def test_without_a_key_nothing_is_kept(module_db: Database) -> None:
    with open_house(module_db) as house:
        seat = house.seat()
        house.deposit(seat, "100.00")
        bet = unique("bet")
        house.move(seat, "BetPlacing", "1.00", transactionId=bet)
    assert count(house, bet) == 0


def test_old_requests_are_forgotten_and_young_ones_are_not(db: Database) -> None:
    now = datetime.now(UTC)
    ages = {"old": timedelta(days=31), "young": timedelta(days=29)}
    rows = ", ".join(
        f"('{(now - age).isoformat()}', gen_random_uuid(), 'callback', '{name}', '')"
        for name, age in ages.items()
    )
    sql(db.server, f"INSERT INTO archived_requests VALUES {rows}", db.name)
    with open_house(db, request_keys=SEAL, request_days=30) as house:
        until = time.monotonic() + 10
        while count(house, "old"):
            assert time.monotonic() < until, "it is not forgotten"
    assert count(house, "young") == 1
