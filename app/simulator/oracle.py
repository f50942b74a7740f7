"""One player's oracle: predicts the answer to every move, and remembers what it did.

The checks are in the contract's order: format, player, scale, transactionId, token, event, funds,
bounds. Amounts are integers of minor units, and no code is shared with the wallet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.simulator.expected import Expected, Key, Printed, refused
from app.simulator.laws import LAWS, Direction, Family, Kind, Law
from app.simulator.moves import Move, Question, Token
from app.simulator.pockets import Pockets
from app.simulator.rounds import Abort, Bet, Payment, Round
from app.simulator.stage import DuplicateReply, KeyScope, OvertakenBet, StakeOrder
from app.simulator.units import is_amount, largest_balance, print_units, read_amount

# Moves and events an oracle remembers. Scripts look back a hundred moves at most.
_MEMORY_MAX = 1000


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of the server that change what a player is answered."""

    duplicate_reply: DuplicateReply
    stake_order: StakeOrder
    key_scope: KeyScope
    overtaken_bet: OvertakenBet = "refuse"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a transactionId, for ever."""

    #: 0 accepted, else the remembered refusal.
    code: int
    event_type: str
    direction: Direction
    units: int
    event_id: str
    first: Expected


@dataclass(frozen=True, slots=True)
class _Entry:
    """A move that may be written: the pockets after it and what the round learns."""

    after: Pockets
    write: Callable[[Pockets], None]


class Oracle:
    """What one player has, what stands in their events, and what their ids have heard."""

    def __init__(self, pockets: Pockets, scale: int, settings: ServerSettings) -> None:
        self.pockets = pockets
        self.scale = scale
        self.settings = settings
        self._rounds: dict[tuple[str, Family], Round] = {}
        self._outcomes: dict[Key, _Outcome] = {}

    @property
    def printed(self) -> Printed:
        """The balances as an answer must print them now."""
        now = self.pockets
        texts = (print_units(units, self.scale) for units in (now.balance, now.real, now.bonus))
        return Printed(*texts)

    def ask(self, question: Question) -> Expected:
        """Predict the answer to a question: 404, 417 and 410 in this order."""
        if question.flaw is not None:
            return self._refused(400)
        if question.user == "nobody":
            return self._refused(404)
        if question.method == "getUserToken":
            return Expected("token", 0, self.printed)
        if question.token in {Token.UNKNOWN, Token.ANOTHER}:
            return self._refused(417)
        if question.token is Token.EXPIRED:
            return self._refused(410)
        match question.method:
            case "sessionCheck":
                return Expected("session", 0, self.printed)
            case "playerDetails":
                return Expected("details", 0, self.printed)
            case "getBalance":
                return Expected("balance", 0, self.printed)

    def move(self, move: Move) -> Expected:
        """Predict the answer to a move, and write what it does."""
        law = LAWS.get((move.event_type, move.direction))
        if move.flaw is not None or law is None or not is_amount(move.amount):
            return self._refused(400)
        if move.user == "nobody":
            return self._refused(404)
        units = read_amount(move.amount, self.scale)
        if units is None or (law.only_zero and units):
            return self._refused(400)
        key = self._key(move)
        if key in self._outcomes:
            return self._again(self._outcomes[key], move, units)
        if move.token in {Token.UNKNOWN, Token.ANOTHER}:
            return self._refused(417)
        if move.token is Token.EXPIRED and law.live_token:
            return self._refused(410)
        return self._decide(key, move, law, units)

    def forget(self) -> None:
        """Let go of what no script looks back to, so that a long run needs little memory."""
        while len(self._outcomes) > _MEMORY_MAX:
            del self._outcomes[next(iter(self._outcomes))]
        while len(self._rounds) > _MEMORY_MAX:
            del self._rounds[next(iter(self._rounds))]

    def _refused(self, code: int) -> Expected:
        return refused(code, self.printed)

    def _key(self, move: Move) -> Key:
        if self.settings.key_scope == "transaction_event":
            return (move.transaction_id, move.event_type, move.direction)
        if (move.event_type, move.direction) == ("PromoWin", "debit"):
            # A PromoWin's debit of 0 never takes the id from its credit.
            return (move.transaction_id, "PromoWin debit")
        return (move.transaction_id,)

    def _again(self, known: _Outcome, move: Move, units: int) -> Expected:
        """Answer an id that has its outcome already."""
        replays = self.settings.duplicate_reply == "replay"
        if known.code:
            if replays:
                return _echo(known.first)
            return refused(known.code, self.printed, key=known.first.key)
        if (known.event_type, known.direction) != (move.event_type, move.direction):
            return self._refused(400)
        if (known.units, known.event_id) != (units, move.event.event_id) or not replays:
            return self._refused(409)
        return _echo(known.first)

    def _decide(self, key: Key, move: Move, law: Law, units: int) -> Expected:
        """Answer an id heard for the first time."""
        place = (move.event.event_id, law.family)
        round_ = self._rounds.setdefault(place, Round())
        if law.kind is Kind.STAKE and self._is_overtaken(move, units, round_):
            return self._refused_bet(400, key, move, units, round_)
        entry = self._entry(move, law, units, round_)
        if isinstance(entry, int):
            if law.kind is Kind.ABORT:
                round_.abort_was_refused(move.transaction_id, units)
            if entry == 402 and law.kind is Kind.STAKE:  # noqa: PLR2004 - the contract's code
                return self._refused_bet(entry, key, move, units, round_)
            # No money, and an abort with nothing left to give back, are outcomes for ever.
            if entry not in {402, 409}:
                return self._refused(entry)
            return self._refused_for_ever(entry, key, move, units)
        bound = largest_balance(self.scale)
        if max(abs(entry.after.real), abs(entry.after.balance), entry.after.bonus) > bound:
            return self._refused(400)
        before, self.pockets = self.pockets, entry.after
        entry.write(Pockets(entry.after.real - before.real, entry.after.bonus - before.bonus))
        answer = Expected("funds", 0, self.printed, key=key)
        self._outcomes[key] = _outcome(0, move, units, answer)
        return answer

    def _refused_for_ever(self, code: int, key: Key, move: Move, units: int) -> Expected:
        answer = refused(code, self.printed, key=key)
        self._outcomes[key] = _outcome(code, move, units, answer)
        return answer

    def _refused_bet(self, code: int, key: Key, move: Move, units: int, round_: Round) -> Expected:
        """Refuse a bet for ever; one later abort of its amount means it and no other."""
        round_.refused_bets.append(units)
        return self._refused_for_ever(code, key, move, units)

    def _is_overtaken(self, move: Move, units: int, round_: Round) -> bool:
        """Whether an abort that came first refuses this bet; it is then used up."""
        if self.settings.overtaken_bet == "flag":
            return False
        shared_ids = self.settings.key_scope == "transaction_event"
        abort = round_.overtaking_abort(units, move.transaction_id if shared_ids else None)
        if abort is None:
            return False
        abort.state = "used"
        return True

    def _entry(self, move: Move, law: Law, units: int, round_: Round) -> _Entry | int:
        """Find the pockets after a move and what the round learns of it, or the refusal's code."""
        if law.needs_bet and not round_.may_be_paid:
            return 406
        now, order = self.pockets, self.settings.stake_order
        match law.kind:
            case Kind.NOTHING:
                return _Entry(now, _ignore)
            case Kind.STAKE:
                return _funded(
                    now.spend(units, order), partial(_write_bet, round_, move.transaction_id)
                )
            case Kind.CORRECTION:
                return _funded(now.spend(units, order), _ignore)
            case Kind.TIP:
                return _funded(now.spend_real(units), _ignore)
            case Kind.PAYMENT:
                bonus = self._bonus_part(move, law, units, round_)
                return _Entry(now.receive(units - bonus, bonus), partial(_write_payment, round_))
            case Kind.GIFT:
                bonus = self._bonus_part(move, law, units, Round())
                return _Entry(now.receive(units - bonus, bonus), _ignore)
            case Kind.ABORT:
                return self._abort(move, units, round_)
            case Kind.TAKE_BACK:
                return self._take_back(units, round_)
            case Kind.REOPEN:
                found = round_.reopening(units)
                after = now.hand_back(found.real, found.bonus, found.uncovered)
                return _Entry(after, lambda _: round_.reopen(found))

    def _bonus_part(self, move: Move, law: Law, units: int, round_: Round) -> int:
        """How much of a credit is meant for bonus, before any debt."""
        if law.bonus_by_code and move.bonus_code is not None and move.bonus_code.strip():
            return units
        return round_.bonus_share(units)

    def _abort(self, move: Move, units: int, round_: Round) -> _Entry | int:
        shared_ids = self.settings.key_scope == "transaction_event"
        if round_.abort_was_used(move.transaction_id):
            return 409
        bet = round_.bet_to_give_back(units, move.transaction_id if shared_ids else None)
        if isinstance(bet, int):
            return bet
        write = partial(_write_abort, round_, bet, move.transaction_id)
        return _Entry(self.pockets.receive(bet.real, bet.bonus), write)

    def _take_back(self, units: int, round_: Round) -> _Entry | int:
        payment = round_.payment_to_take_back(units)
        if payment is None:
            return 406
        if units > self.pockets.above_zero:
            return 402
        real, bonus = payment.part(units)
        return _Entry(self.pockets.hand_back(real, bonus), lambda _: payment.shrink(units, bonus))


def _echo(first: Expected) -> Expected:
    """Expect the bytes of a first answer once more."""
    return Expected(first.shape, first.code, first.printed, key=first.key, echo=True)


def _outcome(code: int, move: Move, units: int, first: Expected) -> _Outcome:
    return _Outcome(code, move.event_type, move.direction, units, move.event.event_id, first)


def _funded(after: Pockets | None, write: Callable[[Pockets], None]) -> _Entry | int:
    return 402 if after is None else _Entry(after, write)


def _ignore(_change: Pockets) -> None:
    """Leave the round as it is."""


def _write_bet(round_: Round, transaction_id: str, change: Pockets) -> None:
    round_.bets.append(Bet(transaction_id, -change.real, -change.bonus))


def _write_payment(round_: Round, change: Pockets) -> None:
    if change.balance:
        round_.payments.append(Payment(change.balance, change.bonus))


def _write_abort(round_: Round, bet: Bet, transaction_id: str, change: Pockets) -> None:
    bet.stands = False
    round_.abort_was_accepted(transaction_id)
    round_.aborts.append(Abort(bet, change.real, change.bonus))
