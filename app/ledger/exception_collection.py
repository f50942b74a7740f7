"""Finds exceptions in what the ledger has decided, and settles those that it has settled itself.

The money road knows nothing of the inbox. From time to time the refusal log, the journal's
remarkable movements and the unknown outcomes are looked through, from where the last look ended:

1. `next_slice`  takes the collector's lock, and says which moments are to be looked through
2. `open_in`     lists what went astray in them, once, and only what is astray still
3. `settle`      closes what the ledger has settled since
4. `finish`      remembers how far everything was looked through

A movement carries the moment at which it was decided and appears when it is committed, at most a
deadline later: each look begins so much earlier than the last one ended (`OVERLAP`). A case has
one key for ever, so looking twice lists nothing twice. Slices bound the work of one transaction,
however much there is the first time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.events import RULES, Part
from app.wallet.inbox import ExceptionKind
from app.wallet.sport_bets import UNSETTLED, UNSETTLED_AFTER
from app.wallet.sport_round import MismatchKind

OVERLAP: Final = timedelta(minutes=5)
"""Five times the longest deadline that can be set."""

SLICE: Final = timedelta(days=1)

GRACE: Final = timedelta(minutes=5)
"""How long a caller has to ask again for an unknown outcome before anybody looks after it."""

_ABORTS: Final = ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.part is Part.ABORT)

_LOCK: Final = """
SELECT collected_until, ran_at FROM exception_collections FOR UPDATE
"""

_FIRST: Final = """
SELECT least((SELECT min(ledger_time) FROM refusals),
             (SELECT min(ledger_time) FROM movements
              WHERE decision <> 'ACCEPTED' OR flags <> ''
                 OR event_type IN ('SportBetCancel', 'technicalFix')))
"""

_NOW: Final = "SELECT coalesce($1::timestamptz, now())"

_PLAY: Final = ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.is_play)

UNKNOWN_PLAYERS_MAX: Final = 1000
"""Of each restore; `ops.unknown_players` has all of them."""

_DONE: Final = "UPDATE exception_collections SET collected_until = $1, ran_at = $2"

_HAS_OUTCOME: Final = """
EXISTS (
    SELECT FROM transaction_keys k
    JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
    WHERE k.source = e.source AND k.transaction_id = e.transaction_id
      AND (k.facet = e.event_type || ':' || e.direction
           OR (k.facet = '' AND (m.event_type, m.direction) = (e.event_type, e.direction)))
)
"""
"""Whether the id of an exception `e` has an outcome by now: accepted, refused for ever, by hand."""

_ABORT_IS_SPENT: Final = f"""
(e.event_type IN ({_ABORTS}) AND EXISTS (
    SELECT FROM early_aborts a
    JOIN players p ON p.player_id = a.player_id
    WHERE p.user_id = e.user_id AND a.event_id = e.event_id
      AND a.transaction_id = e.transaction_id AND a.state <> 'waiting'))
"""
"""Whether an abort that was refused has met its bet since, which was refused, too."""

_SETTLED_BY_HAND: Final = """
EXISTS (
    SELECT FROM transaction_keys k
    JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
    WHERE k.source = e.source AND k.transaction_id = e.transaction_id
      AND k.facet = e.event_type || ':' || e.direction AND m.event_type = 'Adjustment'
)
"""

_IS_GIVEN_BACK: Final = f"""
EXISTS (
    SELECT FROM movements later
    WHERE later.player_id = e.player_id AND later.event_id = e.event_id
      AND later.position > e.position AND later.decision = 'ACCEPTED'
      AND later.event_type IN ({_ABORTS}) AND later.reverses LIKE e.position || '/%'
)
"""

_ABORT_WAS_TOLD: Final = """
(EXISTS (
    SELECT FROM movements m
    WHERE m.player_id = e.player_id AND m.position = e.position AND m.decision = 'BET_OVERTAKEN')
 AND EXISTS (
    SELECT FROM early_aborts a
    WHERE a.player_id = e.player_id AND a.event_id = e.event_id AND a.amount = e.amount::numeric
      AND a.is_streamer = starts_with(e.event_type, 'PromoStreamers'))
 AND NOT EXISTS (
    SELECT FROM early_aborts a
    WHERE a.player_id = e.player_id AND a.event_id = e.event_id AND a.amount = e.amount::numeric
      AND a.is_streamer = starts_with(e.event_type, 'PromoStreamers') AND a.state = 'used'))
