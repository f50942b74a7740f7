"""The policy in force: this process's settings, which must equal those stored in the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo

from app.ledger.decision_settings import (
    DecisionSettings,
    ZoneChange,
    remember_settings,
    remembered_settings,
    zone_changes,
)
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.facts import Policy
from app.wallet.limit_days import UTC_DAYS, EarlierZone, LimitDays


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

    async def work(book: Book) -> tuple[DecisionSettings, list[ZoneChange]]:
        return await remember_settings(book, policy), await zone_changes(book)

    remembered, changes = await ledger.serializable(work)
    _refuse_differences(policy, remembered)
    return replace(
        policy,
        rule_version=remembered.rule_version,
        limit_days=limit_days(policy.limit_days.name, changes),
    )


async def policy_of_ledger(ledger: Ledger) -> Policy:
    """The policy as the ledger stores it, for commands that move money without a server."""

    async def work(book: Book) -> tuple[DecisionSettings, list[ZoneChange]]:
        return await remembered_settings(book), await zone_changes(book)

    (known, changes), usual = await ledger.read_only(work, confirmed=False), Policy()
    return Policy(
        stake_order=known.stake_order or usual.stake_order,
        key_scope=known.key_scope or usual.key_scope,
        overtaken_bet=known.overtaken_bet or usual.overtaken_bet,
        overtaken_window=(
            usual.overtaken_window if known.overtaken_window is None else known.overtaken_window
        ),
        rule_version=known.rule_version,
        limit_days=limit_days(known.limit_zone or usual.limit_days.name, changes),
    )


def limit_days(zone: str, changes: Sequence[ZoneChange] = ()) -> LimitDays:
    """The calendar of limits in this time zone, an IANA name; `changes` are those before it."""
    earlier = tuple(EarlierZone(change.moment, _zone(change.before)) for change in changes)
    return LimitDays(zone, _zone(zone), earlier)


def _zone(name: str) -> tzinfo:
    return UTC if name == UTC_DAYS.name else ZoneInfo(name)


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
        ("WALLET_LIMIT_ZONE", remembered.limit_zone, policy.limit_days.name),
    )
    for name, kept, given in pairs:
        if kept is not None and kept != given:
            raise LedgerUnfitError(
                f"This ledger decides with {name}={kept} and this process would with {given}: set "
                f"it to {kept}, or change the ledger by `wallet "
                f"{'limits rezone' if name == 'WALLET_LIMIT_ZONE' else 'settings'}`."
            )


def _seconds(window: timedelta | None) -> int | None:
    return None if window is None else window // timedelta(seconds=1)
