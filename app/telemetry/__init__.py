"""Floor 1, what is noticed: logs. Knows nothing of money."""
