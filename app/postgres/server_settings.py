"""The server's settings, given on its command line: each with its reason."""

from collections.abc import Mapping

from app.postgres.address import Address

SETTINGS: Mapping[str, str] = {
    # An answered movement is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # SERIALIZABLE: with the defaults three wallets of one page lock the page, 32 pages lock the
    # table, and lanes that share no player abort each other (25–40 % of their batches).
    # max_pred_locks_per_relation stays at -2: half of what a transaction may have.
    "max_pred_locks_per_transaction": "2048",
    "max_pred_locks_per_page": "500",
    # Two lanes a process, a console and the tests need few; a bench's opponents need more.
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    # The hot tables and their indexes stay in memory on a machine of 2 GB and more.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # Solid disks: an index scan is what SERIALIZABLE wants, too; a sequential scan locks the table.
    "random_page_cost": "1.1",
    # Statements of a millisecond gain nothing from compiling.
    "jit": "off",
    # Fewer full-page images: a checkpoint a quarter of an hour, spread over it.
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    # Segments of the log are used again: while a new one is made, every commit waits.
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    # Wallets are few rows updated often: look after them early, and never in haste, for movements
    # wait meanwhile. The money road's plans ask for no statistics; PostgreSQL's own share of
    # changes before it takes new ones (a tenth) is enough for everybody else.
    "autovacuum_naptime": "30s",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    # A forgotten transaction must not lock a wallet for ever.
    "idle_in_transaction_session_timeout": "5min",
    # Clocks are UTC; the log names no row's content, since DETAIL would quote it.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    # A player's token or the operator's key never stands in a statement's text; parameters do not
    # reach the log either.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "unix_socket_permissions": "0700",
}

WITHOUT_FSYNC: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
}
"""For tests, whose data may be lost."""


def server_arguments(address: Address, *, fsync: bool, extra: Mapping[str, str]) -> list[str]:
    """Return the settings as `-c name=value` words."""
    quoted = '"' + address.host.replace('"', '""') + '"'
    where = (
        {"unix_socket_directories": quoted, "listen_addresses": ""}
        if address.by_socket
        else {"unix_socket_directories": "", "listen_addresses": address.host}
    )
    settings = {
        **SETTINGS,
        **({} if fsync else WITHOUT_FSYNC),
        **extra,
        **where,
        "port": str(address.port),
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
