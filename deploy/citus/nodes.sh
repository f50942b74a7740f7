#!/bin/sh
# How this node signs in to the others: Citus connects as whoever has sent the statement, and libpq
# reads the role's password from the file that PGPASSFILE names.
set -eu

umask 077
cat > "$PGPASSFILE" <<PASSWORDS
*:*:*:postgres:$POSTGRES_PASSWORD
*:*:*:wallet_owner:$OWNER_PASSWORD
*:*:*:wallet_service:$SERVICE_PASSWORD
*:*:*:wallet_ops:$OPS_PASSWORD
PASSWORDS
