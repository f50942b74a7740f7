"""The aggregator's signature, written from the contract: SHA-256 over PHP's JSON of the fields.

1. Names as PHP folds them: a dot or a space becomes ``_``, brackets make an array.
2. ``extraData`` leaves; of a repeated name the last value counts; an array hashes as ``Array``.
3. Sorted by name, printed as PHP's ``json_encode`` prints, the key behind it, hashed.
"""

import hashlib
import re
from collections.abc import Iterable

_UNSIGNED = "extraData"
# PHP leaves these as they are: printable ASCII without the quote, slash and backslash, and DEL.
_ESCAPED = re.compile(r"[^ !#-.0-\[\]-\x7f]")
_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def _escape(match: re.Match[str]) -> str:
    """Escape one character; those beyond the first plane become a surrogate pair."""
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _quoted(text: str) -> str:
    """Print a text as PHP's ``json_encode`` does."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _folded(name: str, value: str) -> tuple[str, str]:
    """Fold a field the way PHP does before a handler sees it."""
    base, bracket, rest = name.partition("[")
    if bracket and "]" in rest:
        return base.replace(".", "_").replace(" ", "_"), "Array"
    return name.replace(".", "_").replace(" ", "_"), value


def canonical(fields: Iterable[tuple[str, str]]) -> str:
    """Print what is hashed, without the key."""
    kept = dict(_folded(name, value) for name, value in fields)
    kept.pop(_UNSIGNED, None)
    if not kept:
        return "[]"
    members = (f"{_quoted(name)}:{_quoted(kept[name])}" for name in sorted(kept))
    return "{" + ",".join(members) + "}"


def sign(fields: Iterable[tuple[str, str]], key: str) -> str:
    """Sign fields in the order and form in which they will be sent; lower-case hex."""
    return hashlib.sha256((canonical(fields) + key).encode()).hexdigest()
