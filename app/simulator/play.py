"""The run: every player's script is played against the server, and the verdict is drawn.

1. Scripts are written from seed, stage and options; each oracle starts at the player's balances.
2. Players play side by side: launch, then scenes; each answer is judged as it comes.
3. At the end each player tries another player's id, and the predicted balance is compared with the
   wallet's.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from app.simulator.answer import Answer, Number, Whom
from app.simulator.courier import Courier, Delivered, Pace
from app.simulator.encoder import Encoding, encode_request
from app.simulator.expected import Printed
from app.simulator.http import Address, Client
from app.simulator.judge import Differences, Judge
from app.simulator.moves import Move, Question, Token
from app.simulator.player_script import Step
from app.simulator.progress import Progress
from app.simulator.report import Account
from app.simulator.script import Script, write_scripts
from app.simulator.stage import Options, Stage, StagePlayer
from app.simulator.verdict import PlayerVerdict, Verdict

# A player of whom so many answers differ plays no further: prediction and wallet have parted, and
# every further difference would only follow from that.
_DIFFERENCES_PER_PLAYER_MAX = 20
# Deliveries that leave together: none waits for a connection behind its own kind.
_TOGETHER_MAX = 10
_NANOSECONDS_PER_MS = 1_000_000
_NANOSECONDS = 1_000_000_000


class _Run:
    """What all players of a run share."""

    def __init__(
        self, options: Options, courier: Courier, progress: Progress, account: Account
    ) -> None:
        self.courier = courier
        self.account = account
        self.progress = progress
        self.pace = Pace(options.rate)
        self.places = asyncio.Semaphore(options.concurrency)
        self.differences = Differences(options.differences_max)
        self.events_played = 0
        #: Tokens and key, so that no difference shows one by accident.
        self.secrets: set[str] = set()
        self._ends_ns = (
            None
            if options.deadline_seconds is None
            else time.monotonic_ns() + options.deadline_seconds * _NANOSECONDS
        )

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed and no new event begins."""
        return self._ends_ns is not None and time.monotonic_ns() >= self._ends_ns

    def event_played(self) -> None:
        """Count an event."""
        self.events_played += 1
        self.progress.event_played(self.courier.requests, self.differences.total)


class _Player:
    """One player at the server."""

    def __init__(self, run: _Run, script: Script, stage: Stage, number: int, run_id: str) -> None:
        self.script = script
        #: False once a move stayed without any answer, or too many answers differed: predictions
        #: are then only a guess.
        self.sound = True
        self._run = run
        self._player = stage.players[number]
        self._tokens = _tokens(stage.players, number, run_id)
        self._encoding = Encoding(
            callback_key=stage.callback_key,
            user_id=self._player.user_id,
            nobody_id=f"nobody-{run_id}",
            tokens=self._tokens,
        )
        run.secrets.update(self._tokens.values(), (stage.callback_key,))
        self._judge = Judge(
            Whom(self._player.user_id, self._player.currency),
            run.differences,
            replays=stage.duplicate_reply == "replay",
        )

    async def play(self) -> None:
        """Launch, and play the scenes; places are taken per scene, so that nobody waits long."""
        async with self._run.places:
            await self._steps(self.script.opening())
        for scene in self.script.scenes:
            async with self._run.places:
                if self._run.is_over or not self.sound:
                    return
                await self._steps(self.script.scene(scene))
            self._run.event_played()

    async def close(self, *, neighbour_sound: bool) -> PlayerVerdict:
        """Try the neighbour's id, and look at the balance a last time."""
        async with self._run.places:
            if self.sound and neighbour_sound:
                await self._steps(self.script.foreign_id())
            answers = await self._step(self.script.last_look())
        due = self.script.writer.oracle.printed
        seen = _balances(answers[0]) if answers and answers[0] is not None else None
        return PlayerVerdict(
            user_id=self._player.user_id,
            currency=self._player.currency,
            expected_balance=due.balance,
            expected_real=due.real,
            expected_bonus=due.bonus,
            balance=None if seen is None else seen.balance,
            real=None if seen is None else seen.real,
            bonus=None if seen is None else seen.bonus,
        )

    async def _steps(self, steps: Iterator[Step]) -> None:
        for step in steps:
            if not self.sound:
                return
            await self._step(step)

    async def _step(self, step: Step) -> list[Answer | None]:
        """Deliver a step, judge its answers, and learn from them."""
        requests = [encode_request(delivery, self._encoding) for delivery in step.deliveries]
        await self._run.pace.turn(len(requests))
        sent_at = datetime.now(UTC)
        deliver = self._run.courier.deliver
        delivered: list[Delivered | None]
        if len(requests) == 1:
            delivered = [await deliver(requests[0])]
        else:
            delivered = await asyncio.gather(*map(deliver, requests))
        answers = self._judge.judge(step, delivered, self._run.secrets)
        self._note(step, delivered, answers, sent_at)
        differences = self._run.differences.of_player[self._player.user_id]
        content = step.deliveries[0].content
        lost = isinstance(content, Move) and None in delivered
        if lost or differences > _DIFFERENCES_PER_PLAYER_MAX:
            self.sound = False
        self._count(delivered, answers)
        if isinstance(content, Question) and answers and answers[0] is not None:
            self._learn(content, answers[0])
        return answers

    def _note(
        self,
        step: Step,
        delivered: Iterable[Delivered | None],
        answers: Iterable[Answer | None],
        sent_at: datetime,
    ) -> None:
        """Keep what the aggregator's report will say of these deliveries."""
        due = any(expected.moved for expected in step.expected)
        answer = iter(answers)
        for delivery, one in zip(step.deliveries, delivered, strict=True):
            heard = None if one is None else next(answer)
            if heard is not None and isinstance(delivery.content, Move):
                # The first delivery moved the money; only its repetition was answered.
                is_repetition = due and heard.code == "409" and one is not None and one.unanswered
                code = "0" if is_repetition else heard.code
                self._run.account.note(self._player, delivery.content, code, sent_at)

    def _count(
        self, delivered: Iterable[Delivered | None], answers: Iterable[Answer | None]
    ) -> None:
        heard = [each.reply.http for each in delivered if each is not None]
        for http, answer in zip(heard, answers, strict=True):
            if http != 200:  # noqa: PLR2004 - every decided answer is HTTP 200
                self._run.courier.count(f"http {http}")
            elif answer is None:
                self._run.courier.count("unreadable")
            else:
                self._run.courier.count("ok" if answer.code == "0" else answer.code)

    def _learn(self, question: Question, answer: Answer) -> None:
        """Take over tokens and note balances."""
        if answer.code != "0":
            return
        if question.method == "sessionCheck" and (token := answer.text("newToken")):
            self._tokens[Token.LIVE] = token
            self._run.secrets.add(token)
        if question.method == "getUserToken" and (token := answer.text("token")):
            self._tokens[Token.FRESH] = token
            self._run.secrets.add(token)


