"""The operator's people: what each role may, and who may be one person."""

import pytest

from app.wallet.operators import (
    MAY,
    NAME,
    Operator,
    Permission,
    Role,
    Via,
    is_same_person,
    password_fault,
)


def person(name: str, *roles: Role, is_verified: bool = True) -> Operator:
    return Operator(name, is_verified, frozenset(roles), Via.PAGE, "127.0.0.1")


LOOKS = {Permission.LOOK, Permission.REPORT, Permission.RISK, Permission.ACTIONS}


def test_an_auditor_looks_at_everything_and_acts_on_nothing() -> None:
    assert MAY[Role.AUDITOR] == LOOKS


def test_an_admin_changes_users_and_sees_no_player() -> None:
    assert MAY[Role.ADMIN] == {Permission.USERS, Permission.ACTIONS, Permission.RESTORE}


def test_no_role_both_asks_for_adjustments_and_approves_them() -> None:
    assert not [role for role in Role if {Permission.ADJUST, Permission.APPROVE} <= MAY[role]]


def test_who_has_two_roles_may_what_either_may() -> None:
    both = person("anna", Role.SUPPORT, Role.APPROVER)
    assert both.may(Permission.BLOCK)
    assert both.may(Permission.APPROVE)
    assert not both.may(Permission.USERS)


def test_who_has_no_role_may_nothing() -> None:
    assert not [permission for permission in Permission if person("anna").may(permission)]


def test_two_people_are_two_only_if_both_have_signed_in() -> None:
    anna, bert = person("anna"), person("bert")
    assert not is_same_person(anna, bert)
    assert is_same_person(anna, person("anna"))
    assert is_same_person(anna, person("bert", is_verified=False))
    assert is_same_person(person("bert", is_verified=False), anna)


def test_a_list_of_changes_says_who_had_not_signed_in() -> None:
    assert person("anna").noted_as == "page:anna"
    assert person("root", is_verified=False).noted_as == "page:root (not verified)"


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("eleven char", "must have 12 characters or more"),
        ("x" * 251, "must not have more than 250 characters"),
        ("my-Anna-password", "must not contain the name"),
        ("abababababab", "repeats a few characters"),
        ("correct horse battery", None),
    ],
)
def test_a_password_has_its_rules(password: str, fault: str | None) -> None:
    assert password_fault("anna", password) == fault


@pytest.mark.parametrize("name", ["", "a", "Anna", "1anna", "anna b", "ännä", "a" * 65, "a\n"])
def test_some_names_cannot_be_typed_or_told_apart(name: str) -> None:
    assert NAME.fullmatch(name) is None
