"""The SQL of statements and reports: each is one query over the journal up to a position."""
