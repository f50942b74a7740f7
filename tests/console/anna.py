"""anna, a player of a served wallet, and the bets that the aggregator sends for her."""

from datetime import timedelta

from app.cashier.players import issue_token, open_account
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.money import ISO_CURRENCIES
from app.wallet.refusals import Refusal


async def seat(url: str) -> str:
    """Open anna's account, and return a token of hers."""
    ledger = PlacedLedger(url, pool_size=1)
    try:
        await open_account(
            ledger,
            user_id="anna",
            agent="house",
            currency=ISO_CURRENCIES["USD"],
            nickname="Anna",
            language="en",
        )
        issued = await issue_token(ledger, "anna", timedelta(hours=1))
        assert not isinstance(issued, Refusal)
        return issued.token
    finally:
        await ledger.close()


def bet(token: str, transaction_id: str, amount: str) -> dict[str, str]:
    return {
        "token": token,
        "userId": "anna",
        "gameId": "1",
        "extraData": "{}",
        "eventId": "round-1",
        "direction": "debit",
        "transactionId": transaction_id,
        "eventType": "BetPlacing",
        "amount": amount,
    }
