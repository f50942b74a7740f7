"""The embedded PostgreSQL, which is started if the settings name no database.

1. `binaries` finds a PostgreSQL server to run.
2. `cluster` makes the data folder once: initdb, the three roles, the database.
3. `address` says how to reach it: a unix socket, else a loopback port.
4. `running` reads what is known about a server on that folder, and asks whether it answers.
5. `child` is the small program that becomes `postgres`: not as root, and not longer than we live.
6. `embedded` puts these together: start, or join what runs already; stop.
"""

from app.postgres.embedded import EmbeddedPostgres
from app.postgres.errors import PostgresError

__all__ = ["EmbeddedPostgres", "PostgresError"]
