"""Days of a sportsbook: slips of every kind, settled, settled anew, cashed out, and badly told.

Played through the cashier with a clock of its own, and then projected, as `wallet project` does.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.cashier.event_log import number_all
from app.cashier.move_funds import move_funds
from app.cashier.players import issue_token, open_account, token_hash
from app.ledger.citus.ledger import PlacedLedger
from app.slips.projector import Projector
from app.wallet.events import GAME_EVENT_TYPES, RULES, EventType
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal

AGENT, SPORT = "house", 1037566
PLAYERS = {"anna": "USD", "bora": "USD", "chen": "JPY"}
OPENED = datetime(2026, 3, 1, 8, tzinfo=UTC)

MATCHES: Final = {
    "m1": ("Soccer", "England", "Premier League", "Arsenal", "Chelsea", "2026-03-01T15:00Z"),
    "m2": ("Soccer", "Spain", "LaLiga", "Real Madrid", "Sevilla", "2026-03-01T20:00Z"),
    "m3": ("Tennis", "ATP", "Miami", "Sinner", "Alcaraz", "2026-03-02T18:00Z"),
    "m4": ("Basketball", "USA", "NBA", "Lakers", "Celtics", "2026-03-03T02:00Z"),
    "m5": ("Soccer", "England", "Premier League", "Leeds", "Everton", "2026-03-05T15:00Z"),
}

# A bet's legs: match, outcome, odds, and ! if it was being played; then the total odds, what it may
# win, and the bonus it belongs to. A settlement: what it said, the results, and other words.
STORY: Final = """
1 09:00 anna Deposit         200.00 pay-1
1 09:01 bora Deposit         200.00 pay-2
1 09:02 chen Deposit          20000 pay-3
1 10:00 anna BetPlacing       10.00 b-1  bet-1  s-101 1/1 m1:Arsenal:2.10 2.10 2100
1 10:05 anna BetPlacing        5.00 b-2  bet-2  s-102 3/3 m1:Draw:3.00,m2:Home:1.45,m3:Sinner:2.10 9.135 4568
1 17:05 anna Win              21.00 w-1  bet-1  s-101 win won
1 17:06 anna Lose              0.00 l-2  bet-2  s-102 lost lost,open,open
1 20:30 bora BetPlacing       20.00 b-3  bet-3  s-103 1/1 m2:Home:1.85! 1.85 3700
1 20:40 bora BetPlacing        6.00 b-4  bet-4  s-104 2/3 m2:Home:1.80!,m3:Alcaraz:2.00,m4:Lakers:1.70 6.12 1836
1 22:10 bora Win              37.00 w-3  bet-3  s-103 win won
1 23:00 bora SportBetCancel   37.00 c-3  bet-3
1 23:05 bora Lose              0.00 l-3  bet-3  s-103 lost lost
2 09:00 chen BetPlacing        1000 b-5  bet-5  s-105 1/1 m3:Alcaraz:2.00 2.00 2000
2 09:10 chen BetPlacing        3000 b-6  bet-6  s-106 2/2 m4:Celtics:2.00,m5:Leeds:2.00 4.00 12000
2 10:00 anna BetPlacing        0.00 b-7  bet-7  s-107 1/1 m3:Sinner:2.80 2.80 1400 freebet_freemoney:fb-1
2 10:05 bora BetPlacing       15.00 b-8  bet-8  s-108 1/1 m3:Alcaraz:2.00 2.00 3000 no_risk:nr-1
2 18:40 chen Win                700 w-5  bet-5  s-105 win open is_cashout
2 21:30 anna Win               9.00 w-7  bet-7  s-107 win won
2 21:31 bora Win              15.00 w-8  bet-8  s-108 lost lost is_snr_lost
3 06:00 bora Win               8.40 w-4  bet-4  s-104 win won,lost,won
3 10:00 anna BetPlacing       25.00 b-9  bet-9  s-109 1/1 m5:Leeds:2.40 2.40 6000
3 10:01 bora BetPlacing       10.00 b-10 bet-10 s-110 1/1 m5:Leeds:2.40 2.40 2400
3 10:30 anna BetPlacing        8.00 b-11 bet-11 s-111 1/1 m5:Draw:3.10 3.10 2480
3 10:31 anna BetPlacingAbort   8.00 a-11 bet-11
3 11:00 bora BetPlacing       12.00 b-12 bet-12 s-112 1/1 m4:Lakers:1.50! 1.50 1800
3 12:00 bora Win              18.00 w-12 bet-12 s-999 win won
3 13:00 chen BetPlacing        2000 b-13 bet-13 s-113 1/1 m5:Everton:3.00 3.00 6000
3 14:00 chen Win                900 w-13 bet-13 s-113 win open is_cashout
3 14:01 chen Win                900 w-14 bet-13 s-113 win open is_cashout
4 09:00 anna BetPlacing        4.00 b-14 bet-14 broken
4 09:30 anna Lose              0.00 l-14 bet-14 s-114 lost lost
4 10:00 bora BetPlacing        7.00 b-15 bet-15 short 8801
4 12:00 bora Win              14.00 w-15 bet-15 short 8801 win
4 13:00 anna BetPlacing        9.00 b-16 bet-16 s-116:950 1/1 m4:Celtics:2.40 2.40 2280
4 15:00 anna Lose              0.00 l-16 bet-16 s-116 lost lost
"""  # noqa: E501 - a table


class Storyteller:
    """Plays the story on a ledger whose clock it turns."""

    def __init__(self, url: str) -> None:
        self.now = OPENED
        self.ledger = PlacedLedger(url, clock=lambda: self.now)
        self.tokens: dict[str, bytes] = {}

    async def tell(self) -> None:
        """Play everything in the order of the clock, and project it."""
        try:
            for user_id, currency in PLAYERS.items():
                await self._open(user_id, currency)
            for line in STORY.strip().splitlines():
                day, time, *more = line.split()
                hour, minute = map(int, time.split(":"))
                self.now = datetime(2026, 3, int(day), hour, minute, tzinfo=UTC)
                await self._move(*more)
            await number_all(self.ledger)
            await Projector(self.ledger).look()
        finally:
            await self.ledger.close()

    async def _open(self, user_id: str, currency: str) -> None:
        await open_account(
            self.ledger,
            user_id=user_id,
            agent=AGENT,
            currency=ISO_CURRENCIES[currency],
            nickname=user_id.title(),
            language="en",
        )
        issued = await issue_token(self.ledger, user_id, timedelta(days=30))
        assert not isinstance(issued, Refusal)
        self.tokens[user_id] = token_hash(issued.token)

    async def _move(
        self, user_id: str, what: str, amount: str, id_: str, event: str = "", *more: str
    ) -> None:
        kind = EventType(what)
        is_game = kind in GAME_EVENT_TYPES
        movement = Movement(
            delivery=bytes(8) + int(self.now.timestamp()).to_bytes(8),
            key=Key("callback" if is_game else AGENT, id_, ""),
            user_id=user_id,
            event_type=kind,
            direction=min(RULES[kind].directions, key=lambda way: way != "credit"),
            amount=amount,
            received_at=self.now,
            token=self.tokens[user_id] if is_game else None,
            event_id=event or None,
            game_id=SPORT if is_game else None,
            extra_data=text_of(what, amount, more) if more else None,
        )
        (receipt,) = await move_funds(self.ledger, [movement], Policy(sport_game_id=SPORT))
        assert isinstance(receipt, Posting), (id_, receipt)


def text_of(what: str, amount: str, words: tuple[str, ...]) -> str:
    """The extraData of a line of the story."""
    match words:
        case ("broken",):
            return '{"betslip": {"id": "s-114", "type": "1/1", "k": 1e400}}'
        case ("short", number):
            return json.dumps({"status": "accepted", "placedBetId": number})
        case ("short", number, result):
            return json.dumps({"status": "settled", "placedBetId": number, "result": result})
        case (slip, kind, legs, odds, potential, *bonus) if what == "BetPlacing":
            return json.dumps(betslip(amount, slip, kind, legs, odds, potential, bonus))
    slip, said, results, *flags = words
    return json.dumps(
        {
            "transaction": {"operation": said, "betslip_id": slip},
            "selections": [
                {"id": f"{slip}-{n}", "status": status}
                for n, status in enumerate(results.split(","), 1)
            ],
            **dict.fromkeys(flags, True),
        }
    )


def betslip(
    amount: str, slip: str, kind: str, legs: str, odds: str, potential: str, bonus: list[str]
) -> dict[str, Any]:
    slip, _, told = slip.partition(":")
    total = int(told or amount.replace(".", ""))
    return {
        "betslip": {
            "id": slip,
            "type": kind,
            "sum": total or 500,
            "k": odds,
            "is_quick_bet": False,
            "bets": [
                leg(f"{slip}-{n}", *text.split(":")) for n, text in enumerate(legs.split(","), 1)
            ],
        },
        "potential_win": int(potential),
        **(
            dict(zip(("bonus_type", "bonus_id"), bonus[0].split(":"), strict=True)) if bonus else {}
        ),
    }


def leg(id_: str, match: str, outcome: str, odds: str) -> dict[str, Any]:
    sport, category, tournament, home, away, begins = MATCHES[match]
    return {
        "id": id_,
        "event_id": match,
        "sport_name": sport,
        "category_name": category,
        "tournament_name": tournament,
        "competitor_name": [home, away],
        "market_name": "Winner" if sport != "Soccer" else "1x2",
        "outcome_name": outcome,
        "scheduled": int(datetime.fromisoformat(begins).timestamp()),
        "live": odds.endswith("!"),
        "odds": odds.rstrip("!"),
    }
