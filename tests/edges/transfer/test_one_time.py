"""An envelope is for one operation, and what it asks takes effect once (contract, section 1)."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.at_once import at_once
from tests.conftest import Database
from tests.edges.transfer.bank import (
    AGENT,
    KEYS,
    OTHER,
    Bank,
    Reply,
    b64,
    jwe,
    open_bank,
    unique,
    unjwe,
)
from tests.ports import free_port

ONE_TIME: Mapping[str, Mapping[str, object]] = {
    "account/session": {"ttl_seconds": 600},
    "account/update": {"language": "de"},
}
DAY = timedelta(days=1)


def changes(bank: Bank, user_id: str) -> int:
    """How often an account was changed, its opening left out."""
    (row,) = bank.sql(
        "SELECT count(*) AS n FROM account_changes JOIN players USING (player_id)"
        " WHERE user_id = $1 AND operation <> 'account/init'",
        user_id,
    )
    return int(row["n"])


def block(bank: Bank, user_id: str, status: str = "blocked") -> None:
    assert bank.ask("account/update", user_id=user_id, status=status).code == 0


# --- an envelope is for one operation ---------------------------------------------------------


def test_the_envelope_of_a_balance_gets_no_token(bank: Bank) -> None:
    user_id = bank.player("5")
    asked = {"iat": bank.iat(), "op": "account/balance", "jti": unique("j"), "user_id": user_id}
    envelope = jwe(json.dumps(asked).encode())
    assert bank.send("account/balance", envelope).code == 0
    reply = bank.send("account/session", envelope)
    assert (reply.code, reply.data["field"]) == (4, "op")
    assert changes(bank, user_id) == 0


def test_the_envelope_of_a_withdrawal_deposits_nothing(bank: Bank) -> None:
    user_id, transaction_id = bank.player("5"), unique("cash")
    asked = {
        "iat": bank.iat(),
        "op": "account/withdraw",
        "user_id": user_id,
        "transaction_id": transaction_id,
        "amount": "2",
    }
    envelope = jwe(json.dumps(asked).encode())
    assert bank.send("account/deposit", envelope).code == 4
    assert bank.balance(user_id) == ("5.00", "0.00")
    assert bank.send("account/withdraw", envelope).pockets == ("3.00", "0.00")


def test_a_replayed_activation_lifts_no_later_block(bank: Bank) -> None:
    user_id = bank.player("5")
    asked = {
        "iat": bank.iat(),
        "op": "account/update",
        "jti": unique("j"),
        "user_id": user_id,
        "status": "active",
    }
    envelope = jwe(json.dumps(asked).encode())
    first = bank.send("account/update", envelope)
    block(bank, user_id)
    again = bank.send("account/update", envelope)
    assert (again.code, again.body) == (0, first.body)
    assert bank.ask("account/session", user_id=user_id).code == 9


@pytest.mark.parametrize("operation", ["account/balance", "history", *ONE_TIME])
@pytest.mark.parametrize(
    ("op", "code"), [(None, 2), ("account/init", 4), ("ACCOUNT/BALANCE", 4), ("", 4), (5, 4)]
)
def test_an_envelope_that_is_not_for_this_operation_is_refused(
    bank: Bank, operation: str, op: object, code: int
) -> None:
    user_id = bank.player()
    asked: dict[str, Any] = {"iat": bank.iat(), "jti": unique("j"), "user_id": user_id}
    asked |= {"type": "ALL", "language": "de"}
    if op is not None:
        asked["op"] = op
    reply = bank.send(operation, jwe(json.dumps(asked).encode()))
    assert (reply.code, reply.data["field"]) == (code, "op")
    assert changes(bank, user_id) == 0


def test_a_plaintext_of_the_release_before_is_refused_and_traced(bank: Bank) -> None:
    user_id = bank.player()
    old = {"iat": bank.iat(), "user_id": user_id}
    for operation in ("account/balance", "account/session"):
        assert bank.send(operation, jwe(json.dumps(old).encode())).code == 2
    assert bank.refusals_of(user_id) == [
        ("account/balance", "MISSING"),
        ("account/session", "MISSING"),
    ]


# --- a jti is used for one request ------------------------------------------------------------


@pytest.mark.parametrize("operation", ONE_TIME)
@pytest.mark.parametrize(
    ("jti", "code"),
    [(None, 2), (5, 4), ([], 4), ("", 100), ("j" * 65, 100), ("a\nb", 100)],
)
def test_what_takes_effect_once_needs_an_id(
    bank: Bank, operation: str, jti: object, code: int
) -> None:
    user_id = bank.player()
    asked: dict[str, Any] = {"iat": bank.iat(), "op": operation, "user_id": user_id}
    asked |= ONE_TIME[operation]
    if jti is not None:
        asked["jti"] = jti
    reply = bank.send(operation, jwe(json.dumps(asked).encode()))
    assert (reply.code, reply.data["field"]) == (code, "jti")
    assert changes(bank, user_id) == 0


@pytest.mark.parametrize("jti", ["j", "\U0001f511" * 64, "j" * 64, "9"])
def test_any_text_of_1_to_64_characters_is_an_id(bank: Bank, jti: str) -> None:
    user_id = bank.player()
    first = bank.ask("account/session", user_id=user_id, jti=jti)
    assert first.code == 0
    assert bank.ask("account/session", user_id=user_id, jti=jti).body == first.body


@pytest.mark.parametrize("operation", ONE_TIME)
def test_a_repeat_however_encrypted_hears_the_first_answer_and_changes_nothing(
    bank: Bank, operation: str
) -> None:
    user_id, jti = bank.player("5"), unique("j")
    fields = {"user_id": user_id, "jti": jti, **ONE_TIME[operation]}
    first = bank.ask(operation, **fields)
    assert first.code == 0
    bank.move("account/deposit", user_id, "1")
    for key in KEYS[AGENT]:
        bank.ahead += timedelta(seconds=100)
        again = bank.ask(operation, key=key, **dict(reversed(fields.items())))
        assert (again.code, again.body, again.was_sealed) == (0, first.body, first.was_sealed)
    assert changes(bank, user_id) == 1
    assert len(
        bank.sql("SELECT FROM sessions JOIN players USING (player_id) WHERE user_id = $1", user_id)
    ) == (operation == "account/session")


def test_a_repeated_revocation_revokes_nothing_new(bank: Bank) -> None:
    user_id, jti = bank.player("5"), unique("j")
    bank.token(user_id)
    first = bank.ask("account/session", user_id=user_id, jti=jti, revoke="all")
    assert (first.data, first.was_sealed) == ({"revoked": "1"}, False)
    later = bank.token(user_id)
    assert bank.ask("account/session", user_id=user_id, jti=jti, revoke="all").body == first.body
    assert bank.play(user_id, later, "BetPlacing", "1") == 0


@pytest.mark.parametrize("operation", ONE_TIME)
def test_two_at_once_under_one_id_have_one_effect_and_the_same_answer(
    bank: Bank, operation: str
) -> None:
    for _ in range(5):
        user_id, jti = bank.player(), unique("j")
        fields = {"user_id": user_id, "jti": jti, **ONE_TIME[operation]}

        def ask(fields: Mapping[str, object] = fields) -> Reply:
            return bank.ask(operation, **fields)

        replies = at_once([ask] * 4)
        assert {reply.code for reply in replies} == {0}
        assert len({reply.body for reply in replies}) == 1
        assert changes(bank, user_id) == 1


@pytest.mark.parametrize("operation", ONE_TIME)
def test_after_a_day_a_repeat_is_refused_and_changes_nothing(bank: Bank, operation: str) -> None:
    user_id, jti = bank.player(), unique("j")
    fields = {"user_id": user_id, "jti": jti, **ONE_TIME[operation]}
    first = bank.ask(operation, **fields)
    bank.ahead = DAY - timedelta(seconds=30)
    assert bank.ask(operation, **fields).body == first.body
    for bank.ahead in (DAY + timedelta(seconds=1), 400 * DAY):
        reply = bank.ask(operation, **fields)
        assert (reply.code, reply.data["field"]) == (100, "jti")
    assert changes(bank, user_id) == 1


def test_kept_answers_are_cleared_after_their_day_and_ids_stay(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    bank.ask("account/session", user_id=user_id, jti=jti)
    bank.ahead = DAY + timedelta(hours=1)
    bank.ask("account/session", user_id=user_id)
    rows = bank.sql(
        "SELECT request_id, answer FROM request_ids WHERE ledger_time <= $1", bank.now() - DAY
    )
    assert jti in {row["request_id"] for row in rows}
    assert {row["answer"] for row in rows} == {None}


def test_an_id_with_other_content_is_refused_and_changes_nothing(bank: Bank) -> None:
    user_id, other, jti = bank.player(), bank.player(), unique("j")
    assert bank.ask("account/session", user_id=user_id, jti=jti, ttl_seconds=60).code == 0
    for operation, fields in (
        ("account/session", {"user_id": user_id, "ttl_seconds": 61}),
        ("account/session", {"user_id": user_id}),
        ("account/session", {"user_id": other, "ttl_seconds": 60}),
        ("account/session", {"user_id": user_id, "revoke": "all"}),
        ("account/session", {"user_id": unique("nobody"), "ttl_seconds": 60}),
        ("account/update", {"user_id": user_id, "status": "blocked"}),
        ("account/update", {"user_id": user_id, "status": "gone"}),
    ):
        reply = bank.ask(operation, jti=jti, **fields)
        assert (reply.code, reply.data["field"]) == (100, "jti"), fields
    assert (changes(bank, user_id), changes(bank, other)) == (1, 0)


def test_an_unknown_field_and_a_null_that_says_nothing_are_no_content(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    first = bank.ask("account/session", user_id=user_id, jti=jti)
    again = bank.ask("account/session", user_id=user_id, jti=jti, ttl_seconds=None, note="x")
    assert again.body == first.body


def test_each_agent_has_ids_of_its_own(bank: Bank) -> None:
    user_id, rivals, jti = bank.player(), bank.player(agent=OTHER), unique("j")
    assert bank.ask("account/session", user_id=user_id, jti=jti).code == 0
    assert bank.ask("account/session", user_id=rivals, jti=jti, agent=OTHER).code == 0


def test_a_jti_means_nothing_where_a_transaction_id_does_the_same(bank: Bank) -> None:
    user_id, jti = bank.player("5"), unique("j")
    for amount in ("1", "2"):
        assert bank.move("account/deposit", user_id, amount, jti=jti).code == 0
    assert bank.balance(user_id) == ("8.00", "0.00")
    assert bank.ask("account/session", user_id=user_id, jti=jti).code == 0


def test_a_moment_that_has_passed_meanwhile_is_no_matter_to_a_repeat(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    fields = {"user_id": user_id, "jti": jti, "excluded_until": bank.iat() + 60}
    first = bank.ask("account/update", **fields)
    bank.ahead = timedelta(minutes=5)
    assert bank.ask("account/update", **fields).body == first.body
    fresh = bank.ask("account/update", **{**fields, "jti": unique("j")})
    assert (fresh.code, fresh.data["field"]) == (100, "excluded_until")


# --- which answers take the id ----------------------------------------------------------------


def test_code_9_takes_the_id_and_each_repeat_is_traced(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    block(bank, user_id)
    first = bank.ask("account/session", user_id=user_id, jti=jti)
    assert first.code == 9
    block(bank, user_id, "active")
    again = bank.ask("account/session", user_id=user_id, jti=jti)
    assert (again.code, again.body) == (9, first.body)
    assert bank.refusals_of(user_id) == [("account/session", "PLAYER_BLOCKED")] * 2
    assert bank.ask("account/session", user_id=user_id).code == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"user_id": None}, 4),
        ({"iat": 5}, 5),
        ({"ttl_seconds": 0}, 100),
        ({"user_id": "nobody at all"}, 100),
        ({"op": "account/update"}, 4),
        ({"agent": OTHER}, 101),
    ],
    ids=str,
)
def test_other_codes_leave_the_id_free(bank: Bank, fields: Mapping[str, object], code: int) -> None:
    user_id, jti = bank.player(), unique("j")
    asked: dict[str, Any] = {"user_id": user_id, "jti": jti, **fields}
    assert bank.ask("account/session", **asked).code == code
    assert bank.sql("SELECT FROM request_ids WHERE request_id = $1", jti) == []
    assert bank.ask("account/session", user_id=user_id, jti=jti).code == 0


def test_a_limit_too_fine_and_nothing_to_change_leave_the_id_free(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    for fields, code in (({"limits": {"stake_day": "0.001"}}, 100), ({}, 2)):
        assert bank.ask("account/update", user_id=user_id, jti=jti, **fields).code == code
    assert bank.ask("account/update", user_id=user_id, jti=jti, language="de").code == 0


def test_a_fault_of_ours_leaves_the_id_free(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("j")
    with bank.without("request_ids", user_id):
        assert bank.ask("account/session", user_id=user_id, jti=jti).code == 1
    assert changes(bank, user_id) == 0
    assert bank.ask("account/session", user_id=user_id, jti=jti).code == 0


# --- what holds a token -----------------------------------------------------------------------


@pytest.mark.parametrize("accept", [None, "application/json", "application/jose;q=0", "*/*"])
def test_an_answer_with_a_token_is_always_an_envelope(bank: Bank, accept: str | None) -> None:
    user_id, jti = bank.player(), unique("j")
    for _ in range(2):
        asked = {"iat": bank.iat(), "op": "account/session", "jti": jti, "user_id": user_id}
        headers = {} if accept is None else {"Accept": accept}
        reply = bank.send("account/session", jwe(json.dumps(asked).encode()), headers)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/jose")
        header, opened = unjwe(reply.body)
        assert header == {"alg": "dir", "enc": "A256GCM", "kid": AGENT}
        assert json.loads(opened)["data"]["token"]


def test_the_database_alone_tells_no_token(bank: Bank) -> None:
    user_id = bank.player()
    token = bank.token(user_id)
    rows = bank.sql("SELECT r::text AS kept FROM request_ids r")
    assert rows
    assert all(
        token not in row["kept"] and b64(token.encode())[:-3] not in row["kept"] for row in rows
    )


def test_a_kept_answer_that_was_moved_to_another_request_is_not_told(bank: Bank) -> None:
    mine, yours = unique("j"), unique("j")
    user_id, other = bank.player(), bank.player()
    bank.ask("account/session", user_id=user_id, jti=mine)
    bank.ask("account/session", user_id=other, jti=yours)
    ((kept,),) = bank.sql("SELECT answer FROM request_ids WHERE request_id = $1", mine)
    bank.rewrite("UPDATE request_ids SET answer = $1 WHERE request_id = $2", kept, yours)
    assert bank.ask("account/session", user_id=other, jti=yours).code == 1


def test_a_repeat_is_told_its_answer_as_long_as_the_key_of_the_first_is_the_agents(
    db: Database,
) -> None:
    old, new = KEYS[AGENT]
    answers: list[Reply] = []
    user_id, jti = "", unique("j")
    for keys in ([old], [new, old], [new]):
        agents = json.dumps({AGENT: [b64(key) for key in keys]})
        with open_bank(db, agents=agents) as bank:
            user_id = user_id or bank.player()
            answers.append(bank.ask("account/session", key=keys[0], user_id=user_id, jti=jti))
            assert changes(bank, user_id) == 1
    assert [reply.code for reply in answers] == [0, 0, 100]
    assert answers[0].body == answers[1].body


# --- one release of patience ------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient(module_db: Database, served: Bank) -> Iterator[Bank]:
    """Another server on the same database, which admits envelopes of the release before."""
    del served
    with open_bank(module_db, transfer_op="optional", private_port=free_port()) as bank:
        yield bank


def test_by_setting_old_plaintexts_are_admitted_and_counted(patient: Bank) -> None:
    user_id = patient.player("5")
    old = {"user_id": user_id, "iat": patient.iat()}
    assert patient.send("account/balance", jwe(json.dumps(old).encode())).code == 0
    tokens = set()
    for _ in range(2):
        reply = patient.send("account/session", jwe(json.dumps(old).encode()))
        tokens.add(json.loads(unjwe(reply.body)[1])["data"]["token"])
    assert len(tokens) == 2
    counted = patient.numbers("wallet_requests_lacking_total")
    assert counted['contract="transfer",lacks="op",method="account/balance"'] == 1
    assert counted['contract="transfer",lacks="op",method="account/session"'] == 2
    assert counted['contract="transfer",lacks="jti",method="account/session"'] == 2
    assert counted['contract="transfer",lacks="jti",method="account/update"'] == 0


def test_by_setting_what_is_there_is_held_to_all_the_same(patient: Bank) -> None:
    user_id, jti = patient.player(), unique("j")
    first = patient.ask("account/session", user_id=user_id, jti=jti)
    assert patient.ask("account/session", user_id=user_id, jti=jti).body == first.body
    assert patient.ask("account/session", user_id=user_id, op="account/balance").code == 4
    assert patient.ask("account/session", user_id=user_id, jti="").code == 100


def test_a_long_first_answer_is_heard_again(bank: Bank) -> None:
    user_id = bank.player()
    asked = {f"stake_day:product{n}": 10 for n in range(420)}
    assert bank.ask("account/update", user_id=user_id, limits=asked).code == 0
    raised = dict.fromkeys(asked, 20)
    jti = unique("long")
    first = bank.ask("account/update", user_id=user_id, limits=raised, jti=jti)
    assert first.code == 0
    assert len(first.body) > 65_536
    assert bank.ask("account/update", user_id=user_id, limits=raised, jti=jti).body == first.body
