"""Floor 4, for our own people: the operator's console, `wallet`."""
