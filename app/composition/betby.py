"""The composition of Betby's contract: its keys and brands, and what its guide leaves open."""

from collections.abc import Callable
from datetime import datetime, timedelta

from app.cashier.batching import Batcher
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.edges.betby.amounts import Units
from app.edges.betby.endpoint import Endpoint
from app.edges.betby.handlers import Choices, Handlers
from app.edges.betby.tokens import LaunchTokens, PublicKey, Verifier
from app.ledger.transaction import Ledger
from app.settings import Settings
from app.wallet.facts import RuleVersion
from app.wallet.money import ISO_CURRENCIES, Currency

UNFINISHED = (
    "WALLET_BETBY is set and the upgrade of this ledger is not finished: stop the processes of the "
    "release before and run `wallet migrate --finish`, or unset WALLET_BETBY."
)


def betby_endpoint(
    settings: Settings, ledger: Ledger, batcher: Batcher, clock: Callable[[], datetime]
) -> Endpoint | None:
    """Return the endpoint of Betby's contract; None: it is closed."""
    betby = settings.betby
    if betby is None:
        return None
    by_setting = {code: Currency(code, scale) for code, scale in settings.currencies.items()}
    choices = Choices(
        Units({**ISO_CURRENCIES, **by_setting}, betby.scales),
        frozenset(betby.no_debit),
        game_id=settings.sport_game_id,
        bonus_wins_to_bonus=betby.bonus_wins_to == "bonus",
        repeated_make_is_refused=settings.betby_repeated_make == "refuse",
    )
    verifier = Verifier(
        [PublicKey.of(key.kid, key.alg, key.jwk) for key in betby.keys],
        betby.brands,
        issuer=betby.issuer,
        tolerance=timedelta(seconds=betby.clock_tolerance_seconds),
        clock=clock,
    )
    return Endpoint(
        ledger,
        Handlers(ledger, batcher, choices),
        verifier,
        deadline=settings.deadline,
        clock=clock,
        jwt_status=betby.jwt_status,
    )


def launch_tokens(settings: Settings) -> LaunchTokens | None:
    """Return what signs the tokens of Betby's game client; None: its contract is closed."""
    betby = settings.betby
    if betby is None:
        return None
    return LaunchTokens(betby.brands[0], betby.signing_key.get_secret_value())


def check_upgrade(settings: Settings, policy: PolicyInForce) -> None:
    """Raise LedgerUnfitError if the release before may still read what Betby's calls write."""
    is_unfinished = policy.policy.rule_version is RuleVersion.LAST_RELEASE
    if settings.betby is not None and is_unfinished:
        raise LedgerUnfitError(UNFINISHED)
