"""The tables, typed, with named constraints, which enforce every rule about money once more.

All amounts are NUMERIC(26, 8) in major units of the player's currency. The player leads every key
of player data, so that the tables can be distributed by player; only a transaction key is global,
and its uniqueness is a table of its own.
"""

from app.ledger.tables.adjustments import adjustment_decisions, adjustments
from app.ledger.tables.betby import betby_notes
from app.ledger.tables.buckets import buckets
from app.ledger.tables.columns import metadata
from app.ledger.tables.event_log import (
    event_log,
    event_log_buckets,
    event_log_heads,
    event_log_progress,
    webhook_deliverers,
    webhook_endpoints,
    webhook_retries,
    webhook_shards,
)
from app.ledger.tables.exceptions import (
    exception_collections,
    exception_steps,
    exceptions,
)
from app.ledger.tables.imports import imports, shadow_marks
from app.ledger.tables.journal import holds, movements, transaction_keys, unanswered
from app.ledger.tables.limits import game_names, limit_counters, limit_hits
from app.ledger.tables.operators import (
    operator_actions,
    operator_actions_head,
    operator_sessions,
    operators,
)
from app.ledger.tables.players import (
    account_changes,
    account_openings,
    players,
    sessions,
    wallets,
)
from app.ledger.tables.privileges import (
    APPEND_ONLY,
    CHANGEABLE,
    CLEARED_ONLY,
    DERIVED,
    FORGOTTEN,
    OWNED_BY_MIGRATIONS,
)
from app.ledger.tables.reconciliation import reconciliation_differences, reconciliation_runs
from app.ledger.tables.refusals import refusals
from app.ledger.tables.reports import closed_days
from app.ledger.tables.requests import archived_requests, maintenance_notices, request_ids
from app.ledger.tables.rounds import early_aborts, rounds
from app.ledger.tables.seals import sealed_heads, seals
from app.ledger.tables.settings import (
    applied_views,
    decision_setting_changes,
    decision_settings,
    event_types,
    ledger_settings,
)
from app.ledger.tables.slips import (
    slip_faults,
    slip_mismatches,
    slip_progress,
    sport_bets,
    sport_legs,
    sport_liabilities,
)
from app.ledger.tables.timelines import ledger_timeline_answers, ledger_timelines
from app.ledger.tables.upkeep import audit_runs, backup_notes

__all__ = [
    "APPEND_ONLY",
    "CHANGEABLE",
    "CLEARED_ONLY",
    "DERIVED",
    "FORGOTTEN",
    "OWNED_BY_MIGRATIONS",
    "account_changes",
    "account_openings",
    "adjustment_decisions",
    "adjustments",
    "applied_views",
    "archived_requests",
    "audit_runs",
    "backup_notes",
    "betby_notes",
    "buckets",
    "closed_days",
    "decision_setting_changes",
    "decision_settings",
    "early_aborts",
    "event_log",
    "event_log_buckets",
    "event_log_heads",
    "event_log_progress",
    "event_types",
    "exception_collections",
    "exception_steps",
    "exceptions",
    "game_names",
    "holds",
    "imports",
    "ledger_settings",
    "ledger_timeline_answers",
    "ledger_timelines",
    "limit_counters",
    "limit_hits",
    "maintenance_notices",
    "metadata",
    "movements",
    "operator_actions",
    "operator_actions_head",
    "operator_sessions",
    "operators",
    "players",
    "reconciliation_differences",
    "reconciliation_runs",
    "refusals",
    "request_ids",
    "rounds",
    "sealed_heads",
    "seals",
    "sessions",
    "shadow_marks",
    "slip_faults",
    "slip_mismatches",
    "slip_progress",
    "sport_bets",
    "sport_legs",
    "sport_liabilities",
    "transaction_keys",
    "unanswered",
    "wallets",
    "webhook_deliverers",
    "webhook_endpoints",
    "webhook_retries",
    "webhook_shards",
]
