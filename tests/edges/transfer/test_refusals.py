"""Malformed requests: the contract's code, HTTP 202, a log entry, and nothing moved."""

import json
from collections.abc import Mapping

import pytest

from tests.edges.transfer.bank import AGENT, BOUND, KEYS, OTHER, Bank, b64, jwe, unique
from tests.wallet.test_identifiers import UNFIT_NAMES

OPERATIONS: Mapping[str, Mapping[str, object]] = {
    "account/init": {"user_id": "?", "currency": "USD", "nickname": "Nick", "language": "en"},
    "account/deposit": {"user_id": "?", "transaction_id": "t", "amount": "1"},
    "account/withdraw": {"user_id": "?", "transaction_id": "t", "amount": "1"},
    "account/balance": {"user_id": "?"},
    "account/session": {"user_id": "?"},
    "account/update": {"user_id": "?", "status": "active"},
    "bonus/grant": {"user_id": "?", "transaction_id": "t", "amount": "1", "reason": "r"},
    "bonus/revoke": {"user_id": "?", "transaction_id": "t", "amount": "1", "reason": "r"},
    "transaction/check": {"transaction_id": "t"},
    "history": {"type": "ALL"},
    "account/statement": {"user_id": "?"},
}
MOVEMENTS = {
    "account/deposit": "Deposit",
    "account/withdraw": "Withdrawal",
    "bonus/grant": "BonusGrant",
    "bonus/revoke": "BonusRevoke",
}
"""The refusal log's name of an operation that was refused as a movement."""

MONEY = ("account/deposit", "account/withdraw", "bonus/grant", "bonus/revoke")
OF_A_PLAYER = (
    *(*MONEY, "account/balance", "account/statement", "account/session", "account/update"),
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_required_is_missed(bank: Bank, operation: str) -> None:
    fields = OPERATIONS[operation]
    for name in fields:
        if (operation, name) == ("account/update", "status"):
            continue
        less = {key: value for key, value in fields.items() if key != name}
        reply = bank.ask(operation, **less)
        assert (reply.code, reply.data["field"]) == (2, name)
    assert bank.text(operation, json.dumps(fields)).data["field"] == "iat"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_field_has_its_json_type(bank: Bank, operation: str) -> None:
    fields = OPERATIONS[operation]
    for name in fields:
        wrongs: list[object] = [True, [], {"a": 1}]
        if (operation, name) != ("account/update", "status"):
            wrongs.append(None)
        if name != "amount":
            wrongs.append(5)
        for wrong in wrongs:
            reply = bank.ask(operation, **{**fields, name: wrong})
            assert (reply.code, reply.data["field"]) == (4, name)
    assert bank.text(operation, '{"iat":"1"}').code == 4


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "5", '"text"', "{}{}", "{} x", "\ufeff{}"),
        '{"iat":IAT,"user_id":"a","user_id":"b"}',
        '{"iat":IAT,"user_id":NaN}',
        '{"iat":IAT,"amount":Infinity}',
        '{"iat":IAT,"user_id":"\\u0000"}',
        '{"iat":IAT,"user_id":"\\ud800"}',
        '{"iat":IAT,"x":' + "[" * 100 + "]" * 100 + "}",
        '{"iat":IAT,"amount":01}',
        '{"iat":IAT,"amount":+1}',
    ],
)
def test_a_plaintext_that_is_no_json_object(bank: Bank, text: str) -> None:
    assert bank.text("account/balance", text).code == 4


def test_a_plaintext_that_is_no_text(bank: Bank) -> None:
    assert bank.send("account/balance", jwe(b"\xff\xfe")).code == 4


@pytest.mark.parametrize("operation", MONEY)
@pytest.mark.parametrize(
    "amount",
    [
        *('"0"', "0", '"0.00"', '"-1"', "-1", "-0", '"1e2"', "1e2", "1E400", '""', '" 1"', '"1 "'),
        *('"1."', '".5"', '"+1"', '"1_000"', '"1,5"', '"\u0661"', '"NaN"', '"0x10"', '"1.005"'),
        *("1.005", '"1000000000000000000"', "1000000000000000000", '"1.0000000000000000000"'),
    ],
)
def test_an_amount_that_is_none(bank: Bank, operation: str, amount: str) -> None:
    user_id = bank.player()
    text = (
        f'{{"iat":IAT,"user_id":"{user_id}","transaction_id":"{unique("a")}",'
        f'"amount":{amount},"reason":"r"}}'
    )
    assert bank.text(operation, text).code == 100
    assert bank.balance(user_id) == ("0.00", "0.00")
    assert len(bank.refusals_of(user_id)) == 1


