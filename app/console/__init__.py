"""Floor 4, the operator's console: the command `wallet`."""
