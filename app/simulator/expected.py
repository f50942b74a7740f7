"""What an answer must say exactly: its code, and balances printed at the currency's scale."""

from dataclasses import dataclass
from typing import Literal

#: Which members an answer has: each shape names what must, may and must not be there.
Shape = Literal[
    "funds", "session", "details", "balance", "token", "refusal", "bare_refusal", "notice", "none"
]
Need = Literal["required", "optional", "forbidden"]
#: What makes two moves the same one.
Key = tuple[str, ...]

#: How much each shape asks for ``balance``, and for ``realBalance`` and ``bonusBalance``.
NEEDS: dict[Shape, tuple[Need, Need]] = {
    "funds": ("required", "required"),
    "balance": ("required", "required"),
    "details": ("required", "optional"),
    "token": ("required", "optional"),
    "session": ("optional", "optional"),
    "refusal": ("required", "optional"),
    "bare_refusal": ("forbidden", "forbidden"),
    "notice": ("forbidden", "forbidden"),
    "none": ("optional", "optional"),
}

#: Refusals that carry the balance.
_WITH_BALANCE = frozenset({402, 406, 409})


@dataclass(frozen=True, slots=True)
class Printed:
    """The balances as an answer prints them."""

    balance: str
    real: str
    bonus: str


@dataclass(frozen=True, slots=True)
class Expected:
    """The one answer that is right."""

    shape: Shape
    #: The contract's code; 0 is success.
    code: int
    printed: Printed
    #: The HTTP status.
    http: int = 200
    #: The move whose outcome this is, where there is one.
    key: Key | None = None
    #: The very bytes of the key's first answer are due.
    echo: bool = False

    @property
    def moved(self) -> bool:
        """Whether this is a movement accepted."""
        return self.shape == "funds" and not self.echo

    def words(self) -> str:
        """Say it for a reader of differences."""
        balance, pockets = NEEDS[self.shape]
        said = [f"http {self.http}"]
        if self.shape != "none":
            said.append(f"code {self.code}" if self.code else "success")
        if balance == "required":
            said.append(f"balance {self.printed.balance}")
        if pockets == "required":
            said.append(f"real {self.printed.real} bonus {self.printed.bonus}")
        if self.echo:
            said.append("the first answer's bytes")
        return ", ".join(said)


def refused(code: int, printed: Printed, *, key: Key | None = None, echo: bool = False) -> Expected:
    """Expect a refusal, with the balance beside it where the contract says so."""
    shape: Shape = "refusal" if code in _WITH_BALANCE else "bare_refusal"
    return Expected(shape, code, printed, key=key, echo=echo)