@pytest.mark.parametrize("name", ["user_id", "transaction_id"])
@pytest.mark.parametrize("control", ["\n", "\x7f", "\x9f", "\x01"])
def test_an_id_with_control_characters(bank: Bank, name: str, control: str) -> None:
    fields = {"user_id": bank.player(), "transaction_id": unique("a"), "amount": "1"}
    reply = bank.ask("account/deposit", **{**fields, name: f"a{control}b"})
    assert (reply.code, reply.data["field"]) == (100, name)


def test_an_amount_too_fine_for_its_currency(bank: Bank) -> None:
    for currency, fine in (("KRW", "1.5"), ("USD", "0.001"), ("BTC", "0.000000001")):
        user_id = bank.player(currency=currency)
        assert bank.move("account/deposit", user_id, fine).code == 100
        assert bank.refusals_of(user_id) == [("Deposit", "AMOUNT_TOO_FINE")]


def test_a_balance_that_would_not_fit(bank: Bank) -> None:
    user_id = bank.player("999999999999999999.99")
    assert bank.move("account/deposit", user_id, "0.01").code == 100
    user_id = bank.player(currency="BTC")
    assert bank.move("account/deposit", user_id, "1000000000000").code == 100
    assert bank.move("account/deposit", user_id, "999999999999.99999999").code == 0
    assert bank.refusals_of(user_id) == [("Deposit", "BALANCE_TOO_LARGE")]


@pytest.mark.parametrize("operation", OF_A_PLAYER)
def test_an_account_that_is_not_there_or_another_agents(bank: Bank, operation: str) -> None:
    for user_id, code, word in (
        (unique("nobody"), 100, "PLAYER_UNKNOWN"),
        (bank.player("5", "5"), 101, "ACCOUNT_OF_ANOTHER_AGENT"),
    ):
        fields = {**OPERATIONS[operation], "user_id": user_id}
        reply = bank.ask(operation, agent=OTHER, **fields)
        assert reply.code == code
        assert bank.refusals_of(user_id) == [(MOVEMENTS.get(operation, operation), word)]


