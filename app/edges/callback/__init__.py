"""The callback contract: the game side calls us.

One request walks the door (routes), the gate (auth), the interpreter (fields, messages), the desk,
the teller, and leaves as bytes (answers).
"""