def _balances(answer: Answer) -> Printed | None:
    numbers = [answer.members.get(name) for name in ("balance", "realBalance", "bonusBalance")]
    texts = [str(number) for number in numbers if isinstance(number, Number)]
    return Printed(*texts) if len(texts) == len(numbers) else None


def _tokens(players: tuple[StagePlayer, ...], number: int, run_id: str) -> dict[Token, str]:
    """What the names of tokens stand for, until the server gives out newer ones."""
    own, unknown = players[number], f"no-such-token-{run_id}"
    alone = len(players) == 1
    return {
        Token.LIVE: own.token,
        Token.EXPIRED: own.expired_token,
        Token.FRESH: own.token,
        Token.UNKNOWN: unknown,
        Token.ANOTHER: unknown if alone else players[(number + 1) % len(players)].token,
    }


async def simulate(
    stage: Stage, options: Options, progress: Progress, account: Account | None = None
) -> Verdict:
    """Play against a running server, and say whether every answer is as predicted.

    `account` takes down what the aggregator's own report would say of the run.
    """
    scripts = write_scripts(stage, options)
    connections = options.concurrency * _TOGETHER_MAX
    client = Client(Address.of(stage.base_url), options.timeout_seconds, connections)
    started = time.monotonic_ns()
    async with client:
        courier = Courier(client, options.attempts_max)
        run = _Run(options, courier, progress, account or Account())
        players = [
            _Player(run, script, stage, number, options.run_id)
            for number, script in enumerate(scripts)
        ]
        progress.begin(options.events)
        try:
            async with asyncio.TaskGroup() as group:
                for player in players:
                    group.create_task(player.play())
            closings = [
                player.close(neighbour_sound=players[(number + 1) % len(players)].sound)
                for number, player in enumerate(players)
            ]
            verdicts = await asyncio.gather(*closings)
        finally:
            progress.end()
    return Verdict(
        seed=options.seed,
        run_id=options.run_id,
        events=options.events,
        events_played=run.events_played,
        requests=run.courier.requests,
        duration_ms=(time.monotonic_ns() - started) // _NANOSECONDS_PER_MS,
        answers=dict(sorted(run.courier.answers.items())),
        players=tuple(verdicts),
        differences=tuple(run.differences.kept),
        differences_total=run.differences.total,
    )
