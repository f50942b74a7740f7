"""Re-opened bets: a cancel that takes an abort back is a stake again, and no payment taken back."""

from typing import Final

STAKED_AGAIN: Final = """CROSS JOIN LATERAL (
            SELECT e.part = 'cancel' AND m.reverses <> '' AND EXISTS (
                SELECT FROM movements undone
                JOIN event_types u ON u.event_type = undone.event_type AND u.part = 'abort'
                WHERE undone.player_id = m.player_id
                    AND undone.position = split_part(m.reverses, '/', 1)::bigint) AS is_stake
        ) again"""
"""Joined to a movement `m` and its event type `e`."""
