"""The settings that decide money and limits, as the cashier takes them."""

from datetime import timedelta

from app.cashier.account_changes import raise_rules
from app.cashier.policy import PolicyInForce, limit_days
from app.settings import Settings
from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.facts import Policy
from app.wallet.limit_terms import RaiseRules
from app.wallet.movement import KeyScope


def policy_of(settings: Settings) -> PolicyInForce:
    """Return the policy that the settings name; the start holds it against the ledger's own."""
    return PolicyInForce(
        Policy(
            StakeOrder(settings.stake_order),
            KeyScope(settings.key_scope),
            settings.sport_game_id,
            OvertakenBet(settings.overtaken_bet),
            timedelta(seconds=settings.overtaken_seconds),
            limit_days=limit_days(settings.limit_zone),
        )
    )


def rules_of_raises(settings: Settings) -> RaiseRules:
    """Return how raised limits wait."""
    return raise_rules(
        settings.limit_cooling_seconds, settings.limit_raise, settings.limit_cooling_by
    )
