"""The players of `wallet simulate`, whom every figure leaves out.

They have an agent of their own. What they play is in the journal and in the books; a sum, a count
or a ranking that somebody acts on is of real players only. In views `ops.simulated_players` says
who they are. `tests/ops_sql/test_simulated.py` goes over every view and every report.
"""

from typing import Final

SIMULATOR_AGENT: Final = "simulator"
"""Whose the simulator's players are."""


def is_real(player_id: str) -> str:
    """Return the condition that a player's number is of nobody whom the simulator plays."""
    # By the index of the simulator's players alone, which is empty where nobody simulates.
    return (
        f"NOT EXISTS (SELECT FROM players s WHERE s.player_id = {player_id}"
        f" AND s.agent = '{SIMULATOR_AGENT}')"
    )
