"""What may be an id of a player, a transaction or an event, in every contract."""

import re
from typing import Final

ID_LENGTH_MAX: Final = 250
"""characters; the contracts' longest id"""

_CONTROL_CHARACTERS: Final = r"\x00-\x1f\x7f-\x9f"
"""No contract accepts an id with one of these: the player could not play under it."""

is_identifier: Final = re.compile(rf"[^{_CONTROL_CHARACTERS}]{{1,{ID_LENGTH_MAX}}}").fullmatch
"""A match if a text has 1 to 250 characters, none of them a control character; else None."""

has_control_characters: Final = re.compile(f"[{_CONTROL_CHARACTERS}]").search
"""A match if a control character stands in a text; else None."""
