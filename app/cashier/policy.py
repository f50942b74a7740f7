"""The policy in force: this process's settings, which must equal those stored in the ledger."""

from dataclasses import replace
from datetime import timedelta

from app.ledger.decision_settings import DecisionSettings, remember_settings, remembered_settings
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.facts import Policy


class LedgerUnfitError(Exception):
    """The ledger must not be served as it is; the message says why and what to do."""


class PolicyInForce:
    """A policy with the ledger's rule version, which an upgrade changes while processes serve."""

    def __init__(self, policy: Policy) -> None:
        """`policy`: from this process's settings, in force until the ledger is read."""
        self.policy = policy

    async def renew(self, ledger: Ledger, used: Policy) -> bool:
        """Read the ledger's settings again; return whether another policy than `used` is in force.

        Several batches that were decided by the old one may be under way; each calls this.
        Raises LedgerUnfitError if the ledger's settings differ from this process's.
        """
        if self.policy == used:
            self.policy = await policy_in_force(ledger, used)
        return self.policy != used


async def policy_in_force(ledger: Ledger, policy: Policy) -> Policy:
    """Store the policy at a ledger's first start; return it with the ledger's rule version.

    Raises LedgerUnfitError if the ledger stores different settings, and LedgerError.
    """

    async def work(book: Book) -> DecisionSettings:
        return await remember_settings(book, policy)

    remembered = await ledger.serializable(work)
    _refuse_differences(policy, remembered)
    return replace(policy, rule_version=remembered.rule_version)


async def policy_of_ledger(ledger: Ledger) -> Policy:
    """The policy as the ledger stores it, for commands that move money without a server."""

    async def work(book: Book) -> DecisionSettings:
        return await remembered_settings(book)

    known, usual = await ledger.read_only(work, confirmed=False), Policy()
    return Policy(
        stake_order=known.stake_order or usual.stake_order,
        key_scope=known.key_scope or usual.key_scope,
        overtaken_bet=known.overtaken_bet or usual.overtaken_bet,
        overtaken_window=(
            usual.overtaken_window if known.overtaken_window is None else known.overtaken_window
        ),
        rule_version=known.rule_version,
    )


def _refuse_differences(policy: Policy, remembered: DecisionSettings) -> None:
    pairs = (
        ("WALLET_KEY_SCOPE", remembered.key_scope, policy.key_scope),
        ("WALLET_STAKE_ORDER", remembered.stake_order, policy.stake_order),
        ("WALLET_OVERTAKEN_BET", remembered.overtaken_bet, policy.overtaken_bet),
        (
            "WALLET_OVERTAKEN_SECONDS",
            _seconds(remembered.overtaken_window),
            _seconds(policy.overtaken_window),
        ),
    )
    for name, kept, given in pairs:
        if kept is not None and kept != given:
            raise LedgerUnfitError(
                f"This ledger decides with {name}={kept} and this process would with {given}: set "
                f"it to {kept}, or change the ledger by `wallet settings`."
            )


def _seconds(window: timedelta | None) -> int | None:
    return None if window is None else window // timedelta(seconds=1)
