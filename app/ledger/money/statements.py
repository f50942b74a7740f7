"""The statements of the money road, in plain SQL, word for word as EXPLAIN and the logs show them.

What every batch asks and writes travels as texts, each an array of rows as PostgreSQL writes them:
the driver looks at every element of an array of its own, and PostgreSQL at every name in a JSON,
which both cost more. What is asked seldom travels as arrays. Amounts travel as text. Keys that may
not be there are never read first: a missing key puts a predicate lock on the place where it would
be, and every insert near it becomes a conflict.

No plan is left to the statistics, which know nothing of a table that was looked at while it was
empty: a plan made then reads, and locks, whole tables until somebody looks again. What is read by
key stands in a LATERAL with LIMIT 1 (or OFFSET 0), which can only be looked up; what is updated is
found by its place (`ctid`), and everything else that must hold of it is written IS NOT DISTINCT
FROM, which no index answers.
"""

from typing import Final


def _facts(*, order: str, lock: str) -> str:
    return f"""
SELECT p.n, coalesce($2::timestamptz, now()) AS ledger_now,
       p.player_id, p.agent, p.currency, p.scale, p.limits,
       p.blocked OR coalesce(p.excluded_until > coalesce($2, now()), false) AS is_blocked,
       w.real::text, w.bonus::text, w.version, w.position, w.chain, w.has_refused_aborts,
       w.usage_day, w.stake_day::text, w.stake_week::text, w.stake_month::text,
       w.loss_day::text, w.loss_week::text, w.loss_month::text,
       p.place AS player_place, p.row AS player_row, w.place AS wallet_place, w.row AS wallet_row,
       s.expires_at, s.life_seconds, s.place AS session_place, s.row AS session_row,
       r.event_id, r.is_streamer, r.settled, r.bets_placed, r.bets_standing,
       r.stake_real::text, r.stake_bonus::text, r.staked::text, r.paid::text,
       r.taken_back::text, r.cancels, r.remainder::text, r.refused_aborts::text[],
       r.place AS round_place
FROM (
    SELECT asked.*, player.*
    FROM unnest($1::text::question_row[]) WITH ORDINALITY
         AS asked (asked_user, asked_token, asked_event, is_streamer, reads_round, n)
    CROSS JOIN LATERAL (
        SELECT player_id, agent, currency, scale, limits::text, blocked, excluded_until,
               ctid::text AS place, xmin::text AS row
        FROM players WHERE user_id = asked_user LIMIT 1
    ) player
    {order}
) p
CROSS JOIN LATERAL (
    SELECT *, ctid::text AS place, xmin::text AS row
    FROM wallets WHERE player_id = p.player_id LIMIT 1 {lock}
) w
LEFT JOIN LATERAL (
    SELECT expires_at, life_seconds, ctid::text AS place, xmin::text AS row
    FROM sessions WHERE player_id = p.player_id AND token_hash = p.asked_token LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT *, ctid::text AS place FROM rounds
    WHERE player_id = p.player_id AND event_id = p.asked_event
      AND is_streamer = p.is_streamer AND (p.reads_round OR w.has_refused_aborts) LIMIT 1
) r ON true
"""  # noqa: S608 - composed of constants


GLANCE: Final = _facts(order="", lock="")
"""Everything a batch must know, and in which versions of which rows it stands."""

FACTS: Final = _facts(order="ORDER BY player_id, n", lock="FOR NO KEY UPDATE")
"""The same, wallets locked in the order of their players.

FOR NO KEY UPDATE: exactly the lock that the later UPDATE takes."""

ENTRY_COLUMNS: Final = """
    m.player_id, m.position, m.version, m.source, m.transaction_id, m.facet, m.delivery,
    m.event_type, m.direction, m.decision, m.currency, m.scale, m.amount::text,
    m.real_before::text, m.bonus_before::text, m.real_delta::text, m.bonus_delta::text,
    m.contra, m.event_id, m.game_id, m.bonus_code, m.extra_data, m.reverses, m.flags,
    m.event_time, m.ledger_time, m.chain
"""

_KEY_ASKED: Final = """
CROSS JOIN LATERAL (
    SELECT * FROM transaction_keys
    WHERE source = asked.source AND transaction_id = asked.transaction_id
      AND facet = asked.facet LIMIT 1
) k
"""

ENTRIES_BY_KEY: Final = f"""
SELECT {ENTRY_COLUMNS}
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (source, transaction_id, facet)
{_KEY_ASKED}
CROSS JOIN LATERAL (
    SELECT * FROM movements WHERE (player_id, position) >= (k.player_id, k.position)
    ORDER BY player_id, position LIMIT 1
) m
"""  # noqa: S608 - composed of constants

