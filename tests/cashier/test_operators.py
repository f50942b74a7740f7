"""Operators: added, signed in and out, throttled, disabled; every step is noted."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest

from app.cashier.audit import audit
from app.cashier.operators import (
    NewSecrets,
    UserRefusal,
    change_roles,
    create_user,
    disable_user,
    record_action,
    reset_user,
    users,
)
from app.cashier.passwords import STEP_SECONDS
from app.cashier.sign_in import (
    REFUSALS_FROM_SOURCE_MAX,
    REFUSALS_OF_NAME_MAX,
    REFUSALS_WITHIN,
    SESSION_LIFE,
    SignedIn,
    SignIn,
    SignInRefusal,
    choose_password,
    current_session,
    sign_in,
    sign_out,
)
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.operator_actions import Action
from app.ledger.transaction import Ledger
from app.wallet.operators import Operator, Role, Via
from tests.cashier.till import connect
from tests.conftest import Database

CONSOLE = Operator("root", False, frozenset(), Via.CONSOLE, "here")  # noqa: FBT003
NEW_PASSWORD = "a longer password of their own"
ADDRESS = "192.0.2.1"


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def goes(self, **by: int) -> None:
        self.now += timedelta(**by)


@dataclass
class Office:
    """A ledger whose clock the test sets, and people who sign in to it."""

    ledger: Ledger
    db: Database
    clock: Clock
    secrets: dict[str, NewSecrets] = field(default_factory=dict)

    async def add(self, name: str, *roles: Role, by: Operator = CONSOLE) -> NewSecrets:
        made = await create_user(self.ledger, by, name, roles)
        assert isinstance(made, NewSecrets)
        self.secrets[name] = made
        return made

    def code(self, name: str) -> str:
        key = self.secrets[name].totp_key
        assert key is not None
        return str(pyotp.TOTP(key).at(self.clock.now))

    def attempt(self, name: str, /, **changes: Any) -> SignIn:  # noqa: ANN401 - its fields
        known = name in self.secrets
        attempt = SignIn(
            name,
            self.secrets[name].password if known else "whatever it is",
            self.code(name) if known else "000000",
            Via.PAGE,
            ADDRESS,
        )
        return replace(attempt, **changes)

    async def enter(self, name: str, /, **changes: Any) -> SignedIn | SignInRefusal:  # noqa: ANN401
        return await sign_in(self.ledger, self.attempt(name, **changes))

    async def entered(self, name: str) -> SignedIn:
        signed_in = await self.enter(name)
        assert isinstance(signed_in, SignedIn)
        return signed_in

    async def actions(self) -> list[tuple[str, str, str, str]]:
        connection = await connect(self.db.service_url)
        rows = await connection.fetch("SELECT * FROM operator_actions ORDER BY action_id")
        await connection.close()
        return [(row["actor"], row["action"], row["subject"], row["outcome"]) for row in rows]

    async def is_sound(self) -> None:
        findings = await audit(self.db.service_url)
        assert findings.is_clean, findings.breaches


@pytest.fixture
async def office(db: Database) -> AsyncIterator[Office]:
    clock = Clock()
    ledger = PlacedLedger(db.service_url, clock=clock)
    yield Office(ledger, db, clock)
    await ledger.close()


async def test_who_signs_in_is_known_by_name_and_roles(office: Office) -> None:
    await office.add("anna", Role.SUPPORT, Role.RISK)
    signed_in = await office.entered("anna")
    assert signed_in.password_is_temporary
    session = await current_session(office.ledger, signed_in.token, "192.0.2.9")
    assert session is not None
    assert session.operator == Operator(
        "anna",
        is_verified=True,
        roles=frozenset({Role.SUPPORT, Role.RISK}),
        via=Via.PAGE,
        source="192.0.2.9",
    )
    assert await office.actions() == [
        ("root", "user.add", "anna", "done"),
        ("anna", "login", "anna", "done"),
    ]
    await office.is_sound()


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "not the password"},
        {"password": ""},
        {"code": "000000"},
        {"code": ""},
        {"code": "12345٣"},
        {"name": "nobody"},
        {"name": "ANNA"},
        {"name": "x" * 300},
    ],
)
async def test_one_thing_wrong_is_refused_and_noted(
    office: Office, changes: dict[str, str]
) -> None:
    await office.add("anna", Role.SUPPORT)
    assert await office.enter("anna", **changes) is SignInRefusal.WRONG
    who = "" if "name" in changes else "anna"
    assert (await office.actions())[1:] == [(who, "login", "", "refused")]
    assert await office.entered("anna")
    await office.is_sound()


async def test_a_code_holds_once(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    await office.entered("anna")
    assert await office.enter("anna") is SignInRefusal.WRONG
    office.clock.goes(seconds=STEP_SECONDS)
    await office.entered("anna")


async def test_two_sign_ins_with_one_code_at_once_make_one_session(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    both = await asyncio.gather(office.enter("anna"), office.enter("anna"))
    assert sorted(isinstance(one, SignedIn) for one in both) == [False, True]
    await office.is_sound()


@pytest.mark.parametrize(("steps", "holds"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_clock_may_be_off_by_one_step(office: Office, steps: int, *, holds: bool) -> None:
    await office.add("anna", Role.SUPPORT)
    code = office.code("anna")
    office.clock.goes(seconds=steps * STEP_SECONDS)
    assert isinstance(await office.enter("anna", code=code), SignedIn) is holds


async def test_who_is_refused_too_often_waits_even_with_the_right_password(
    office: Office,
) -> None:
    await office.add("anna", Role.SUPPORT)
    for _ in range(REFUSALS_OF_NAME_MAX):
        assert await office.enter("anna", password="no") is SignInRefusal.WRONG
    assert await office.enter("anna") is SignInRefusal.TOO_OFTEN
    assert await office.enter("anna", source="198.51.100.7") is SignInRefusal.TOO_OFTEN
    assert len(await office.actions()) == 1 + REFUSALS_OF_NAME_MAX, "what is throttled is not kept"
    office.clock.goes(seconds=REFUSALS_WITHIN // timedelta(seconds=1) + 1)
    await office.entered("anna")


async def test_a_sign_in_ends_the_count_of_its_name(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    for _ in range(2):
        for _ in range(REFUSALS_OF_NAME_MAX - 1):
            await office.enter("anna", password="no")
            office.clock.goes(seconds=1)
        office.clock.goes(seconds=STEP_SECONDS)
        await office.entered("anna")


async def test_who_tries_many_names_from_one_address_waits(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    action = Action("login", "user", "", bytes(16), is_done=False)
    tried = Operator("", False, frozenset(), Via.PAGE, ADDRESS)  # noqa: FBT003
    for _ in range(REFUSALS_FROM_SOURCE_MAX):
        await record_action(office.ledger, tried, action)
    assert await office.enter("anna") is SignInRefusal.TOO_OFTEN
    assert isinstance(await office.enter("anna", source="198.51.100.7"), SignedIn)


async def test_who_has_no_second_factor_signs_in_only_where_none_is_asked_for(
    office: Office,
) -> None:
    made = await create_user(office.ledger, CONSOLE, "demo", (), has_code=False, password="demo")
    assert isinstance(made, NewSecrets)
    attempt = SignIn("demo", "demo", "", Via.PAGE, ADDRESS)
    assert await sign_in(office.ledger, attempt) is SignInRefusal.NO_SECOND_FACTOR
    signed_in = await sign_in(office.ledger, replace(attempt, takes_code=False))
    assert isinstance(signed_in, SignedIn)
    assert not signed_in.password_is_temporary


class TestASessionEnds:
    async def test_when_it_is_not_used(self, office: Office) -> None:
        await office.add("anna", Role.SUPPORT)
        token = (await office.entered("anna")).token
        for minutes, is_live in ((29, True), (29, True), (31, False)):
            office.clock.goes(minutes=minutes)
            session = await current_session(office.ledger, token, ADDRESS)
            assert (session is not None) is is_live

    async def test_when_its_day_is_over_however_much_it_is_used(self, office: Office) -> None:
        await office.add("anna", Role.SUPPORT)
        token = (await office.entered("anna")).token
        minutes = 0
        while await current_session(office.ledger, token, ADDRESS):
            office.clock.goes(minutes=20)
            minutes += 20
        assert timedelta(minutes=minutes) == SESSION_LIFE

    async def test_at_logout(self, office: Office) -> None:
        await office.add("anna", Role.SUPPORT)
        one = await office.entered("anna")
        office.clock.goes(seconds=STEP_SECONDS)
        other = await office.entered("anna")
        await sign_out(office.ledger, one.token, ADDRESS)
        assert await current_session(office.ledger, one.token, ADDRESS) is None
        assert await current_session(office.ledger, other.token, ADDRESS) is not None
        assert (await office.actions())[-1] == ("anna", "logout", "anna", "done")

    async def test_when_its_person_is_disabled_who_then_signs_in_no_more(
        self, office: Office
    ) -> None:
        await office.add("anna", Role.SUPPORT)
        token = (await office.entered("anna")).token
        await disable_user(office.ledger, CONSOLE, "anna")
        assert await current_session(office.ledger, token, ADDRESS) is None
        office.clock.goes(seconds=STEP_SECONDS)
        assert await office.enter("anna") is SignInRefusal.WRONG
        await disable_user(office.ledger, CONSOLE, "anna", is_disabled=False)
        assert await current_session(office.ledger, token, ADDRESS) is None
        office.clock.goes(seconds=STEP_SECONDS)
        await office.entered("anna")
        await office.is_sound()

    async def test_when_its_person_chooses_a_password(self, office: Office) -> None:
        old = (await office.add("anna", Role.SUPPORT)).password
        first = await office.entered("anna")
        chosen = await choose_password(office.ledger, first.operator, old, NEW_PASSWORD)
        assert isinstance(chosen, SignedIn)
        assert await current_session(office.ledger, first.token, ADDRESS) is None
        session = await current_session(office.ledger, chosen.token, ADDRESS)
        assert session is not None
        assert not session.password_is_temporary
        office.clock.goes(seconds=STEP_SECONDS)
        assert await office.enter("anna") is SignInRefusal.WRONG
        assert isinstance(await office.enter("anna", password=NEW_PASSWORD), SignedIn)

    async def test_when_its_person_gets_new_secrets(self, office: Office) -> None:
        await office.add("anna", Role.SUPPORT)
        token = (await office.entered("anna")).token
        reset = await reset_user(office.ledger, CONSOLE, "anna")
        assert isinstance(reset, NewSecrets)
        assert await current_session(office.ledger, token, ADDRESS) is None
        office.clock.goes(seconds=STEP_SECONDS)
        assert await office.enter("anna") is SignInRefusal.WRONG
        office.secrets["anna"] = reset
        assert (await office.entered("anna")).password_is_temporary
        await office.is_sound()


async def test_a_new_password_is_held_to_its_rules(office: Office) -> None:
    old = (await office.add("anna", Role.SUPPORT)).password
    operator = (await office.entered("anna")).operator
    short = await choose_password(office.ledger, operator, old, "short")
    assert short == "must have 12 characters or more"
    assert await choose_password(office.ledger, operator, old, old) == (
        "must differ from the old one"
    )
    wrong = await choose_password(office.ledger, operator, "not it", NEW_PASSWORD)
    assert wrong is SignInRefusal.WRONG


async def test_a_change_of_roles_holds_at_once_in_sessions_that_are_open(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    token = (await office.entered("anna")).token
    await change_roles(office.ledger, CONSOLE, "anna", [Role.AUDITOR])
    session = await current_session(office.ledger, token, ADDRESS)
    assert session is not None
    assert session.operator.roles == {Role.AUDITOR}
    await office.is_sound()


async def test_nobody_changes_their_own_roles(office: Office) -> None:
    await office.add("anna", Role.ADMIN)
    anna = (await office.entered("anna")).operator
    assert await change_roles(office.ledger, anna, "anna", list(Role)) is UserRefusal.OWN
    assert await disable_user(office.ledger, anna, "anna") is UserRefusal.OWN


async def test_who_signed_in_without_that_role_changes_nobody(office: Office) -> None:
    await office.add("anna", Role.SUPPORT, Role.APPROVER, Role.AUDITOR)
    await office.add("bert", Role.SUPPORT)
    anna = (await office.entered("anna")).operator
    before = await office.actions()
    for change in (
        create_user(office.ledger, anna, "carl", [Role.ADMIN]),
        change_roles(office.ledger, anna, "bert", [Role.ADMIN]),
        disable_user(office.ledger, anna, "bert"),
        reset_user(office.ledger, anna, "bert"),
    ):
        assert await change is UserRefusal.NOT_ALLOWED
    assert await office.actions() == before
    assert [user.name for user in await users(office.ledger)] == ["anna", "bert"]


async def test_a_person_of_the_demo_is_reset_without_a_code(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    made = await reset_user(office.ledger, CONSOLE, "anna", has_code=False, reason="forgot it")
    assert isinstance(made, NewSecrets)
    assert made.totp_key is None
    entered = await office.enter("anna", password=made.password, code="", takes_code=False)
    assert isinstance(entered, SignedIn)
    assert entered.password_is_temporary


async def test_a_name_is_given_once_and_an_unknown_one_has_nothing_to_change(
    office: Office,
) -> None:
    await office.add("anna", Role.SUPPORT)
    assert await create_user(office.ledger, CONSOLE, "anna", ()) is UserRefusal.TAKEN
    for change in (
        change_roles(office.ledger, CONSOLE, "bert", ()),
        disable_user(office.ledger, CONSOLE, "bert"),
        reset_user(office.ledger, CONSOLE, "bert"),
    ):
        assert await change is UserRefusal.UNKNOWN
    assert [user.name for user in await users(office.ledger)] == ["anna"]
    assert len(await office.actions()) == 1


async def test_no_secret_is_kept_as_it_is(office: Office) -> None:
    made = await office.add("anna", Role.SUPPORT)
    signed_in = await office.entered("anna")
    connection = await connect(office.db.superuser_url)
    rows = [
        json.dumps(dict(row), default=str)
        for table in ("operators", "operator_sessions", "operator_actions")
        for row in await connection.fetch(f"SELECT * FROM {table}")
    ]
    await connection.close()
    assert not [row for row in rows if made.password in row or signed_in.token in row]
    assert "$argon2id$" in "".join(rows)


async def test_actions_that_are_noted_at_once_are_one_chain(office: Office) -> None:
    await office.add("anna", Role.SUPPORT)
    anna = (await office.entered("anna")).operator
    hostile = "<script>|\x1b[2J\u202e|" * 10
    looks = (
        Action("player.look", "player", f"{hostile}{number}", bytes(16), reason=hostile)
        for number in range(12)
    )
    await asyncio.gather(*(record_action(office.ledger, anna, look) for look in looks))
    assert len(await office.actions()) == 14
    await office.is_sound()
