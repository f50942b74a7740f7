-- Writes what one batch of decisions leaves behind, in a SERIALIZABLE transaction, if every fact it
-- was decided on still holds.
--
-- 0. The transaction is SERIALIZABLE, else WF003: a connection pooler may have dropped the
--    connection's settings.
-- 1. The settings that decide money are those that the database remembers, else WF002; where it
--    remembers none yet, none differ.
-- 2. Every wallet that is written has the revision it was read with, else WF001. Whatever a decision
--    may read of a player (their pockets, limits, block, rounds, histories, early aborts) is only
--    changed together with a raise of that revision, so this proves all of it. The rows are found
--    by key, in the order of their players: whoever meets here waits, and never in a circle.
-- 3. No transaction id was taken meanwhile, else WF001. Counted by RETURNING: the number of rows
--    that a command reports is, on a distributed database, not always the number it inserted.
-- 4. The journal. 5. Rounds, as they stand after the batch: they ride on their wallet's revision,
--    so nobody has changed them since they were read. 6. Early aborts. 7. Refusals without an
--    outcome. 8. The renewed lives of tokens; a token that has expired or was revoked meanwhile
--    stays so. 9. Outcomes that their callers did not know are known now.
-- 10. Counters of limits that few players have, as they stand after the batch; the row was made when
--    the limit was set. 11. Which limit refused. 12. Holds: made, or closed if still pending, else
--    WF001.
--
-- Rows that are changed are found by their keys twice, joined and as an array: while statistics say
-- that a table is small, a join alone may read the whole of it, and that plan is kept.

