"""Floor 1, what is true: the money rules. Standard library only; no IO, no clock, no log.

No random.
"""
