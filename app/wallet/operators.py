"""The operator's own people: who acts on the ledger, under which roles, and what a role may do.

The table `MAY` is the rule: a permission that no role has can be used by nobody. A person who acts
at the console without having signed in is named by the operating system, is not verified, and has
no roles.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

NAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,63}", re.ASCII)
"""What a person may be called: they type it at every sign-in."""

PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 250


class Role(StrEnum):
    """A job; a person may have several."""

    SUPPORT = "support"
    RISK = "risk"
    FINANCE = "finance"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """Something that a role allows; the value is what a refusal says is missing."""

    LOOK = "look at players and movements"
    NOTE = "write notes"
    BLOCK = "block and exclude players"
    UNBLOCK = "unblock players"
    LIMIT = "lower limits"
    REVOKE = "revoke tokens"
    RESOLVE = "take and resolve exceptions"
    ADJUST = "ask for adjustments"
    APPROVE = "approve adjustments"
    REPORT = "read the reports"
    RISK = "read the risk page"
    ACTIONS = "read who did what"
    USERS = "change users"
    RESTORE = "say that a restored ledger may be served"


_EVERY_LOOK: Final = frozenset({Permission.LOOK, Permission.REPORT, Permission.RISK})

MAY: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.SUPPORT: frozenset(
        {
            Permission.LOOK,
            Permission.NOTE,
            Permission.BLOCK,
            Permission.LIMIT,
            Permission.REVOKE,
            Permission.RESOLVE,
            Permission.ADJUST,
        }
    ),
    Role.RISK: frozenset(
        {
            *_EVERY_LOOK,
            Permission.NOTE,
            Permission.BLOCK,
            Permission.UNBLOCK,
            Permission.LIMIT,
            Permission.REVOKE,
            Permission.RESOLVE,
        }
    ),
    Role.FINANCE: frozenset(
        {
            Permission.LOOK,
            Permission.REPORT,
            Permission.NOTE,
            Permission.RESOLVE,
            Permission.ADJUST,
        }
    ),
    Role.APPROVER: frozenset(
        {Permission.LOOK, Permission.REPORT, Permission.NOTE, Permission.APPROVE}
    ),
    Role.AUDITOR: _EVERY_LOOK | {Permission.ACTIONS},
    Role.ADMIN: frozenset({Permission.ACTIONS, Permission.USERS, Permission.RESTORE}),
}
if set(MAY) != set(Role) or frozenset[Permission]().union(*MAY.values()) != set(Permission):
    raise AssertionError("every role has its permissions, and every permission a role")


class Via(StrEnum):
    """How a person reaches the ledger."""

    PAGE = "page"
    CONSOLE = "console"


class Operator(NamedTuple):
    """A person who acts on the ledger."""

    name: str
    is_verified: bool
    """they have signed in; False: the operating system names them, and anybody may be behind it"""
    roles: frozenset[Role]
    via: Via
    source: str
    """where they act from: an address, or a terminal"""

    def may(self, permission: Permission) -> bool:
        """Whether one of their roles allows it."""
        return any(permission in MAY[role] for role in self.roles)

    @property
    def noted_as(self) -> str:
        """Their name in lists of changes, in a form that no agent's id has."""
        return f"{self.via}:{self.name}" + ("" if self.is_verified else " (not verified)")


def is_same_person(one: Operator, other: Operator) -> bool:
    """Whether two operators may be one person; who is not verified may be anybody."""
    return one.name == other.name or not (one.is_verified and other.is_verified)


def password_fault(name: str, password: str) -> str | None:
    """Say what is wrong with a new password, in words that go after "it"; None: nothing is."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"must have {PASSWORD_LENGTH_MIN} characters or more"
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"must not have more than {PASSWORD_LENGTH_MAX} characters"
    if name in password.lower():
        return "must not contain the name"
    if len(set(password)) < PASSWORD_LENGTH_MIN // 3:
        return "repeats a few characters"
    return None
