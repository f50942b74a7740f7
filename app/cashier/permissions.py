"""What operators do: whether one of their roles allows it, and the note that is kept of it."""

import secrets
from typing import Final

from app.cashier.operators import record_action
from app.ledger.money.book import Book
from app.ledger.operator_actions import Action, note_action
from app.ledger.transaction import Ledger
from app.wallet.operators import Operator, Permission

DELIVERY_BYTES: Final = 16


class Act:
    """Something that a person is about to do, by the name that `operator_actions` has for it."""

    def __init__(self, operator: Operator, name: str, subject: object = "") -> None:
        """`name`: such as `exception.take`; what stands before the point is the subject's kind."""
        self._operator = operator
        self._name = name
        self.subject = str(subject)

    async def fault(self, ledger: Ledger, permission: Permission) -> str | None:
        """Say that none of the person's roles allows it, and note that; None: one does.

        Who acts at the console without having signed in has no roles. They are let through here, as
        the operating system let them in, and what they do is noted as not verified.
        """
        operator = self._operator
        if not operator.is_verified or operator.may(permission):
            return None
        words = f"None of the roles of {operator.name} may {permission.value}."
        await self.refuse(ledger, words)
        return words

    async def refuse(self, ledger: Ledger, words: str) -> None:
        """Note that it was refused, and why."""
        await record_action(ledger, self._operator, self._action(words, is_done=False))

    async def note(self, book: Book, reason: str | None, subject: object = None) -> None:
        """Note that it is done, in the book's transaction."""
        if subject is not None:
            self.subject = str(subject)
        await note_action(book, self._operator, self._action(reason))

    def _action(self, reason: str | None, *, is_done: bool = True) -> Action:
        return Action(
            self._name,
            self._name.partition(".")[0],
            self.subject,
            secrets.token_bytes(DELIVERY_BYTES),
            reason,
            is_done=is_done,
        )