HISTORIES: Final = f"""
SELECT {ENTRY_COLUMNS}
FROM unnest($1::bigint[], $2::text[]) AS asked (player_id, event_id)
CROSS JOIN LATERAL (
    SELECT * FROM movements
    WHERE player_id = asked.player_id AND event_id = asked.event_id AND decision = 'ACCEPTED'
    OFFSET 0
) m
ORDER BY m.player_id, m.position
"""  # noqa: S608 - composed of constants

KEYS_TAKEN: Final = f"""
SELECT k.source, k.transaction_id, k.facet
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
     AS asked (source, transaction_id, facet, player_id, position)
{_KEY_ASKED}
WHERE (k.player_id, k.position) <> (asked.player_id, asked.position)
"""  # noqa: S608 - composed of constants

_WRITTEN: Final = """
WITH journal AS (
    SELECT * FROM unnest($1::text::journal_row[])
), keys AS (
    INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
    SELECT source, transaction_id, facet, player_id, position FROM journal
    ON CONFLICT DO NOTHING
    RETURNING 1
), posted AS (
    INSERT INTO movements (
        player_id, position, version, source, transaction_id, facet, delivery, event_type,
        direction, decision, currency, scale, amount, real_before, bonus_before, real_delta,
        bonus_delta, real_after, bonus_after, contra, event_id, game_id, bonus_code, extra_data,
        reverses, flags, event_time, ledger_time, chain)
    SELECT player_id, position, version, source, transaction_id, facet, delivery, event_type,
        direction, decision, currency, scale, amount, real_before, bonus_before, real_delta,
        bonus_delta, real_before + real_delta, bonus_before + bonus_delta, contra, event_id,
        game_id, bonus_code, extra_data, reverses, flags,
        'epoch'::timestamptz + event_time * interval '1 microsecond', $4::timestamptz, chain
    FROM journal
), moved AS (
    UPDATE wallets w
    SET real = n.real, bonus = n.bonus, version = n.version, position = n.position,
        chain = n.chain, usage_day = n.usage_day, stake_day = n.stake_day,
        stake_week = n.stake_week, stake_month = n.stake_month, loss_day = n.loss_day,
        loss_week = n.loss_week, loss_month = n.loss_month,
        has_refused_aborts = n.has_refused_aborts
    FROM unnest($2::text::wallet_row[]) AS n
    WHERE w.ctid = n.place AND w.xmin = n.row
      AND w.player_id IS NOT DISTINCT FROM n.player_id AND w.position = n.position_before
    RETURNING 1
), changes AS (
    SELECT * FROM unnest($3::text::round_row[])
), opened AS (
    INSERT INTO rounds AS r (
        player_id, event_id, is_streamer, agent, currency, scale, game_id, opened_at, last_at,
        settled, bets_placed, bets_standing, stake_real, stake_bonus, staked, paid, taken_back,
        cancels, remainder, refused_aborts)
    SELECT player_id, event_id, is_streamer, agent, currency, scale, game_id, $4, $4, settled,
        bets_placed, bets_standing, stake_real, stake_bonus, staked, paid, taken_back, cancels,
        remainder, refused_aborts
    FROM changes WHERE place IS NULL
    ON CONFLICT (player_id, event_id, is_streamer) DO UPDATE SET
        last_at = excluded.last_at, settled = excluded.settled,
        bets_placed = r.bets_placed + excluded.bets_placed,
        bets_standing = r.bets_standing + excluded.bets_standing,
        stake_real = r.stake_real + excluded.stake_real,
        stake_bonus = r.stake_bonus + excluded.stake_bonus,
        staked = r.staked + excluded.staked
    RETURNING 1
), continued AS (
    UPDATE rounds r SET
        last_at = $4, settled = c.settled, bets_placed = r.bets_placed + c.bets_placed,
        bets_standing = r.bets_standing + c.bets_standing,
        stake_real = r.stake_real + c.stake_real,
        stake_bonus = r.stake_bonus + c.stake_bonus,
        staked = r.staked + c.staked, paid = r.paid + c.paid,
        taken_back = r.taken_back + c.taken_back, cancels = r.cancels + c.cancels,
        remainder = r.remainder + c.remainder,
        refused_aborts = r.refused_aborts || c.refused_aborts
    FROM changes c
    WHERE r.ctid = c.place AND r.player_id IS NOT DISTINCT FROM c.player_id
      AND r.event_id IS NOT DISTINCT FROM c.event_id
      AND r.is_streamer IS NOT DISTINCT FROM c.is_streamer
    RETURNING 1
), done AS (
    SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM keys) AS keys,
           (SELECT count(*) FROM opened) + (SELECT count(*) FROM continued) AS rounds
)
"""

