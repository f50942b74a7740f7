-- The opponent (b): one movement as one call of one function, one commit each. It writes the rows
-- that the service writes, and checks what an ordinary bet or win needs checked.

CREATE OR REPLACE FUNCTION bench_canonical(
    player_id bigint, place bigint, version bigint, delivery uuid, event_type text, direction text,
    currency text, scale integer, amount numeric, real_before numeric, real_delta numeric,
    contra text, game_id bigint, event_time timestamptz, ledger_time timestamptz, source text,
    transaction_id text, event_id text, extra_data text
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', 'v1', player_id, place, version, replace(delivery::text, '-', ''),
        event_type, direction, 'ACCEPTED', currency, scale, trunc(amount * 10 ^ scale),
        trunc(real_before * 10 ^ scale), 0, trunc(real_delta * 10 ^ scale), 0, contra,
        coalesce(game_id::text, '-'), '', '',
        trunc(extract(epoch FROM event_time) * 1000000),
        trunc(extract(epoch FROM ledger_time) * 1000000),
        length(source) || ':' || source, length(transaction_id) || ':' || transaction_id, '0:',
        coalesce(length(event_id) || ':' || event_id, '-'), '-',
        coalesce(length(extra_data) || ':' || extra_data, '-'))
$$;

CREATE OR REPLACE FUNCTION bench_move(
    the_user text, the_token text, the_event text, the_game bigint, the_extra text,
    is_bet boolean, the_transaction text, the_amount numeric
) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    wallet record;
    standing record;
    the_delivery uuid := gen_random_uuid();
    kind text := CASE WHEN is_bet THEN 'BetPlacing' ELSE 'Win' END;
    way text := CASE WHEN is_bet THEN 'debit' ELSE 'credit' END;
    delta numeric := CASE WHEN is_bet THEN -the_amount ELSE the_amount END;
    today integer := current_date - date '0001-01-01' + 1;
    link bytea;
BEGIN
    SELECT p.player_id, p.agent, p.currency, p.scale, p.blocked, w.real, w.bonus, w.version, w.position,
           w.chain, w.usage_day, w.stake_day, w.loss_day, s.expires_at
    INTO wallet
    FROM players p
    JOIN wallets w ON w.player_id = p.player_id
    JOIN sessions s ON s.player_id = p.player_id AND s.token_hash = sha256(the_token::bytea)
    WHERE p.user_id = the_user
    FOR NO KEY UPDATE OF w;
    IF NOT FOUND OR wallet.expires_at <= now() OR wallet.blocked THEN
        RAISE EXCEPTION 'refused';
    END IF;

    INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
    VALUES ('callback', the_transaction, '', wallet.player_id, wallet.position + 1)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN wallet.real + wallet.bonus;
    END IF;

    IF is_bet THEN
        IF wallet.real < the_amount THEN
            RAISE EXCEPTION 'not enough money';
        END IF;
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
        IF NOT FOUND OR standing.bets_standing = 0 THEN
            RAISE EXCEPTION 'no matching bet';
        END IF;
        UPDATE rounds r SET last_at = now(), settled = true, paid = r.paid + the_amount
        WHERE r.player_id = wallet.player_id AND r.event_id = the_event AND NOT r.is_streamer;
    END IF;

    link := sha256(wallet.chain || convert_to(bench_canonical(
        wallet.player_id, wallet.position + 1, wallet.version + 1, the_delivery, kind, way,
        wallet.currency, wallet.scale, the_amount, wallet.real, delta, 'house:games', the_game,
        now(), now(), 'callback', the_transaction, the_event, the_extra), 'UTF8'));
    INSERT INTO movements (player_id, position, version, source, transaction_id, facet, delivery,
        event_type, direction, decision, currency, scale, amount, real_before, bonus_before,
        real_delta, bonus_delta, real_after, bonus_after, contra, event_id, game_id, extra_data,
        reverses, flags, event_time, ledger_time, chain)
    VALUES (wallet.player_id, wallet.position + 1, wallet.version + 1, 'callback',
        the_transaction, '', the_delivery, kind, way, 'ACCEPTED', wallet.currency, wallet.scale,
        the_amount, wallet.real, wallet.bonus, delta, 0, wallet.real + delta, wallet.bonus,
        'house:games', the_event, the_game, the_extra, '', '', now(), now(), link);
    UPDATE wallets w SET real = w.real + delta, version = w.version + 1,
        position = w.position + 1, chain = link, usage_day = today,
        stake_day = w.stake_day + greatest(-delta, 0),
        stake_week = w.stake_week + greatest(-delta, 0),
        stake_month = w.stake_month + greatest(-delta, 0),
        loss_day = w.loss_day - delta, loss_week = w.loss_week - delta,
        loss_month = w.loss_month - delta
    WHERE w.player_id = wallet.player_id;
    RETURN wallet.real + wallet.bonus + delta;
END
$$;