def test_history_of_a_player_that_is_not_there_or_another_agents(bank: Bank) -> None:
    nobody, somebody = unique("nobody"), bank.player()
    assert bank.ask("history", type="ALL", user_id=nobody).code == 100
    assert bank.ask("history", type="ALL", user_id=somebody, agent=OTHER).code == 101


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("account/init", {"currency": "EUR"}),
        ("account/init", {"currency": "usd"}),
        ("account/init", {"currency": ""}),
        ("account/init", {"nickname": "ab"}),
        ("account/init", {"nickname": "n" * 65}),
        ("account/init", {"language": ""}),
        ("account/init", {"language": "e"}),
        ("account/init", {"language": "en US"}),
        ("account/init", {"user_id": ""}),
        *(("account/init", {"user_id": name}) for name in UNFIT_NAMES),
        ("account/init", {"user_id": "u" * 251}),
        ("account/init", {"email": "e" * 251}),
        ("account/init", {"first_name": ""}),
        ("account/deposit", {"transaction_id": ""}),
        ("account/deposit", {"transaction_id": "t" * 251}),
        ("bonus/grant", {"reason": ""}),
        ("bonus/grant", {"reason": "r" * 1001}),
        ("account/session", {"ttl_seconds": 0}),
        ("account/session", {"ttl_seconds": -5}),
        ("account/session", {"ttl_seconds": 1.5}),
        ("account/session", {"ttl_seconds": 10**40}),
        ("account/update", {"status": "gone"}),
        ("account/update", {"language": "?"}),
        ("account/update", {"excluded_until": "tomorrow"}),
        ("account/update", {"excluded_until": "2026-02-30"}),
        ("account/update", {"excluded_until": "2026-11-20T12:00:00"}),
        ("account/update", {"excluded_until": "0001-01-01T00:00:00+01:00"}),
        ("account/update", {"excluded_until": "9999-12-31T23:59:59-01:00"}),
        ("account/update", {"excluded_until": 10**14}),
        ("account/update", {"excluded_until": 1.5}),
        ("account/update", {"limits": {"stake_year": 1}}),
        ("account/update", {"limits": {"stake_day": -1}}),
        ("account/update", {"limits": {"stake_day": "1e3"}}),
        ("account/update", {"limits": {"stake_day": "0.001"}}),
        ("transaction/check", {"transaction_id": ""}),
        ("history", {"type": "all"}),
        ("history", {"type": ""}),
        ("history", {"limit": 0}),
        ("history", {"limit": 1001}),
        ("history", {"cursor": "x"}),
        ("history", {"cursor": "\u00e9"}),
        ("history", {"cursor": b64(b"{}")}),
        ("history", {"cursor": b64(b'{"t":1e5,"p":1,"e":"e","s":true}')}),
        ("history", {"cursor": b64(b'{"t":999999999999999999,"p":1,"e":"e","s":true}')}),
        ("history", {"cursor": b64(b'{"t":1,"p":1,"e":"\\u0000","s":true}')}),
        ("history", {"cursor": b64(b'{"t":1,"p":1,"e":1,"s":true}')}),
        ("history", {"since": "yesterday"}),
        ("history", {"to": "2026-13-01"}),
        ("account/statement", {"limit": 0}),
        ("account/statement", {"limit": 1001}),
        ("account/statement", {"cursor": ""}),
        ("account/statement", {"cursor": "x"}),
        ("account/statement", {"cursor": "\u00e9"}),
        ("account/statement", {"cursor": b64(b"{}")}),
        ("account/statement", {"cursor": b64(b'{"u":5,"p":1}')}),
        ("account/statement", {"cursor": b64(b'{"u":"somebody","p":1}')}),
        ("account/statement", {"since": "yesterday"}),
        ("account/statement", {"to": "2026-13-01"}),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_a_value_that_cannot_be(bank: Bank, operation: str, fields: Mapping[str, object]) -> None:
    asked = {**OPERATIONS[operation], **fields}
    if asked.get("user_id") == "?":
        asked["user_id"] = bank.player()
    assert bank.ask(operation, **asked).code == 100


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("account/session", {"ttl_seconds": "60"}),
        ("account/update", {"limits": []}),
        ("account/update", {"limits": {"stake_day": True}}),
        ("account/update", {"limits": {"stake_day": [1]}}),
        ("account/update", {"excluded_until": True}),
        ("history", {"limit": "5"}),
        ("history", {"user_id": 5}),
        ("account/statement", {"limit": "5"}),
        ("account/statement", {"cursor": 5}),
    ],
)
def test_an_optional_field_has_its_type_too(
    bank: Bank, operation: str, fields: Mapping[str, object]
) -> None:
    assert bank.ask(operation, **{**OPERATIONS[operation], **fields}).code == 4


def test_an_update_of_nothing_misses_something(bank: Bank) -> None:
    user_id = bank.player()
    assert bank.ask("account/update", user_id=user_id).code == 2
    assert bank.ask("account/update", user_id=user_id, statuss="blocked").code == 2


def test_what_is_null_says_nothing_where_a_field_may_be_left_out(bank: Bank) -> None:
    user_id = bank.player()
    assert bank.ask("account/session", user_id=user_id, ttl_seconds=None).code == 0
    assert bank.ask("history", type="ALL", user_id=None, cursor=None, limit=None).code == 0


def test_a_blocked_player_hears_9(bank: Bank) -> None:
    user_id = bank.player("10", "10")
    assert bank.ask("account/update", user_id=user_id, status="blocked").code == 0
    for operation in ("account/deposit", "bonus/grant", "bonus/revoke"):
        assert bank.move(operation, user_id, "1").code == 9
    assert bank.ask("account/session", user_id=user_id).code == 9
    assert bank.move("account/withdraw", user_id, "4").code == 0
    assert bank.balance(user_id) == ("6.00", "10.00")


@pytest.mark.parametrize(
    ("operation", "amount"),
    [("account/withdraw", "10.01"), ("bonus/revoke", "5.01"), ("account/withdraw", "12")],
)
def test_more_than_there_is(bank: Bank, operation: str, amount: str) -> None:
    user_id = bank.player("10", "5")
    reply = bank.move(operation, user_id, amount)
    assert reply.code == 102
    assert reply.data["balance"] == "15.00"
    assert bank.balance(user_id) == ("10.00", "5.00")


@pytest.mark.parametrize("seconds", [-61, 61, 3600, -(10**9)])
def test_a_request_too_old_or_from_the_future(bank: Bank, seconds: int) -> None:
    user_id = bank.player()
    fields = {"iat": bank.iat() + seconds, "user_id": user_id}
    reply = bank.send("account/balance", jwe(json.dumps(fields).encode()))
    assert reply.code == 5
    assert bank.refusals_of(user_id) == [("account/balance", "EXPIRED")]


