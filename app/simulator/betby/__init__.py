"""Betby as it calls an operator itself: slips and their lives, in books of its own."""

from app.simulator.betby.play import simulate_betby, together
from app.simulator.betby.stage import BetbyStage, SigningKey

__all__ = ["BetbyStage", "SigningKey", "simulate_betby", "together"]
