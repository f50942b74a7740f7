"""Floor 3, the use cases: one function is one database transaction."""
