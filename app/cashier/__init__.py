"""Floor 3, what can be done: one function is one database transaction."""
