"""The callback contract: the game side calls us.

A request passes `endpoint`, `decoding`, `auth`, `parsing` and `handlers`, is decided by the
cashier's batcher, and leaves as bytes made by `answers`.
"""
