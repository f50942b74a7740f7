"""A whole run over HTTP: no difference with a correct server, and each fault of others found.

The understudy is a server that answers by the simulator's own oracle, in place of the wallet. So it
proves how requests are encoded and answers judged, not the rules.
"""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from urllib.parse import parse_qsl, unquote

import pytest
from rich.console import Console

from app.console.output.verdict import verdict_shown
from app.simulator import Bar, Options, Silence, Stage, StagePlayer, Verdict, simulate
from app.simulator.expected import Expected, Key, refused
from app.simulator.moves import Event, Move, Question, Token
from app.simulator.oracle import Oracle, ServerSettings
from app.simulator.pockets import Pockets
from app.simulator.signature import sign
from app.simulator.stage import DuplicateReply, KeyScope, StakeOrder
from app.simulator.units import units_of
from tests.tcp_server import tcp_server

KEY = "key-of-the-test"
PLAYERS = tuple(
    StagePlayer(
        user_id=f"josé/{number}",
        currency=currency,
        scale=scale,
        token=f"live+{number}",
        expired_token=f"expired+{number}",
        real=Decimal(real),
        bonus=Decimal(bonus),
    )
    for number, (currency, scale, real, bonus) in enumerate(
        [("USD", 2, "1000", "55.55"), ("JPY", 0, "5000", "0"), ("BTC", 8, "0.5", "0.00000001")]
    )
)
OPTIONS = Options(events=150, seed=3, run_id="test", concurrency=3, timeout_seconds=30)
NOT_VALIDATED = {"status": False, "errors": {"code": 400, "error": "Request not validate"}}
NEEDED = {
    "moveFunds": {
        "token",
        "userId",
        "gameId",
        "eventId",
        "direction",
        "transactionId",
        "eventType",
        "amount",
    },
    "getUserToken": {"userId"},
    "notification/maintenance": {"status", "batchId", "gameIds"},
}

#: Changes an answer: the number of the request, the path, the body.
Lie = Callable[[int, str, str], str]
#: Faults over a request by its number: before it is answered, instead of an answer.
Fault = Callable[[int], str]


def honest(_number: int, _path: str, body: str) -> str:
    return body


def steady(_number: int) -> str:
    return ""


