"""The naive model of the two older contracts, which predicts each answer by plain rules.

A second opinion, written from the contracts' text with dictionaries and lists. It imports nothing
of the wallet, decides nothing fast, and knows nothing of databases. `Model` is one operator's
wallet; `now` is always given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.books import (
    AMOUNT,
    SCALES,
    Bet,
    Declined,
    GivenBack,
    Payment,
    Player,
    Round,
    largest,
    units,
)

TABLE = {
    "BetPlacing": {"debit"},
    "Win": {"credit"},
    "Lose": {"credit", "debit at 0"},
    "BetPlacingAbort": {"credit"},
    "BetPayedAbort": {"debit"},
    "SportBetCancel": {"debit"},
    "Tip": {"debit"},
    "PromoWin": {"credit", "debit at 0"},
    "technicalFix": {"credit", "debit"},
    "DropAndWin": {"credit", "debit at 0"},
    "PromoStreamersDebit": {"debit"},
    "PromoStreamersCredit": {"credit"},
    "PromoStreamersBetPlacingAbort": {"credit"},
    "PromoStreamersBetPayedAbort": {"debit"},
}
PLAY = {"BetPlacing", "Tip", "PromoStreamersDebit"}
BETS = {"BetPlacing", "PromoStreamersDebit"}
PAYMENTS = {"Win", "Lose", "PromoStreamersCredit"}
ABORTS = {"BetPlacingAbort", "PromoStreamersBetPlacingAbort"}
TAKE_BACKS = {"BetPayedAbort", "PromoStreamersBetPayedAbort"}
OF_ROUNDS = BETS | PAYMENTS | ABORTS | TAKE_BACKS | {"SportBetCancel"}
TO_BONUS = {"Win", "PromoWin", "DropAndWin"}
WITH_BALANCE = {402, 406, 409}
OVERTAKEN = timedelta(seconds=600)
"""so long after its abort a bet is refused"""
DONE, CONFLICT = 0, 409


@dataclass
class Expected:
    """What the answer must say; None: nothing is expected of it."""

    code: int
    player: Player | None = None
    """whose balances it must show"""
    data: dict[str, Any] | None = None
    is_repeat_of: Declined | None = None
    """whose first answer it must be, byte for byte"""
    is_first_of: Declined | None = None
    """whose first answer it is"""


@dataclass
class Pots:
    """What a movement adds to each pocket."""

    real: int = 0
    bonus: int = 0


class Refused(Exception):  # noqa: N818 — an answer, not an error
    """The contract's code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class BetOvertaken(Refused):
    """The bet's abort came before it: code 400, for ever."""

    def __init__(self) -> None:
        super().__init__(400)


class DepositBeyondLimit(Refused):
    """A deposit that would pass one of the player's limits: code 101, for ever."""

    def __init__(self, limit: str, remaining: int, scale: int) -> None:
        super().__init__(101)
        left = Decimal(remaining).scaleb(-scale)
        self.data = {"reason": "deposit_limit", "limit": limit, "remaining": left}


@dataclass
class Hold:
    """A withdrawal under way."""

    player: Player
    amount: int
    is_closed: bool = False


def zone_of(stake_order: str) -> tzinfo:
    """The zone of limits of a service of this choice: one of them changes its clocks."""
    return ZoneInfo("Europe/Berlin" if stake_order == "bonus_first" else "UTC")


def slides(duplicate_reply: str) -> bool:
    """Whether tokens of a service of this choice live anew when they are used."""
    return duplicate_reply == "replay"


