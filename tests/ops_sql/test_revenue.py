"""Figures that add up: revenue against the house accounts, closings against movements."""

from tests.ops_sql.conftest import Psql

GAMES_ARE_GGR = """
SELECT r.currency, sum(r.ggr) - max(h.balance) AS difference
FROM ops.daily_revenue r
JOIN ops.house_accounts h ON h.account = 'house:games' AND h.currency = r.currency
GROUP BY r.currency HAVING sum(r.ggr) <> max(h.balance)
"""

MONEY_IN_IS_SOMEWHERE = """
SELECT d.currency
FROM (SELECT currency,
             sum(deposits - withdrawals - ngr - tips + corrections + adjustments
                 + imports) AS left_over
      FROM ops.daily_movements GROUP BY currency) d
LEFT JOIN (SELECT currency, sum(result) AS result
           FROM ops.daily_streamer_revenue GROUP BY currency) s USING (currency)
JOIN (SELECT currency, sum(balance) AS owed FROM ops.players GROUP BY currency) p USING (currency)
WHERE d.left_over - coalesce(s.result, 0) <> p.owed
"""

CLOSINGS_ARE_MOVEMENTS = """
SELECT b.day, b.user_id
FROM ops.daily_balances b
WHERE b.day <= '2026-03-10' AND b.balance <> coalesce((
    SELECT sum(m.real_delta + m.bonus_delta) FROM ops.movements m
    WHERE m.user_id = b.user_id AND m.day <= b.day), 0)
"""


def test_the_ggr_of_all_days_is_what_the_games_account_holds(psql: Psql) -> None:
    assert psql.rows(GAMES_ARE_GGR) == []
    assert psql.rows("SELECT count(*) FROM ops.daily_revenue") != [("0",)]


def test_what_was_paid_in_is_paid_out_owed_or_earned(psql: Psql) -> None:
    """What was paid in, corrected and adjusted is owed to players, or was earned."""
    assert psql.rows(MONEY_IN_IS_SOMEWHERE) == []


def test_players_and_games_give_the_same_revenue(psql: Psql) -> None:
    by_game = "SELECT day, currency, sum(turnover), sum(payments), sum(ngr) FROM ops.daily_revenue"
    by_player = by_game.replace("daily_revenue", "daily_players")
    group = " GROUP BY 1, 2 HAVING sum(turnover) <> 0 OR sum(ngr) <> 0 ORDER BY 1, 2"
    assert psql.rows(by_game + group) == psql.rows(by_player + group)


def test_a_stake_given_back_counts_on_the_day_it_was_given_back(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT day, event_type, turnover, payments FROM ops.daily_movements"
        " WHERE game_id = 1037566 AND day >= '2026-03-03' ORDER BY day, event_type"
    )
    assert rows == [
        ("2026-03-03", "BetPlacing", "7.00", "0.00"),
        ("2026-03-03", "BetPlacingAbort", "-7.00", "0.00"),
        # It undoes the abort: the stake is placed again, and nothing was paid.
        ("2026-03-04", "SportBetCancel", "7.00", "0.00"),
    ]


def test_streamer_money_is_in_no_figure_of_revenue(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT sum(turnover), sum(payments), sum(ngr), sum(tips), sum(deposits)"
        " FROM ops.daily_movements WHERE is_streamer"
    )
    assert rows == [("0.00",) * 5]


def test_bonuses_cost_when_granted_and_prizes_when_paid(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT sum(ggr), sum(bonuses), sum(promotions), sum(ngr)"
        " FROM ops.daily_revenue WHERE currency = 'USD'"
    )
    assert rows == [("117.00", "40.00", "20.00", "57.00")]


def test_a_closing_balance_is_the_sum_of_all_movements_until_then(psql: Psql) -> None:
    assert psql.rows(CLOSINGS_ARE_MOVEMENTS) == []


def test_the_last_closing_is_what_the_wallet_holds(psql: Psql) -> None:
    differing = psql.rows(
        "SELECT b.user_id FROM ops.daily_balances b JOIN ops.players p USING (user_id)"
        " WHERE b.day = (now() AT TIME ZONE 'UTC')::date AND b.balance <> p.balance"
    )
    assert differing == []


def test_a_day_before_any_movement_closes_with_nothing(psql: Psql) -> None:
    rows = psql.rows("SELECT count(*) FROM ops.daily_balances WHERE day = '2026-02-28'")
    assert rows == [("0",)]


def test_debits_and_credits_of_every_currency_are_equal(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT currency, sum(credits) - sum(debits), sum(difference)"
        " FROM ops.trial_balance GROUP BY 1 ORDER BY 1"
    )
    assert rows == [("JPY", "0", "0"), ("USD", "0.00", "0.00")]
