"""Floor 1, the money rules: standard library only; no IO, clock, log or randomness."""