CREATE FUNCTION record_movements_v2(
    given decision_settings_v2,
    wallets_after wallet_row_v1[],
    journal journal_row_v1[],
    rounds_after round_row_v1[],
    aborts_after early_abort_row_v1[],
    refused refusal_row_v1[],
    renewed session_row_v1[],
    returned position_row_v1[],
    counters_after counter_row_v1[],
    limit_hits_told limit_hit_row_v1[],
    holds_after hold_row_v1[],
    decided_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    remembered decision_settings;
    counted bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'serializable' THEN
        RAISE EXCEPTION 'money moves in serializable transactions only'
            USING ERRCODE = 'WF003';
    END IF;

    SELECT * INTO remembered FROM decision_settings;
    IF given.rule_version IS DISTINCT FROM remembered.rule_version
       OR given.key_scope <> remembered.key_scope
       OR given.stake_order <> remembered.stake_order
       OR given.overtaken_bet <> remembered.overtaken_bet
       OR given.overtaken_seconds <> remembered.overtaken_seconds
       OR given.limit_zone <> remembered.limit_zone
    THEN
        RAISE EXCEPTION 'the settings that decide money are not those of this ledger'
            USING ERRCODE = 'WF002';
    END IF;

    IF cardinality(wallets_after) > 0 THEN
        WITH written AS (
            UPDATE wallets w SET
                real = n.real, bonus = n.bonus, version = n.version, position = n.position,
                chain = n.chain, revision = n.revision + 1, usage_day = n.usage_day,
                stake_day = n.stake_day, stake_week = n.stake_week, stake_month = n.stake_month,
                loss_day = n.loss_day, loss_week = n.loss_week, loss_month = n.loss_month,
                has_refused_aborts = w.has_refused_aborts OR n.has_refused_aborts
            FROM unnest(wallets_after) AS n
            WHERE w.player_id = n.player_id AND w.revision = n.revision
              AND w.player_id = ANY (ARRAY(SELECT player_id FROM unnest(wallets_after)))
            RETURNING 1
        )
        SELECT count(*) INTO counted FROM written;
        IF counted <> cardinality(wallets_after) THEN
            RAISE EXCEPTION 'a wallet has changed since it was read' USING ERRCODE = 'WF001';
        END IF;
    END IF;

    IF cardinality(journal) > 0 THEN
        WITH taken AS (
            INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
            SELECT source, transaction_id, facet, player_id, position FROM unnest(journal)
            ON CONFLICT DO NOTHING
            RETURNING 1
        )
        SELECT count(*) INTO counted FROM taken;
        IF counted <> cardinality(journal) THEN
            RAISE EXCEPTION 'a transaction id has been taken since it was looked up'
                USING ERRCODE = 'WF001';
        END IF;
        -- Whole microseconds times an interval are reckoned in double precision: exact to 2255.
        INSERT INTO movements (
            player_id, position, version, source, transaction_id, facet, delivery, event_type,
            direction, decision, currency, scale, amount, real_before, bonus_before, real_delta,
            bonus_delta, real_after, bonus_after, contra, event_id, game_id, bonus_code, extra_data,
            reverses, flags, event_time, ledger_time, chain)
        SELECT player_id, position, version, source, transaction_id, facet, delivery, event_type,
            direction, decision, currency, scale, amount, real_before, bonus_before, real_delta,
            bonus_delta, real_before + real_delta, bonus_before + bonus_delta, contra, event_id,
            game_id, bonus_code, extra_data, reverses, flags,
            'epoch'::timestamptz + event_time * interval '1 microsecond', decided_at, chain
        FROM unnest(journal);
    END IF;

    IF cardinality(rounds_after) > 0 THEN
        INSERT INTO rounds (
            player_id, event_id, is_streamer, agent, currency, scale, game_id, opened_at, last_at,
            settled, bets_placed, bets_standing, stake_real, stake_bonus, staked, paid, taken_back,
            cancels, remainder, has_early_aborts, refused_aborts)
        SELECT player_id, event_id, is_streamer, agent, currency, scale, game_id, decided_at,
            decided_at, settled, bets_placed, bets_open, stake_real, stake_bonus, staked, paid,
            taken_back, cancels, uncovered, has_early_aborts, refused_aborts
        FROM unnest(rounds_after)
        ON CONFLICT (player_id, event_id, is_streamer) DO UPDATE SET
            last_at = excluded.last_at, settled = excluded.settled,
            bets_placed = excluded.bets_placed, bets_standing = excluded.bets_standing,
            stake_real = excluded.stake_real, stake_bonus = excluded.stake_bonus,
            staked = excluded.staked, paid = excluded.paid, taken_back = excluded.taken_back,
            cancels = excluded.cancels, remainder = excluded.remainder,
            has_early_aborts = excluded.has_early_aborts,
            refused_aborts = excluded.refused_aborts;
    END IF;

    IF cardinality(aborts_after) > 0 THEN
        INSERT INTO early_aborts (
            player_id, event_id, is_streamer, transaction_id, amount, first_at, state)
        SELECT player_id, event_id, is_streamer, transaction_id, amount,
            'epoch'::timestamptz + first_at * interval '1 microsecond', state
        FROM unnest(aborts_after)
        ON CONFLICT (player_id, event_id, is_streamer, transaction_id) DO UPDATE SET
            state = excluded.state;
    END IF;

    IF cardinality(refused) > 0 THEN
        INSERT INTO refusals (
            user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
            refusal, reason, differs, asked, delivery, event_time, ledger_time)
        SELECT user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
            refusal, reason, differs, asked, delivery,
            'epoch'::timestamptz + event_time * interval '1 microsecond', decided_at
        FROM unnest(refused);
    END IF;

    IF cardinality(renewed) > 0 THEN
        UPDATE sessions s
        SET expires_at = 'epoch'::timestamptz + n.expires_at * interval '1 microsecond'
        FROM unnest(renewed) AS n
        WHERE s.player_id = n.player_id AND s.token_hash = n.token_hash
          AND s.player_id = ANY (ARRAY(SELECT player_id FROM unnest(renewed)))
          AND s.life_seconds IS NOT NULL AND s.expires_at > decided_at
          AND s.expires_at < 'epoch'::timestamptz + n.expires_at * interval '1 microsecond';
    END IF;

    IF cardinality(returned) > 0 THEN
        UPDATE unanswered u SET came_back_at = decided_at
        FROM unnest(returned) AS n
        WHERE u.player_id = n.player_id AND u.position = n.position AND u.came_back_at IS NULL
          AND u.player_id = ANY (ARRAY(SELECT player_id FROM unnest(returned)));
    END IF;

    IF cardinality(counters_after) > 0 THEN
        UPDATE limit_counters c SET
            counted_on = n.counted_on, day = n.day, week = n.week, month = n.month
        FROM unnest(counters_after) AS n
        WHERE c.player_id = n.player_id AND c.counter = n.counter
          AND c.player_id = ANY (ARRAY(SELECT player_id FROM unnest(counters_after)));
    END IF;

    IF cardinality(limit_hits_told) > 0 THEN
        INSERT INTO limit_hits (player_id, position, limit_name, limit_amount, used)
        SELECT player_id, position, limit_name, limit_amount, used FROM unnest(limit_hits_told);
    END IF;

    IF cardinality(holds_after) > 0 THEN
        WITH written AS (
            INSERT INTO holds (
                player_id, position, source, transaction_id, amount, state, opened_at,
                closed_position, closed_at)
            SELECT player_id, position, source, transaction_id, amount, state, decided_at,
                closed_position, CASE WHEN closed_position IS NOT NULL THEN decided_at END
            FROM unnest(holds_after)
            ON CONFLICT (player_id, position) DO UPDATE SET
                state = excluded.state, closed_position = excluded.closed_position,
                closed_at = excluded.closed_at
            WHERE holds.state = 'pending'
            RETURNING 1
        )
        SELECT count(*) INTO counted FROM written;
        IF counted <> cardinality(holds_after) THEN
            RAISE EXCEPTION 'a hold was closed since it was read' USING ERRCODE = 'WF001';
        END IF;
    END IF;
END
$$;
