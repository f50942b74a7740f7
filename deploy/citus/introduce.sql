-- Has the cluster note that the wallet's roles are on every node, which only a superuser can do: what is
-- made on a node is made together with the roles that own it, or may use it. Run it once, in the
-- wallet's database on the coordinator, when the nodes are known.
CREATE TYPE introduced_owner AS (name text);
ALTER TYPE introduced_owner OWNER TO wallet_owner;
CREATE TYPE introduced_service AS (name text);
ALTER TYPE introduced_service OWNER TO wallet_service;
CREATE TYPE introduced_ops AS (name text);
ALTER TYPE introduced_ops OWNER TO wallet_ops;
DROP TYPE introduced_owner, introduced_service, introduced_ops;
