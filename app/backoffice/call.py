"""A request of somebody who has signed in: who they are, what they sent, and what they did."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.backoffice.guard import FORM_TOKEN, form_token
from app.backoffice.office import Office
from app.cashier.operators import record_action
from app.ledger.accounts import Act, ChangeNote
from app.ledger.operator_actions import Action
from app.wallet.operators import Operator, Permission

DELIVERY_BYTES: Final = 16
TEXT_LENGTH_MAX: Final = 250
REASON_LENGTH_MIN: Final = 3
REASON_LENGTH_MAX: Final = 1000


class MistakeError(Exception):
    """What was typed cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, with the person who makes it."""

    office: Office
    request: Request
    operator: Operator
    token: str
    form: FormData = field(default_factory=FormData)
    delivery: bytes = field(default_factory=lambda: secrets.token_bytes(DELIVERY_BYTES))

    def asked(self, name: str) -> str:
        """Return a parameter of the address; empty: it is not there."""
        return _clean(self.request.query_params.get(name, ""))

    def sent(self, name: str) -> str:
        """Return a field of the form; empty: it is not there."""
        value = self.form.get(name, "")
        return _clean(value) if isinstance(value, str) else ""

    def reason(self) -> str:
        """Return why the person acts, which every act must say."""
        reason = self.sent("reason")
        if not REASON_LENGTH_MIN <= len(reason) <= REASON_LENGTH_MAX:
            raise MistakeError("Say why, in a few words: the reason is kept with the act.")
        return reason

    async def note(
        self,
        name: str,
        subject_kind: str = "",
        subject: str = "",
        *,
        reason: str | None = None,
        is_done: bool = True,
        **details: Any,  # noqa: ANN401 - JSON
    ) -> None:
        """Note what the person looked at or did."""
        action = Action(
            name,
            subject_kind,
            subject[:TEXT_LENGTH_MAX],
            self.delivery,
            reason=reason,
            is_done=is_done,
            details=json.dumps(details, default=str),
        )
        await record_action(self.office.ledger, self.operator, action)

    def change_note(
        self,
        operation: str,
        name: str,
        user_id: str,
        reason: str,
        **wanted: Any,  # noqa: ANN401 - JSON
    ) -> ChangeNote:
        """Return the note of an act on a player, for the account's changes and for the actions."""
        details = json.dumps(wanted, default=str)
        action = Action(name, "player", user_id, self.delivery, reason=reason, details=details)
        return ChangeNote(
            source=self.operator.noted_as,
            operation=operation,
            asked=json.dumps({"user_id": user_id, "reason": reason, **wanted}, default=str),
            delivery=self.delivery,
            event_time=datetime.now(UTC),
            act=Act(self.operator, action),
        )

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:  # noqa: ANN401
        """Return a page."""
        return self.office.pages.render(
            template,
            status=status,
            operator=self.operator,
            may={permission.name: self.operator.may(permission) for permission in Permission},
            form_token=form_token(self.token),
            form_field=FORM_TOKEN,
            here=self.request.url.path,
            **context,
        )

    def see(self, address: str) -> Response:
        """Send the browser to a page, after an act."""
        return RedirectResponse(address, status_code=303)


def _clean(value: str) -> str:
    """Return what was typed without blanks around it; NUL cannot be stored."""
    return value.strip().replace("\0", "")
