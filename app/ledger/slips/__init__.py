"""Sports bets and their legs: what is read of the journal for them, and what is written."""