@dataclass
class Understudy:
    """Answers by oracles of its own, in place of the wallet."""

    stage: Stage
    lie: Lie = honest
    fault: Fault = steady
    forgets: bool = False
    requests: int = 0
    bad_signatures: int = 0
    encodings: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        settings = ServerSettings(
            self.stage.duplicate_reply,
            self.stage.stake_order,
            self.stage.key_scope,
            self.stage.overtaken_bet,
        )
        self.oracles = {
            player.user_id: Oracle(
                Pockets(units_of(player.real, player.scale), units_of(player.bonus, player.scale)),
                player.scale,
                settings,
            )
            for player in self.stage.players
        }
        self.tokens = {
            token: (player.user_id, role)
            for player in self.stage.players
            for token, role in (
                (player.token, Token.LIVE),
                (player.expired_token, Token.EXPIRED),
                (f"fresh of {player.user_id}", Token.LIVE),
            )
        }
        self.firsts: dict[tuple[str, Key], str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await self._one(reader, writer):
            pass

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = request.split(" ")
        path, _, query = target.partition("?")
        self.requests += 1
        number, fault = self.requests, self.fault(self.requests)
        if fault == "deaf":
            return False
        status, said = self.answer(method, path.strip("/"), query, headers, body.decode())
        if fault == "hangs":
            await asyncio.sleep(60)
        if fault in {"dies", "deaf"}:
            return False
        if fault == "busy":
            status, said = 503, json.dumps(NOT_VALIDATED)
        said = self.lie(number, path.strip("/"), said)
        writer.write(
            f"HTTP/1.1 {status} Said\r\nContent-Length: {len(said.encode())}\r\n\r\n{said}".encode()
        )
        await writer.drain()
        return True

    def answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: str
    ) -> tuple[int, str]:
        if method != ("POST" if path in {"moveFunds", "notification/maintenance"} else "GET"):
            return 405, '{"status":false}'
        fields, signed = self._fields(headers.get("content-type", ""), query, body)
        hashes = {sign(signed, KEY)}
        if path == "notification/maintenance":
            hashes.add(sign([], KEY))
        if headers.get("hash-authorization") not in hashes:
            self.bad_signatures += 1
            return 200, json.dumps(NOT_VALIDATED)
        if not NEEDED.get(path, {"token", "userId"}) <= set(fields) or any(
            "\0" in text for text in fields.values()
        ):
            return 200, json.dumps(NOT_VALIDATED)
        if path == "notification/maintenance":
            return 200, '{"status": true}'
        return 200, self._decided(path, fields)

    def _fields(
        self, content_type: str, query: str, body: str
    ) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """What the handler reads, and what is signed."""
        if content_type.startswith("application/json") and body:
            self.encodings["json"] += 1
            members: list[tuple[str, str]] = []
            document = json.loads(
                body, parse_float=str, parse_int=str, object_pairs_hook=lambda pairs: pairs
            )
            names = {False: "", True: "1", None: ""}
            for name, value in document:
                text = value if isinstance(value, str) else "Array"
                if value is None or isinstance(value, bool):
                    text = names[value]
                members.append((name, text))
            if len(dict(members)) < len(members):
                return {}, members
            return dict(members), members
        self.encodings["form" if body else "query"] += 1
        pairs = parse_qsl(body or query, keep_blank_values=True, strict_parsing=True)
        return dict(pairs), pairs

    def _decided(self, path: str, fields: dict[str, str]) -> str:
        user_id = unquote(fields["userId"])
        oracle = self.oracles.get(user_id, next(iter(self.oracles.values())))
        owner, role = self.tokens.get(fields.get("token", ""), ("", Token.UNKNOWN))
        token = role if owner == user_id else Token.UNKNOWN
        user = "own" if user_id in self.oracles else "nobody"
        if path == "moveFunds":
            move = Move(
                fields["eventType"],
                fields["direction"],  # type: ignore[arg-type]
                fields["transactionId"],
                Event(fields["eventId"], int(fields["gameId"])),
                fields["amount"],
                token,
                fields.get("bonusCode"),
                user,  # type: ignore[arg-type]
            )
            if self.forgets and self.requests % 5 == 0:
                oracle._outcomes.clear()
            return self._printed(user_id, self._moved(oracle, move), user_id)
        question = Question(path, token, user)  # type: ignore[arg-type]
        return self._printed(user_id, oracle.ask(question), user_id)

    def _moved(self, oracle: Oracle, move: Move) -> Expected:
        key = oracle._key(move)
        if any(key in other._outcomes for other in self.oracles.values() if other is not oracle):
            return refused(409, oracle.printed)
        return oracle.move(move)

    def _printed(self, user: str, expected: Expected, user_id: str) -> str:
        if expected.echo:
            assert expected.key is not None
            return self.firsts[user, expected.key]
        balance, real, bonus = (
            expected.printed.balance,
            expected.printed.real,
            expected.printed.bonus,
        )
        members = [f'"status":{"false" if expected.code else "true"}']
        if expected.shape in {"funds", "balance", "details", "token", "refusal"}:
            members.append(f'"balance":{balance}')
        if expected.shape in {"funds", "balance"}:
            members.append(f'"realBalance":{real},"bonusBalance":{bonus}')
        if expected.shape in {"details", "token"}:
            members.append(f'"userId":{json.dumps(user_id)}')
        if expected.shape == "details":
            currency = {player.user_id: player.currency for player in self.stage.players}[user_id]
            members.append(f'"nickname":"nick","currency":"{currency}","language":"en"')
        if expected.shape == "token":
            members.append(f'"token":{json.dumps(f"fresh of {user_id}")}')
        if expected.code:
            members.append(f'"errors":{{"code":{expected.code},"error":"words"}}')
        said = "{" + ",".join(members) + "}"
        if expected.key is not None:
            # A serial number makes each first answer's bytes its own.
            said = said[:-1] + f',"serial":{self.requests}' + "}"
            self.firsts.setdefault((user, expected.key), said)
        return said


