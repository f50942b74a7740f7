"""A betting wallet: two HTTP contracts over one ledger that adds up."""