@pytest.mark.parametrize("iat", ["1e999", "1e99999999999999999999", "-1", "0", "9" * 5000, "-0.0"])
def test_a_time_beyond_all_clocks(bank: Bank, iat: str) -> None:
    assert bank.text("account/balance", f'{{"iat":{iat},"user_id":"x"}}').code == 5


def test_a_time_within_the_window_in_any_spelling(bank: Bank) -> None:
    user_id = bank.player()
    now = bank.iat()
    for iat in (str(now - 58), str(now + 59), f"{now}.75", f"{now}e0", f"{now}0e-1"):
        asked = f'{{"iat":{iat},"op":"account/balance","user_id":"{user_id}"}}'
        reply = bank.text("account/balance", asked)
        assert reply.code == 0, iat


# --- the envelope ----------------------------------------------------------------------------

GOOD = b'{"iat":1}'
PARTS = jwe(GOOD).split(b".")


NO_ENVELOPES = {
    "nothing": b"",
    "json": b'{"iat":1}',
    "a word": b"no",
    "dots": b"....",
    "letters": b"a.b.c.d.e",
    "a line break": jwe(GOOD) + b"\n",
    "a blank": b" " + jwe(GOOD),
    "padding": jwe(GOOD) + b"=",
    "four parts": b".".join(PARTS[:4]),
    "six parts": b".".join([*PARTS, b"x"]),
    "an encrypted key": b".".join([PARTS[0], b"eA", *PARTS[2:]]),
    "a short vector": b".".join([PARTS[0], b"", b"AAAA", *PARTS[3:]]),
    "a short tag": b".".join([*PARTS[:4], b"AAAA"]),
    "a list as header": b".".join([b64(b"[]").encode(), *PARTS[1:]]),
    "bytes as header": b".".join([b64(b"\xff").encode(), *PARTS[1:]]),
    "a header that is no base64url": b".".join([b"A", *PARTS[1:]]),
    "a ciphertext that is no base64url": b".".join([*PARTS[:3], b"A", PARTS[4]]),
    "alg twice": b".".join(
        [b64(b'{"alg":"dir","alg":"dir","enc":"A256GCM","kid":"casino"}').encode(), *PARTS[1:]]
    ),
    "another alg": jwe(GOOD, alg="A256KW"),
    "alg none": jwe(GOOD, alg="none"),
    "no alg": jwe(GOOD, alg=None),
    "alg a number": jwe(GOOD, alg=5),
    "alg in capitals": jwe(GOOD, alg="DIR"),
    "another enc": jwe(GOOD, enc="A128GCM"),
    "an enc with CBC": jwe(GOOD, enc="A256CBC-HS512"),
    "no enc": jwe(GOOD, enc=None),
    "zip": jwe(GOOD, zip="DEF"),
    "an empty zip": jwe(GOOD, zip=""),
    "critical": jwe(GOOD, crit=["exp"], exp=5),
    "nothing critical": jwe(GOOD, crit=[]),
    "a critical text": jwe(GOOD, crit="x"),
    "kid a number": jwe(GOOD, kid=5),
    "kid a list": jwe(GOOD, kid=[AGENT]),
    "a long header": jwe(GOOD, filler="x" * 1000),
    "typ a number": jwe(GOOD, typ=5),
    "too large": jwe(b'{"iat":1,"x":"' + b"x" * 270_000 + b'"}'),
    "much too large": b"x" * 1_000_000,
}


@pytest.mark.parametrize("name", NO_ENVELOPES)
def test_what_is_no_envelope_of_ours(bank: Bank, name: str) -> None:
    assert bank.send("account/balance", NO_ENVELOPES[name]).code == 4


def test_an_envelope_may_be_as_large_as_a_body(bank: Bank) -> None:
    user_id = bank.player()
    note = "x" * 190_000
    assert bank.ask("account/balance", user_id=user_id, note=note).code == 0


@pytest.mark.parametrize("kid", ["nobody", "", "CASINO", "callback", None, "x" * 300])
def test_an_agent_that_is_not_there(bank: Bank, kid: str | None) -> None:
    assert bank.send("account/balance", jwe(GOOD, kid)).code == 6


def test_a_wrong_key(bank: Bank) -> None:
    for key in (bytes(32), KEYS[OTHER][0]):
        assert bank.send("account/balance", jwe(GOOD, AGENT, key)).code == 3
    header, _, iv, sealed, tag = jwe(GOOD).split(b".")
    for tampered in (
        [header, b"", iv[::-1], sealed, tag],
        [header, b"", iv, b"AAAA" + sealed, tag],
        [header, b"", iv, b"", tag],
        [b64(b'{"kid":"casino","alg":"dir","enc":"A256GCM"}').encode(), b"", iv, sealed, tag],
    ):
        assert bank.send("account/balance", b".".join(tampered)).code == 3


