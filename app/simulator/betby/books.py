"""Betby's own books of one player: what stands of each bet, and the balance that follows from it.

An operation stands unless a rollback that stands names it. Every balance is computed anew from all
that stands, and shares no rule with the wallet.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Operation:
    """A win, a lost, a refund, a discard or a rollback that was done."""

    what: str
    #: What it pays, in units; of a refund the stake that it gives back.
    amount: int
    #: The number of the operation that a rollback names.
    parent: int | None = None
    #: What the wallet answered, and its own id of it.
    answer: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Bet:
    """A bet that was made."""

    transaction_id: str
    #: What was asked for, and what moved: nothing for some free bets.
    asked: int
    stake: int
    answer: dict[str, object] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

    @property
    def our_id(self) -> str:
        """The wallet's id of it."""
        return str(self.answer["id"])

    def stands(self, number: int) -> bool:
        """Whether an operation stands."""
        return self.undone_by(number) is None

    def undone_by(self, number: int) -> int | None:
        """The rollback that stands and names an operation, the latest one."""
        for later in range(len(self.operations) - 1, number, -1):
            if self.operations[later].parent == number and self.stands(later):
                return later
        return None

    @property
    def given_back_by(self) -> int | None:
        """The refund or discard that stands."""
        for number, operation in enumerate(self.operations):
            if operation.what in {"refund", "discard"} and self.stands(number):
                return number
        return None

    @property
    def gained(self) -> int:
        """What the player has of it, less the stake."""
        paid = sum(
            operation.amount
            for number, operation in enumerate(self.operations)
            if operation.what == "win" and self.stands(number)
        )
        return paid - (0 if self.given_back_by is not None else self.stake)

    def expects(self) -> str:
        """Betby's last word about it."""
        if self.given_back_by is not None:
            return "canceled"
        standing = [o for n, o in enumerate(self.operations) if self.stands(n)]
        return "won" if any(o.what == "win" and o.amount for o in standing) else "lost"


class Books:
    """One player's balance as Betby reckons it."""

    def __init__(self, units: int) -> None:
        self._opening = units
        self.bets: list[Bet] = []

    @property
    def balance(self) -> int:
        """What the player has now, in units."""
        return self._opening + sum(bet.gained for bet in self.bets)
