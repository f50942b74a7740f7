"""Floor 2, the ledger: all SQL, and nothing but SQL."""