# A multiple of an interval is reckoned in double precision: whole microseconds are exact to 2255.

RECORD: Final = f"""{_WRITTEN}
SELECT moved, keys, rounds FROM done
"""  # noqa: S608 - composed of constants
"""All that a batch leaves behind, in one statement, for a transaction that has locked its wallets.

Rows that were read are found again by their place, not by their key: that costs less, and a place
has no neighbours whose insertion could be taken for a conflict. A round that was not read is
opened, or, by a further bet, added to: the only change that needs to know nothing of it."""

RECORD_AT_ONCE: Final = f"""{_WRITTEN}
SELECT facts_must_hold(
    (moved, keys, rounds) = ($5::bigint, $6::bigint, $7::bigint)
    AND (SELECT count(*) FROM unnest($8::text::seen_row[]) AS n
         JOIN players p ON p.ctid = n.place AND p.xmin = n.row
              AND p.player_id IS NOT DISTINCT FROM n.player_id) = $9::bigint
    AND (SELECT count(*) FROM unnest($10::text::seen_row[]) AS n
         JOIN sessions s ON s.ctid = n.place AND s.xmin = n.row
              AND s.player_id IS NOT DISTINCT FROM n.player_id
              AND s.token_hash IS NOT DISTINCT FROM n.token_hash) = $11::bigint)
FROM done
"""  # noqa: S608 - composed of constants
"""The same as a transaction of its own, for a batch that has only glanced at its facts.

It proves them: every row that was read is still there in the version that was read, no key was
taken, every wallet and every round was found. Else it raises FACTS_CHANGED, and nothing of it
stands. The wallets come first, in the order of their players, as FACTS locks them: whoever meets
here waits, and never in a circle."""

KEEP_OUT: Final = """
UPDATE wallets w SET version = w.version
FROM (
    SELECT found.place FROM unnest($1::text[]) AS asked (user_id)
    CROSS JOIN LATERAL (
        SELECT player_id FROM players WHERE user_id = asked.user_id LIMIT 1
    ) p
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM wallets WHERE player_id = p.player_id LIMIT 1
    ) found
    ORDER BY p.player_id
) n
WHERE w.ctid = n.place
"""
"""Give wallets a new version with the same content.

A RECORD_AT_ONCE whose connection was lost may still be on its way to the database. Once this is
committed it cannot prove its facts any more; if it was faster, this waits, and is run again."""

FACTS_CHANGED: Final = "WF001"
"""The SQLSTATE of `facts_must_hold`."""

LOG_REFUSALS: Final = """
INSERT INTO refusals (user_id, source, operation, transaction_id, event_id, event_type, direction,
    amount, refusal, reason, differs, asked, delivery, event_time, ledger_time)
SELECT user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
    refusal, reason, differs, asked, delivery, event_time, coalesce($15::timestamptz, now())
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[],
    $14::timestamptz[])
    AS n (user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
          refusal, reason, differs, asked, delivery, event_time)
"""

RENEW_SESSIONS: Final = """
UPDATE sessions s SET expires_at = n.expires_at
FROM unnest($1::bigint[], $2::bytea[], $3::timestamptz[]) AS n (player_id, token_hash, expires_at)
CROSS JOIN LATERAL (
    SELECT ctid AS place FROM sessions
    WHERE player_id = n.player_id AND token_hash = n.token_hash LIMIT 1
) known
WHERE s.ctid = known.place AND s.life_seconds IS NOT NULL AND s.expires_at < n.expires_at
"""

KEEP_NOTICE: Final = """
INSERT INTO maintenance_notices (status, batch_id, game_ids, additions, brand_name, countries,
    currencies, provider_ids, received_at, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

LIST_UNKNOWN_OUTCOMES: Final = """
INSERT INTO unanswered (player_id, position, told_at)
SELECT player_id, position, coalesce($3::timestamptz, now())
FROM unnest($1::bigint[], $2::bigint[]) AS n (player_id, position)
ON CONFLICT DO NOTHING
"""

LIST_RETURNS: Final = """
UPDATE unanswered u SET came_back_at = coalesce($3::timestamptz, now())
FROM unnest($1::bigint[], $2::bigint[]) AS n (player_id, position)
CROSS JOIN LATERAL (
    SELECT ctid AS place FROM unanswered
    WHERE player_id = n.player_id AND position = n.position LIMIT 1
) listed
WHERE u.ctid = listed.place AND u.came_back_at IS NULL
"""
