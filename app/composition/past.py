"""The composition of what the contracts say about the past, for disputes."""

from app.edges.past import PastOfAll
from app.settings import load_console_settings


def past_of_all() -> PastOfAll:
    """Return what tells the answers that were given."""
    betby = load_console_settings().betby
    return PastOfAll({} if betby is None else betby.scales)
