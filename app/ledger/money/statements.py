"""The statements of movements in plain SQL, exactly as EXPLAIN and the server's log show them.

1. FACTS          all facts that decide a batch, in one statement and so one snapshot; no locks
   FACTS_WITH_ROUNDS  instead, where a movement undoes others; or after it, where FACTS says that it
                  lacks early aborts, or the history of a round
   FURTHER_FACTS  after FACTS, for limits that few players have, and for holds
2. RECORD         writes the decisions, if all of these facts still hold
   RECORD_ADJUSTMENT  the same of an adjustment, together with its approval
   LOCK_WALLETS   before FACTS, where the batch is run again under locks
   FENCE          before that, if it is unknown whether an attempt was committed
   CONFIRM        instead of RECORD, if a batch writes nothing and a standby must have the entries
                  that it answers with

The arguments are texts, each an array of rows in PostgreSQL's text form: the driver would encode
each element of a list, which costs more. Amounts are passed as text. Lists of numbers are lists of
texts: what an array of another type is, the driver looks up on each new connection, which takes
seconds where the catalogs are large.

Plans must not depend on statistics, which are wrong for a table that was analysed while empty: such
a plan scans whole tables until the next ANALYZE. Reads by key are in a LATERAL with LIMIT 1 (or
OFFSET 0), which allows only an index lookup.; so is an EXISTS, which would otherwise be
answered from a hash of the whole table. An index is asked for the keys of an array in their order.

Tables are named without a schema, as they stand on a ledger with one bucket, and on a node that has
one. Where one server has several buckets, `of_bucket` names each bucket's own: all of them take the
same few connections, each with plans for every bucket. What a transaction id leads to may be in
another bucket, and is looked up in `public`, above them all.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from app.ledger.buckets import TABLES
from app.wallet.buckets import bucket_of, schema_of

ENTRY_COLUMNS: Final = """
    m.player_id, m.position, m.version, m.source, m.transaction_id, m.facet, m.delivery,
    m.event_type, m.direction, m.decision, m.currency, m.scale, m.amount::text,
    m.real_before::text, m.bonus_before::text, m.real_delta::text, m.bonus_delta::text,
    m.contra, m.event_id, m.game_id, m.bonus_code, m.extra_data, m.reverses, m.flags,
    m.event_time, m.ledger_time, m.chain
"""
"""A journal entry as `rows.entry_of` reads it."""

_ENTRY_JSON: Final = """
    json_build_array(
        m.player_id, m.position, m.version, m.source, m.transaction_id, m.facet, m.delivery,
        m.event_type, m.direction, m.decision, m.currency, m.scale, m.amount::text,
        m.real_before::text, m.bonus_before::text, m.real_delta::text, m.bonus_delta::text,
        m.contra, m.event_id, m.game_id, m.bonus_code, m.extra_data, m.reverses, m.flags,
        (extract(epoch FROM m.event_time) * 1000000)::bigint,
        (extract(epoch FROM m.ledger_time) * 1000000)::bigint, encode(m.chain, 'hex'))
"""
"""The same in one column, for entries that only some movements need."""

FACETS_MAX: Final = 64
"""More facets than one transaction id can have: event types times directions."""

_TIME_LINE: Final = """
       (SELECT number FROM ledger_timelines WHERE number > 0 ORDER BY number DESC LIMIT 1)"""

_EARLY_ABORTS: Final = """
       CASE WHEN r.has_early_aborts THEN (
           SELECT json_agg(json_build_array(
                      a.transaction_id, a.amount::text,
                      (extract(epoch FROM a.first_at) * 1000000)::bigint, a.state)
                  ORDER BY a.first_at, a.transaction_id)
           FROM early_aborts a
           WHERE a.player_id = p.player_id AND a.event_id = asked.event_id
             AND a.is_streamer = asked.is_streamer
       ) END"""

_HISTORY: Final = f"""
       CASE WHEN asked.needs_history OR (asked.may_need_history AND r.is_unsure) THEN (
           SELECT json_agg(m.entry ORDER BY m.position)
           FROM (
               SELECT m.position, {_ENTRY_JSON} AS entry FROM movements m
               WHERE m.player_id = p.player_id AND m.event_id = asked.event_id OFFSET 0
           ) m
       ) END"""  # noqa: S608 - composed of constants


def _facts(early_aborts: str, history: str, lacks: str) -> str:
    return f"""
