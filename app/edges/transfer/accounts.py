"""The operations on accounts (transfer contract, section 2): opening, balance, tokens, changes."""

from datetime import datetime, timedelta
from typing import Final

from app.cashier import account_changes, players
from app.cashier.players import IssuedToken
from app.edges.transfer.answers import (
    Answer,
    account_shown,
    balance_shown,
    opened_shown,
    said,
    token_shown,
)
from app.edges.transfer.codes import Code, DecidedError, RefusedError
from app.edges.transfer.forms import Fields
from app.edges.transfer.reading import read_change, read_language
from app.edges.transfer.request import Choices, Request, TokenForm
from app.ledger.transaction import Ledger
from app.wallet.refusals import Refusal

NICKNAME_LENGTH_MIN: Final = 3
NICKNAME_LENGTH_MAX: Final = 64
"""The bounds of the callback contract, section 1."""

NAME_LENGTH_MAX: Final = 250

TOKEN_LIFE_SECONDS_MAX: Final = 366 * 86400
"""The same bound as that of the setting WALLET_TOKEN_LIFE_SECONDS."""

TOKEN_LENGTH_MAX: Final = 4096
"""characters; a token in another contract's form carries the player's name"""

REVOKE_ALL: Final = "all"
CALLBACK: Final = "callback"
"""The door whose tokens have no form of their own."""

CHANGEABLE: Final = ("status", "excluded_until", "limits", "confirm", "language")


class Accounts:
    """The operations on accounts."""

    def __init__(self, ledger: Ledger, choices: Choices) -> None:
        self._ledger = ledger
        self._choices = choices

    async def init(self, request: Request) -> Answer:
        """Open an account, or return the existing one."""
        fields = request.fields
        user_id = fields.text("user_id")
        if not await players.may_have_account(self._ledger, user_id):
            raise RefusedError(Code.VALUE, players.UNFIT_NAME, "user_id")
        currency = self._choices.currencies.get(fields.text("currency"))
        if currency is None:
            raise RefusedError(Code.VALUE, "is not a currency of this wallet", "currency")
        opened = await players.open_account(
            self._ledger,
            user_id=user_id,
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
            raise DecidedError(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
        if opened.player.currency.code != currency.code:
            raise RefusedError(Code.VALUE, "differs from the account's", "currency")
        return opened_shown(opened)

    async def balance(self, request: Request) -> Answer:
        """Return a player's balance."""
        player = await players.find_account(self._ledger, request.fields.text("user_id"))
        if isinstance(player, Refusal):
            raise DecidedError(player)
        if player.agent != request.agent:
            raise DecidedError(Refusal.ACCOUNT_OF_ANOTHER_AGENT)
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
            raise DecidedError(issued)
        return show(issued)

    def _door(self, fields: Fields) -> TokenForm | None:
        """Return the contract that a token is for; None: the callback API."""
        name = fields.text_or_none("door") or CALLBACK
        if name == CALLBACK:
            return None
        door = self._choices.doors.get(name)
        if door is None:
            known = ", ".join((CALLBACK, *self._choices.doors))
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
            raise DecidedError(revoked)
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
            raise DecidedError(account)
        return account_shown(account)


def _in_form(door: TokenForm, issued: IssuedToken) -> IssuedToken:
    return issued._replace(token=door.sign(issued))


def _revoked_shown(count: int) -> Answer:
    return said(Code.DONE, {"revoked": count})
