"""Proof without trust: seals over the ledger, and what one of them says of a single movement."""
