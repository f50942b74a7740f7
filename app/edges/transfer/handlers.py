"""The operations of the contract, each a function from an agent's request to an answer.

Only the batcher moves money, and it writes refusals of movements to the refusal log in the same
transaction. `endpoint` writes every other refusal to that log; if it cannot, the answer is code 103
and the caller repeats the request.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.cashier import account_changes, event_log, lookups, players
from app.cashier.batching import Batcher
from app.cashier.players import IssuedToken
from app.edges.transfer import log
from app.edges.transfer.answers import (
    CURSOR_LENGTH_MAX,
    Answer,
    account_shown,
    answer_to,
    balance_shown,
    events_shown,
    history_shown,
    opened_shown,
    read_cursor,
    said,
    token_shown,
    transaction_shown,
)
from app.edges.transfer.codes import Code, DecidedError, RefusedError
from app.edges.transfer.forms import Fields
from app.edges.transfer.one_time import OneTime, RequestId
from app.edges.transfer.reading import (
    read_change,
    read_check,
    read_event_cursor,
    read_event_types,
    read_language,
)
from app.ledger.accounts import ChangeNote
from app.ledger.history import RoundState
from app.ledger.transaction import Ledger
from app.wallet.events import Direction, EventType
from app.wallet.holds import HoldKey
from app.wallet.journal import EPOCH
from app.wallet.limit_terms import DEFAULT_RAISE_RULES, RaiseRules
from app.wallet.moments import LATEST
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement
from app.wallet.refusals import Refusal

NICKNAME_LENGTH_MIN: Final = 3
NICKNAME_LENGTH_MAX: Final = 64
"""The bounds of the callback contract, section 1."""

NAME_LENGTH_MAX: Final = 250
REASON_LENGTH_MAX: Final = 1000
HISTORY_COUNT: Final = 100
HISTORY_COUNT_MAX: Final = 1000
EVENTS_COUNT: Final = 100
EVENTS_COUNT_MAX: Final = 1000
"""The bounds that docs/contracts/transfer.md states; it is ours."""

TOKEN_LIFE_SECONDS_MAX: Final = 366 * 86400
"""The same bound as that of the setting WALLET_TOKEN_LIFE_SECONDS."""

TOKEN_LENGTH_MAX: Final = 4096
"""characters; a token in another contract's form carries the player's name"""

REVOKE_ALL: Final = "all"
CHANGEABLE: Final = ("status", "excluded_until", "limits", "confirm", "language")


class Request(NamedTuple):
    """A request of a known agent, its fields of the right types."""

    agent: str
    operation: str
    fields: Fields
    asked: str
    """the request as the refusal log and the list of changes store it, as JSON text"""
    delivery: bytes
    received_at: datetime
    time_left: timedelta
    """until the deadline"""
    request_id: RequestId | None
    """of a request that takes effect once"""

    @property
    def note(self) -> ChangeNote:
        """The author and the request, for the list of changes."""
        return ChangeNote(self.agent, self.operation, self.asked, self.delivery, self.received_at)


class TokenForm(NamedTuple):
    """Another contract whose games are launched with a token in a form of its own."""

    sign: Callable[[IssuedToken], str]
    """puts a session into that form"""
    session_of: Callable[[str], str]
    """the session of such a token; ValueError for any other text"""


@dataclass(frozen=True, slots=True)
class Choices:
    """The operator's settings for this contract."""

    currencies: Mapping[str, Currency]
    """the contract's currencies and those of the setting, by code"""
    token_life: timedelta = timedelta(days=1)
    token_is_sliding: bool = False
    raises: RaiseRules = DEFAULT_RAISE_RULES
    deposit_check_is_required: bool = False
    doors: Mapping[str, TokenForm] = field(default_factory=dict)
    """by the name that `account/session` knows them by"""