class Model:
    """One wallet, as the callback and the transfer contract describe it."""

    def __init__(
        self,
        *,
        key_scope: str = "transaction",
        duplicate_reply: str = "conflict",
        stake_order: str = "real_first",
        token_life: timedelta = timedelta(days=1),
    ) -> None:
        # The service under each choice has this zone, and tokens of this kind.
        self.zone = zone_of(stake_order)
        self.tokens_slide = slides(duplicate_reply)
        self.by_event_too = key_scope == "transaction_event"
        self.replays = duplicate_reply == "replay"
        self.bonus_first = stake_order == "bonus_first"
        self.token_life = token_life
        self.players: dict[str, Player] = {}
        self.tokens: dict[str, tuple[str, datetime]] = {}
        self.sliding: set[str] = set()
        self.holds: dict[tuple[str, str], Hold] = {}
        self.callback: dict[tuple[str, ...], Declined] = {}
        self.transfer: dict[tuple[str, str], Declined] = {}

    # --- the callback API's questions ---------------------------------------------------------

    def ask(self, method: str, user_id: str, token: str, now: datetime) -> Expected:
        """sessionCheck, playerDetails, getBalance."""
        player = self.players.get(user_id)
        if player is None:
            return Expected(404)
        try:
            self._check_token(user_id, token, now, live=True)
        except Refused as refused:
            return Expected(refused.code)
        self._use_token(user_id, token, now)
        if method == "sessionCheck":
            return Expected(405 if player.blocked(now) else DONE)
        details = {}
        if method == "playerDetails":
            details = {
                "userId": user_id,
                "nickname": player.nickname,
                "currency": player.currency,
                "language": player.language,
            }
        return Expected(DONE, player, details)

    def get_user_token(self, user_id: str) -> Expected:
        player = self.players.get(user_id)
        return Expected(404) if player is None else Expected(DONE, player, {"userId": user_id})

    def keep_token(
        self, user_id: str, token: str, expires_at: datetime, *, is_fixed: bool = False
    ) -> None:
        """Take note of a token that the wallet issued."""
        self.tokens[token] = (user_id, expires_at)
        if self.tokens_slide and not is_fixed:
            self.sliding.add(token)

    def _use_token(self, user_id: str, token: str, now: datetime) -> None:
        """A sliding token that is used lives anew, once a 24th of its life is used up."""
        owner, expires_at = self.tokens.get(token, (None, now))
        if owner != user_id or token not in self.sliding or expires_at <= now:
            return
        if now + self.token_life - expires_at >= self.token_life / 24:
            self.tokens[token] = user_id, now + self.token_life

    def revoke(self, agent: str, user_id: str, token: str | None, now: datetime) -> Expected:
        """Let one token (None: every token) expire now; none of them lives on by its use."""
        player = self.account(agent, user_id)
        if isinstance(player, Expected):
            return player
        count = 0
        for name, (owner, expires_at) in self.tokens.items():
            if owner == user_id and token in {None, name}:
                count += expires_at > now or name in self.sliding
                self.tokens[name] = owner, min(expires_at, now)
                self.sliding.discard(name)
        return Expected(DONE, data={"revoked": count})

    def _check_token(self, user_id: str, token: str, now: datetime, *, live: bool) -> None:
        owner, expires_at = self.tokens.get(token, (None, now))
        if owner != user_id:
            raise Refused(417)
        if live and expires_at <= now:
            raise Refused(410)

    # --- moveFunds ----------------------------------------------------------------------------

    def move_funds(self, fields: Mapping[str, str], now: datetime) -> Expected:
        """Answer as the contract's section 4 orders the checks."""
        kind, direction = fields["eventType"], fields["direction"]
        if not AMOUNT.fullmatch(fields["amount"]):
            return Expected(400)
        is_zero = not fields["amount"].strip("0.")
        allowed = TABLE.get(kind, set())
        if direction not in allowed and not (is_zero and f"{direction} at 0" in allowed):
            return Expected(400)
        player = self.players.get(fields["userId"])
        if player is None:
            return Expected(404)
        amount = units(fields["amount"], player.scale)
        if amount is None:
            self._use_token(player.user_id, fields["token"], now)
            return Expected(400)
        content = {
            "event_type": kind,
            "direction": direction,
            "user_id": player.user_id,
            "event_id": fields["eventId"],
            "amount": amount * 10 ** (8 - player.scale),
        }
        key = self._key(fields["transactionId"], kind, direction)
        known = self.callback.get(key)
        if known is not None:
            self._use_token(player.user_id, fields["token"], now)
            return self._repeat(known, content, player)
        try:
            self._decide(fields, player, amount, now)
        except Refused as refused:
            code = refused.code
            expected = Expected(code, player if code in WITH_BALANCE else None)
            is_for_ever = code in {402, 456, 405} or isinstance(refused, BetOvertaken)
            found = player.round(fields["eventId"], streamer=_is_streamers(kind))
            if kind in BETS and is_for_ever:
                found.refused_bets.append(amount)
            if kind in ABORTS and code in {406, CONFLICT}:
                found.note_refused_abort(fields["transactionId"], amount, now)
            if is_for_ever or (code == CONFLICT and kind in ABORTS):
                self.callback[key] = expected.is_first_of = Declined(content, code)
            return expected
        self.callback[key] = first = Declined(content, DONE)
        return Expected(DONE, player, is_first_of=first)

    def _key(self, transaction_id: str, kind: str, direction: str) -> tuple[str, ...]:
        if self.by_event_too or (kind, direction) == ("PromoWin", "debit"):
            return transaction_id, kind, direction
        return (transaction_id,)

    def _repeat(self, known: Declined, content: dict[str, Any], player: Player) -> Expected:
        if known.code != DONE:
            if self.replays:
                return Expected(known.code, is_repeat_of=known)
            return Expected(known.code, player if known.code in WITH_BALANCE else None)
        if any(known.content[name] != content[name] for name in ("event_type", "direction")):
            return Expected(400)
        if known.content == content and self.replays:
            return Expected(DONE, is_repeat_of=known)
        return Expected(CONFLICT, player)

    def _decide(
        self, fields: Mapping[str, str], player: Player, amount: int, now: datetime
    ) -> None:
        kind, event_id = fields["eventType"], fields["eventId"]
        self._check_token(player.user_id, fields["token"], now, live=kind in PLAY)
        self._use_token(player.user_id, fields["token"], now)
        if kind in PLAY and player.blocked(now):
            raise Refused(405)
        streamer = _is_streamers(kind)
        found = player.rounds.get((event_id, streamer)) or Round(event_id)
        if kind in {"Win", "Lose"} and not (found.standing or found.settles_anew):
            raise Refused(406)
        if kind in BETS:
            self._check_overtaken(found, fields["transactionId"], amount, now)
        if kind in PLAY and player.exceeds(amount, now, is_stake=kind in BETS):
            # Limits and funds come after the event's rules.
            raise Refused(456)
        own_id = fields["transactionId"] if self.by_event_too else None
        if kind in BETS:
            pots = self._stake(player, amount)
            bet = Bet(fields["transactionId"], amount, -pots.real, -pots.bonus, now)
            found.bets.append(bet)
            found.settled = False
        elif kind in PAYMENTS:
            in_bonus = kind == "Win" and _has_bonus_code(fields)
            pots = self._pay(player, found, amount, in_bonus=in_bonus)
            if amount:
                found.payments.append(Payment(pots.real, pots.bonus))
                player.losses.append((now, -amount))
            found.settled = True
        elif kind in ABORTS:
            if found.has_used(fields["transactionId"]):
                raise Refused(CONFLICT)
            bet = _bet_to_give_back(found, amount, own_id)
            pots = credit(player, bet.real, bet.bonus)
            bet.stands = False
            found.note_accepted_abort(fields["transactionId"])
            found.given_back.append(GivenBack(bet, pots.real, pots.bonus))
        elif kind in TAKE_BACKS:
            pots = _take_back(player, found, amount, now)
        elif kind == "SportBetCancel":
            is_empty = amount == 0 and not found.standing
            overdrawn_before = found.overdrawn
            pots = _cancel(player, found, amount, now)
            found.settled = False
            found.settles_anew |= is_empty or found.overdrawn > overdrawn_before
        elif kind == "Tip":
            if amount > max(player.real, 0):
                raise Refused(402)
            pots = post(player, -amount, 0)
            player.losses.append((now, amount))
        elif fields["direction"] == "debit":
            pots = self._stake(player, amount)
        else:
            in_bonus = kind in TO_BONUS and _has_bonus_code(fields)
            pots = credit(player, 0, amount) if in_bonus else credit(player, amount, 0)
        if kind in OF_ROUNDS:
            player.rounds[event_id, streamer] = found

    def _check_overtaken(
        self, found: Round, transaction_id: str, amount: int, now: datetime
    ) -> None:
        """Refuse a bet whose abort came first, at most so long ago; the oldest such abort."""
        by_age = sorted(found.early_aborts, key=lambda one: (one.first_at, one.transaction_id))
        for early in by_age:
            if self.by_event_too:
                is_meant = early.transaction_id == transaction_id
            else:
                is_meant = early.amount == amount
            if early.waits and is_meant and now - early.first_at <= OVERTAKEN:
                early.waits, early.refused_a_bet = False, True
                raise BetOvertaken

    # --- the transfer API ---------------------------------------------------------------------

    def init(self, agent: str, fields: Mapping[str, str]) -> Expected:
        if fields["currency"] not in SCALES:
            return Expected(100)
        player = self.players.get(fields["user_id"])
        created = player is None
        if player is None:
            words = (fields[name] for name in ("user_id", "currency", "nickname", "language"))
            user_id, currency, nickname, language = words
            player = Player(user_id, agent, currency, nickname, language, zone=self.zone)
            self.players[user_id] = player
        if player.agent != agent:
            return Expected(101)
        if player.currency != fields["currency"]:
            return Expected(100)
        return Expected(DONE, player, {"created": created, "currency": player.currency})

    def account(self, agent: str, user_id: str) -> Player | Expected:
        player = self.players.get(user_id)
        if player is None:
            return Expected(100)
        return player if player.agent == agent else Expected(101)

    def balance(self, agent: str, user_id: str) -> Expected:
        player = self.account(agent, user_id)
        if isinstance(player, Expected):
            return player
        return Expected(DONE, player, {"currency": player.currency})

    def session(self, agent: str, user_id: str, now: datetime) -> Expected:
        player = self.account(agent, user_id)
        if isinstance(player, Expected):
            return player
        return Expected(9 if player.blocked(now) else DONE)

    def update(
        self, agent: str, user_id: str, changes: Mapping[str, Any], now: datetime
    ) -> Expected:
        """Change status, exclusion (a moment or None) and limits (texts; None lifts one)."""
        until = changes.get("excluded_until")
        if until is not None and until <= now:
            return Expected(100)
        player = self.account(agent, user_id)
        if isinstance(player, Expected):
            return player
        runs_until = player.excluded_until
        runs = "excluded_until" in changes and runs_until is not None and runs_until > now
        if runs and (until is None or (runs_until is not None and until < runs_until)):
            return Expected(101, data={"reason": "exclusion_runs"})
        limits = {
            name: None if text is None else units(text, player.scale)
            for name, text in changes.get("limits", {}).items()
        }
        if any(limits[name] is None and text for name, text in changes.get("limits", {}).items()):
            return Expected(100)
        for name in changes.get("confirm", ()):
            if name not in player.raises:
                return Expected(100, data={"reason": "limit_not_asked"})
            if player.raises[name][1] > now:
                return Expected(101, data={"reason": "limit_too_early"})
        for name in changes.get("confirm", ()):
            player.set_limit(name, player.raises.pop(name)[0])
        if "status" in changes:
            player.suspended = changes["status"] == "blocked"
        if "excluded_until" in changes:
            player.excluded_until = changes["excluded_until"]
        for name, amount in limits.items():
            player.ask_limit(name, amount, now)
        player.language = changes.get("language", player.language)
        return Expected(DONE, player)

    def money(
        self, agent: str, operation: str, fields: Mapping[str, str], now: datetime
    ) -> Expected:
        """Deposit, withdraw, hold, grant or revoke: section 4."""
        if not AMOUNT.fullmatch(fields["amount"]) or not fields["amount"].strip("0."):
            return Expected(100)
        player = self.account(agent, fields["user_id"])
        if isinstance(player, Expected):
            return player
        amount = units(fields["amount"], player.scale)
        if amount is None:
            return Expected(100)
        content = {"operation": operation, "user_id": player.user_id, "amount": amount}
        key = agent, fields["transaction_id"]
        known = self.transfer.get(key)
        if known is not None:
            same = known.content == content
            return Expected(known.code, is_repeat_of=known) if same else Expected(100)
        try:
            self._move(player, operation, amount, now)
        except Refused as refused:
            if refused.code == 400:
                return Expected(100)
            self.transfer[key] = first = Declined(content, refused.code)
            data = refused.data if isinstance(refused, DepositBeyondLimit) else None
            return Expected(refused.code, data=data, is_first_of=first)
        self.transfer[key] = first = Declined(content, DONE)
        if operation == "account/hold":
            self.holds[key] = Hold(player, amount)
        return Expected(DONE, player, {"amount": fields["amount"]}, is_first_of=first)

    def close(self, agent: str, operation: str, fields: Mapping[str, str]) -> Expected:
        """Settle or release a hold, wholly and once; also of a blocked player."""
        hold = self.holds.get((agent, fields["hold_id"]))
        if hold is None:
            return Expected(100)
        content = {"operation": operation, "hold_id": fields["hold_id"]}
        key = agent, fields["transaction_id"]
        known = self.transfer.get(key)
        if known is not None:
            same = known.content == content
            return Expected(known.code, is_repeat_of=known) if same else Expected(100)
        if hold.is_closed:
            return Expected(101, data={"reason": "hold_closed"})
        if operation == "hold/release":
            try:
                post(hold.player, hold.amount, 0)
            except Refused:
                return Expected(100)
        hold.is_closed = True
        self.transfer[key] = first = Declined(content, DONE)
        return Expected(DONE, hold.player, {"hold_id": fields["hold_id"]}, is_first_of=first)

    @staticmethod
    def _move(player: Player, operation: str, amount: int, now: datetime) -> None:
        if operation in {"account/deposit", "bonus/grant", "bonus/revoke"} and player.blocked(now):
            raise Refused(9)
        if operation == "account/deposit":
            beyond = player.deposit_beyond(amount, now)
            if beyond is not None:
                raise DepositBeyondLimit(*beyond, player.scale)
            post(player, amount, 0)
            player.deposits.append((now, amount))
        elif operation == "bonus/grant":
            post(player, 0, amount)
        elif operation in {"account/withdraw", "account/hold"}:
            if amount > max(player.real, 0):
                raise Refused(102)
            post(player, -amount, 0)
        else:
            if amount > player.bonus:
                raise Refused(102)
            post(player, 0, -amount)

    def check(self, agent: str, transaction_id: str) -> tuple[str, Declined | None]:
        """transaction/check: the status, and the first answer."""
        known = self.transfer.get((agent, transaction_id))
        if known is None:
            return "unknown", None
        return ("completed" if known.code == DONE else "refused"), known

    def history(self, user_id: str, kind: str) -> dict[tuple[str, bool], tuple[Any, ...]]:
        """Tell of each event with a bet: stakes, wins, returns, net, and END or ING."""
        told = {}
        for key, found in self.players[user_id].rounds.items():
            ended = "END" if found.settled or not found.standing else "ING"
            if found.bets and kind in {"ALL", ended}:
                stakes = sum(bet.amount for bet in found.bets)
                returns = stakes - sum(bet.amount for bet in found.standing)
                wins = sum(payment.stands for payment in found.payments)
                net = wins + returns - stakes - found.overdrawn
                told[key] = stakes, wins, returns, net, ended
        return told

    # --- pockets ------------------------------------------------------------------------------

    def _stake(self, player: Player, amount: int) -> Pots:
        """Take from pockets above zero, never more than the balance shown."""
        if amount > max(player.balance, 0):
            raise Refused(402)
        if self.bonus_first:
            from_bonus = min(amount, player.bonus)
        else:
            from_bonus = amount - min(amount, max(player.real, 0))
        return post(player, from_bonus - amount, -from_bonus)

    def _pay(self, player: Player, found: Round, amount: int, *, in_bonus: bool) -> Pots:
        """Pay to bonus, or in the proportion of the stakes that stand."""
        if in_bonus:
            return credit(player, 0, amount)
        staked = sum(bet.amount for bet in found.standing)
        bonus = amount * sum(bet.bonus for bet in found.standing) // staked if staked else 0
        return credit(player, amount - bonus, bonus)


