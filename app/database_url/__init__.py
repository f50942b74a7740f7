"""Database addresses: libpq's URLs in, the arguments of `asyncpg.connect` out.

1. `parsing` reads the address: hosts, role, session; every parameter is translated, ignored for a
   reason, or refused.
2. `tls` makes the SSL context that `sslmode` and its files ask for.
3. `nodes` leads the same address to another node of a cluster.
"""

from app.database_url.errors import DatabaseUrlError
from app.database_url.nodes import node_url
from app.database_url.parsing import ConnectArguments, connect_arguments, host_of

__all__ = ["ConnectArguments", "DatabaseUrlError", "connect_arguments", "host_of", "node_url"]
