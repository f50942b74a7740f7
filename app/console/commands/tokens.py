"""`wallet token issue` and `revoke`: tokens for launching games, issued by hand."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from app.cashier.players import (
    IssuedToken,
    find_account,
    issue_token,
    revoke_tokens,
    token_hash,
)
from app.console.arguments import UserId, checked_text
from app.console.data_owner import console_settings
from app.console.ledger_access import ask, commands, granted, note_of
from app.console.output.printer import AsJson, hint, print_json, say, tell
from app.ledger.transaction import Ledger
from app.wallet.refusals import Refusal
from app.wallet.words import moment

SLIDING: Final = "sliding"

tokens: Final = commands("token", "The tokens that games are launched with.")

Life = Annotated[
    int | None,
    typer.Option(min=1, max=366 * 86400, help="Seconds; else as WALLET_TOKEN_… say."),
]


@tokens.command("issue")
def issue(user_id: UserId, life: Life = None, as_json: AsJson = False) -> None:
    """Issue a token for launching a game; it is shown once, and kept only as a hash."""
    settings = console_settings()
    seconds = settings.token_life_seconds if life is None else life
    is_sliding = life is None and settings.token_renewal == SLIDING

    async def work(ledger: Ledger) -> IssuedToken | Refusal:
        player = granted(await find_account(ledger, user_id), user_id)
        return await issue_token(
            ledger,
            user_id,
            timedelta(seconds=seconds),
            origin="console",
            is_sliding=is_sliding,
            agent=player.agent,
            note=note_of("account/session", {"user_id": user_id, "ttl_seconds": life}),
        )

    issued = granted(ask(work, changes=True), user_id)
    if as_json:
        print_json({"token": issued.token, "expires_at": moment(issued.expires_at)})
    else:
        say(issued.token)
        hint(f"It lives until {moment(issued.expires_at)}.")


@tokens.command("revoke")
def revoke(
    user_id: UserId,
    token: Annotated[
        str | None, typer.Argument(help="The token; none: all of them.", callback=checked_text)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a player's tokens expire now; money still comes back under them."""
    hashed = None if token is None else token_hash(token)

    async def work(ledger: Ledger) -> int | Refusal:
        note = note_of(
            "account/session", {"user_id": user_id, "revoke": "all" if hashed is None else "one"}
        )
        return await revoke_tokens(ledger, user_id, hashed, note=note)

    count = granted(ask(work), user_id)
    sentence = f"{count} {'token has' if count == 1 else 'tokens have'} expired."
    tell(sentence, {"user_id": user_id, "expired": count}, as_json=as_json)
