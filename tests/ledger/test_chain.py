"""The hash chain, recomputed in plain SQL from the rows alone."""

from app.ledger.audit import CANONICAL
from app.wallet.journal import CHAIN_START
from tests.cashier.till import Till

BROKEN = """
WITH texts AS (
    SELECT player_id, position, chain,
           lag(chain) OVER (PARTITION BY player_id ORDER BY position) AS previous,
           concat_ws('|',
               'v1', player_id, position, version, encode(uuid_send(delivery), 'hex'),
               event_type, direction, decision, currency, scale,
               round(amount * ('1e' || scale)::numeric),
               round(real_before * ('1e' || scale)::numeric),
               round(bonus_before * ('1e' || scale)::numeric),
               round(real_delta * ('1e' || scale)::numeric),
               round(bonus_delta * ('1e' || scale)::numeric),
               contra, coalesce(game_id::text, '-'), reverses, flags,
               round(extract(epoch FROM event_time) * 1000000),
               round(extract(epoch FROM ledger_time) * 1000000),
               length(source) || ':' || source,
               length(transaction_id) || ':' || transaction_id,
               length(facet) || ':' || facet,
               coalesce(length(event_id) || ':' || event_id, '-'),
               coalesce(length(bonus_code) || ':' || bonus_code, '-'),
               coalesce(length(extra_data) || ':' || extra_data, '-')
           ) AS canonical
    FROM movements
)
SELECT player_id, position FROM texts
WHERE chain <> sha256(coalesce(previous, decode(repeat('00', 32), 'hex'))
                      || convert_to(canonical, 'UTF8'))
"""
"""Every link that is not the hash of the one before it and of its own row."""

HOSTILE = [
    "",
    "|",
    "-",
    "0:",
    "a|b|-|3:abc",
    "\n\t\\x00 \\n",
    "'; DROP TABLE movements; --",
    "é\N{COMBINING ACUTE ACCENT}\N{GRINNING FACE}\u200b\ufeff",
    '{"a": "\\u0000"}',
    "x" * 5000,
]


async def play(till: Till) -> None:
    await till.player("anna", "100.50", "20")
    await till.player("boris", "500", currency="KRW")
    for number, text in enumerate(HOSTILE):
        event = text[:250] or "e"
        await till.move(
            till.bet(amount="1.00", extra_data=text, event_id=event, bonus_code=text),
            till.movement("anna", "Win", "credit", "3.33", event_id=event, bonus_code="FREE"),
            till.bet(amount="9999", transaction_id=f"{event[:200]}{number}"),
            till.movement("anna", "SportBetCancel", "debit", "40", event_id=event),
            till.movement("boris", "technicalFix", "credit", "5"),
        )


async def test_the_stored_chain_is_the_chain_recomputed_from_the_rows(till: Till) -> None:
    await play(till)
    assert await till.count("movements") > 40
    assert await till.rows(BROKEN) == []
    ends = await till.rows(
        "SELECT w.chain, w.position, m.chain AS last FROM wallets w JOIN movements m"
        " ON m.player_id = w.player_id AND m.position = w.position"
    )
    assert len(ends) == 2
    assert all(end["chain"] == end["last"] for end in ends)
    (first,) = await till.rows(
        "SELECT chain FROM movements WHERE position = 1 AND currency = 'KRW'"
    )
    assert first["chain"] != CHAIN_START


async def test_the_audits_text_of_a_row_is_the_wallets_and_the_one_recomputed_here(
    till: Till,
) -> None:
    await play(till)
    odd = await till.rows(
        f"SELECT m.position FROM movements m LEFT JOIN movements p ON p.player_id = m.player_id"
        f" AND p.position = m.position - 1 WHERE m.chain <> sha256("
        f" coalesce(p.chain, decode(repeat('00', 32), 'hex')) || convert_to({CANONICAL}, 'UTF8'))"
    )
    assert odd == []


async def test_whatever_is_changed_behind_the_triggers_back_is_found(till: Till) -> None:
    await play(till)
    changes = {
        "amount": "amount + 1",
        "real_before": "real_before + 1",
        "event_id": "event_id || ' '",
        "event_time": "event_time + interval '1 microsecond'",
        "extra_data": "extra_data || ' '",
        "bonus_code": "NULL",
        "game_id": "0",
        "delivery": "gen_random_uuid()",
        "decision": "'PLAYER_BLOCKED'",
        "version": "version + 1",
        "transaction_id": "transaction_id || 'x'",
    }
    for column, value in changes.items():
        change = f"UPDATE movements SET {column} = {value} WHERE player_id = 1 AND position = 3"
        begin = "BEGIN; SET LOCAL session_replication_role = replica; "
        checks = "; ".join(
            f"ALTER TABLE movements DROP CONSTRAINT {row[0]}"
            for row in await till.rows(
                "SELECT conname FROM pg_constraint WHERE contype = 'c'"
                " AND conrelid = 'movements'::regclass"
            )
        )
        broken = await till.rows_after(f"{begin}{checks}; {change}", BROKEN)
        assert [tuple(row) for row in broken] == [(1, 3)], column