def _is_streamers(kind: str) -> bool:
    return kind.startswith("PromoStreamers")


def _has_bonus_code(fields: Mapping[str, str]) -> bool:
    return bool(fields.get("bonusCode", "").strip())


def post(player: Player, real: int, bonus: int) -> Pots:
    """Move the pockets, unless a balance would become too large either way."""
    after = player.real + real, player.bonus + bonus
    if max(abs(after[0]), abs(after[1]), abs(sum(after))) > largest(player.currency):
        raise Refused(400)
    player.real, player.bonus = after
    return Pots(real, bonus)


def credit(player: Player, real: int, bonus: int) -> Pots:
    """Pay a debt first: bonus becomes real as far as real would still be below zero."""
    debt = min(bonus, max(-(player.real + real), 0))
    return post(player, real + debt, bonus - debt)


def draw(player: Player, real: int, bonus: int) -> tuple[Pots, int]:
    """Draw on the pockets in these parts, then on real, then on bonus; tell what is missing."""
    amount = real + bonus
    from_bonus = min(bonus, player.bonus)
    from_real = min(real, max(player.real, 0))
    from_real += min(amount - from_real - from_bonus, max(player.real, 0) - from_real)
    from_bonus += min(amount - from_real - from_bonus, player.bonus - from_bonus)
    return Pots(-from_real, -from_bonus), amount - from_real - from_bonus


