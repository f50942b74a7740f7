"""Each operation of the contract, requested correctly."""

import json
import re

import pytest

from tests.edges.transfer.bank import AGENT, KEYS, OTHER, Bank, jwe, unique, unjwe

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_init_opens_an_account_once(bank: Bank) -> None:
    user_id = unique("anna")
    profile = {"currency": "USD", "nickname": "Anna", "language": "en"}
    first = bank.ask("account/init", user_id=user_id, **profile, email="a@example.test")
    assert first.code == 0
    assert first.body == (
        b'{"code":0,"message":"successful request","data":{"user_id":"%b","currency":"USD",'
        b'"created":true,"balance":0.00,"real_balance":0.00,"bonus_balance":0.00}}'
        % user_id.encode()
    )
    bank.move("account/deposit", user_id, "5")
    other = {"currency": "USD", "nickname": "Other", "language": "ko", "email": "b@example.test"}
    second = bank.ask("account/init", user_id=user_id, **other)
    assert second.data["created"] is False
    assert second.data["balance"] == "5.00"
    (row,) = bank.sql("SELECT * FROM players WHERE user_id = $1", user_id)
    assert (row["nickname"], row["language"], row["email"]) == ("Anna", "en", "a@example.test")
    changes = bank.sql(
        "SELECT source, operation, asked, outcome FROM account_changes WHERE player_id = $1"
        " ORDER BY change_id",
        row["player_id"],
    )
    assert [json.loads(change["outcome"]) for change in changes] == [
        {"created": True},
        {"created": False},
    ]
    assert {(change["source"], change["operation"]) for change in changes} == {
        (AGENT, "account/init")
    }
    assert "Other" in changes[1]["asked"]


def test_init_holds_to_the_account_that_is_there(bank: Bank) -> None:
    user_id = bank.player()
    profile = {"user_id": user_id, "nickname": "Anna", "language": "en"}
    assert bank.ask("account/init", **profile, currency="KRW").code == 100
    assert bank.ask("account/init", **profile, currency="USD", agent=OTHER).code == 101
    assert bank.ask("account/init", **profile, currency="KRW", agent=OTHER).code == 101
    assert bank.refusals_of(user_id) == [
        ("account/init", "VALUE"),
        ("account/init", "ACCOUNT_OF_ANOTHER_AGENT"),
        ("account/init", "ACCOUNT_OF_ANOTHER_AGENT"),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("USD", "1.5", "1.50"),
        ("KRW", "500.00", "500"),
        ("JPY", "7", "7"),
        ("VND", "100000", "100000"),
        ("CNY", "0.01", "0.01"),
        ("PHP", "1", "1.00"),
        ("HKD", "1", "1.00"),
        ("THB", "1", "1.00"),
        ("BDT", "1", "1.00"),
        ("INR", "999999999999999999.99", "999999999999999999.99"),
        ("BTC", "0.00000001", "0.00000001"),
    ],
)
def test_every_currency_at_its_scale(bank: Bank, currency: str, amount: str, shown: str) -> None:
    user_id = bank.player(currency=currency)
    reply = bank.move("account/deposit", user_id, amount)
    assert reply.code == 0
    assert f'"amount":{shown},"currency":"{currency}","balance":{shown},'.encode() in reply.body


def test_money_goes_in_and_out(bank: Bank) -> None:
    user_id = bank.player()
    deposit = bank.move("account/deposit", user_id, "100.10", "d1-" + user_id)
    assert deposit.pockets == ("100.10", "0.00")
    assert list(deposit.data) == [
        *("transaction_id", "amount", "currency", "balance", "real_balance", "bonus_balance"),
        "created_at",
    ]
    assert MOMENT.fullmatch(deposit.data["created_at"])
    assert deposit.data["transaction_id"] == "d1-" + user_id
    assert bank.move("bonus/grant", user_id, 20).pockets == ("100.10", "20.00")
    assert bank.move("account/withdraw", user_id, "50.10").pockets == ("50.00", "20.00")
    assert bank.move("bonus/revoke", user_id, "5.00").pockets == ("50.00", "15.00")
    reply = bank.ask("account/balance", user_id=user_id)
    assert reply.data == {
        "user_id": user_id,
        "balance": "65.00",
        "real_balance": "50.00",
        "bonus_balance": "15.00",
        "currency": "USD",
    }


def test_an_amount_may_be_a_number_and_keeps_its_digits(bank: Bank) -> None:
    user_id = bank.player()
    text = (
        f'{{"iat":IAT,"user_id":"{user_id}","transaction_id":"{unique("n")}",'
        '"amount":999999999999999999.990}'
    )
    assert bank.text("account/deposit", text).pockets[0] == "999999999999999999.99"


def test_the_journal_has_who_asked_and_why(bank: Bank) -> None:
    user_id = bank.player()
    bank.move("bonus/grant", user_id, "3", "g-" + user_id, reason="say \u201cwelcome\u201d")
    (row,) = bank.sql("SELECT * FROM movements WHERE transaction_id = $1", "g-" + user_id)
    assert (row["source"], row["event_type"], row["contra"]) == (
        *(AGENT, "BonusGrant"),
        "house:bonuses",
    )
    assert json.loads(row["extra_data"]) == {"reason": "say \u201cwelcome\u201d"}