"""
"""Whether the abort that refused a bet was delivered again, and heard that nothing is left."""

_IS_RECONCILED: Final = f"""
(EXISTS (
    SELECT FROM transaction_keys k
    JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
    WHERE k.source = e.source AND k.transaction_id = e.transaction_id
      AND m.event_type = 'Adjustment'
      AND (starts_with(k.facet, 'Adjustment:')
           OR k.facet = coalesce(e.event_type || ':' || e.direction, k.facet)))
 OR (starts_with(e.key, 'only_theirs|') AND EXISTS (
    SELECT FROM transaction_keys k
    JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
    WHERE k.source = e.source AND k.transaction_id = e.transaction_id
      AND m.decision = 'ACCEPTED' AND m.event_type <> 'Adjustment' AND m.direction = e.direction
      AND m.event_type = coalesce(e.event_type, m.event_type)))
 OR (starts_with(e.key, 'only_ours|') AND {_IS_GIVEN_BACK}))
"""  # noqa: S608 - composed of constants
"""Whether two people, a delivery that came late, or an abort brought the two books together."""

_UNSETTLED: Final = (
    "status = 'open' AND last_leg_at < now() - interval"
    f" '{UNSETTLED_AFTER // timedelta(seconds=1)} s'"
)

_SLIP_AGREES: Final = f"""
(NOT EXISTS (
    SELECT FROM slip_mismatches s
    WHERE s.player_id = e.player_id AND s.position = e.position
      AND s.kind = split_part(e.key, '|', 3))
 AND NOT (split_part(e.key, '|', 3) = '{UNSETTLED}' AND EXISTS (
    SELECT FROM sport_bets b
    WHERE b.player_id = e.player_id AND b.position = e.position AND {_UNSETTLED})))
"""  # noqa: S608 - composed of constants
"""Whether a later movement, or a better reading, brought slip and journal together."""

_OUTCOME: Final = "concat_ws('|', l.currency, l.event_id, l.market, l.outcome) || '|'"

_IS_SMALL: Final = f"""
NOT EXISTS (SELECT FROM sport_liabilities l WHERE l.is_large AND starts_with(e.key, {_OUTCOME}))
"""

SETTLED: Final[Mapping[ExceptionKind, str]] = {
    ExceptionKind.EXPECTED_CREDIT: f"({_HAS_OUTCOME} OR {_ABORT_IS_SPENT})",
    ExceptionKind.OTHER_CONTENT: _SETTLED_BY_HAND,
    ExceptionKind.OVERTAKEN_BET: f"({_IS_GIVEN_BACK} OR {_ABORT_WAS_TOLD})",
    ExceptionKind.UNKNOWN_OUTCOME: """
EXISTS (
    SELECT FROM unanswered u
    WHERE u.player_id = e.player_id AND u.position = e.position AND u.came_back_at IS NOT NULL
)
""",
    ExceptionKind.NEGATIVE_BALANCE: """