def _bet_to_give_back(found: Round, amount: int, own_id: str | None) -> Bet:
    """Find the bet that an abort gives back; an abort names none."""
    if not found.bets:
        raise Refused(406)
    if not found.standing:
        raise Refused(CONFLICT)
    if len(found.paid) >= len(found.standing):
        raise Refused(406)
    fitting = [bet for bet in found.standing if bet.amount == amount]
    if not fitting:
        raise Refused(406)
    own = [bet for bet in fitting if bet.transaction_id == own_id]
    return (own or fitting)[-1]


def _take_back(player: Player, found: Round, amount: int, now: datetime) -> Pots:
    """BetPayedAbort: take one payment back, or a part of it."""
    fitting = [payment for payment in found.paid if payment.stands == amount]
    fitting = fitting or [payment for payment in found.paid if payment.stands >= amount]
    if not fitting:
        raise Refused(406)
    payment = fitting[-1]
    bonus = _bonus_part(payment, amount)
    pots, missing = draw(player, amount - bonus, bonus)
    if missing:
        raise Refused(402)
    post(player, pots.real, pots.bonus)
    _reduce(payment, amount)
    player.losses.append((now, amount))
    return pots


def _cancel(player: Player, found: Round, amount: int, now: datetime) -> Pots:
    """SportBetCancel: succeeds, even where a debt comes of it."""
    exact = [payment for payment in found.paid if payment.stands == amount]
    aborts = [abort for abort in found.given_back if abort.bet.amount == amount]
    aborts = [abort for abort in aborts if not abort.undone]
    shares: list[tuple[Payment, int]] = []
    rest = amount
    bonus = 0
    undone = None
    if exact:
        shares, rest = [(exact[-1], amount)], 0
    elif aborts:
        undone, rest = aborts[-1], 0
        bonus = undone.bonus
    else:
        for payment in reversed(found.paid):
            shares.append((payment, min(rest, payment.stands)))
            rest -= shares[-1][1]
    bonus += sum(_bonus_part(payment, share) for payment, share in shares)
    pots, missing = draw(player, amount - bonus, bonus)
    pots.real -= missing
    post(player, pots.real, pots.bonus)
    for payment, share in shares:
        _reduce(payment, share)
    found.overdrawn += rest
    if undone:
        undone.undone = undone.bet.stands = True
    else:
        player.losses.append((now, amount))
    return pots


def _bonus_part(payment: Payment, amount: int) -> int:
    return amount * payment.bonus // payment.stands


def _reduce(payment: Payment, amount: int) -> None:
    """Let less of a payment stand."""
    bonus = _bonus_part(payment, amount)
    payment.real -= amount - bonus
    payment.bonus -= bonus
