-- The opponent (b): one movement as one call of one function, one commit each. It writes the rows
-- that the service writes, and checks what these movements need checked: a bet, a win, a bet given
-- back, a win taken back though that may overdraw, a bet refused for want of money, and a repeat.

CREATE OR REPLACE FUNCTION bench_canonical(
    player_id bigint, place bigint, version bigint, delivery uuid, event_type text, direction text,
    decision text, currency text, scale integer, amount numeric, real_before numeric,
    real_delta numeric, contra text, game_id bigint, reverses text, event_time timestamptz,
    ledger_time timestamptz, source text, transaction_id text, event_id text, extra_data text
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', 'v1', player_id, place, version, replace(delivery::text, '-', ''),
        event_type, direction, decision, currency, scale, trunc(amount * 10 ^ scale),
        trunc(real_before * 10 ^ scale), 0, trunc(real_delta * 10 ^ scale), 0, contra,
        coalesce(game_id::text, '-'), reverses, '',
        trunc(extract(epoch FROM event_time) * 1000000),
        trunc(extract(epoch FROM ledger_time) * 1000000),
        length(source) || ':' || source, length(transaction_id) || ':' || transaction_id, '0:',
        coalesce(length(event_id) || ':' || event_id, '-'), '-',
        coalesce(length(extra_data) || ':' || extra_data, '-'))
$$;

-- A kept database may have it with other parameters.
DROP FUNCTION IF EXISTS bench_move(text, text, text, bigint, text, boolean, text, numeric);

CREATE OR REPLACE FUNCTION bench_move(
    the_user text, the_token text, the_event text, the_game bigint, the_extra text, kind text,
    the_transaction text, the_amount numeric, OUT code integer, OUT balance numeric
) LANGUAGE plpgsql AS $$
DECLARE
    wallet record;
    standing record;
    undone record;
    the_delivery uuid := gen_random_uuid();
    way text := CASE WHEN kind IN ('BetPlacing', 'SportBetCancel') THEN 'debit' ELSE 'credit' END;
    delta numeric := CASE way WHEN 'debit' THEN -the_amount ELSE the_amount END;
    decided text := 'ACCEPTED';
    reversal text := '';
    stake numeric := 0;
    today integer := current_date - date '0001-01-01' + 1;
    link bytea;
