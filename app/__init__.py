"""A betting wallet: two HTTP contracts over one ledger that adds up."""

__version__ = "0.1.0"
