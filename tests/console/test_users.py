"""`wallet user …`, `wallet login`: the operator's people, and who acts at the console."""

import os
import pwd
import re
from pathlib import Path

import pytest

from app.cashier.sign_in import SignedIn, SignIn, sign_in
from app.console import operator_here
from app.console.ledger_access import operator, who
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.operators import Role, Via
from tests.cashier.till import connect
from tests.conftest import Database
from tests.console.conftest import Console

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sessions of these tests are kept in a folder of their own."""
    monkeypatch.setattr(operator_here, "FOLDER", tmp_path / "state")
    return tmp_path / "state"


def test_a_user_is_added_with_secrets_that_are_shown_once(console: Console) -> None:
    done = console("user", "add", "olga", "--role", "support", "--role", "risk")
    assert done.code == 0
    assert re.search(r"temporary password +([a-z0-9]{5}-){3}[a-z0-9]{5}\n", done.out)
    assert "otpauth://totp/Wallet:olga?secret=" in done.out
    listed = console("user", "list", "--json").document["users"]
    assert {"name": "olga", "roles": ["risk", "support"]}.items() <= listed[0].items()
    assert (
        "olga: there is a user of this name."
        in console("user", "add", "olga", "--role", "admin").err
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "add", "petra"), "name at least one: support"),
        (("user", "add", "Petra", "--role", "risk"), "begin with a letter"),
        (("user", "add", "petra", "--role", "boss"), "'boss' is not one of"),
        (("user", "roles", "a", "--role", "risk"), "begin with a letter"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    console: Console, arguments: tuple[str, ...], said: str
) -> None:
    done = console(*arguments)
    assert done.code == 2
    assert said in done.complaint


@pytest.mark.parametrize("command", ["roles", "disable", "enable", "reset"])
def test_nobody_is_changed_who_is_not_there(console: Console, command: str) -> None:
    done = console("user", command, "nobody")
    assert (done.code, done.complaint) == (1, "nobody: there is no user of this name.")


def test_roles_and_access_are_changed_and_noted_as_unverified(
    console: Console, module_db: Database
) -> None:
    console("user", "add", "rosa", "--role", "support")
    assert console("user", "roles", "rosa", "--role", "auditor").out == "rosa has auditor.\n"
    assert console("user", "roles", "rosa").out == "rosa has no roles.\n"
    assert console("user", "disable", "rosa").out == "rosa may not sign in any more.\n"
    assert console("user", "enable", "rosa").out == "rosa may sign in again.\n"
    assert console("user", "reset", "rosa", "--json").document["password"]
    rows = actions(module_db, "rosa")
    assert [row[0] for row in rows] == [
        "user.add",
        "user.roles",
        "user.roles",
        "user.disable",
        "user.enable",
        "user.reset",
    ]
    assert {row[1:] for row in rows} == {(ME, False, "console")}
    assert console("audit").code == 0


def actions(db: Database, subject: str) -> list[tuple[object, ...]]:
    import asyncio  # noqa: PLC0415

    async def ask() -> list[tuple[object, ...]]:
        connection = await connect(db.service_url)
        rows = await connection.fetch(
            "SELECT action, actor, is_verified, via FROM operator_actions"
            " WHERE subject = $1 ORDER BY action_id",
            subject,
        )
        await connection.close()
        return [tuple(row) for row in rows]

    return asyncio.run(ask())


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_no_variable_forges_a_name(
    console: Console, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "the-ceo")
    console("user", "list")
    assert who() == f"console:{ME} (not verified)"


def session(console: Console, db: Database, name: str) -> SignedIn:
    """Sign in as the demo does, and keep the token as `wallet login` does."""
    import asyncio  # noqa: PLC0415

    made = console("user", "add", name, "--role", "finance", "--json").document

    async def enter() -> SignedIn:
        ledger = PlacedLedger(db.service_url)
        attempt = SignIn(
            name, made["password"], code_of(made["totp_key"]), Via.CONSOLE, "a terminal"
        )
        done = await sign_in(ledger, attempt)
        await ledger.close()
        assert isinstance(done, SignedIn)
        return done

    signed_in = asyncio.run(enter())
    operator_here.keep_token(signed_in.token)
    return signed_in


def code_of(key: str) -> str:
    import pyotp  # noqa: PLC0415

    return str(pyotp.TOTP(key).now())


def test_who_has_signed_in_here_acts_under_their_name(
    console: Console, module_db: Database, home: Path
) -> None:
    session(console, module_db, "sonja")
    known = operator()
    assert (known.name, known.is_verified, known.roles) == (
        "sonja",
        True,
        frozenset({Role.FINANCE}),
    )
    assert who() == "console:sonja"
    (file,) = home.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert console("logout").out == "Signed out.\n"
    assert who() == f"console:{ME} (not verified)"
    assert console("logout").out == "Nobody is signed in here.\n"


def test_a_session_that_has_ended_is_told_and_nobody_else_acts_in_its_place(
    console: Console, module_db: Database
) -> None:
    session(console, module_db, "tanja")
    console("user", "disable", "tanja", "--help")
    operator_here.forget_token()
    console("user", "disable", "tanja")
    operator_here.keep_token("x" * 43)
    done = console("user", "list")
    assert done.code == 0, "who only reads needs no name"
    done = console("user", "enable", "tanja")
    assert done.code == 1
    assert done.complaint.startswith("Your session has ended")


def test_a_token_that_others_can_read_is_not_used(
    console: Console, module_db: Database, home: Path
) -> None:
    session(console, module_db, "ursula")
    (file,) = home.iterdir()
    file.chmod(0o644)
    assert not operator().is_verified


def test_a_login_wants_a_terminal(console: Console) -> None:
    done = console("login", "olga")
    assert done.code == 1
    assert done.complaint.startswith("Sign in at a terminal")
