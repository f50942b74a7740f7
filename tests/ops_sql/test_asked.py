"""What was asked is one JSON object of the fields as they were sent, in either contract."""

import json

import pytest

from tests.conftest import Database, schema_for, sql
from tests.ops_sql.conftest import Psql

SOURCE = '"' + "x" * 400
SHAPES = {
    "now": '{"user_id":"anna","limits":{"stake_day": "5"},"ttl_seconds":60}',
    "before": json.dumps(
        {"user_id": '"anna"', "limits": '{"stake_day": "5"}', "ttl_seconds": "60"}
    ),
}
PLAIN = {"user_id": "anna", "limits": {"stake_day": "5"}, "ttl_seconds": 60}

CHANGE = f"""
INSERT INTO {schema_for("anna")}.players (user_id, agent, currency, scale, nickname, language,
    created_at)
VALUES ('anna', 'house', 'USD', 2, 'Anna', 'en', now()) ON CONFLICT DO NOTHING;
INSERT INTO {schema_for("anna")}.account_changes (player_id, source, operation, asked, outcome,
    delivery, event_time, ledger_time)
SELECT player_id, '{{source}}', 'account/update', '{{asked}}', '{{{{}}}}', gen_random_uuid(), now(),
       now()
FROM {schema_for("anna")}.players WHERE user_id = 'anna'
"""
REFUSAL = """
INSERT INTO refusals (user_id, source, operation, refusal, reason, asked, delivery, event_time,
    ledger_time)
VALUES ('anna', '{source}', '{operation}', 'FORMAT', 'why', '{asked}', gen_random_uuid(), now(),
        now())
"""


def asked(db: Database, statement: str, view: str, /, **values: str) -> object:
    """Write a row, and read what its view says was asked."""
    quoted = {name: value.replace("'", "''") for name, value in values.items()}
    sql(db.server, statement.format(**quoted), db.name)
    ((text,),) = Psql(db).rows(f"SELECT asked FROM ops.{view}")
    return json.loads(text)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_change_by_the_transfer_api(db: Database, shape: str) -> None:
    assert asked(db, CHANGE, "account_changes", source="house", asked=shape) == PLAIN


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_refusal_of_the_transfer_api(db: Database, shape: str) -> None:
    values = {"source": "house", "operation": "account/update", "asked": shape}
    assert asked(db, REFUSAL, "refusals", **values) == PLAIN


def test_what_the_console_and_the_game_side_asked_stays_as_it_is(db: Database) -> None:
    texts = {"userId": "anna", "extraData": '{"odds": "1.5"}', "amount": "5"}
    values = {"source": "callback", "operation": "moveFunds", "asked": json.dumps(texts)}
    assert asked(db, REFUSAL, "refusals", **values) == texts
    noted = {"user_id": "anna", "limits": {"stake_day": "5"}}
    values = {"source": "console:root", "asked": json.dumps(noted)}
    assert asked(db, CHANGE, "account_changes", **values) == noted


def test_a_text_that_was_cut_stays_a_text(db: Database) -> None:
    before = json.dumps({"user_id": '"anna"', "nickname": SOURCE[:300]})
    assert asked(db, CHANGE, "account_changes", source="house", asked=before) == {
        "user_id": "anna",
        "nickname": SOURCE[:300],
    }


def test_nothing_asked_is_nothing_asked(db: Database) -> None:
    assert asked(db, CHANGE, "account_changes", source="house", asked="{}") == {}