EXISTS (SELECT FROM wallets w WHERE w.player_id = e.player_id AND w.real >= 0)
""",
    ExceptionKind.RECONCILIATION_DIFFERENCE: _IS_RECONCILED,
    ExceptionKind.SLIP_MISMATCH: _SLIP_AGREES,
    ExceptionKind.LARGE_LIABILITY: _IS_SMALL,
}
"""When the ledger has settled an exception `e`, by its kind. The other kinds wait for a person."""

_REFUSED: Final = """
    SELECT DISTINCT ON (r.source, coalesce(r.transaction_id, r.delivery::text), r.event_type,
                        r.direction, r.user_id)
           format('%s|%s|%s|%s|%s', r.source, coalesce(r.transaction_id, r.delivery::text),
                  r.event_type, r.direction, r.user_id) AS key,
           p.player_id, NULL::bigint AS position, r.user_id, r.source, r.transaction_id,
           r.event_type, r.direction, r.event_id, r.amount, p.currency,
           {summary} AS summary, r.ledger_time AS happened_at
    FROM refusals r
    LEFT JOIN players p ON p.user_id = r.user_id
    WHERE r.ledger_time >= $1 AND r.ledger_time < $2 AND {condition}
    ORDER BY r.source, coalesce(r.transaction_id, r.delivery::text), r.event_type, r.direction,
             r.user_id, r.ledger_time
"""

_MOVED: Final = """
    SELECT format('%s|%s', m.player_id, m.position) AS key, m.player_id, m.position, p.user_id,
           m.source, m.transaction_id, m.event_type, m.direction, m.event_id,
           round(m.amount, m.scale)::text AS amount, m.currency, {summary} AS summary,
           {moment} AS happened_at
    FROM {tables}
    JOIN players p ON p.player_id = m.player_id
    WHERE {condition}
"""

_SLICE: Final = "m.ledger_time >= $1 AND m.ledger_time < $2"

_MISMATCH_WORDS: Final = {
    MismatchKind.OTHER_SLIP: "a settlement names another slip",
    MismatchKind.DOUBLE_CASH_OUT: "a bet was cashed out twice",
    MismatchKind.SUM_DIFFERS: "the slip names another stake",
    MismatchKind.PAID_ABOVE_POTENTIAL: "more was paid than the slip could win",
    MismatchKind.SAYS_OTHERWISE: "the result in words is not what was paid",
    UNSETTLED: "a bet is open long after its last leg",
}
"""What a SportBetCancel took beyond the payments is a kind of its own."""

_IS_NOW: Final = "$1::timestamptz < $2::timestamptz AND $2 > $3::timestamptz"
"""In the look that reaches the present: what is read has no moments to be sliced by."""

_LARGE: Final = f"""
    SELECT {_OUTCOME} || (l.counted_at AT TIME ZONE 'UTC')::date AS key, NULL::bigint AS player_id,
           NULL::bigint AS position, NULL AS user_id, NULL AS source, NULL AS transaction_id,
           NULL AS event_type, NULL AS direction, l.event_id, l.potential_win::text AS amount,
           l.currency,
           concat_ws(', ', format('%s open bets may win this on %s', l.bets, l.outcome), l.market,
                     l.competitors) AS summary,
           l.counted_at AS happened_at
    FROM sport_liabilities l
    WHERE l.is_large AND {_IS_NOW} AND NOT EXISTS (
        SELECT FROM exceptions o
        WHERE o.kind = '{ExceptionKind.LARGE_LIABILITY}' AND o.state IN ('open', 'taken')
          AND starts_with(o.key, {_OUTCOME}))
"""  # noqa: S608 - composed of constants

_OF_UNKNOWN_PLAYERS: Final = f"""
    SELECT DISTINCT ON (a.number, r.user_id)
           format('%s|%s', a.number, r.user_id) AS key,
           p.player_id, NULL::bigint AS position, r.user_id, r.source, r.transaction_id,
           r.event_type, r.direction, r.event_id, r.amount, p.currency,
           'money came for a player whom the restored ledger does not know;'
           ' ops.unknown_players has all of it' AS summary, r.ledger_time AS happened_at
    FROM ledger_timeline_answers a
    JOIN refusals r ON r.ledger_time >= a.answered_at AND r.ledger_time < a.money_until
    LEFT JOIN players p ON p.user_id = r.user_id
    WHERE a.money_until > $1 AND r.ledger_time >= $1 AND r.ledger_time < $2
      AND r.operation = 'moveFunds' AND r.refusal = 'PLAYER_UNKNOWN'
      AND r.event_type NOT IN ({_PLAY})
      AND (SELECT count(*) FROM exceptions x
           WHERE x.kind = 'unknown_player' AND starts_with(x.key, a.number || '|'))
          < {UNKNOWN_PLAYERS_MAX}
    ORDER BY a.number, r.user_id, r.ledger_time
    LIMIT {UNKNOWN_PLAYERS_MAX}
