#!/bin/sh
# The wallet's three roles, made before the first migration; may be run again, which renews passwords.
#
#   wallet_owner     owns the database and runs the migrations, and nothing else
#   wallet_service   the wallet at work: may not change the journal, owns nothing
#   wallet_ops       people: reads the views of schema ops
#
# It is psql's environment that says where (PGHOST, PGUSER, …); the passwords are OWNER_PASSWORD,
# SERVICE_PASSWORD and OPS_PASSWORD.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-wallet}" \
    --set owner_password="$OWNER_PASSWORD" \
    --set service_password="$SERVICE_PASSWORD" \
    --set ops_password="$OPS_PASSWORD" <<'SQL'
-- Passwords are not written into the server's log.
SET log_statement = 'none';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['wallet_owner', 'wallet_service', 'wallet_ops']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE wallet_owner LOGIN PASSWORD :'owner_password';
ALTER ROLE wallet_service LOGIN PASSWORD :'service_password';
ALTER ROLE wallet_ops LOGIN PASSWORD :'ops_password';
ALTER ROLE wallet_ops SET default_transaction_read_only = on;
ALTER ROLE wallet_ops SET statement_timeout = '5min';

SELECT format('ALTER DATABASE %I OWNER TO wallet_owner', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO wallet_service, wallet_ops', current_database()) \gexec
SQL
