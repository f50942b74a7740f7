"""The run: every player's slips are played against the server, and the balances compared.

Players play side by side; the calls of one player follow each other, as Betby sends them.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from app.simulator.betby.player import BetbyPlayer, Due
from app.simulator.betby.stage import BetbyStage
from app.simulator.courier import Courier, Pace
from app.simulator.dice import Dice
from app.simulator.encoder import EncodedRequest
from app.simulator.http import Address, Client
from app.simulator.judge import Differences
from app.simulator.progress import Progress
from app.simulator.signature import sign
from app.simulator.stage import Options, Stage, StagePlayer
from app.simulator.units import print_units
from app.simulator.verdict import Difference, PlayerVerdict, Verdict

_NANOSECONDS_PER_MS: Final = 1_000_000
_DIFFERENCES_PER_PLAYER_MAX: Final = 20
_JSON: Final = (("Content-Type", "application/json"),)


class _TooManyDifferencesError(Exception):
    """Books and wallet have parted: everything further would only follow from that."""


class _Caller:
    """Calls the server for one player, and judges what it says."""

    def __init__(
        self, stage: BetbyStage, user_id: str, courier: Courier, pace: Pace, found: Differences
    ) -> None:
        self._stage = stage
        self._user_id = user_id
        self._courier = courier
        self._pace = pace
        self._found = found
        self._calls = 0

    async def call(
        self, method: str, payload: Mapping[str, object], due: Due
    ) -> dict[str, object] | None:
        """Send a call; return what it said if that was due, else None."""
        self._calls += 1
        jti = f"{self._user_id}-{self._calls}"
        token = self._stage.key.sign(payload, self._stage.brand, jti)
        body = json.dumps({"payload": token}).encode()
        await self._pace.turn(1)
        request = EncodedRequest("POST", f"/betby/bet/{method}", _JSON, body)
        delivered = await self._courier.deliver(request)
        if delivered is None:
            self._differ(method, due, "no answer at all")
            raise _TooManyDifferencesError
        reply = delivered.reply
        said = _read(reply.body)
        self._courier.count(_counted(reply.http, said))
        wrong = _wrong(reply.http, said, due)
        if wrong:
            self._differ(method, due, wrong)
            if self._found.of_player[self._user_id] > _DIFFERENCES_PER_PLAYER_MAX:
                raise _TooManyDifferencesError
        is_new = due.members is not None and reply.http == 200  # noqa: PLR2004
        return said if is_new and "id" in said else None

    def _differ(self, method: str, due: Due, got: str) -> None:
        expected = due.members if due.members is not None else due.again or {"code": due.code}
        self._found.add(Difference(self._user_id, f"betby {method}", str(expected), got))


def _read(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except ValueError:
        return {"unreadable": body[:200].decode("latin-1")}
    return said if isinstance(said, dict) else {"unreadable": str(said)[:200]}


def _counted(http: int, said: Mapping[str, object]) -> str:
    if http == 200:  # noqa: PLR2004
        return "betby ok"
    return f"betby {said.get('code', f'http {http}')}"


def _wrong(http: int, said: dict[str, object], due: Due) -> str:
    """How an answer differs from what was due; empty: it does not."""
    if due.code:
        return "" if (http, said.get("code")) == (400, due.code) else f"http {http} {said}"
    if due.again is not None:
        return "" if (http, said) == (200, due.again) else f"http {http} {said}"
    told = {name: value for name, value in said.items() if name not in {"id", _BONUS}}
    return "" if (http, told) == (200, due.members) else f"http {http} {said}"


_BONUS: Final = "operator_bonus_amount"


def units_of(player: StagePlayer, stage: BetbyStage) -> int:
    """What a player has, in Betby's units."""
    scale = stage.scales.get(player.currency, player.scale)
    return int((player.real + player.bonus).scaleb(scale))


async def simulate_betby(
    stage: Stage, betby: BetbyStage, options: Options, progress: Progress
) -> Verdict:
    """Play Betby against a running server, and say whether every answer is as predicted."""
    client = Client(Address.of(stage.base_url), options.timeout_seconds, options.concurrency)
    found = Differences(options.differences_max)
    played = [0]
    started = time.monotonic_ns()
    async with client:
        courier, pace = Courier(client, options.attempts_max), Pace(options.rate)
        places = asyncio.Semaphore(options.concurrency)

        async def play(number: int, player: StagePlayer, events: int) -> PlayerVerdict:
            async with places:
                caller = _Caller(betby, player.user_id, courier, pace, found)
                dice = Dice(options.seed, "betby", number)
                units = units_of(player, betby)
                replays = betby.repeated_make == "replay"
                one = BetbyPlayer(player, units, dice, options.run_id, caller.call, replays=replays)
                try:
                    for _ in range(events):
                        await one.event()
                        played[0] += 1
                        progress.event_played(courier.requests, found.total)
                    await one.settle_all()
                except _TooManyDifferencesError:
                    pass
                return await _verdict(stage, betby, one, courier)

        progress.begin(options.events)
        try:
            shares = _shares(options.events, len(stage.players))
            verdicts = await asyncio.gather(
                *(play(n, p, shares[n]) for n, p in enumerate(stage.players))
            )
        finally:
            progress.end()
    return Verdict(
        seed=options.seed,
        run_id=options.run_id,
        events=options.events,
        events_played=played[0],
        requests=courier.requests,
        duration_ms=(time.monotonic_ns() - started) // _NANOSECONDS_PER_MS,
        answers=dict(sorted(courier.answers.items())),
        players=tuple(verdicts),
        differences=tuple(found.kept),
        differences_total=found.total,
    )


def _shares(events: int, players: int) -> list[int]:
    return [events // players + (number < events % players) for number in range(players)]


async def _verdict(
    stage: Stage, betby: BetbyStage, one: BetbyPlayer, courier: Courier
) -> PlayerVerdict:
    """Ask the callback API for the balance, which Betby's contract tells only with movements."""
    player = one.player
    fields = (("token", player.token), ("userId", player.user_id))
    header = (("Hash-Authorization", sign(fields, stage.callback_key)),)
    asked = EncodedRequest("GET", f"/getBalance?{urlencode(fields)}", header)
    delivered = await courier.deliver(asked)
    said: dict[str, object] = {}
    if delivered is not None:
        said = json.loads(delivered.reply.body, parse_float=str, parse_int=str)
    scale = betby.scales.get(player.currency, player.scale)
    due = print_units(one.books.balance, scale)
    due = due[: len(due) - (scale - player.scale)] if scale > player.scale else due
    real, bonus = (_text(said.get(name)) for name in ("realBalance", "bonusBalance"))
    return PlayerVerdict(
        user_id=player.user_id,
        currency=player.currency,
        expected_balance=due,
        # Which pocket pays is no matter of this contract, and told by no answer of it.
        expected_real=real or "",
        expected_bonus=bonus or "",
        balance=_text(said.get("balance")),
        real=real,
        bonus=bonus,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def together(first: Verdict, second: Verdict) -> Verdict:
    """Join two runs that the same players played one after the other."""
    answers = dict(first.answers)
    for name, count in second.answers.items():
        answers[name] = answers.get(name, 0) + count
    return replace(
        second,
        events=first.events + second.events,
        events_played=first.events_played + second.events_played,
        requests=first.requests + second.requests,
        duration_ms=first.duration_ms + second.duration_ms,
        answers=dict(sorted(answers.items())),
        players=tuple(
            b if a.agrees else a for a, b in zip(first.players, second.players, strict=True)
        ),
        differences=(*first.differences, *second.differences),
        differences_total=first.differences_total + second.differences_total,
    )