SELECT asked.n, coalesce($2::timestamptz, now()),
       (SELECT current_setting('synchronous_standby_names') <> ''),
       w.player_id, w.agent, w.currency, w.scale, w.limits, w.blocked, w.excluded_until,
       w.real, w.bonus, w.version, w.position, w.chain, w.revision,
       w.usage_day, w.stake_day, w.stake_week, w.stake_month,
       w.loss_day, w.loss_week, w.loss_month,
       s.expires_at, s.life_seconds,
       r.settled, r.bets_placed, r.bets_standing, r.stake_real, r.stake_bonus, r.staked, r.paid,
       r.taken_back, r.cancels, r.remainder, r.refused_aborts,
       {early_aborts.lstrip()} AS early_aborts,
       CASE WHEN k.player_id IS NOT NULL THEN (
           SELECT json_agg(m.entry)
           FROM (
               SELECT player_id, position FROM transaction_keys
               WHERE source = asked.source AND transaction_id = asked.transaction_id
               LIMIT {FACETS_MAX}
           ) same_id
           CROSS JOIN LATERAL (
               SELECT json_build_array({_ENTRY_JSON}, EXISTS (
                          SELECT FROM unanswered u
                          WHERE u.player_id = m.player_id AND u.position = m.position
                            AND u.came_back_at IS NULL
                          OFFSET 0)) AS entry
               FROM public.movements m
               WHERE (m.player_id, m.position) >= (same_id.player_id, same_id.position)
               ORDER BY m.player_id, m.position LIMIT 1
           ) m
       ) END AS taken,
       {history.lstrip()} AS history,
       pg_postmaster_start_time() AS started_at, {_TIME_LINE} AS time_line,
       {lacks} AS lacks_rounds
FROM unnest($1::text::question_row_v1[]) WITH ORDINALITY AS asked (
    user_id, token, source, transaction_id, event_id, is_streamer, needs_history,
    may_need_history, n)
CROSS JOIN LATERAL (
    SELECT player_id FROM players WHERE user_id = asked.user_id LIMIT 1
) p
LEFT JOIN LATERAL (
    SELECT expires_at, life_seconds
    FROM sessions WHERE player_id = p.player_id AND token_hash = asked.token LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT player_id FROM transaction_keys
    WHERE source = asked.source AND transaction_id = asked.transaction_id LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT settled, bets_placed, bets_standing, stake_real::text, stake_bonus::text, staked::text,
           paid::text, taken_back::text, cancels, remainder::text, refused_aborts::text[],
           has_early_aborts,
           cancels > 0 AND bets_standing = 0 AND remainder = 0 AS is_unsure
    FROM rounds
    WHERE player_id = p.player_id AND event_id = asked.event_id
      AND is_streamer = asked.is_streamer LIMIT 1
) r ON true
CROSS JOIN LATERAL (
    SELECT player_id, agent, currency, scale, limits::text, blocked, excluded_until,
           real::text, bonus::text, version, position, chain, revision, usage_day,
           stake_day::text, stake_week::text, stake_month::text,
           loss_day::text, loss_week::text, loss_month::text
    FROM wallets WHERE player_id = p.player_id LIMIT 1
) w
"""  # noqa: S608 - composed of constants


FACTS: Final = _facts(
    "NULL::json", "NULL::json", "r.has_early_aborts OR (asked.may_need_history AND r.is_unsure)"
)
"""Run outside of any transaction, at READ COMMITTED.

What only some movements need is in a CASE, which is evaluated for those alone. PostgreSQL prepares
to run each part of a statement even so, which cost a lone movement more than its rows did: the
widest tables are joined last, and entries are put together where they are read.

At SERIALIZABLE a missing key would leave a predicate lock on its index page, and every insert near
it would conflict."""

FACTS_WITH_ROUNDS: Final = _facts(_EARLY_ABORTS, _HISTORY, "false")
"""The same with what FACTS does not read of a round: its early aborts, and its history."""

FURTHER_FACTS: Final = """
SELECT
    (SELECT json_agg(json_build_array(
                c.player_id, c.counter, c.counted_on, c.day::text, c.week::text, c.month::text))
     FROM unnest($1::text[]::bigint[]) AS asked (player_id)
     CROSS JOIN LATERAL (
         SELECT * FROM limit_counters WHERE player_id = asked.player_id OFFSET 0
     ) c),
    (SELECT json_agg(json_build_array(
                g.game_id, (extract(epoch FROM g.since) * 1000000)::bigint, g.product)
            ORDER BY g.since)
     FROM unnest($2::text[]::bigint[]) AS asked (game_id)
     CROSS JOIN LATERAL (
         SELECT * FROM game_names WHERE game_id = asked.game_id OFFSET 0
     ) g),
    (SELECT json_agg(json_build_array(
                asked.source, asked.hold_id, h.player_id, h.position, h.amount::text, h.state))
     FROM unnest($3::text[], $4::text[]) AS asked (source, hold_id)
     CROSS JOIN LATERAL (
         SELECT player_id, position FROM transaction_keys
         WHERE source = asked.source AND transaction_id = asked.hold_id AND facet = '' LIMIT 1
     ) named
     CROSS JOIN LATERAL (
         SELECT * FROM public.holds
         WHERE player_id = named.player_id AND position = named.position LIMIT 1
     ) h),
    (SELECT json_agg(json_build_array(
                h.player_id, h.position, h.limit_name, h.limit_amount::text, h.used::text))
     FROM unnest($5::text[]::bigint[], $6::text[]::bigint[]) AS asked (player_id, position)
     CROSS JOIN LATERAL (
         SELECT * FROM public.limit_hits
         WHERE player_id = asked.player_id AND position = asked.position LIMIT 1
     ) h)