"""  # noqa: S608 - composed of constants

_FOUND: Final[Mapping[ExceptionKind, str]] = {
    ExceptionKind.EXPECTED_CREDIT: _REFUSED.format(
        summary="r.reason",
        condition="r.operation IN ('moveFunds', 'betby') AND r.direction = 'credit'"
        " AND r.amount ~ '[1-9]'"
        " AND (r.refusal = 'NO_MATCHING_MOVEMENT' OR (r.refusal = 'FORMAT' AND NOT EXISTS ("
        "SELECT FROM event_types t WHERE t.event_type = r.event_type)))",
    ),
    ExceptionKind.OTHER_CONTENT: _REFUSED.format(
        summary="format('%s (%s)', r.reason, r.differs)", condition="r.differs IS NOT NULL"
    ),
    ExceptionKind.OVERTAKEN_BET: _MOVED.format(
        summary="CASE m.decision WHEN 'ACCEPTED' THEN 'a bet was accepted after its abort had been"
        " refused' ELSE 'a bet was refused because its abort came first' END",
        moment="m.ledger_time",
        tables="movements m",
        condition=f"{_SLICE} AND (m.decision = 'BET_OVERTAKEN' OR (m.decision = 'ACCEPTED'"
        " AND m.flags <> '' AND m.flags LIKE '%abort_overtook%'))"
        " AND (m.decision <> 'ACCEPTED' OR m.flags <> '')",
    ),
    ExceptionKind.UNKNOWN_OUTCOME: _MOVED.format(
        summary="format('its caller heard 503, and the movement was %s',"
        " CASE m.decision WHEN 'ACCEPTED' THEN 'accepted' ELSE 'refused' END)",
        moment="u.told_at",
        tables="unanswered u"
        " JOIN movements m ON m.player_id = u.player_id AND m.position = u.position",
        condition="u.came_back_at IS NULL AND u.told_at < $3::timestamptz - interval"
        f" '{GRACE // timedelta(seconds=1)} s' AND $1::timestamptz < $2::timestamptz",
    ),
    ExceptionKind.UNCOVERED_CANCEL: _MOVED.format(
        summary="CASE WHEN m.flags LIKE '%event_unknown%' THEN 'a SportBetCancel of an event"
        " without a bet' ELSE 'a SportBetCancel of more than the payments that stood' END",
        moment="m.ledger_time",
        tables="movements m",
        condition=f"{_SLICE} AND m.event_type = 'SportBetCancel' AND m.decision = 'ACCEPTED'"
        " AND m.flags LIKE '%remainder%'",
    ),
    ExceptionKind.NEGATIVE_BALANCE: _MOVED.format(
        summary="format('the real pocket fell to %s', round(m.real_after, m.scale))",
        moment="m.ledger_time",
        tables="movements m",
        condition=f"{_SLICE} AND m.decision = 'ACCEPTED'"
        " AND m.real_before >= 0 AND m.real_after < 0"
        " AND (m.event_type = 'SportBetCancel'"
        " OR (m.flags <> '' AND m.flags LIKE '%overdrawn%'))",
    ),
    ExceptionKind.SLIP_MISMATCH: _MOVED.replace(
        "m.position) AS", "m.position || '|' || s.kind) AS"
    ).format(
        summary="CASE s.kind"
        + "".join(f" WHEN '{kind}' THEN '{words}'" for kind, words in _MISMATCH_WORDS.items())
        + " END || coalesce(' (' || s.told || ', not ' || s.expected || ')', '')",
        moment="s.happened_at",
        tables=f"""(
        SELECT player_id, position, kind, expected, told, happened_at FROM slip_mismatches
        WHERE kind <> '{MismatchKind.CANCEL_BEYOND_PAID}'
        UNION ALL
        SELECT player_id, position, '{UNSETTLED}', NULL, NULL, last_leg_at FROM sport_bets
        WHERE {_UNSETTLED}
    ) s
    JOIN movements m ON m.player_id = s.player_id AND m.position = s.position""",  # noqa: S608
        condition=_IS_NOW,
    ),
    ExceptionKind.LARGE_LIABILITY: _LARGE,
    ExceptionKind.UNKNOWN_TOKEN: _MOVED.format(
        summary="'money was accepted under a token that the restored ledger does not know'",
        moment="m.ledger_time",
        tables="movements m",
        condition=f"{_SLICE} AND m.decision = 'ACCEPTED' AND m.flags <> ''"
        " AND m.flags LIKE '%token_unknown%'",
    ),
    ExceptionKind.UNKNOWN_PLAYER: _OF_UNKNOWN_PLAYERS,
}

_OPEN: Final = """
INSERT INTO exceptions (kind, key, player_id, position, user_id, source, transaction_id,
    event_type, direction, event_id, amount, currency, summary, happened_at, opened_at)
