"""One player's script: chooses ids, amounts and styles, and predicts the answer to each request.

The prediction is made before anything is sent. So the script is a pure function of seed, stage and
options, and can be read without a server.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.simulator.dice import Dice
from app.simulator.expected import Expected
from app.simulator.laws import Direction, usual_direction
from app.simulator.moves import (
    Content,
    Delivery,
    Encoding,
    Event,
    Flaw,
    Method,
    Move,
    Notice,
    Question,
    Style,
    Token,
    UserName,
    WrongMethod,
)
from app.simulator.oracle import Oracle
from app.simulator.units import print_units

# Moves that a script may come back to long after.
_HISTORY_MAX = 100
# Casino games; the last is the longest gameId the contract allows.
_CASINO_GAMES = (1037566, 7, 999_999_999_999_999_999)
_SPORT_GAME = 1037999
# Variants known to the encoder.
_EXTRA_DATA_VARIANTS = 6
_UNKNOWN_FIELD_VARIANTS = 6
_CONTENT_TYPES = 4
# A form is what the aggregator itself sends.
_ENCODINGS: tuple[Encoding, ...] = ("form", "form", "json", "query")
_FIELDS = 9


@dataclass(frozen=True, slots=True)
class Step:
    """Deliveries that leave together, and the answers due, which may come in any order."""

    deliveries: tuple[Delivery, ...]
    expected: tuple[Expected, ...]


class ScriptWriter:
    """Where one player's script is written."""

    def __init__(self, dice: Dice, oracle: Oracle, prefix: str, sport_game_id: int | None) -> None:
        self.dice = dice
        self.oracle = oracle
        self.history: deque[Move] = deque(maxlen=_HISTORY_MAX)
        self._prefix = prefix
        self._sport_game = sport_game_id if sport_game_id is not None else _SPORT_GAME
        self._named = 0
        # A small sum of the currency: 1.00 USD, 1 JPY, 0.0001 BTC.
        fine_scale = 4
        scale = oracle.scale
        self.coin = 10 ** (scale if scale <= fine_scale else scale - fine_scale)

    # --- names ---------------------------------------------------------------------------

    def new_id(self) -> str:
        """Name a transaction of this run."""
        self._named += 1
        return f"{self._prefix}-t{self._named}"

    def new_event(self, *, sport: bool = False) -> Event:
        """Open a round of a casino game, or a sports bet."""
        self._named += 1
        game = self._sport_game if sport else self.dice.pick(_CASINO_GAMES)
        return Event(f"{self._prefix}-e{self._named}", game)

    # --- amounts, in units ---------------------------------------------------------------

    @property
    def balance(self) -> int:
        """What the player has, in units."""
        return self.oracle.pockets.balance

    def small(self) -> int:
        """Draw a small amount above zero."""
        return self.dice.between(1, 20 * self.coin)

    def stake(self) -> int:
        """Draw a stake that can be paid: small, over both pockets, or the whole balance."""
        pockets, balance = self.oracle.pockets, max(self.balance, 0)
        small = min(self.small(), balance)
        manner = self.dice.between(1, 100)
        all_in, straddling = 5, 45
        if manner <= all_in:
            return balance
        first = pockets.real if self.oracle.settings.stake_order == "real_first" else pockets.bonus
        if manner <= straddling and 0 < first < balance:
            return first + min(small, balance - first)
        return small

    def affordable_twice(self) -> int:
        """Draw a stake above zero that can be paid two times and some more."""
        return self.dice.between(1, max(self.balance // 4, 1))

    def payout(self, stake: int) -> int:
        """Draw a win; a rich player's is smaller, so that nobody grows without bound."""
        rich = self.balance > 2000 * self.coin
        percent = self.dice.pick((10, 35, 50) if rich else (10, 50, 90, 100, 137, 250))
        return stake * percent // 100 + self.dice.between(1, 9)

    def written(self, units: int) -> str:
        """Write an amount in one of several forms of the same number."""
        exact = print_units(units, self.oracle.scale)
        if self.dice.chance(70):
            return exact
        whole, _, fraction = exact.partition(".")
        short = fraction.rstrip("0")
        forms = (
            f"{whole}.{short}" if short else whole,
            f"{whole}.{fraction.ljust(18, '0')}",
            f"{whole.rjust(18, '0')}.{fraction or '0'}",
        )
        return self.dice.pick(forms)

    # --- moves ---------------------------------------------------------------------------

    def move(
        self,
        event_type: str,
        event: Event,
        units: int,
        *,
        direction: Direction | None = None,
        transaction_id: str | None = None,
        amount: str | None = None,
        token: Token = Token.LIVE,
        bonus_code: str | None = None,
        user: UserName = "own",
        flaw: Flaw | None = None,
    ) -> Move:
        """Write down a move; ``amount`` replaces the text of ``units``."""
        return Move(
            event_type=event_type,
            direction=usual_direction(event_type) if direction is None else direction,
            transaction_id=self.new_id() if transaction_id is None else transaction_id,
            event=event,
            amount=self.written(units) if amount is None else amount,
            token=token,
            bonus_code=bonus_code,
            user=user,
            flaw=flaw,
        )

    def say(self, content: Content) -> Step:
        """Deliver one request, once."""
        expected = self._expect(content)
        if isinstance(content, Move) and expected.moved:
            self.history.append(content)
        return Step((self._styled(content),), (expected,))

    def together(self, moves: Sequence[Move]) -> Step:
        """Deliver several at the same moment."""
        expected = tuple(self.oracle.move(move) for move in moves)
        return Step(tuple(map(self._styled, moves)), expected)

    def ask(self, method: Method, token: Token = Token.LIVE) -> Step:
        """Ask one of the four questions."""
        return self.say(Question(method, token))

    def fund(self, least: int) -> Iterator[Step]:
        """Bring the balance to at least so much, and some money to the bonus pocket."""
        if self.oracle.pockets.bonus < self.small() and self.dice.chance(60):
            gift = self.dice.between(self.coin, 30 * self.coin)
            code = f"spins-{self.dice.between(1, 9)}"
            yield self.say(self.move("PromoWin", self.new_event(), gift, bonus_code=code))
        if self.balance < least:
            lacking = least - self.balance + self.small()
            yield self.say(self.move("technicalFix", self.new_event(), lacking))

    def fill_both(self, least: int = 0) -> Iterator[Step]:
        """Bring both pockets above zero and so much, so that money goes two ways."""
        real = max(0, least - self.oracle.pockets.real) + self.small()
        yield self.say(self.move("technicalFix", self.new_event(), real))
        gift = self.dice.between(self.coin, 30 * self.coin) + least
        yield self.say(self.move("DropAndWin", self.new_event(), gift, bonus_code="both"))

    def mixed_stake(self) -> int:
        """Draw a stake that empties one pocket and takes a part of the other."""
        pockets = self.oracle.pockets
        real_first = self.oracle.settings.stake_order == "real_first"
        first, second = (
            (pockets.real, pockets.bonus) if real_first else (pockets.bonus, pockets.real)
        )
        return max(first, 0) + self.dice.between(1, max(second - 1, 1))

    def empty_first_pocket(self) -> Iterator[Step]:
        """Lose all that is in the pocket from which stakes are taken first."""
        event, pockets = self.new_event(), self.oracle.pockets
        real_first = self.oracle.settings.stake_order == "real_first"
        first = pockets.real if real_first else pockets.bonus
        yield self.say(self.move("BetPlacing", event, max(first, 0)))
        yield self.say(self.move("Lose", event, 0, token=Token.EXPIRED))

    def _expect(self, content: Content) -> Expected:
        match content:
            case Move():
                return self.oracle.move(content)
            case Question():
                return self.oracle.ask(content)
            case Notice():
                return Expected("notice", 0, self.oracle.printed)
            case WrongMethod():
                return Expected("none", 0, self.oracle.printed, http=405)

    def _styled(self, content: Content) -> Delivery:
        """Choose how a request is put into bytes."""
        dice = self.dice
        plain = dice.chance(40)
        flaw = content.flaw if isinstance(content, Move) else None
        return Delivery(
            content,
            Style(
                encoding="json" if flaw == "repeated_json_key" else dice.pick(_ENCODINGS),
                slash=dice.chance(50),
                extra_data=dice.between(0, _EXTRA_DATA_VARIANTS - 1),
                unknown_field=0 if plain else dice.between(0, _UNKNOWN_FIELD_VARIANTS - 1),
                bare_numbers=dice.chance(50),
                turn=dice.between(0, _FIELDS - 1),
                beside=not plain and dice.chance(20),
                content_type=0 if plain else dice.between(0, _CONTENT_TYPES - 1),
            ),
        )