class Handlers:
    """The operations, with what they need."""

    def __init__(
        self, ledger: Ledger, batcher: Batcher, choices: Choices, one_time: OneTime
    ) -> None:
        self._ledger = ledger
        self._batcher = batcher
        self._choices = choices
        self._one_time = one_time
        self.methods: Mapping[str, Callable[[Request], Awaitable[Answer]]] = {
            "account/init": self.init,
            "account/deposit": self.deposit,
            "account/withdraw": self.withdraw,
            "account/hold": self.hold,
            "hold/settle": self.settle,
            "hold/release": self.release,
            "account/balance": self.balance,
            "account/session": self._once(self.session),
            "account/update": self._once(self.update),
            "bonus/grant": self.grant,
            "bonus/revoke": self.revoke,
            "transaction/check": self.check,
            "history": self.history,
            "events": self.events,
        }

    def _once(
        self, method: Callable[[Request], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Answer]]:
        """Tell a repeat of a request its first answer, where the request has an id."""

        async def answer(request: Request) -> Answer:
            if request.request_id is None:
                return await method(request)
            return await self._one_time.answer(
                request.request_id, request.received_at, lambda: method(request)
            )

        return answer

    # --- money -------------------------------------------------------------------------------

    async def deposit(self, request: Request) -> Answer:
        """Credit real money, unless an external check did not allow it."""
        check = read_check(request.fields)
        is_allowed = check["allowed"] if check else not self._choices.deposit_check_is_required
        movement = self._movement(request, EventType.DEPOSIT, Direction.CREDIT)
        return await self._decide(
            request,
            movement._replace(
                is_vetoed=not is_allowed,
                extra_data=json.dumps({"check": check}, ensure_ascii=False) if check else None,
            ),
        )

    async def withdraw(self, request: Request) -> Answer:
        """Debit real money."""
        return await self._move(request, EventType.WITHDRAWAL, Direction.DEBIT)

    async def grant(self, request: Request) -> Answer:
        """Credit bonus money."""
        return await self._move(request, EventType.BONUS_GRANT, Direction.CREDIT)

    async def revoke(self, request: Request) -> Answer:
        """Debit bonus money."""
        return await self._move(request, EventType.BONUS_REVOKE, Direction.DEBIT)

    async def hold(self, request: Request) -> Answer:
        """Take real money out of the balance for a withdrawal under way."""
        return await self._move(request, EventType.WITHDRAWAL_HOLD, Direction.DEBIT)

    async def settle(self, request: Request) -> Answer:
        """Pay a withdrawal under way out."""
        return await self._close(request, EventType.WITHDRAWAL_SETTLE, Direction.DEBIT)

    async def release(self, request: Request) -> Answer:
        """Give the money of a withdrawal under way back."""
        return await self._close(request, EventType.WITHDRAWAL_RELEASE, Direction.CREDIT)

    async def _close(self, request: Request, kind: EventType, direction: Direction) -> Answer:
        """Settle or release a hold, whose player and amount the ledger knows."""
        fields = request.fields
        transaction_id, hold_id = fields.text("transaction_id"), fields.text("hold_id")
        user_id = fields.text_or_none("user_id")
        hold = await lookups.find_hold(self._ledger, request.agent, hold_id)
        if hold is None or user_id not in {None, hold.user_id}:
            raise _refused(Refusal.HOLD_UNKNOWN)
        movement = Movement(
            delivery=request.delivery,
            key=Key(request.agent, transaction_id, ""),
            user_id=hold.user_id,
            event_type=kind,
            direction=direction,
            amount=hold.entry.currency.text(hold.entry.amount),
            received_at=request.received_at,
            extra_data=json.dumps({"hold_id": hold_id}, ensure_ascii=False),
            hold=HoldKey(request.agent, hold_id),
        )
        return await self._decide(request, movement)

    async def _move(self, request: Request, kind: EventType, direction: Direction) -> Answer:
        return await self._decide(request, self._movement(request, kind, direction))

    def _movement(self, request: Request, kind: EventType, direction: Direction) -> Movement:
        fields = request.fields
        extra_data = None
        if "reason" in fields:
            reason = fields.text("reason", length_max=REASON_LENGTH_MAX)
            extra_data = json.dumps({"reason": reason}, ensure_ascii=False)
        return Movement(
            delivery=request.delivery,
            key=Key(request.agent, fields.text("transaction_id"), ""),
            user_id=fields.text("user_id"),
            event_type=kind,
            direction=direction,
            amount=fields.amount("amount"),
            received_at=request.received_at,
            extra_data=extra_data,
        )

    async def _decide(self, request: Request, movement: Movement) -> Answer:
        receipt = await self._batcher.move(movement, deadline=request.time_left)
        answer = answer_to(receipt)
        log.decided(movement, receipt, answer)
        return answer._replace(decided=(movement, receipt))

    def unheard(self, answer: Answer) -> None:
        """List a decided movement whose answer was not delivered as an unknown outcome."""
        if answer.decided is not None:
            self._batcher.unheard(*answer.decided)

    # --- accounts ----------------------------------------------------------------------------

    async def init(self, request: Request) -> Answer:
        """Open an account, or return the existing one."""
        fields = request.fields
        currency = self._choices.currencies.get(fields.text("currency"))
        if currency is None:
            raise RefusedError(Code.VALUE, "is not a currency of this wallet", "currency")
        opened = await players.open_account(
            self._ledger,
            user_id=fields.text("user_id"),
            agent=request.agent,
            currency=currency,
            nickname=fields.text(
                "nickname", length_min=NICKNAME_LENGTH_MIN, length_max=NICKNAME_LENGTH_MAX
            ),
            language=read_language(fields),
            email=fields.text_or_none("email", length_max=NAME_LENGTH_MAX),
            first_name=fields.text_or_none("first_name", length_max=NAME_LENGTH_MAX),
            last_name=fields.text_or_none("last_name", length_max=NAME_LENGTH_MAX),
            note=request.note,
        )
        if opened.player.agent != request.agent:
            raise _refused(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
        if opened.player.currency.code != currency.code:
            raise RefusedError(Code.VALUE, "differs from the account's", "currency")
        return opened_shown(opened)

    async def balance(self, request: Request) -> Answer:
        """Return a player's balance."""
        player = await players.find_account(self._ledger, request.fields.text("user_id"))
        if isinstance(player, Refusal):
            raise _refused(player)
        if player.agent != request.agent:
            raise _refused(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
        return balance_shown(player)

    async def session(self, request: Request) -> Answer:
        """Issue a token for launching a game; a life given in the request is never renewed."""
        fields, choices = request.fields, self._choices
        door = self._door(fields)
        if "revoke" in fields:
            return await self._revoke(request, door)

        signed: dict[datetime, Answer] = {}

        def show(issued: IssuedToken) -> Answer:
            if door is None:
                return token_shown(issued)
            # No two signatures are the same, and what is kept for a repeat must be what is told.
            if issued.expires_at not in signed:
                signed[issued.expires_at] = token_shown(_in_form(door, issued))
            return signed[issued.expires_at]

        life, is_sliding = choices.token_life, choices.token_is_sliding
        if "ttl_seconds" in fields:
            seconds = fields.integer("ttl_seconds", 1, TOKEN_LIFE_SECONDS_MAX)
            life, is_sliding = timedelta(seconds=seconds), False
        issued = await players.issue_token(
            self._ledger,
            fields.text("user_id"),
            life,
            origin="transfer",
            is_sliding=is_sliding,
            agent=request.agent,
            note=request.note,
            request=request.request_id and request.request_id.once(show),
        )
        if isinstance(issued, Refusal):
            raise _refused(issued)
        return show(issued)

    def _door(self, fields: Fields) -> TokenForm | None:
        """Return the contract that a token is for; None: the callback API."""
        if "door" not in fields:
            return None
        door = self._choices.doors.get(fields.text("door"))
        if door is None:
            known = ", ".join(self._choices.doors) or "none"
            raise RefusedError(Code.VALUE, f"names no contract that is served: {known}", "door")
        return door

    async def _revoke(self, request: Request, door: TokenForm | None) -> Answer:
        """Expire one token, or all tokens, of a player now."""
        fields = request.fields
        named = fields.text("revoke", length_max=TOKEN_LENGTH_MAX)
        if door is not None and named != REVOKE_ALL:
            try:
                named = door.session_of(named)
            except ValueError:
                raise RefusedError(Code.VALUE, "is no token of this contract", "revoke") from None
        revoked = await players.revoke_tokens(
            self._ledger,
            fields.text("user_id"),
            None if named == REVOKE_ALL else players.token_hash(named),
            agent=request.agent,
            note=request.note,
            request=request.request_id and request.request_id.once(_revoked_shown),
        )
        if isinstance(revoked, Refusal):
            raise _refused(revoked)
        return _revoked_shown(revoked)

    async def update(self, request: Request) -> Answer:
        """Change the fields that are given: status, exclusion, limits, language."""
        fields = request.fields
        if not any(name in fields for name in CHANGEABLE):
            raise RefusedError(Code.MISSING, f"one of {', '.join(CHANGEABLE)} is needed")
        account = await account_changes.update_account(
            self._ledger,
            fields.text("user_id"),
            read_change(fields, request.received_at),
            raises=self._choices.raises,
            agent=request.agent,
            note=request.note,
            request=request.request_id and request.request_id.once(account_shown),
        )
        if isinstance(account, Refusal):
            raise _refused(account)
        return account_shown(account)

    # --- lookups -----------------------------------------------------------------------------

    async def check(self, request: Request) -> Answer:
        """Return the outcome of a transaction of this agent."""
        transaction_id = request.fields.text("transaction_id")
        known = await lookups.check_transaction(self._ledger, request.agent, transaction_id)
        return transaction_shown(transaction_id, known)

    async def history(self, request: Request) -> Answer:
        """Return one page of rounds, newest first."""
        fields = request.fields
        try:
            state = RoundState(fields.text("type"))
        except ValueError:
            raise RefusedError(Code.VALUE, "must be ALL, END or ING", "type") from None
        count_max = HISTORY_COUNT
        if "limit" in fields:
            count_max = fields.integer("limit", 1, HISTORY_COUNT_MAX)
        page = await lookups.history(
            self._ledger,
            agent=request.agent,
            state=state,
            user_id=fields.text_or_none("user_id"),
            since=fields.moment("from") if "from" in fields else EPOCH,
            until=fields.moment("to") if "to" in fields else LATEST,
            after=read_cursor(str(fields.text("cursor", length_max=CURSOR_LENGTH_MAX)))
            if "cursor" in fields
            else None,
            count_max=count_max,
        )
        if isinstance(page, Refusal):
            raise _refused(page)
        return history_shown(page)

    async def events(self, request: Request) -> Answer:
        """Return what has happened since a cursor, in the order in which it could be seen."""
        fields, count_max = request.fields, EVENTS_COUNT
        if "limit" in fields:
            count_max = fields.integer("limit", 1, EVENTS_COUNT_MAX)
        page = await event_log.page_after(
            self._ledger,
            request.agent,
            read_event_cursor(fields),
            types=read_event_types(fields),
            count_max=count_max,
        )
        if page is None:
            raise RefusedError(
                Code.VALUE,
                "is not a cursor of this ledger, which was restored to a moment before it; "
                "begin again with one that is older, and leave out what was heard by its id",
                "after",
            )
        return events_shown(page)


def _in_form(door: TokenForm, issued: IssuedToken) -> IssuedToken:
    return issued._replace(token=door.sign(issued))


def _revoked_shown(count: int) -> Answer:
    return said(Code.DONE, {"revoked": count})


def _refused(refusal: Refusal) -> DecidedError:
    return DecidedError(refusal)
