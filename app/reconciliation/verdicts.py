"""The verdicts and their causes, with the words in which people read them."""

from collections.abc import Mapping
from typing import Final

VERDICTS: Final[Mapping[str, str]] = {
    "only_theirs": "only theirs",
    "only_ours": "only ours",
    "player": "another player",
    "currency": "another currency",
    "type": "another type",
    "amount": "another amount",
    "event": "another event",
    "day_edge": "another day",
    "open": "open",
    "settled_by_hand": "settled by hand",
}

CAUSES: Final[Mapping[str, str]] = {
    "never_asked": "we were never asked",
    "repeat": "answered as a repeat: it moved once",
    "refused": "refused by us",
    "declined_for_funds": "declined for funds then",
    "overtaken": "overtaken by its abort",
    "given_back": "given back",
    "resettled": "re-settled",
    "unknown_outcome": 'told "unknown", and never asked again',
    "refused_there": "refused by their account",
    "not_given_back": "canceled by their account, and never given back here",
    "not_reported": "the report does not name it",
    "content": "the content differs",
    "grace": "at the edge of the period",
    "clock": "further apart than the grace",
    "settled_by_hand": "two people settled it",
}


def words_of(verdict: str, cause: str, refusal: str | None = None) -> str:
    """Say a verdict and its cause, with the refusal where there was one."""
    because = CAUSES[cause] if refusal is None else f"{CAUSES[cause]} ({refusal})"
    return f"{VERDICTS[verdict]}: {because}"
