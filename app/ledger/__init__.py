"""Floor 2, what is remembered: all SQL, and nothing but SQL."""
