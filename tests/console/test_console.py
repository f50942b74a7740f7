"""Console commands: each does one thing, or reports one sentence why it cannot."""

import json
import subprocess
from pathlib import Path

import pytest

from app.ledger.revisions import head_revision
from app.postgres import EmbeddedPostgres
from tests.conftest import Database
from tests.console.console import wallet
from tests.data_folders import copy_made, copy_migrated


def is_one_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    said = done.stderr.rstrip("\n")
    return done.stdout == "" and "\n" not in said and "Traceback" not in said and said != ""


def test_help_names_the_commands(tmp_path: Path) -> None:
    done = wallet(tmp_path, "--help")
    assert done.returncode == 0
    for command in (
        *("serve", "migrate", "simulate", "audit", "player", "token", "deposit", "withdraw"),
        *("grant", "revoke", "movement", "round", "agent", "transfer"),
    ):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "WALLET_CALLBACK_KEYS is missing"),
        ({"WALLET_CALLBACK_KEYS": "key", "WALLET_PORT": "seven"}, "WALLET_PORT "),
        ({"WALLET_CALLBACK_KEYS": "key", "WALLET_PROT": "8080"}, "did you mean WALLET_PORT?"),
    ],
)
def test_settings_at_fault_stop_the_start_with_a_sentence_and_code_2(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    done = wallet(tmp_path, "serve", **settings)
    assert done.returncode == 2
    assert named in done.stderr
    assert is_one_sentence(done)
    assert not (tmp_path / ".wallet").exists()


def test_the_demo_refuses_to_listen_beyond_this_machine(tmp_path: Path) -> None:
    done = wallet(tmp_path, "serve", "--demo", WALLET_HOST="0.0.0.0")  # noqa: S104
    assert done.returncode == 2
    assert "WALLET_HOST must be a loopback address" in done.stderr
    assert is_one_sentence(done)


def test_migrate_brings_the_embedded_database_to_the_newest(tmp_path: Path) -> None:
    done = wallet(tmp_path, "migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The schema went from nothing to {head_revision()}.\n"
    again = wallet(tmp_path, "migrate")
    assert again.stdout == f"The schema already was the newest, {head_revision()}.\n"


def test_a_command_joins_the_server_that_runs_on_the_same_data(tmp_path: Path) -> None:
    copy_migrated(tmp_path / ".wallet")
    with EmbeddedPostgres.start_or_join(tmp_path / ".wallet", fsync=False) as server:
        again = wallet(tmp_path, "migrate")
        assert again.stdout.startswith("The schema already was the newest")
        assert not server.joined


def test_migrate_needs_no_keys_and_runs_as_the_owner(tmp_path: Path, empty_db: Database) -> None:
    done = wallet(
        tmp_path,
        "migrate",
        WALLET_DATABASE_URL=empty_db.service_url,
        WALLET_OWNER_DATABASE_URL=empty_db.owner_url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / ".wallet").exists()


def test_migrate_tells_programs_where_the_schema_is(tmp_path: Path, db: Database) -> None:
    urls = {"WALLET_DATABASE_URL": db.service_url, "WALLET_OWNER_DATABASE_URL": db.owner_url}
    done = wallet(tmp_path, "migrate", "--json", **urls)
    head = head_revision()
    assert json.loads(done.stdout) == {"before": head, "after": head}


def test_serve_on_a_named_database_that_is_behind_names_wallet_migrate(
    tmp_path: Path, empty_db: Database
) -> None:
    done = wallet(
        tmp_path,
        "serve",
        WALLET_CALLBACK_KEYS="a-key-of-the-operator",
        WALLET_DATABASE_URL=empty_db.service_url,
        WALLET_PORT="0",
    )
    assert done.returncode == 1
    assert "`wallet migrate`" in done.stderr
    assert is_one_sentence(done)


def test_a_database_that_is_away_is_told_in_a_sentence_without_its_password(
    tmp_path: Path,
) -> None:
    done = wallet(
        tmp_path,
        "serve",
        WALLET_CALLBACK_KEYS="a-key-of-the-operator",
        WALLET_DATABASE_URL="postgresql://wallet:a-password@127.0.0.1:1/wallet",
        WALLET_PORT="0",
    )
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "a-password" not in done.stderr
    assert is_one_sentence(done)


@pytest.mark.parametrize("url", ["wrong_password", "no_such_database"])
def test_a_database_that_lets_nobody_in_is_told_in_a_sentence(tmp_path: Path, url: str) -> None:
    copy_made(tmp_path / "data")
    with EmbeddedPostgres.start_or_join(tmp_path / "data", fsync=False, loopback=True) as server:
        right = server.url_for("wallet_service")
        password = right.split("wallet_service:")[1].split("@")[0]
        wrong = {
            "wrong_password": right.replace(password, "a-password"),
            "no_such_database": server.url_for("wallet_service", "nowhere"),
        }[url]
        done = wallet(
            tmp_path,
            "serve",
            WALLET_CALLBACK_KEYS="a-key-of-the-operator",
            WALLET_DATABASE_URL=wrong,
            WALLET_PORT="0",
        )
    assert done.returncode == 1
    assert is_one_sentence(done)
    assert "a-password" not in done.stderr