SELECT '{kind}', e.key, e.player_id, e.position, e.user_id, e.source, e.transaction_id,
       e.event_type, e.direction, e.event_id, e.amount, e.currency, e.summary, e.happened_at,
       $3::timestamptz
FROM ({found}) e
WHERE NOT {settled}
ORDER BY e.happened_at
ON CONFLICT (kind, key) DO NOTHING
"""

_SETTLE: Final = """
WITH closed AS (
    UPDATE exceptions e SET state = 'settled', closed_at = $1, closed_by = 'ledger'
    WHERE e.kind = '{kind}' AND e.state IN ('open', 'taken') AND {settled}
    RETURNING e.exception_id
)
INSERT INTO exception_steps (exception_id, at, step, by, is_verified, via, came_from)
SELECT exception_id, $1, 'settled', 'ledger', true, 'ledger', '' FROM closed
"""

OPEN: Final = tuple(
    _OPEN.format(kind=kind.value, found=found, settled=SETTLED.get(kind, "false"))
    for kind, found in _FOUND.items()
)
SETTLE: Final = tuple(
    _SETTLE.format(kind=kind.value, settled=settled) for kind, settled in SETTLED.items()
)


class Slice(NamedTuple):
    """The moments of one look, and whether it reaches the present."""

    begin: datetime
    end: datetime
    now: datetime

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to look through afterwards."""
        return self.end >= self.now


async def next_slice(book: Book, *, not_within: timedelta) -> Slice | None:
    """Take the collector's lock, and return what is to be looked through.

    None: another process did so less than `not_within` ago.
    """
    now: datetime = await book.connection.fetchval(_NOW, book.now_given())
    row = await book.connection.fetchrow(_LOCK)
    if row is None:
        raise AssertionError("the migration leaves one row of collections")
    until, ran_at = row["collected_until"], row["ran_at"]
    if ran_at is not None and until == ran_at and now - ran_at < not_within:
        return None
    if until is None:
        until = await book.connection.fetchval(_FIRST) or now
    begin = until - OVERLAP
    return Slice(begin, min(begin + SLICE, now), now)


async def open_in(book: Book, moments: Slice) -> None:
    """List what went astray in these moments and is astray still."""
    # What was decided at this very moment is looked at, too.
    end = moments.end + timedelta(microseconds=1) if moments.is_last else moments.end
    for statement in OPEN:
        await book.connection.execute(statement, moments.begin, end, moments.now)


async def settle(book: Book, now: datetime) -> None:
    """Close what the ledger has settled."""
    for statement in SETTLE:
        await book.connection.execute(statement, now)


async def finish(book: Book, moments: Slice) -> None:
    """Remember that everything until the end of these moments was looked at."""
    await book.connection.execute(_DONE, moments.end, moments.now)
