"""Who acts at the console, as it is written down with everything they do."""

import getpass
import os
import re

from app.wallet.operators import Operator, Via

_UNNAMED = "nobody"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]")


def acting_operator() -> Operator:
    """Return the operating system's user, who has not signed in: anybody may be behind the name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = _UNNAMED
    return Operator(
        _NOT_IN_NAMES.sub("_", name.lower()) or _UNNAMED,
        is_verified=False,
        roles=frozenset(),
        via=Via.CONSOLE,
        source=_terminal(),
    )


def _terminal() -> str:
    try:
        return os.ttyname(0)
    except OSError:
        return "no terminal"
