"""The event table as the contract prints it: the one text that tests read instead of `RULES`."""

from pathlib import Path
from typing import NamedTuple

CONTRACT = Path(__file__).parents[2] / "docs" / "contracts" / "callback.md"

NEEDS = {
    "nothing": "nothing",
    "a bet that stands": "bet or cancel",
    "a bet to give back": "bet",
    "a payment that stands": "payment",
}
"""What a movement needs in its event, by how the contract's sentence begins."""


class Row(NamedTuple):
    """One row, in a few words."""

    directions: str
    """`debit0`: a debit of 0 only"""
    needs: str
    may_overdraw: bool
    token: str
    """`live`, or `any`"""


def printed_rows() -> dict[str, Row]:
    """Every event type of the contract's section 3; a row may say `as` another one."""
    section = CONTRACT.read_text(encoding="utf-8").partition("## 3. ")[2].partition("\n## ")[0]
    rows: dict[str, Row] = {}
    for line in section.splitlines():
        if not line.startswith("| ") or line.startswith("| eventType"):
            continue
        names, directions, needs, overdraws, token = (
            cell.strip() for cell in line[1:-1].split("|")
        )
        row = Row(
            _directions(directions),
            _needs(needs, rows),
            overdraws == "**yes**",
            "live" if token == "live" else "any",
        )
        rows |= dict.fromkeys(names.split(", "), row)
    return rows


def _directions(printed: str) -> str:
    ways = [way for way in ("credit", "debit") if way in printed]
    return " ".join(f"{way}0" if f"{way} at 0" in printed else way for way in ways)


def _needs(printed: str, rows: dict[str, Row]) -> str:
    if printed.startswith("as "):
        return rows[printed.removeprefix("as ").partition(",")[0]].needs
    (needs,) = (needs for start, needs in NEEDS.items() if printed.startswith(start))
    return needs
