"""Betby's own contract: bets, settlements and their undoing, each named by its id."""
