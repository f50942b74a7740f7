-- What only a superuser can do for a ledger on several nodes. Run it once, in the wallet's database on
-- the coordinator, when the nodes are known, and before the first `wallet migrate`.

-- The cluster notes that the wallet's roles are on every node: what is made on a node is made together
-- with the roles that own it, or may use it.
CREATE TYPE introduced_owner AS (name text);
ALTER TYPE introduced_owner OWNER TO wallet_owner;
CREATE TYPE introduced_service AS (name text);
ALTER TYPE introduced_service OWNER TO wallet_service;
CREATE TYPE introduced_ops AS (name text);
ALTER TYPE introduced_ops OWNER TO wallet_ops;
DROP TYPE introduced_owner, introduced_service, introduced_ops;

-- The coordinator reads the buckets as foreign tables of its own server: Citus leads each statement to
-- the node that has the bucket, also after a move. A role signs in by the server's own password file, as
-- between nodes (see nodes.sh). The role that reads views needs no way in: a view reads as its owner.
SET citus.enable_ddl_propagation = off;
CREATE EXTENSION postgres_fdw;
DO $$
BEGIN
    EXECUTE format(
        'CREATE SERVER buckets FOREIGN DATA WRAPPER postgres_fdw'
        ' OPTIONS (host ''localhost'', port %L, dbname %L, fetch_size ''10000'')',
        current_setting('port'), current_database());
    -- By its own name there, whoever the server runs as.
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER buckets OPTIONS (user %L)', current_user);
END
$$;
GRANT USAGE ON FOREIGN SERVER buckets TO wallet_owner;
CREATE USER MAPPING FOR wallet_owner SERVER buckets
    OPTIONS (user 'wallet_owner', password_required 'false');
CREATE USER MAPPING FOR wallet_service SERVER buckets
    OPTIONS (user 'wallet_service', password_required 'false');
RESET citus.enable_ddl_propagation;