BEGIN
    SELECT p.player_id, p.agent, p.currency, p.scale, w.blocked, w.real, w.bonus, w.version, w.position,
           w.chain, w.usage_day, w.stake_day, w.loss_day, s.expires_at
    INTO wallet
    FROM players p
    JOIN wallets w ON w.player_id = p.player_id
    JOIN sessions s ON s.player_id = p.player_id AND s.token_hash = sha256(the_token::bytea)
    WHERE p.user_id = the_user
    FOR NO KEY UPDATE OF w;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'refused';
    END IF;

    INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
    VALUES ('callback', the_transaction, '', wallet.player_id, wallet.position + 1)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT m.* INTO standing
        FROM transaction_keys k
        JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
        WHERE k.source = 'callback' AND k.transaction_id = the_transaction AND k.facet = '';
        IF (standing.player_id, standing.event_type, standing.event_id, standing.amount)
            IS DISTINCT FROM (wallet.player_id, kind, the_event, the_amount)
        THEN
            RAISE EXCEPTION 'same id, other content';
        END IF;
        code := CASE standing.decision WHEN 'ACCEPTED' THEN 409 ELSE 402 END;
        balance := wallet.real + wallet.bonus;
        RETURN;
    END IF;

    IF kind = 'BetPlacing' AND (wallet.expires_at <= now() OR wallet.blocked) THEN
        RAISE EXCEPTION 'refused';
    END IF;
    IF kind = 'BetPlacing' AND wallet.real < the_amount THEN
        decided := 'INSUFFICIENT_FUNDS';
        delta := 0;
    ELSIF kind = 'BetPlacing' THEN
        stake := the_amount;
        INSERT INTO rounds AS r (player_id, event_id, is_streamer, agent, currency, scale, game_id,
            opened_at, last_at, bets_placed, bets_standing, stake_real, staked, cancels, settled,
            refused_aborts)
        VALUES (wallet.player_id, the_event, false, wallet.agent, wallet.currency, wallet.scale, the_game,
            now(), now(), 1, 1, the_amount, the_amount, 0, false, '{}')
        ON CONFLICT (player_id, event_id, is_streamer) DO UPDATE SET last_at = excluded.last_at,
            settled = false, bets_placed = r.bets_placed + 1, bets_standing = r.bets_standing + 1,
            stake_real = r.stake_real + excluded.stake_real, staked = r.staked + excluded.staked;
    ELSE
        SELECT * INTO standing FROM rounds r
        WHERE r.player_id = wallet.player_id AND r.event_id = the_event AND NOT r.is_streamer;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no matching bet';
        END IF;
        IF kind = 'Win' THEN
            IF standing.bets_standing = 0 AND standing.cancels = 0 THEN
                RAISE EXCEPTION 'no matching bet';
            END IF;
            UPDATE rounds r SET last_at = now(), settled = true, paid = r.paid + the_amount
            WHERE r.player_id = wallet.player_id AND r.event_id = the_event AND NOT r.is_streamer;
        ELSE
            -- The latest of exactly the amount that nobody has undone; the history is read for it.
            SELECT m.position, abs(m.real_delta) AS part INTO undone
            FROM movements m
            WHERE m.player_id = wallet.player_id AND m.event_id = the_event
                AND m.event_type = CASE kind WHEN 'SportBetCancel' THEN 'Win' ELSE 'BetPlacing' END
                AND m.decision = 'ACCEPTED' AND m.amount = the_amount
                AND NOT EXISTS (
                    SELECT 1 FROM movements u
                    WHERE u.player_id = wallet.player_id AND u.event_id = the_event
                        AND u.event_type = kind AND u.decision = 'ACCEPTED'
                        AND u.reverses LIKE m.position || '/%')
            ORDER BY m.position DESC LIMIT 1;
            IF FOUND THEN
                reversal := undone.position || '/' || trunc(undone.part * 10 ^ wallet.scale) || '/0';
            END IF;
            IF kind = 'SportBetCancel' THEN
                -- Debited whatever is found, and whatever the wallet holds.
                UPDATE rounds r SET last_at = now(), settled = false, cancels = r.cancels + 1,
                    taken_back = r.taken_back + CASE reversal WHEN '' THEN 0 ELSE the_amount END,
                    remainder = r.remainder + CASE reversal WHEN '' THEN the_amount ELSE 0 END
                WHERE r.player_id = wallet.player_id AND r.event_id = the_event AND NOT r.is_streamer;
            ELSIF reversal = '' OR standing.paid > standing.taken_back THEN
                RAISE EXCEPTION 'no matching bet';
            ELSE
                stake := -the_amount;
                UPDATE rounds r SET last_at = now(), bets_standing = r.bets_standing - 1,
                    stake_real = r.stake_real - the_amount
                WHERE r.player_id = wallet.player_id AND r.event_id = the_event AND NOT r.is_streamer;
            END IF;
        END IF;
    END IF;

    link := sha256(wallet.chain || convert_to(bench_canonical(
        wallet.player_id, wallet.position + 1, wallet.version + (decided = 'ACCEPTED')::integer,
        the_delivery, kind, way, decided, wallet.currency, wallet.scale, the_amount, wallet.real,
        delta, 'house:games', the_game, reversal, now(), now(), 'callback', the_transaction,
        the_event, the_extra), 'UTF8'));
    INSERT INTO movements (player_id, position, version, source, transaction_id, facet, delivery,
        event_type, direction, decision, currency, scale, amount, real_before, bonus_before,
        real_delta, bonus_delta, real_after, bonus_after, contra, event_id, game_id, extra_data,
        reverses, flags, event_time, ledger_time, chain)
    VALUES (wallet.player_id, wallet.position + 1,
        wallet.version + (decided = 'ACCEPTED')::integer, 'callback', the_transaction, '',
        the_delivery, kind, way, decided, wallet.currency, wallet.scale, the_amount, wallet.real,
        wallet.bonus, delta, 0, wallet.real + delta, wallet.bonus, 'house:games', the_event,
        the_game, the_extra, reversal, '', now(), now(), link);
    UPDATE wallets w SET real = w.real + delta, revision = w.revision + 1,
        version = w.version + (decided = 'ACCEPTED')::integer,
        position = w.position + 1, chain = link, usage_day = today,
        stake_day = w.stake_day + stake, stake_week = w.stake_week + stake,
        stake_month = w.stake_month + stake, loss_day = w.loss_day - delta,
        loss_week = w.loss_week - delta, loss_month = w.loss_month - delta
    WHERE w.player_id = wallet.player_id;
    code := CASE decided WHEN 'ACCEPTED' THEN 200 ELSE 402 END;
    balance := wallet.real + wallet.bonus + delta;
END
$$;
