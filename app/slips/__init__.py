"""Bet slips: read from the movements' extraData, beside the money road and never on it."""