@asynccontextmanager
async def running(understudy: Understudy) -> AsyncIterator[Stage]:
    async with tcp_server(understudy.serve) as port:
        yield replace(understudy.stage, base_url=f"http://127.0.0.1:{port}")


def stage(
    duplicate_reply: DuplicateReply = "conflict",
    stake_order: StakeOrder = "real_first",
    key_scope: KeyScope = "transaction",
) -> Stage:
    return Stage("", KEY, duplicate_reply, stake_order, key_scope, 1037999, PLAYERS)


async def play(understudy: Understudy, options: Options = OPTIONS) -> Verdict:
    async with running(understudy) as stage:
        return await simulate(stage, options, Silence())


def shown(verdict: Verdict) -> str:
    page = io.StringIO()
    Console(width=200, file=page).print(*verdict_shown(verdict), sep="\n")
    return page.getvalue()


@pytest.mark.parametrize("duplicate_reply", ["conflict", "replay"])
@pytest.mark.parametrize("key_scope", ["transaction", "transaction_event"])
async def test_an_honest_server_is_found_clean(
    duplicate_reply: DuplicateReply, key_scope: KeyScope
) -> None:
    understudy = Understudy(stage(duplicate_reply, key_scope=key_scope))
    verdict = await play(understudy)
    assert not verdict.differences
    assert verdict.clean
    assert verdict.events_played == OPTIONS.events
    assert verdict.requests == understudy.requests == sum(verdict.answers.values())
    assert {"ok", "400", "402", "404", "406", "409", "410", "417", "http 405"} >= set(
        verdict.answers
    )
    assert set(understudy.encodings) == {"form", "json", "query"}
    assert understudy.bad_signatures > 0
    assert all(player.agrees for player in verdict.players)


async def test_a_server_that_accepts_overtaken_bets_is_found() -> None:
    understudy = Understudy(replace(stage(), overtaken_bet="flag"))
    understudy.stage = stage()
    assert not (await play(understudy)).clean
    flagging = Understudy(replace(stage(), overtaken_bet="flag"))
    assert (await play(flagging)).clean


async def test_the_same_run_may_be_played_twice_on_the_same_wallets() -> None:
    understudy = Understudy(stage())
    first = await play(understudy)
    understudy.stage = replace(
        understudy.stage,
        players=tuple(
            replace(player, real=Decimal(seen.real or ""), bonus=Decimal(seen.bonus or ""))
            for player, seen in zip(PLAYERS, first.players, strict=True)
        ),
    )
    second = await play(understudy, replace(OPTIONS, run_id="again"))
    assert first.clean
    assert second.clean


def one_cent_more(number: int, _path: str, body: str) -> str:
    return body.replace('"realBalance":', '"realBalance":1') if 40 <= number < 50 else body


def only_the_last_balance(_number: int, path: str, body: str) -> str:
    return body.replace('"balance":', '"balance":9') if path == "getBalance" else body


def quoted(number: int, _path: str, body: str) -> str:
    if number % 50:
        return body
    members = json.loads(body, parse_float=str)
    return json.dumps(members)


def other_bytes(number: int, _path: str, body: str) -> str:
    return body.replace('"serial":', '"serial": ') if number % 2 else body


def refuses_alike(_number: int, _path: str, body: str) -> str:
    return body.replace('"code":409', '"code":402')


def rambles(number: int, _path: str, body: str) -> str:
    return "<html>live+0 is your token</html>" if number == 60 else body


@pytest.mark.parametrize(
    "lie", [one_cent_more, only_the_last_balance, quoted, refuses_alike, rambles]
)
async def test_a_lie_is_found(lie: Lie) -> None:
    verdict = await play(Understudy(stage(), lie=lie))
    assert not verdict.clean
    assert verdict.differences_total > 0
    assert verdict.differences