"""
"""Read after FACTS, and only if a movement of the batch needs it; ordinary batches never do.

Counters and holds change only together with a raise of their wallet's revision, so RECORD proves
what is read here as well: what is newer than the wallet that FACTS read is never recorded on."""


def _of_node(statement: str) -> str:
    return statement.replace("public.", "").replace(_TIME_LINE, "0::bigint")


FACTS_OF_NODE: Final = _of_node(FACTS)
FACTS_WITH_ROUNDS_OF_NODE: Final = _of_node(FACTS_WITH_ROUNDS)
FURTHER_FACTS_OF_NODE: Final = _of_node(FURTHER_FACTS)
"""The same where a bucket's node has no other bucket's rows, and not the ledger's time line."""

LOCK_WALLETS: Final = """
SELECT 1 FROM (
    SELECT p.player_id FROM unnest($1::text[]) AS asked (user_id)
    CROSS JOIN LATERAL (
        SELECT player_id FROM players WHERE user_id = asked.user_id LIMIT 1
    ) p
    ORDER BY p.player_id
) p
CROSS JOIN LATERAL (
    SELECT FROM wallets WHERE player_id = p.player_id LIMIT 1 FOR NO KEY UPDATE
) w
"""
"""In the order of their players; FOR NO KEY UPDATE is exactly the lock that RECORD takes."""

FENCE: Final = """
UPDATE wallets SET revision = revision + 1
WHERE player_id = ANY (ARRAY(
    SELECT p.player_id FROM unnest($1::text[]) AS asked (user_id)
    CROSS JOIN LATERAL (
        SELECT player_id FROM players WHERE user_id = asked.user_id LIMIT 1
    ) p
))
"""
"""Raise the revisions of wallets whose last RECORD may still be on its way to the database.

Once this is committed that RECORD cannot prove its facts any more; if it was faster, this has
waited for it, and whoever looks afterwards sees what it wrote."""

RECORD: Final = """
SELECT record_movements_v2(
    $1::text::decision_settings_v2, $2::text::wallet_row_v1[], $3::text::journal_row_v1[],
    $4::text::round_row_v1[], $5::text::early_abort_row_v1[], $6::text::refusal_row_v1[],
    $7::text::session_row_v1[], $8::text::position_row_v1[], $9::text::counter_row_v1[],
    $10::text::limit_hit_row_v1[], $11::text::hold_row_v1[], $12)
"""

RECORD_ADJUSTMENT: Final = """
SELECT record_adjustment_v1(
    $1::text::decision_settings_v2, $2::text::wallet_row_v1[], $3::text::journal_row_v1[],
    $4::text::round_row_v1[], $5::text::early_abort_row_v1[], $6::text::refusal_row_v1[],
    $7::text::session_row_v1[], $8::text::position_row_v1[], $9::text::counter_row_v1[],
    $10::text::limit_hit_row_v1[], $11::text::hold_row_v1[], $12,
    ROW($13, $14, $15, $16, $17, $18, $19::text::numeric)::adjustment_approval_v1)
"""

RECORD_ADJUSTMENT_OF_NODE: Final = RECORD.replace(
    "record_movements_v2", "record_adjustment_of_node_v1"
)
"""The same without the approval, which is not on the player's node, and is written after it."""


class Statements(NamedTuple):
    """The statements of a batch, for the place where its players are."""

    facts: str
    facts_with_rounds: str
    further_facts: str
    lock_wallets: str
    record: str
    record_adjustment: str


WHOLE: Final = Statements(
    FACTS, FACTS_WITH_ROUNDS, FURTHER_FACTS, LOCK_WALLETS, RECORD, RECORD_ADJUSTMENT
)
"""Of a ledger with one bucket."""

