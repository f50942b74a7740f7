"""The transfer contract: the operator's platform calls us.

A request passes `endpoint`, `envelope`, `forms` and `handlers`, is decided by the cashier, and
leaves as bytes made by `answers`.
"""
