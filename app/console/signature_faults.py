"""What makes a signature wrong: the usual mistakes, tried one by one against a given signature.

A hash does not say what was hashed, so each mistake is made on purpose, and compared.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from typing import Final

from app.simulator.signature import canonical, sign

EXTRA_DATA: Final = "extraData"
HEX_DIGITS: Final = 64

Fields = Sequence[tuple[str, str]]


def explained(fields: Fields, key: str, given: str | None) -> list[str]:
    """Say line by line what is hashed, and where a given signature differs."""
    right = sign(fields, key)
    lines = [
        "The very string that is hashed (SHA-256), with the key in the place of <key>:",
        f"{canonical(fields)}<key>",
        f"Signature: {right}",
    ]
    if given is not None:
        lines.append(f"Given:     {given}")
        lines.append(difference(fields, key, given))
    return lines


def difference(fields: Fields, key: str, given: str) -> str:
    """Say in a sentence how a given signature was made, if that can be found."""
    if hmac.compare_digest(given.encode(), sign(fields, key).encode()):
        return "The given signature is right."
    if len(given) != HEX_DIGITS or any(c not in "0123456789abcdefABCDEF" for c in given):
        return "The given signature is not a SHA-256 in hexadecimal: 64 of the digits 0-9 a-f."
    for what, candidate in _mistakes(fields, key):
        if candidate == given:
            return f"The given signature is wrong: {what}."
    return (
        "The given signature is wrong, and by none of the usual mistakes: compare the string above "
        "with yours, character by character, and the key."
    )


def _mistakes(fields: Fields, key: str) -> Iterator[tuple[str, str]]:
    """Make each mistake: what it is, and the signature that comes of it."""
    text = canonical(fields)
    kept = dict(fields)
    with_extra = kept.copy()
    kept.pop(EXTRA_DATA, None)
    yield "it is written in capitals, and must be lower-case", sign(fields, key).upper()
    yield "it was made without the key", _hash(text)
    yield "the key stands before the string, and must follow it", _hash(key + text)
    yield "the key ends with a line break, perhaps from a file", _hash(f"{text}{key}\n")
    yield "the key has a blank before it", _hash(f"{text} {key}")
    yield (
        "it is an HMAC, and must be the plain hash of the string followed by the key",
        hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest(),
    )
    yield "it is over `[]`, as of no fields", _hash(f"[]{key}")
    escapes = (
        ("the slashes are not escaped: PHP writes \\/", True, False),
        ("characters beyond ASCII are not escaped: PHP writes \\uXXXX", False, True),
        ("neither slashes nor characters beyond ASCII are escaped as PHP does", False, False),
    )
    for members, why in (
        (kept, None),
        (with_extra, "extraData was signed, and must be left out"),
    ):
        if why is not None:
            yield why, _hash(_php(dict(sorted(members.items()))) + key)
        yield _and("the fields are not sorted by name", why), _hash(_php(members) + key)
        for what, ascii_only, slashes in escapes:
            written = _php(dict(sorted(members.items())), ascii_only=ascii_only, slashes=slashes)
            yield _and(what, why), _hash(written + key)
        spaced = json.dumps(dict(sorted(members.items()))).replace("/", r"\/")
        yield _and("there are blanks between the members", why), _hash(spaced + key)
    for name in kept:
        fewer = [(other, value) for other, value in fields if other != name]
        yield f"{name} was left out", sign(fewer, key)


def _and(first: str, second: str | None) -> str:
    return first if second is None else f"{first}, and {second}"


def _php(members: dict[str, str], *, ascii_only: bool = True, slashes: bool = True) -> str:
    text = json.dumps(members, ensure_ascii=ascii_only, separators=(",", ":"))
    return text.replace("/", r"\/") if slashes else text


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