def test_both_keys_of_an_agent_open(bank: Bank) -> None:
    for key in KEYS[AGENT]:
        assert bank.send("account/balance", jwe(GOOD, AGENT, key)).code == 5


def test_a_header_that_says_nothing_to_us_is_no_fault(bank: Bank) -> None:
    assert bank.send("account/balance", jwe(GOOD, typ="JOSE", cty="json", note="x")).code == 5


def test_nobody_who_is_not_known_leaves_a_trace_or_moves_anything(bank: Bank) -> None:
    (before,) = bank.sql("SELECT count(*) AS refusals FROM refusals")
    for body in (b"x", jwe(GOOD, "nobody"), jwe(GOOD, AGENT, bytes(32))):
        bank.send("account/deposit", body)
    assert bank.sql("SELECT count(*) AS refusals FROM refusals") == [before]


# --- networks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "code"),
    [
        (None, 101),
        ("192.0.2.7", 5),
        ("192.0.2.7:4711", 5),
        ("203.0.113.1, 192.0.2.7", 5),
        ("192.0.2.7, 198.51.100.9", 5),
        ("::ffff:192.0.2.7", 5),
        ("192.0.2.7, 203.0.113.1", 101),
        ("203.0.113.1", 101),
        ("nonsense", 101),
        ("", 101),
    ],
)
def test_an_agent_calls_from_its_networks(bank: Bank, forwarded: str | None, code: int) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    body = jwe(GOOD, BOUND, KEYS[BOUND][0])
    assert bank.send("account/balance", body, headers).code == code
    (row,) = bank.sql(
        "SELECT source, refusal FROM refusals WHERE source = $1 ORDER BY refusal_id DESC LIMIT 1",
        BOUND,
    )
    assert row["refusal"] == {101: "DENIED", 5: "EXPIRED"}[code]


def test_only_who_has_the_key_hears_of_networks(bank: Bank) -> None:
    assert bank.send("account/balance", jwe(GOOD, BOUND, bytes(32))).code == 3


# --- ids -------------------------------------------------------------------------------------


def test_an_id_is_never_used_for_anything_else(bank: Bank) -> None:
    user_id, other = bank.player("50", "50"), bank.player("50", "50")
    transaction_id = unique("once")
    assert bank.move("account/deposit", user_id, "10", transaction_id).code == 0
    for operation, who, amount in (
        ("account/deposit", user_id, "11"),
        ("account/deposit", other, "10"),
        ("account/withdraw", user_id, "10"),
        ("bonus/grant", user_id, "10"),
        ("bonus/revoke", user_id, "10"),
    ):
        assert bank.move(operation, who, amount, transaction_id).code == 100
    assert bank.balance(user_id) == ("60.00", "50.00")
    assert bank.balance(other) == ("50.00", "50.00")
    refused = unique("refused")
    assert bank.move("account/withdraw", user_id, "100", refused).code == 102
    assert bank.move("account/withdraw", user_id, "1", refused).code == 100
    assert bank.move("account/deposit", user_id, "100", refused).code == 100
    assert bank.move("account/withdraw", user_id, "100.00", refused).code == 102


def test_the_ids_of_each_side_are_its_own(bank: Bank) -> None:
    user_id, rivals = bank.player("50"), bank.player("50", agent=OTHER)
    transaction_id = unique("shared")
    token = bank.token(user_id)
    assert bank.move("account/withdraw", user_id, "1", transaction_id).code == 0
    assert bank.move("account/withdraw", rivals, "2", transaction_id, agent=OTHER).code == 0
    assert bank.play(user_id, token, "BetPlacing", "3", transaction_id=transaction_id) == 0
    assert bank.balance(user_id) == ("46.00", "0.00")


def test_a_refusal_that_is_no_outcome_leaves_the_id_free(bank: Bank) -> None:
    transaction_id, user_id = unique("free"), unique("later")
    assert bank.move("account/deposit", user_id, "10", transaction_id).code == 100
    bank.ask("account/init", user_id=user_id, currency="USD", nickname="Later", language="en")
    assert bank.move("account/deposit", user_id, "0.001", transaction_id).code == 100
    assert bank.ask("transaction/check", transaction_id=transaction_id).data["status"] == "unknown"
    assert bank.move("account/deposit", user_id, "10", transaction_id).code == 0
