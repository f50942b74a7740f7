"""What may be an id of a player, a transaction or an event, in every contract."""

import re
import unicodedata
from typing import Final

ID_LENGTH_MAX: Final = 250
"""characters; the contracts' longest id"""

_CONTROL_CHARACTERS: Final = r"\x00-\x1f\x7f-\x9f"
"""No contract accepts an id with one of these: the player could not play under it."""

is_identifier: Final = re.compile(rf"[^{_CONTROL_CHARACTERS}]{{1,{ID_LENGTH_MAX}}}").fullmatch
"""A match if a text has 1 to 250 characters, none of them a control character; else None."""

has_control_characters: Final = re.compile(f"[{_CONTROL_CHARACTERS}]").search
"""A match if a control character stands in a text; else None."""

_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_INVISIBLE_BESIDES: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters and marks of scripts that nothing is drawn for (Default_Ignorable_Code_Point)."""


def may_name_account(text: str) -> bool:
    """Whether a new account may have this id (transfer contract, section 2).

    Two ids that look alike are two players: so no blanks at its ends, nothing invisible, and NFC.
    """
    return (
        is_identifier(text) is not None
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
        and not _INVISIBLE_BESIDES.search(text)
        and all(unicodedata.category(letter) not in _INVISIBLE_CATEGORIES for letter in text)
    )
