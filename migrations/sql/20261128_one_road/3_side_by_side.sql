-- While processes of the release before still run: what they write of a player, and what is written
-- now, binds both. `wallet migrate --finish` drops these once that release is gone.
--
-- That release changes players.blocked, excluded_until and limits, and never raises a revision; it
-- opens accounts without the wallet's new columns. This release writes all of these to the wallet.

CREATE FUNCTION raise_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END
$$;

CREATE TRIGGER raise_revision BEFORE UPDATE ON wallets
    FOR EACH ROW WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION raise_revision();

CREATE FUNCTION fill_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT agent, currency, scale, blocked, excluded_until, limits
    INTO NEW.agent, NEW.currency, NEW.scale, NEW.blocked, NEW.excluded_until, NEW.limits
    FROM players WHERE player_id = NEW.player_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER fill_wallet BEFORE INSERT ON wallets
    FOR EACH ROW WHEN (NEW.agent IS NULL) EXECUTE FUNCTION fill_wallet();

CREATE FUNCTION copy_to_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallets SET blocked = NEW.blocked, excluded_until = NEW.excluded_until,
        limits = NEW.limits, revision = revision + 1
    WHERE player_id = NEW.player_id
      AND (blocked, excluded_until, limits)
          IS DISTINCT FROM (NEW.blocked, NEW.excluded_until, NEW.limits);
    RETURN NULL;
END
$$;

CREATE TRIGGER copy_to_wallet AFTER UPDATE ON players
    FOR EACH ROW WHEN (
        (OLD.blocked, OLD.excluded_until, OLD.limits)
        IS DISTINCT FROM (NEW.blocked, NEW.excluded_until, NEW.limits)
    ) EXECUTE FUNCTION copy_to_wallet();

CREATE FUNCTION copy_to_player() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE players SET blocked = NEW.blocked, excluded_until = NEW.excluded_until,
        limits = NEW.limits
    WHERE player_id = NEW.player_id
      AND (blocked, excluded_until, limits)
          IS DISTINCT FROM (NEW.blocked, NEW.excluded_until, NEW.limits);
    RETURN NULL;
END
$$;

CREATE TRIGGER copy_to_player AFTER UPDATE ON wallets
    FOR EACH ROW WHEN (
        (OLD.blocked, OLD.excluded_until, OLD.limits)
        IS DISTINCT FROM (NEW.blocked, NEW.excluded_until, NEW.limits)
    ) EXECUTE FUNCTION copy_to_player();
