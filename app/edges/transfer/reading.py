"""What a request asks for, as the cashier takes it: changes of an account, a deposit's check."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.cashier.account_changes import AccountChange, Exclusion
from app.edges.transfer.answers import moment
from app.edges.transfer.codes import Code, RefusedError
from app.edges.transfer.forms import Fields, amount_text, read_moment
from app.edges.wire import Number
from app.wallet.event_log import Cursor, LoggedType, read_cursor
from app.wallet.identifiers import is_identifier
from app.wallet.limit_terms import LIMIT_NAMES, is_limit_name

LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}", re.ASCII)
STATUSES: Final = {"active": False, "blocked": True}


def read_language(fields: Fields) -> str:
    """Read a language tag."""
    text = fields.text("language")
    if not LANGUAGE.fullmatch(text):
        raise RefusedError(Code.VALUE, "must be a language tag such as en or en-US", "language")
    return text


def read_change(fields: Fields, now: datetime) -> AccountChange:
    """Read the change of an account that is asked for."""
    is_suspended = exclusion = language = None
    limits: Mapping[str, str | None] = {}
    confirm: tuple[str, ...] = ()
    if "status" in fields:
        is_suspended = STATUSES.get(fields.text("status"))
        if is_suspended is None:
            raise RefusedError(Code.VALUE, "must be active or blocked", "status")
    if "excluded_until" in fields:
        is_lifted = fields.is_null("excluded_until")
        exclusion = Exclusion(None if is_lifted else fields.moment_to_come("excluded_until", now))
    if "limits" in fields:
        limits = _limits(fields)
    if "confirm" in fields:
        confirm = _confirm(fields, limits)
    if "language" in fields:
        language = read_language(fields)
    return AccountChange(is_suspended, exclusion, limits, confirm, language)


def _limits(fields: Fields) -> dict[str, str | None]:
    """Read the limits that are given, as amounts of 0 or more; null lifts a limit."""
    limits: dict[str, str | None] = {}
    for name, value in fields.members_of("limits").items():
        full_name = f"limits.{name}"
        if not is_limit_name(name):
            raise RefusedError(Code.VALUE, _LIMITS_KNOWN, "limits")
        if value is not None and not isinstance(value, str | Number):
            raise RefusedError(Code.FORMAT, "must be a number, a text or null", full_name)
        limits[name] = None if value is None else amount_text(value, full_name)
    return limits


_LIMITS_KNOWN: Final = (
    f"knows only {', '.join(LIMIT_NAMES)}; those of stakes and losses may name a product, as in "
    "stake_day:casino"
)


def _confirm(fields: Fields, limits: Mapping[str, str | None]) -> tuple[str, ...]:
    """Read the names of the limits that are confirmed, each once and none that is set as well."""
    names = fields.texts("confirm")
    if not names or not all(map(is_limit_name, names)):
        raise RefusedError(Code.VALUE, "must name one limit or more", "confirm")
    if len(set(names)) < len(names) or limits.keys() & set(names):
        raise RefusedError(Code.VALUE, "must name a limit once, and not one of limits", "confirm")
    return names


def read_check(fields: Fields) -> dict[str, object] | None:
    """Read what an external check said of a deposit, as it is kept; None: there is none."""
    if "check" not in fields:
        return None
    said = fields.members_of("check")
    for name in ("provider", "reference", "allowed", "checked_at"):
        if said.get(name) is None:
            raise RefusedError(Code.MISSING, "is missing", f"check.{name}")
    if not isinstance(said["allowed"], bool):
        raise RefusedError(Code.FORMAT, "must be true or false", "check.allowed")
    for name in ("provider", "reference"):
        text = said[name]
        if not isinstance(text, str) or isinstance(text, Number):
            raise RefusedError(Code.FORMAT, "must be a text", f"check.{name}")
        if not is_identifier(text):
            raise RefusedError(
                Code.VALUE, "must have 1 to 250 characters, none a control", f"check.{name}"
            )
    checked_at = read_moment(said["checked_at"], "check.checked_at")
    return {
        "provider": said["provider"],
        "reference": said["reference"],
        "allowed": said["allowed"],
        "checked_at": moment(checked_at),
    }


def read_event_types(fields: Fields) -> frozenset[LoggedType]:
    """Read the types of events that are asked for; empty: all."""
    try:
        return frozenset(map(LoggedType, fields.texts("types") if "types" in fields else ()))
    except ValueError:
        raise RefusedError(Code.VALUE, f"knows only {', '.join(LoggedType)}", "types") from None


def read_event_cursor(fields: Fields) -> Cursor | None:
    """Read where the events asked for begin; None: at the first."""
    if "after" not in fields:
        return None
    cursor = read_cursor(fields.text("after"))
    if cursor is None:
        raise RefusedError(Code.VALUE, "is not a cursor of an earlier answer", "after")
    return cursor