async def test_a_replay_in_other_bytes_is_found() -> None:
    verdict = await play(Understudy(stage("replay"), lie=other_bytes))
    assert not verdict.clean
    assert any("other bytes" in each.got for each in verdict.differences)


async def test_a_server_that_forgets_ids_is_found() -> None:
    verdict = await play(Understudy(stage(), forgets=True))
    assert not verdict.clean
    assert any(not player.agrees for player in verdict.players)


async def test_other_settings_than_the_servers_are_found() -> None:
    understudy = Understudy(stage(stake_order="bonus_first"))
    understudy.stage = stage(stake_order="real_first")
    assert not (await play(understudy)).clean


@pytest.mark.parametrize("how", ["deaf", "dies", "busy"])
@pytest.mark.parametrize("duplicate_reply", ["conflict", "replay"])
async def test_faults_are_repeated_until_answered_and_are_no_difference(
    how: str, duplicate_reply: DuplicateReply
) -> None:
    def fault(number: int) -> str:
        return how if number % 23 == 0 else ""

    understudy = Understudy(stage(duplicate_reply), fault=fault)
    verdict = await play(understudy, replace(OPTIONS, events=60))
    assert verdict.differences == ()
    assert verdict.clean
    assert verdict.answers["http 503" if how == "busy" else "no answer"] > 1


async def test_a_server_that_never_answers_is_given_up() -> None:
    understudy = Understudy(replace(stage(), players=PLAYERS[:1]), fault=lambda _: "hangs")
    options = replace(OPTIONS, events=1, timeout_seconds=1, attempts_max=1)
    verdict = await play(understudy, options)
    assert not verdict.clean
    assert set(verdict.answers) == {"timeout"}
    assert all(player.balance is None for player in verdict.players)


async def test_a_server_that_is_not_there_is_given_up() -> None:
    nowhere = replace(stage(), base_url="http://127.0.0.1:1")
    verdict = await simulate(nowhere, replace(OPTIONS, attempts_max=1), Silence())
    assert not verdict.clean
    assert set(verdict.answers) == {"no answer"}


async def test_after_the_deadline_no_event_begins() -> None:
    understudy = Understudy(stage())
    options = replace(OPTIONS, events=100_000, deadline_seconds=1)
    verdict = await play(understudy, options)
    assert 0 < verdict.events_played < options.events
    assert verdict.clean
    assert verdict.duration_ms < 3000


async def test_requests_keep_the_pace_asked_for() -> None:
    verdict = await play(Understudy(stage()), replace(OPTIONS, events=2, rate=50))
    assert verdict.requests_per_second <= 55
    assert verdict.clean


async def test_no_verdict_tells_a_token_or_the_key() -> None:
    verdict = await play(Understudy(stage(), lie=rambles))
    told = verdict.to_json() + shown(verdict) + repr(verdict)
    assert verdict.differences
    for secret in (KEY, *(player.token for player in PLAYERS)):
        assert secret not in told


async def test_the_verdict_is_told_to_people_and_to_programs() -> None:
    clean = await play(Understudy(stage()), replace(OPTIONS, events=5))
    lying = await play(Understudy(stage(), lie=one_cent_more))
    assert "clean: the wallet and the simulator agree" in shown(clean)
    assert "not clean" in shown(lying)
    assert "differs" not in shown(clean)
    document = json.loads(lying.to_json())
    assert document["clean"] is False
    assert document["differences_total"] == lying.differences_total
    assert [each["user_id"] for each in document["players"]] == [one.user_id for one in PLAYERS]


async def test_only_so_many_differences_are_kept() -> None:
    options = replace(OPTIONS, differences_max=3)
    verdict = await play(Understudy(stage(), lie=lambda *_: "{}"), options)
    assert len(verdict.differences) == 3
    assert verdict.differences_total > 3


async def test_a_bar_shows_how_far_play_has_come() -> None:
    bar = Bar(Console(file=io.StringIO()))
    understudy = Understudy(stage())
    async with running(understudy) as there:
        verdict = await simulate(there, replace(OPTIONS, events=4), bar)
    assert verdict.events_played == 4
    assert bar._bar.tasks[0].completed == 4
