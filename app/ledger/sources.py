"""The sources of movements: the game side and the agents, found among many keys."""

from typing import Final

SOURCES: Final = """
WITH RECURSIVE sources (source) AS (
    (SELECT source FROM transaction_keys ORDER BY source LIMIT 1)
    UNION ALL
    SELECT (SELECT k.source FROM transaction_keys k WHERE k.source > s.source
            ORDER BY k.source LIMIT 1)
    FROM sources s WHERE s.source IS NOT NULL
)
"""
"""The few distinct sources among many keys, each found by one index descent."""
