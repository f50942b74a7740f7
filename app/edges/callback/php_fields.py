"""PHP's parsing of field names, such as `extraData[gameName]=x` in `$_POST` and `$_GET`.

The aggregator's verifier is written in PHP, so PHP's parsing decides which fields a request has.
The rules are those of PHP 8.2 (main/php_variables.c, php_register_variable_ex), checked against it:

1. leading spaces of a name are dropped; a dot or a space in it becomes `_`;
2. `name[index]` makes an array, `name[]` appends to it, `name[a][b]` nests; what follows the last
   bracket is dropped;
3. a first bracket that is never closed is no index: it becomes `_`, and so do dots, spaces and
   brackets after it;
4. a name that is empty, or begins with a bracket, is dropped; so is one that steps 1 or 3 turn into
   `__Host-…` or `__Secure-…`, and a value under an index so called, unless the name begins so;
5. the last value wins, be it text over an array or an array over text;
6. more than 64 nested brackets drop the whole array.
"""

import re
from typing import Final, TypeAlias

NESTING_MAX: Final = 64
"""PHP's max_input_nesting_level."""

_MANGLED: Final = str.maketrans(" .", "__")
_MANGLED_UNCLOSED: Final = str.maketrans(" .[", "___")
_FORBIDDEN: Final = ("__Host-", "__Secure-")
_C_SPACE: Final = frozenset(" \t\n\v\f\r")
_WHOLE_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_INDEX_MAX: Final = 2**63 - 1
_INDEX_MIN: Final = -(2**63)


class PhpArray:
    """A PHP array: ordered, with text or integer keys, and able to append."""

    __slots__ = ("_next", "items")

    def __init__(self) -> None:
        self.items: dict[int | str, Held] = {}
        self._next = _INDEX_MIN
        """one more than the largest number so far; the first append of all goes to 0"""

    def set(self, index: str | None, value: "Held") -> None:
        """Assign, or append where the index is None."""
        key = self._key(index)
        if key is not None:
            self.items[key] = value

    def child(self, index: str | None) -> "PhpArray":
        """The array at an index, made where there is none."""
        key = self._key(index)
        held = None if key is None else self.items.get(key)
        if isinstance(held, PhpArray):
            return held
        made = PhpArray()
        if key is not None:
            self.items[key] = made
        return made

    def plain(self) -> dict[str, object]:
        """The array as a JSON object, its whole numbers as names."""
        return {
            str(key): held.plain() if isinstance(held, PhpArray) else held
            for key, held in self.items.items()
        }

    def _key(self, index: str | None) -> int | str | None:
        """Return the key PHP makes of an index; None: the largest number is in use."""
        if index is None:
            key = 0 if self._next == _INDEX_MIN else self._next
            if key in self.items:
                return None
        elif _WHOLE_NUMBER.fullmatch(index) and _INDEX_MIN <= int(index) <= _INDEX_MAX:
            key = int(index)
        else:
            return index
        if key >= self._next:
            self._next = min(key + 1, _INDEX_MAX)
        return key


Held: TypeAlias = str | PhpArray


def assign(fields: dict[str, Held], name: str, value: str) -> None:
    """Register one field as PHP would."""
    original = name.lstrip(" ")
    base, bracket, _ = original.partition("[")
    mangled = base.translate(_MANGLED)
    if not mangled or _is_forbidden(mangled, original):
        return
    indexes = _indexes(original, len(base)) if bracket else []
    if indexes is None:
        fields.pop(mangled, None)
    elif indexes:
        held = fields.get(mangled)
        if not isinstance(held, PhpArray):
            held = fields[mangled] = PhpArray()
        _assign_within(held, indexes, original, value)
    else:
        mangled = original.translate(_MANGLED_UNCLOSED)
        if not _is_forbidden(mangled, original):
            fields[mangled] = value


def _assign_within(held: PhpArray, indexes: list[str | None], original: str, value: str) -> None:
    for depth, index in enumerate(indexes, start=1):
        if index is not None and _is_forbidden(index, original):
            return
        if depth == len(indexes):
            held.set(index, value)
        else:
            held = held.child(index)


def _indexes(name: str, bracket: int) -> list[str | None] | None:
    """The indexes of `name[a][b][]`, None for an append; none if the first bracket is never closed.

    The whole is None when there are more brackets than PHP nests.
    """
    indexes: list[str | None] = []
    at = bracket
    while name[at : at + 1] == "[":
        if len(indexes) == NESTING_MAX:
            return None
        if indexes and _is_forbidden(indexes[-1] or "", name):
            break  # PHP ignores what follows such an index.
        start = at + 1
        probe = start + (name[start : start + 1] in _C_SPACE)
        if name[probe : probe + 1] == "]":
            indexes.append(None)
            close = probe
        else:
            close = name.find("]", probe)
            if close < 0:
                break
            indexes.append(name[start:close])
        at = close + 1
    return indexes


def _is_forbidden(mangled: str, original: str) -> bool:
    return any(mangled.startswith(p) and not original.startswith(p) for p in _FORBIDDEN)
