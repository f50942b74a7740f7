"""The rules about money, enforced once more by the database's constraints."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.ledger.tables import (
    APPEND_ONLY,
    CHANGEABLE,
    CLEARED_ONLY,
    DERIVED,
    FORGOTTEN,
    OWNED_BY_MIGRATIONS,
    metadata,
)
from tests.cashier.till import Till, connect
from tests.conftest import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connected = asyncpg.Connection[asyncpg.Record]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOVEMENT: dict[str, Any] = {
    "player_id": 1,
    "position": 1,
    "version": 1,
    "source": "callback",
    "transaction_id": "t1",
    "facet": "",
    "delivery": UUID(int=1),
    "event_type": "BetPlacing",
    "direction": "debit",
    "decision": "ACCEPTED",
    "currency": "USD",
    "scale": 2,
    "amount": "10.00",
    "real_before": "100.00",
    "bonus_before": "20.00",
    "real_delta": "-10.00",
    "bonus_delta": "0.00",
    "real_after": "90.00",
    "bonus_after": "20.00",
    "contra": "house:games",
    "event_id": "event",
    "game_id": 1,
    "bonus_code": None,
    "extra_data": "{}",
    "reverses": "",
    "flags": "",
    "event_time": NOON,
    "ledger_time": NOON,
    "chain": bytes(32),
}
CREDIT = {
    "event_type": "Win",
    "direction": "credit",
    "real_delta": "10.00",
    "real_after": "110.00",
}
REFUSED = {
    "decision": "INSUFFICIENT_FUNDS",
    "real_delta": "0",
    "real_after": "100.00",
    "version": 0,
}
ROUND: dict[str, Any] = {
    "player_id": 1,
    "event_id": "event",
    "is_streamer": False,
    "agent": "house",
    "currency": "USD",
    "scale": 2,
    "game_id": 1,
    "opened_at": NOON,
    "last_at": NOON,
    "bets_placed": 2,
    "bets_standing": 1,
    "stake_real": "5",
    "stake_bonus": "5",
    "staked": "20",
    "paid": "30",
    "taken_back": "10",
    "cancels": 0,
    "remainder": "0",
    "settled": False,
    "refused_aborts": [],
}
WALLET: dict[str, Any] = {
    "player_id": 1,
    "chain": bytes(32),
    "agent": "house",
    "currency": "USD",
    "scale": 2,
}
EARLY_ABORT: dict[str, Any] = {
    "player_id": 1,
    "event_id": "event",
    "is_streamer": False,
    "transaction_id": "t1",
    "amount": "10",
    "first_at": NOON,
    "state": "waiting",
}
PLAYER: dict[str, Any] = {
    "user_id": "anna",
    "agent": "house",
    "currency": "USD",
    "scale": 2,
    "nickname": "nick",
    "language": "en",
    "created_at": NOON,
}
LARGEST = "999999999999999999.99999999"


@pytest.fixture
async def owner(module_db: Database) -> "AsyncIterator[Connected]":
    """The superuser in a transaction that leaves nothing behind."""
    connection = await connect(module_db.superuser_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def insert(connection: "Connected", table: str, row: dict[str, Any]) -> None:
    """Values go as text, so that NaN and too many digits reach the database as they are."""
    texts = {name: as_text(value) for name, value in row.items() if value is not None}
    values = ", ".join(f"${n}::text::{kind(name)}" for n, name in enumerate(texts, 1))
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(texts)}) VALUES ({values})", *texts.values()
    )


def as_text(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


KINDS = {
    **dict.fromkeys(("player_id", "position", "version", "game_id", "revision"), "bigint"),
    **dict.fromkeys(("delivery",), "uuid"),
    **dict.fromkeys(("chain", "token_hash"), "bytea"),
    **dict.fromkeys(("scale", "bets_placed", "bets_standing", "cancels", "rule_version"), "int"),
    **dict.fromkeys(("is_streamer", "settled", "is_the_only_row", "blocked"), "boolean"),
    **dict.fromkeys(
        ("event_time", "ledger_time", "opened_at", "last_at", "created_at", "issued_at"),
        "timestamptz",
    ),
    **dict.fromkeys(("expires_at", "first_at"), "timestamptz"),
    "refused_aborts": "numeric[]",
}
MONEY = {
    "amount",
    *(f"{pocket}_{when}" for pocket in ("real", "bonus") for when in ("before", "delta", "after")),
    *("stake_real", "stake_bonus", "staked", "paid", "taken_back", "remainder", "real", "bonus"),
    *("stake_day", "stake_week", "stake_month", "loss_day", "loss_week", "loss_month"),
}


def kind(name: str) -> str:
    return "numeric" if name in MONEY else KINDS.get(name, "text")


LAWFUL = [
    {},
    CREDIT,
    REFUSED,
    {"amount": "0", "real_delta": "0", "real_after": "100"},
    {"event_type": "SportBetCancel", "amount": "200", "real_delta": "-200", "real_after": "-100"},
    {"real_before": "-5", "real_delta": "0", "bonus_delta": "-10", "real_after": "-5"}
    | {"bonus_after": "10"},
    {"real_before": "-5", **CREDIT, "real_after": "5"},
    {"scale": 8, "amount": "0.00000001", "real_delta": "-0.00000001"}
    | {"real_after": "99.99999999"},
]


@pytest.mark.parametrize("change", LAWFUL, ids=str)
async def test_what_is_lawful_can_be_written(owner: "Connected", change: dict[str, Any]) -> None:
    await insert(owner, "movements", MOVEMENT | change)


UNLAWFUL = [
    ({"amount": "NaN"}, "amount_not_negative"),
    ({"amount": "NaN", "real_delta": "NaN", "real_after": "NaN"}, "NaN"),
    ({"real_delta": "NaN", "real_after": "NaN"}, "NaN"),
    ({"bonus_before": "NaN", "bonus_after": "NaN"}, "is_a_number"),
    ({"amount": "-10", "real_delta": "10", "real_after": "110"}, "amount_not_negative"),
    ({"amount": "10.001", "real_delta": "-10.001", "real_after": "89.999"}, "scale"),
    (
        {"amount": "10", "real_delta": "-9.999", "bonus_delta": "-0.001"}
        | {"real_after": "90.001", "bonus_after": "19.999"},
        "scale",
    ),
    ({"scale": 9}, "scale"),
    ({"scale": -1}, "scale"),
    ({"scale": 0, "amount": "0.5", "real_delta": "-0.5", "real_after": "99.5"}, "scale"),
    ({"real_after": "91"}, "after_is_before_plus_delta"),
    ({"bonus_after": "19"}, "after_is_before_plus_delta"),
    ({"real_delta": "-9", "real_after": "91"}, "delta_is_amount"),
    ({"real_delta": "10", "real_after": "110"}, "delta_is_amount"),
    (CREDIT | {"real_delta": "-10", "real_after": "90"}, "delta_is_amount"),
    (
        {"real_delta": "-15", "real_after": "85", "bonus_delta": "5", "bonus_after": "25"},
        "delta_is_amount",
    ),
    (
        CREDIT
        | {"real_delta": "15", "real_after": "115", "bonus_delta": "-5"}
        | {"bonus_after": "15"},
        "delta_is_amount",
    ),
    (REFUSED | {"real_delta": "-10", "real_after": "90"}, "delta_is_amount"),
    ({"amount": "110", "real_delta": "-110", "real_after": "-10"}, "no_overdraft"),
    ({"real_before": "-5", "real_after": "-15"}, "no_overdraft"),
    (
        {"event_type": "BetPayedAbort", "amount": "101", "real_delta": "-101"}
        | {"real_after": "-1"},
        "no_overdraft",
    ),
    (
        {"amount": "30", "real_delta": "0", "real_after": "100", "bonus_delta": "-30"}
        | {"bonus_after": "-10"},
        "bonus_never_negative",
    ),
    (
        {"event_type": "SportBetCancel", "amount": "30", "real_delta": "0", "real_after": "100"}
        | {"bonus_delta": "-30", "bonus_after": "-10"},
        "bonus_never_negative",
    ),
    ({"direction": "sideways"}, "direction"),
    ({"event_type": "betplacing"}, "event_type_and_direction"),
    ({"decision": "PERHAPS"}, "decision"),
    (REFUSED | {"decision": "TOKEN_EXPIRED"}, "decision"),
    ({"position": 0, "version": 0}, "version"),
    ({"version": 2}, "version"),
    ({"version": -1}, "version"),
    ({"chain": bytes(31)}, "chain_length"),
    ({"chain": b""}, "chain_length"),
]


@pytest.mark.parametrize(("change", "law"), UNLAWFUL, ids=str)
async def test_a_movement_against_the_law_is_refused(
    owner: "Connected", change: dict[str, Any], law: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await insert(owner, "movements", MOVEMENT | change)
    if law != "NaN":  # several laws refuse it
        assert error.value.constraint_name == f"ck_movements_{law}"


@pytest.mark.parametrize("infinity", ["Infinity", "-Infinity"])
@pytest.mark.parametrize("column", ["amount", "real_before", "real_after", "bonus_before"])
async def test_nothing_is_infinite(owner: "Connected", infinity: str, column: str) -> None:
    with pytest.raises((asyncpg.NumericValueOutOfRangeError, asyncpg.CheckViolationError)):
        await insert(owner, "movements", MOVEMENT | {column: infinity})


@pytest.mark.parametrize("column", [name for name in MOVEMENT if MOVEMENT[name] is not None])
async def test_a_movement_lacks_nothing_that_decides(owner: "Connected", column: str) -> None:
    if column in {"event_id", "game_id", "extra_data"}:
        await insert(owner, "movements", MOVEMENT | {column: None})
        return
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(owner, "movements", MOVEMENT | {column: None})


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"bonus": "-0.01"}, "ck_wallets_bonus_never_negative"),
        ({"real": "NaN"}, "ck_wallets_is_a_number"),
        ({"bonus": "NaN"}, "ck_wallets_is_a_number"),
        ({"version": -1}, "ck_wallets_version"),
        ({"version": 2, "position": 1}, "ck_wallets_version"),
        ({"chain": bytes(33)}, "ck_wallets_chain_length"),
        ({"scale": 9}, "ck_wallets_scale"),
        ({"scale": -1}, "ck_wallets_scale"),
        *(({name: "NaN"}, "NaN") for name in ("stake_day", "loss_day", "loss_month")),
    ],
    ids=str,
)
async def test_a_wallet_against_the_law_is_refused(
    owner: "Connected", change: dict[str, Any], law: str
) -> None:
    await insert(owner, "players", PLAYER)
    player_id = await owner.fetchval("SELECT player_id FROM players")
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await insert(owner, "wallets", WALLET | {"player_id": player_id} | change)
    assert law in {error.value.constraint_name, "NaN"}


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"bets_standing": 3}, "bets_standing"),
        ({"bets_standing": -1}, "bets_standing"),
        ({"stake_real": "-1"}, "stakes_never_negative"),
        ({"stake_bonus": "-1"}, "stakes_never_negative"),
        ({"stake_real": "16"}, "stakes_within_staked"),
        ({"taken_back": "31"}, "taken_back_within_paid"),
        ({"taken_back": "-1"}, "taken_back_within_paid"),
        ({"cancels": -1}, "cancels"),
        ({"remainder": "-1"}, "cancels"),
        ({"event_id": ""}, "event_id_length"),
        ({"event_id": "e" * 251}, "event_id_length"),
        *(({name: "NaN"}, "NaN") for name in ("stake_real", "staked", "paid", "remainder")),
    ],
    ids=str,
)
async def test_a_round_against_the_law_is_refused(
    owner: "Connected", change: dict[str, Any], law: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await insert(owner, "rounds", ROUND | change)
    assert law == "NaN" or error.value.constraint_name == f"ck_rounds_{law}"


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"nickname": "ab"}, "nickname_length"),
        ({"nickname": "a" * 65}, "nickname_length"),
        ({"user_id": ""}, "user_id_length"),
        ({"user_id": "u" * 251}, "user_id_length"),
        ({"scale": 9}, "scale"),
    ],
    ids=str,
)
async def test_a_player_against_the_law_is_refused(
    owner: "Connected", change: dict[str, Any], law: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await insert(owner, "players", PLAYER | change)
    assert error.value.constraint_name == f"ck_players_{law}"


@pytest.mark.parametrize("column", ["agent", "currency", "scale", "chain"])
async def test_a_wallet_lacks_nothing_that_decides(owner: "Connected", column: str) -> None:
    await insert(owner, "players", PLAYER)
    player_id = await owner.fetchval("SELECT player_id FROM players")
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(owner, "wallets", WALLET | {"player_id": player_id, column: None})


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"amount": "-0.01"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"state": "WAITING"}, "state"),
        ({"state": ""}, "state"),
    ],
    ids=str,
)
async def test_an_early_abort_against_the_law_is_refused(
    owner: "Connected", change: dict[str, Any], law: str
) -> None:
    await insert(owner, "early_aborts", EARLY_ABORT | {"transaction_id": "lawful"})
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await insert(owner, "early_aborts", EARLY_ABORT | change)
    assert error.value.constraint_name == f"ck_early_aborts_{law}"


@pytest.mark.parametrize("is_the_only_row", [True, False])
async def test_the_settings_that_decide_money_are_one_row(
    owner: "Connected", *, is_the_only_row: bool
) -> None:
    row = {"is_the_only_row": is_the_only_row, "rule_version": 2}
    with pytest.raises((asyncpg.UniqueViolationError, asyncpg.CheckViolationError)):
        await insert(owner, "decision_settings", row)


async def test_a_transaction_key_is_there_once(owner: "Connected") -> None:
    key = {"source": "callback", "transaction_id": "t", "facet": "", "player_id": 1, "position": 1}
    await insert(owner, "transaction_keys", key)
    for change in ({"source": "house"}, {"facet": "PromoWin:debit"}, {"transaction_id": "T"}):
        await insert(owner, "transaction_keys", key | change)
    with pytest.raises(asyncpg.UniqueViolationError) as error:
        await insert(owner, "transaction_keys", key | {"player_id": 2})
    assert error.value.constraint_name == "pk_transaction_keys"


async def test_the_longest_ids_of_widest_characters_fit_every_index(till: Till) -> None:
    """250 characters of four bytes each: an index row has room for a third of a page."""
    wide = "\N{PILE OF POO}" * 250
    await till.player(wide, "100")
    receipt = await till.one(till.bet(wide, transaction_id=wide, event_id=wide))
    again = await till.one(
        till.movement(wide, "Win", "credit", "5", transaction_id=wide[1:], event_id=wide)
    )
    assert type(receipt) is type(again)
    await till.is_sound()


@pytest.fixture
def urls(module_db: Database) -> dict[str, str]:
    return {
        "superuser": module_db.superuser_url,
        "owner": module_db.owner_url,
        "service": module_db.service_url,
    }


REPLACE_RECORD = (
    "CREATE OR REPLACE FUNCTION record_movements_v2(decision_settings_v2, wallet_row_v1[],"
    " journal_row_v1[], round_row_v1[], early_abort_row_v1[], refusal_row_v1[],"
    " session_row_v1[], position_row_v1[], counter_row_v1[], limit_hit_row_v1[],"
    " hold_row_v1[], timestamptz) RETURNS void LANGUAGE sql AS 'SELECT'"
)
REPLACE_LAW = (
    "CREATE OR REPLACE FUNCTION round_is_lawful_v1(text, int, int, numeric, numeric, numeric,"
    " numeric, numeric, int, numeric) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true"
)
CHANGE_LAWS = (
    REPLACE_LAW,
    "ALTER FUNCTION wallet_is_lawful_v1 RENAME TO wallet_was_lawful_v1",
    "ALTER FUNCTION movement_is_lawful_v1 SET search_path = pg_temp",
    "DROP FUNCTION movement_is_lawful_v1 CASCADE",
    "CREATE SCHEMA mine",
    "CREATE OPERATOR public.<> (FUNCTION = numeric_eq, LEFTARG = numeric, RIGHTARG = numeric)",
)
"""The last two: a function's words mean what the search path leads to."""


