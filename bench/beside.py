"""Another checkout of the wallet beside this one, turn by turn, on one PostgreSQL.

1. Each checkout gets a database of its own, migrated by its own code.
2. Each serves from its own environment, `.venv`, with the settings of `wallet serve`.
3. Players are opened, funded and given tokens through each server's transfer API, because the
   contract is the same where the schemas differ.
4. The same loads run on both by turns. Answers are counted by the load, which reads every one, and
   not in the journal, which may look otherwise there.
"""

import json
import secrets
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from threading import local

from joserfc import jwe
from joserfc.jwk import OctKey

from app.postgres.cluster import OWNER
from bench.contenders import Contender
from bench.place import HERE, SMALL_PLAYERS, Place, Program, plain_environment, wallet
from bench.rows import LOADS, SPREAD, load_of
from bench.table import Ratio, postgres_us, server_us

LOADS_BESIDE = (SPREAD, "wallet-repeats", "wallet-mixed", "wallet-storm")
WORDS = {
    SPREAD: "64 connections",
    "wallet-repeats": "10 % repeats",
    "wallet-mixed": "mixed traffic",
    "wallet-storm": "storm of repeats, 2,000 callers",
    "wallet-1": "a lone request at a time",
    "wallet-16": "16 connections",
    "wallet-256": "256 connections",
    "wallet-hot": "one hot player",
}
assert set(WORDS) == set(LOADS)

AGENT = "bench"
DEPOSIT = "1000000.00"
AT_ONCE = 8
ANSWER_SECONDS_MAX = 30
MIGRATE_SECONDS_MAX = 120
TOKEN_SECONDS = 86_400


def other(name: str) -> str:
    """The row of the other checkout under the same load."""
    return f"other-{name.removeprefix('wallet-')}"


def titles(names: Sequence[str]) -> dict[str, str]:
    """What the rows are called."""
    here = {name: f"this checkout, {WORDS[name]}" for name in names}
    return here | {other(name): f"the other, {WORDS[name]}" for name in names}


def ratios(names: Sequence[str]) -> list[Ratio]:
    """This checkout against the other under each load, and each one's loads among themselves."""
    found = []
    for name in names:
        found += [
            Ratio(name, other(name), f"{WORDS[name]}: this checkout against the other"),
            Ratio(name, other(name), "… server µs an answer", server_us),
            Ratio(name, other(name), "… PostgreSQL µs an answer", postgres_us),
        ]
    for name in names:
        if name != SPREAD:
            found += [
                Ratio(name, SPREAD, f"{WORDS[name]} against ordinary: this checkout"),
                Ratio(other(name), other(SPREAD), "… the other"),
            ]
    return found


def python_of(checkout: Path) -> Path:
    """The interpreter of a checkout's own environment."""
    return checkout / ".venv" / "bin" / "python"


@contextmanager
def side_by_side(place: Place, checkout: Path, names: Sequence[str]) -> Iterator[list[Contender]]:
    """Make both databases, start both servers, and say who takes part, side by side."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = _Side("beside_here", HERE.parent, sys.executable)
        there = _Side("beside_there", checkout, str(python_of(checkout)))
        mine, theirs = (stack.enter_context(side.serving(place)) for side in (here, there))
        files = [str(folder / side.database) for side in (here, there)]
        for (program, key), file in zip((mine, theirs), files, strict=True):
            Path(file).write_text("".join(_players(program.port, key)))
        place.psql(here.database, "-c", "VACUUM ANALYZE")
        place.psql(there.database, "-c", "VACUUM ANALYZE")
        ready: list[Contender] = []
        for name in names:
            one = load_of(name, place, here.database, mine[0], files[0])
            two = load_of(name, place, there.database, theirs[0], files[1])
            ready += [
                replace(one, has_journal=False),
                replace(two, has_journal=False, name=other(name)),
            ]
        yield ready


class _Side:
    """One of the two checkouts."""

    def __init__(self, database: str, checkout: Path, python: str) -> None:
        self.database = database
        self._checkout = checkout
        self._python = python

    @contextmanager
    def serving(self, place: Place) -> Iterator[tuple[Program, str]]:
        """Make the database, and serve it; the agent's key comes with the program."""
        place.make_empty(self.database)
        self._migrate(place)
        key = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        agents = json.dumps({AGENT: [key]})
        with wallet(
            place,
            self.database,
            1,
            checkout=self._checkout,
            python=self._python,
            WALLET_AGENTS=agents,
        ) as program:
            yield program, key

    def _migrate(self, place: Place) -> None:
        environment = {
            "WALLET_DATABASE_URL": place.url(self.database),
            "WALLET_OWNER_DATABASE_URL": place.url(self.database, OWNER),
        }
        done = subprocess.run(  # noqa: S603 - the wallet's own command
            [self._python, "-m", "app", "migrate"],
            cwd=self._checkout,
            env={**plain_environment(), **environment},
            capture_output=True,
            check=False,
            text=True,
            timeout=MIGRATE_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"`wallet migrate` failed in {self._checkout}: {done.stderr[-2000:]}"
            )


def _players(port: int, key: str) -> Iterator[str]:
    """Open and fund the players, and yield a line of name and token for each."""
    connections = local()

    def seat(number: int) -> str:
        if not hasattr(connections, "own"):
            connections.own = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS_MAX)
        client = _Platform(connections.own, key)
        user_id = f"player-{number:06}"
        client.call(
            "account/init",
            user_id=user_id,
            currency="USD",
            nickname=f"nick-{number}",
            language="en",
        )
        client.call(
            "account/deposit", user_id=user_id, transaction_id=f"d-{number}", amount=DEPOSIT
        )
        issued = client.call("account/session", user_id=user_id, ttl_seconds=TOKEN_SECONDS)
        return f"{user_id} {issued['token']}\n"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(seat, range(SMALL_PLAYERS))


class _Platform:
    """The operator's platform, as the transfer API knows it."""

    def __init__(self, connection: HTTPConnection, key: str) -> None:
        self._connection = connection
        self._key = OctKey.import_key({"kty": "oct", "k": key})

    def call(self, operation: str, **fields: object) -> dict[str, str]:
        """One operation; releases before `op` and `jti` tolerate them, unread."""
        asked = {
            **fields,
            "op": operation,
            "iat": int(datetime.now(UTC).timestamp()),
            "jti": secrets.token_hex(16),
        }
        header = {"alg": "dir", "enc": "A256GCM", "kid": AGENT}
        body = jwe.encrypt_compact(header, json.dumps(asked).encode(), self._key)
        headers = {"Content-Type": "application/jose", "Accept": "application/jose"}
        self._connection.request("POST", f"/transfer/v1/{operation}", body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.headers.get_content_type() == "application/jose":
            text = jwe.decrypt_compact(text, self._key).plaintext or b""
        said = json.loads(text)
        if said["code"] != 0:
            raise RuntimeError(f"{operation} was answered {said}")
        return dict(said["data"])
