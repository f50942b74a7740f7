"""Which tables are only added to, and which columns the service may change."""

from typing import Final

from sqlalchemy import Table

from app.ledger.tables.players import wallets
from app.ledger.tables.slips import (
    slip_faults,
    slip_mismatches,
    sport_bets,
    sport_legs,
    sport_liabilities,
)

APPEND_ONLY: Final = (
    "movements",
    "transaction_keys",
    "refusals",
    "account_changes",
    "account_openings",
    "maintenance_notices",
    "ledger_settings",
    "decision_setting_changes",
    "operator_actions",
    "seals",
    "sealed_heads",
    "reconciliation_runs",
    "reconciliation_differences",
    "closed_days",
    "limit_hits",
    "betby_notes",
    "game_names",
    "adjustments",
    "adjustment_decisions",
    "exception_steps",
    "audit_runs",
    "backup_notes",
    "event_log",
    "imports",
    "shadow_marks",
    "ledger_timelines",
    "ledger_timeline_answers",
)
"""Tables whose rows are never updated nor deleted; a trigger and the privileges forbid it."""

CLEARED_ONLY: Final = {"request_ids": "answer"}
"""Append-only tables of which one column may be cleared: by trigger, and by privilege."""

FORGOTTEN: Final = ("archived_requests", "webhook_retries")
"""Tables whose old rows the service deletes; no decision and no sum is read from them."""

OWNED_BY_MIGRATIONS: Final = (
    "event_types",
    "applied_views",
    "buckets",
    "decision_settings",
    "operator_actions_head",
)
"""Tables that only the schema's owner writes; the service reads them."""

DERIVED: Final = (sport_bets, sport_legs, slip_faults, slip_mismatches, sport_liabilities)
"""Tables that are computed from the journal, and can be computed again: the service may delete."""


def _beside_the_key(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if not column.primary_key)


CHANGEABLE: Final = {
    "players": ("language",),
    "wallets": tuple(
        column.name
        for column in wallets.columns
        if column.name not in {"player_id", "agent", "currency", "scale"}
    ),
    "sessions": ("expires_at", "life_seconds"),
    "rounds": (
        "last_at",
        "settled",
        "bets_placed",
        "bets_standing",
        "stake_real",
        "stake_bonus",
        "staked",
        "paid",
        "taken_back",
        "cancels",
        "remainder",
        "has_early_aborts",
        "refused_aborts",
    ),
    "early_aborts": ("state",),
    "unanswered": ("came_back_at",),
    "operators": (
        "roles",
        "password_hash",
        "password_is_temporary",
        "totp_key",
        "totp_step",
        "disabled_at",
    ),
    "operator_sessions": ("used_at", "ended_at"),
    "limit_counters": ("counted_on", "day", "week", "month"),
    "holds": ("state", "closed_position", "closed_at"),
    "exceptions": ("state", "taken_by", "closed_at", "closed_by"),
    "exception_collections": ("collected_until", "ran_at"),
    "event_log_buckets": ("system_identifier", "seen"),
    "event_log_heads": ("last_number",),
    "event_log_progress": (
        "system_identifier",
        "seen",
        "told_below",
        "recount_after",
        "recount_seen",
        "looked_at",
    ),
    "webhook_endpoints": (
        "state",
        "failures",
        "failing_since",
        "next_attempt_at",
        "last_outcome",
        "delivered_at",
        "epoch",
    ),
    "webhook_shards": ("delivered_to", "held_by", "held_until"),
    "webhook_retries": ("state", "attempts", "failing_since", "next_attempt_at", "last_outcome"),
    "webhook_deliverers": ("name", "seen_at"),
    "slip_progress": (
        "number",
        "after_player_id",
        "after_position",
        "is_at_end",
        "movements",
        "without_slip",
        "reached_at",
        "looks",
    ),
    **{table.name: _beside_the_key(table) for table in DERIVED},
}
"""The columns that the service may change of a row that is there; it may change no others."""