class TestAppendOnly:
    STATEMENTS = (
        "UPDATE {table} SET {column} = {column}",
        "UPDATE {table} SET {column} = {column} WHERE false",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "TRUNCATE {table} CASCADE",
    )

    @pytest.mark.parametrize("table", APPEND_ONLY)
    @pytest.mark.parametrize("role", ["superuser", "owner"])
    async def test_a_trigger_stops_even_the_owner_and_the_superuser(
        self, urls: dict[str, str], table: str, role: str
    ) -> None:
        connection = await connect(urls[role])
        column = metadata.tables[table].columns.keys()[-1]
        for statement in self.STATEMENTS:
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await connection.execute(statement.format(table=table, column=column))
        await connection.close()

    @pytest.mark.parametrize("table", APPEND_ONLY)
    async def test_the_service_has_not_even_the_privilege(
        self, urls: dict[str, str], table: str
    ) -> None:
        connection = await connect(urls["service"])
        column = metadata.tables[table].columns.keys()[-1]
        for statement in self.STATEMENTS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(table=table, column=column))
        await connection.close()

    @pytest.mark.parametrize(("table", "column"), CLEARED_ONLY.items())
    async def test_of_a_table_that_forgets_one_column_is_cleared_and_nothing_else(
        self, urls: dict[str, str], table: str, column: str
    ) -> None:
        service, owner = await connect(urls["service"]), await connect(urls["superuser"])
        await owner.execute(
            "INSERT INTO request_ids VALUES ('a', 'b', 'c', $1, $2, $3, 'kept')"
            " ON CONFLICT DO NOTHING",
            *(bytes(32), UUID(int=1), NOON),
        )
        for other in metadata.tables[table].columns.keys():  # noqa: SIM118 - columns, by name
            if other != column:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(f"UPDATE {table} SET {other} = {other}")
                with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                    await owner.execute(f"UPDATE {table} SET {other} = {other}")
        for connection in (service, owner):
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await connection.execute(f"UPDATE {table} SET {column} = 'another'")
            await connection.execute(f"UPDATE {table} SET {column} = NULL")
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await owner.execute(statement)
        await service.close()
        await owner.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TABLE movements DISABLE TRIGGER ALL",
            "DROP TABLE movements",
            "DROP TRIGGER append_only ON movements",
            "SET session_replication_role = replica",
            "CREATE TABLE mine (a int)",
            "DELETE FROM wallets",
            "DELETE FROM sessions",
            "DELETE FROM players",
            "DELETE FROM rounds",
            "DELETE FROM unanswered",
            "TRUNCATE wallets CASCADE",
            "ALTER FUNCTION forbid_change() OWNER TO wallet_service",
            "DELETE FROM early_aborts",
            "UPDATE decision_settings SET rule_version = 1",
            "DELETE FROM decision_settings",
            "INSERT INTO decision_settings VALUES (true, 1)",
            REPLACE_RECORD,
            *CHANGE_LAWS,
        ],
    )
    async def test_the_service_owns_nothing(self, urls: dict[str, str], statement: str) -> None:
        connection = await connect(urls["service"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        await connection.close()

    async def test_the_service_may_do_what_it_must_and_no_more(self, module_db: Database) -> None:
        connection = await connect(module_db.superuser_url)
        rows = await connection.fetch(
            "SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)"
            " FROM information_schema.role_table_grants"
            " WHERE grantee = 'wallet_service' AND table_schema = 'public' GROUP BY 1"
        )
        columns = await connection.fetch(
            "SELECT table_name, array_agg(column_name::text)"
            " FROM information_schema.role_column_grants WHERE grantee = 'wallet_service'"
            " AND table_schema = 'public' AND privilege_type = 'UPDATE' GROUP BY 1"
        )
        await connection.close()
        read_only = (
            *OWNED_BY_MIGRATIONS,
            "decision_setting_changes",
            "account_openings",
            "ledger_settings",
        )
        expected = dict.fromkeys(metadata.tables, "INSERT SELECT") | dict.fromkeys(
            (*read_only, "alembic_version"), "SELECT"
        )
        derived = [table.name for table in DERIVED]
        expected |= dict.fromkeys((*FORGOTTEN, *derived), "DELETE INSERT SELECT")
        assert {row[0]: row[1] for row in rows} == expected
        assert {row[0]: set(row[1]) for row in columns} == {
            table: set(names) for table, names in CHANGEABLE.items()
        } | {table: {column} for table, column in CLEARED_ONLY.items()}

    async def test_every_table_is_append_only_or_meant_to_change_or_not_ours(self) -> None:
        assert {
            *APPEND_ONLY,
            *CLEARED_ONLY,
            *CHANGEABLE,
            *FORGOTTEN,
            *OWNED_BY_MIGRATIONS,
        } == set(metadata.tables)


async def test_the_models_make_the_same_checks_and_indexes_as_the_migrations(
    db: Database, empty_db: Database
) -> None:
    """Autogenerate compares columns and names; it does not read a CHECK."""
    migrated = await definitions(db.superuser_url)
    engine = create_async_engine(empty_db.superuser_url)
    async with engine.begin() as connection:
        await connection.run_sync(create_all)
    await engine.dispose()
    made = await definitions(empty_db.superuser_url)
    assert made == migrated


def create_all(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(text("SELECT 1"))


async def definitions(url: str) -> set[tuple[str, ...]]:
    connection = await connect(url)
    rows = await connection.fetch(
        """
        SELECT conrelid::regclass::text AS place, conname AS name, pg_get_constraintdef(oid) AS def
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
          AND conrelid::regclass::text <> 'alembic_version'
        UNION ALL
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        UNION ALL
        SELECT 'options', relname, reloptions::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
          AND relname <> 'alembic_version'
        UNION ALL
        SELECT 'laws', proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname ~ '_is_lawful_v'
        """
    )
    await connection.close()
    return {tuple(map(str, row)) for row in rows}


async def test_every_accepted_movement_is_entries_that_sum_to_zero(till: Till) -> None:
    await till.player("anna", "100", "50")
    await till.move(
        till.bet(amount="120"),
        till.bet(amount="5000"),
        till.movement("anna", "Win", "credit", "33.33"),
        till.movement("anna", "SportBetCancel", "debit", "400"),
        till.movement("anna", "DropAndWin", "credit", "7", bonus_code="FREE"),
        till.movement("anna", "technicalFix", "debit", "0"),
    )
    rows = await till.rows(
        "SELECT player_id, position, sum(amount) AS sum, count(*) AS entries"
        " FROM ops.entries GROUP BY 1, 2"
    )
    assert len(rows) == await till.count("movements", "decision = 'ACCEPTED'") == 7
    assert {row["sum"] for row in rows} == {0}
    (row,) = await till.rows(
        "SELECT (SELECT sum(balance) FROM ops.house_accounts)"
        " + (SELECT sum(real + bonus) FROM wallets) AS whole"
    )
    assert row["whole"] == 0, "the house holds what the players lack"


async def test_no_player_data_is_keyed_without_its_player(module_db: Database) -> None:
    """The player leads every key, so that the tables can be distributed by player."""
    connection = await connect(module_db.superuser_url)
    rows = await connection.fetch(
        "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c JOIN pg_attribute a"
        " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'p'"
        " AND c.connamespace = 'public'::regnamespace"
    )
    await connection.close()
    first = {row[0]: row[1] for row in rows}
    unled = {table for table, column in first.items() if column not in {"player_id", "user_id"}}
    of_the_whole_ledger = {
        "request_ids",
        "ledger_settings",
        "decision_setting_changes",
        "operators",
        "operator_sessions",
        "operator_actions",
        "seals",
        "reconciliation_runs",
        "reconciliation_differences",
        "closed_days",
        "game_names",
        "adjustments",
        "adjustment_decisions",
        "exceptions",
        "exception_steps",
        "exception_collections",
        "audit_runs",
        "backup_notes",
        "imports",
        "shadow_marks",
        "event_log",
        "event_log_buckets",
        "event_log_heads",
        "event_log_progress",
        "ledger_timelines",
        "ledger_timeline_answers",
        "webhook_deliverers",
        "slip_progress",
        "sport_liabilities",
        "webhook_endpoints",
        "webhook_retries",
        "webhook_shards",
        *FORGOTTEN,
        *OWNED_BY_MIGRATIONS,
    }
    assert unled == {"transaction_keys", "maintenance_notices"} | of_the_whole_ledger | (
        {"alembic_version"} & unled
    )


async def test_two_openings_of_one_account_make_one_wallet(till: Till) -> None:
    await asyncio.gather(*(till.player("anna") for _ in range(6)))
    assert await till.count("players") == await till.count("wallets") == 1