OF_NODE: Final = Statements(
    FACTS_OF_NODE,
    FACTS_WITH_ROUNDS_OF_NODE,
    FURTHER_FACTS_OF_NODE,
    LOCK_WALLETS,
    RECORD,
    RECORD_ADJUSTMENT_OF_NODE,
)
"""Of a bucket on a node of its own."""

_OWN: Final = re.compile(
    rf"\bFROM (?=(?:{'|'.join(TABLES)})\b)|(?<=SELECT )(?=record_(?:movements|adjustment)_v\d)"
)
"""Before a table of the bucket's own, or a function that writes them."""


@cache
def of_bucket(schema: str) -> Statements:
    """Return the statements of a bucket that is beside others on one server.

    Its functions are copies that look for their tables in its schema: `buckets.functions`.
    """
    return Statements(*(_OWN.sub(rf"\g<0>{schema}.", statement) for statement in WHOLE))


def of_player(user_id: str | None, buckets: int) -> Statements:
    """Return the statements that move a player's money; None: those of all buckets together."""
    if user_id is None or buckets == 1:
        return WHOLE
    return of_bucket(schema_of(bucket_of(user_id, buckets), buckets))


FACTS_STALE: Final = "WF001"
"""The SQLSTATE of `record_movements_v2` where a fact has changed since it was read."""

NOT_SERIALIZABLE: Final = "WF003"
"""The SQLSTATE of `record_movements_v2` where a pooler has dropped the connection's settings."""

SETTINGS_DIFFER: Final = "WF002"
"""The SQLSTATE of `record_movements_v2` where the caller's settings are not the ledger's."""

ADJUSTMENT_NOT_OPEN: Final = "WF004"
"""The SQLSTATE of `record_adjustment_v1` where somebody decided meanwhile, or it expired."""

CONFIRM: Final = """
SELECT CASE WHEN pg_current_xact_id() IS NOT NULL
            THEN pg_logical_emit_message(true, 'wallet', '') END
"""
"""The smallest write there is: its commit waits for the synchronous standby, behind all others.

On a standby, reached by mistake, pg_current_xact_id() says that the server only reads (25006); the
message alone would be an internal error (XX000)."""

ENTRIES_BY_KEY: Final = f"""
SELECT {ENTRY_COLUMNS}
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (source, transaction_id, facet)
CROSS JOIN LATERAL (
    SELECT * FROM transaction_keys
    WHERE source = asked.source AND transaction_id = asked.transaction_id
      AND facet = asked.facet LIMIT 1
) k
CROSS JOIN LATERAL (
    SELECT * FROM movements WHERE (player_id, position) >= (k.player_id, k.position)
    ORDER BY player_id, position LIMIT 1
) m
"""  # noqa: S608 - composed of constants

ENTRIES_OF_ID: Final = f"""
SELECT {_ENTRY_JSON}::text
FROM (
    SELECT player_id, position FROM transaction_keys
    WHERE source = $1 AND transaction_id = $2 LIMIT {FACETS_MAX}
) k
CROSS JOIN LATERAL (
    SELECT * FROM movements WHERE (player_id, position) >= (k.player_id, k.position)
    ORDER BY player_id, position LIMIT 1
) m
"""  # noqa: S608 - composed of constants

LOG_REFUSALS: Final = """
INSERT INTO refusals (user_id, source, operation, transaction_id, event_id, event_type, direction,
    amount, refusal, reason, differs, asked, delivery, event_time, ledger_time)
SELECT user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
    refusal, reason, differs, asked, delivery,
    'epoch'::timestamptz + event_time * interval '1 microsecond', coalesce($2::timestamptz, now())
FROM unnest($1::text::refusal_row_v1[])
"""

RENEW_SESSION: Final = """
UPDATE sessions SET expires_at = $3
FROM (SELECT coalesce($4::timestamptz, now()) AS now) AS clock
WHERE player_id = $1 AND token_hash = $2 AND life_seconds IS NOT NULL
  AND expires_at > clock.now AND expires_at < $3
"""

KEEP_NOTICE: Final = """
INSERT INTO maintenance_notices (status, batch_id, game_ids, additions, brand_name, countries,
    currencies, provider_ids, received_at, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

LIST_UNKNOWN_OUTCOMES: Final = """
INSERT INTO unanswered (player_id, position, told_at)
SELECT player_id, position, coalesce($3::timestamptz, now())
FROM unnest($1::text[]::bigint[], $2::text[]::bigint[]) AS n (player_id, position)
ON CONFLICT DO NOTHING
"""

LIMIT_HIT: Final = """
SELECT limit_name, limit_amount::text, used::text FROM limit_hits
WHERE player_id = $1 AND position = $2
"""