def test_a_debt_is_paid_first_by_the_next_deposit(bank: Bank) -> None:
    user_id = bank.player("10")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "10") == 0
    assert bank.play(user_id, token, "Win", "25") == 0
    bank.move("account/withdraw", user_id, "25")
    assert bank.play(user_id, token, "SportBetCancel", "25") == 0
    assert bank.balance(user_id) == ("-25.00", "0.00")
    assert bank.move("account/deposit", user_id, "30").pockets == ("5.00", "0.00")


def test_a_session_is_what_the_game_plays_with(bank: Bank) -> None:
    user_id = bank.player("10")
    reply = bank.ask("account/session", user_id=user_id)
    assert reply.code == 0
    token = reply.data["token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{40,250}", token)
    assert MOMENT.fullmatch(reply.data["expires_at"])
    assert bank.game("sessionCheck", token=token, userId=user_id) == {"status": True}
    assert bank.play(user_id, token, "BetPlacing", "4") == 0
    assert bank.balance(user_id) == ("6.00", "0.00")
    assert bank.ask("account/session", user_id=user_id).data["token"] != token
    for table in ("sessions", "account_changes", "refusals"):
        rows = bank.sql(f"SELECT t::text AS kept FROM {table} t")
        assert all(token not in row["kept"] for row in rows)


def test_a_transaction_can_be_looked_up(bank: Bank) -> None:
    user_id = bank.player()
    transaction_id = unique("check")
    unknown = bank.ask("transaction/check", transaction_id=transaction_id)
    assert unknown.data == {"transaction_id": transaction_id, "status": "unknown"}
    first = bank.move("account/withdraw", user_id, "1", transaction_id)
    assert first.code == 102
    checked = bank.ask("transaction/check", transaction_id=transaction_id)
    assert checked.data["status"] == "refused"
    assert checked.body.endswith(b'"answer":' + first.body + b"}}")
    transaction_id = unique("check")
    first = bank.move("account/deposit", user_id, "1", transaction_id)
    checked = bank.ask("transaction/check", transaction_id=transaction_id)
    assert {name: checked.data[name] for name in ("status", "operation", "user_id", "amount")} == {
        "status": "completed",
        "operation": "account/deposit",
        "user_id": user_id,
        "amount": "1.00",
    }
    assert checked.body.endswith(b'"answer":' + first.body + b"}}")
    # Another agent's ids are its own, and the game side's are nobody's here.
    other = bank.ask("transaction/check", transaction_id=transaction_id, agent=OTHER)
    assert other.data["status"] == "unknown"


def test_the_answer_is_an_envelope_for_whoever_accepts_one(bank: Bank) -> None:
    user_id = bank.player("7")
    asked = {"iat": bank.iat(), "op": "account/balance", "user_id": user_id}
    plaintext = json.dumps(asked).encode()
    for key in KEYS[AGENT]:
        reply = bank.send(
            "account/balance", jwe(plaintext, AGENT, key), {"Accept": "application/jose"}
        )
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/jose"
        header, opened = unjwe(reply.body, key)
        assert header == {"alg": "dir", "enc": "A256GCM", "kid": AGENT}
        assert json.loads(opened)["data"]["balance"] == 7
    refused = bank.send(
        "account/balance",
        jwe(b'{"iat":1}'),
        {"Accept": "text/html, application/jose;q=0.5"},
    )
    assert refused.status == 202
    assert json.loads(unjwe(refused.body)[1])["code"] == 5
    plain = bank.send("account/balance", jwe(plaintext), {"Accept": "application/jose;q=0"})
    assert plain.code == 0
    before_the_key = bank.send("account/balance", b"no", {"Accept": "application/jose"})
    assert before_the_key.code == 4


def test_there_is_no_other_operation(bank: Bank) -> None:
    reply = bank.send("account/close", jwe(b"{}"))
    assert reply.status == 404
    assert reply.said["code"] == "4"
    assert bank.client.get("/transfer/v1/account/balance").status_code == 405


def test_a_revoked_token_expires_now_and_money_still_comes_back_under_it(bank: Bank) -> None:
    user_id = bank.player("10")
    token, other = (bank.ask("account/session", user_id=user_id).data["token"] for _ in range(2))
    assert bank.play(user_id, token, "BetPlacing", "4") == 0
    reply = bank.ask("account/session", user_id=user_id, revoke=token)
    assert (reply.code, reply.data) == (0, {"revoked": "1"})
    assert bank.play(user_id, token, "BetPlacing", "4") == 410
    assert bank.play(user_id, token, "Win", "5") == 0
    assert bank.play(user_id, other, "BetPlacing", "1") == 0
    assert bank.ask("account/session", user_id=user_id, revoke="all").data == {"revoked": "1"}
    assert bank.play(user_id, other, "BetPlacing", "1") == 410
    assert bank.ask("account/session", user_id=user_id, revoke="all").data == {"revoked": "0"}
    assert bank.ask("account/session", user_id="nobody", revoke="all").code == 100
    rows = bank.sql("SELECT asked FROM account_changes WHERE operation = 'account/session'")
    assert all(token not in row["asked"] for row in rows)
