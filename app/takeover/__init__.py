"""Taking over from another wallet: its players, and its traffic decided again beside it."""
