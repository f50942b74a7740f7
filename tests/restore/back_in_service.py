"""The restored ledger comes back into service: refused, looked at, said yes to, and caught up with.

What happens in the lost time, and what the drill holds against it afterwards:

1. `before`  a gambler bets, and the ledger is sealed, before the moment.
2. `lost`    after it, the gambler gets a new token, bets and wins under it; another account is
             opened; events are read to their end; the ledger is sealed again.
3. `refused` on the restored ledger a server does not start, and says what to do.
4. `accepted` a named person says yes; the file of seals names the one that is ahead.
5. `caught_up` money under the lost token is taken and flagged, that of the lost account is listed,
             the cursor of the lost time is an error, and the aggregator's report becomes requests
             for adjustments.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from app.cashier.sealing import Sealer, read_seals, seal
from app.postgres.cluster import DATABASE, SERVICE
from app.proof.keys import make_key
from tests.model.caller import Reply
from tests.standby.pair import Node
from tests.torture.caller import Caller
from tests.torture.player import AGENT, AGENT_KEY
from tests.torture.stage import Server

EVENTS_A_PAGE = 1000
PAGES_MAX = 200
REFUSED_SECONDS_MAX = 60
EXIT_DIFFERS = 1
UNKNOWN_PLAYER, UNKNOWN_TOKEN = 404, 417
PROFILES = Path(__file__).parents[2] / "app" / "reconciliation" / "profiles"
WORDS = {
    "bet": 'bet = ["BetPlacing", "PromoStreamersDebit"]',
    "win": 'win = ["Win", "PromoStreamersCredit"]',
}
"""Words that the operator knows to stand for one event type each."""

REPORT = "transaction_id,user_id,event_id,type,direction,amount,currency,time,status"


@dataclass
class Gambler:
    """One player, and what the lost time has taken from the ledger."""

    folder: Path
    complaints: list[str] = field(default_factory=list)
    early_token: str = ""
    late_token: str = ""
    early_cursor: str = ""
    late_cursor: str = ""
    lost_from: datetime | None = None
    lost_until: datetime | None = None

    def __post_init__(self) -> None:
        self.sealer = Sealer(make_key(self.folder / "key.pem"), self.folder / "seals.jsonl")

    async def before(self, node: Node, port: int) -> None:
        """Open the account, bet, and seal."""
        caller = Caller([port], Random(0))  # noqa: S311 - a simulation
        await self._done(caller, "account/init", currency="USD", nickname="gambler", language="en")
        await self._done(caller, "account/deposit", transaction_id="g-1", amount="100.00")
        self.early_token = await self._token(caller)
        self._expect(await self._move(caller, "g-bet", "BetPlacing", "debit", "10.00"))
        self.early_cursor = await self._last_cursor(caller)
        caller.close()
        await seal(node.address.url_for(SERVICE, DATABASE), self.sealer)

    async def lost(self, node: Node, port: int) -> None:
        """What the restored ledger will not know."""
        caller = Caller([port], Random(0))  # noqa: S311 - a simulation
        self.late_token = await self._token(caller)
        self.lost_from = datetime.now(UTC)
        late = {"token": self.late_token}
        bet = await self._move(caller, "g-lost", "BetPlacing", "debit", "2.00", "e-2", **late)
        win = await self._move(caller, "g-lost-win", "Win", "credit", "5.00", "e-2", **late)
        for reply in (bet, win):
            self._expect(reply)
        await self._done(
            caller,
            "account/init",
            user_id="newcomer",
            currency="USD",
            nickname="newcomer",
            language="en",
        )
        self.late_cursor = await self._last_cursor(caller)
        self.lost_until = datetime.now(UTC)
        caller.close()
        await seal(node.address.url_for(SERVICE, DATABASE), self.sealer)

    async def refused(self, server: Server) -> None:
        """A server on the restored ledger ends by itself, and says why."""
        server.start()
        assert server.process is not None
        code = await asyncio.to_thread(server.process.wait, REFUSED_SECONDS_MAX)
        log = server.log_file.read_text(encoding="utf-8", errors="replace")
        if code == 0 or "wallet restored accept" not in log:
            self.complaints.append(f"served a restored ledger: code {code}, {log[-500:]}")

    async def accepted(self, node: Node, moment: datetime) -> None:
        """Look, hold it against the seals, and say yes."""
        url = node.address.url_for(SERVICE, DATABASE)
        shown = json.loads((await self._console(url, "restored", "show", "--json")).stdout)
        asked = datetime.fromisoformat(shown["ask_from"])
        if not shown["waiting"] or asked > moment or shown["open_rounds"][0]["rounds"] != 1:
            self.complaints.append(f"restored show: {shown}")
        against = await self._console(url, "audit", "--against", str(self.sealer.file), "--json")
        ahead = [breach["offender"]["number"] for breach in json.loads(against.stdout)["breaches"]]
        if ahead != [2]:
            self.complaints.append(f"audit --against: {against.stdout}")
        waiting = next(str(one["number"]) for one in shown["timelines"] if one["waiting"])
        yes = await self._console(url, "restored", "accept", waiting, "--reason", "the drill")
        if yes.returncode:
            self.complaints.append(f"restored accept: {yes.stderr}")
        file = self.folder / "seals-after.jsonl"
        await seal(url, self.sealer._replace(file=file))
        clean = await self._console(url, "audit", "--against", str(file), "--json")
        if clean.returncode or len(read_seals(file)) <= 1:
            self.complaints.append(f"seals after the restore: {clean.stdout}")

    async def caught_up(self, node: Node, port: int) -> None:
        """What comes in after the yes."""
        caller = Caller([port], Random(0))  # noqa: S311 - a simulation
        late = {"token": self.late_token}
        back = (
            await self._move(caller, "g-win", "Win", "credit", "20.00", **late),
            await self._move(caller, "g-cancel", "SportBetCancel", "debit", "20.00", **late),
            await self._move(caller, "g-win-2", "Win", "credit", "15.00", **late),
        )
        for reply in back:
            self._expect(reply)
        play = await self._move(caller, "g-bet-2", "BetPlacing", "debit", "1.00", **late)
        self._expect(play, UNKNOWN_TOKEN)
        unknown = await self._move(
            caller, "n-win", "Win", "credit", "7.00", user_id="newcomer", **late
        )
        self._expect(unknown, UNKNOWN_PLAYER)
        gone = await self._ask(caller, "events", user_id=None, after=self.late_cursor)
        if (int(gone["code"]), gone["data"].get("field")) != (100, "after"):
            self.complaints.append(f"a cursor of the lost time: {gone}")
        there = await self._ask(caller, "events", user_id=None, after=self.early_cursor)
        if int(there["code"]) or not there["data"]["events"]:
            self.complaints.append(f"a cursor from before: {there}")
        caller.close()
        await self._listed(node)
        await self._imported(node)

    async def _listed(self, node: Node) -> None:
        url = node.address.url_for(SERVICE, DATABASE)
        inbox = json.loads((await self._console(url, "inbox", "list", "--json")).stdout)
        kinds = [one["kind"] for one in inbox["exceptions"]]
        if (kinds.count("unknown_token"), kinds.count("unknown_player")) != (3, 1):
            self.complaints.append(f"the inbox has {sorted(kinds)}")
        named = node.sql("SELECT user_id FROM ops.unknown_players", DATABASE)
        if named != "newcomer":
            self.complaints.append(f"ops.unknown_players has {named!r}")

    async def _imported(self, node: Node) -> None:
        """The report of the lost time asks for what is missing, and moves nothing by itself."""
        assert self.lost_from is not None
        assert self.lost_until is not None
        begin, end = self.lost_from.isoformat(), self.lost_until.isoformat()
        lines = [
            f"g-lost,gambler,e-2,bet,debit,2.00,USD,{begin},done",
            f"g-lost-win,gambler,e-2,win,credit,5.00,USD,{begin},done",
        ]
        report, profile = self.folder / "report.csv", self.folder / "profile.toml"
        report.write_text("\n".join([REPORT, *lines]) + "\n", encoding="utf-8")
        generic = (PROFILES / "generic.toml").read_text(encoding="utf-8")
        for word, kinds in WORDS.items():
            assert kinds in generic
            generic = generic.replace(kinds, f'{word} = "{kinds.split(chr(34))[1]}"')
        profile.write_text(generic, encoding="utf-8")
        url = node.address.url_for(SERVICE, DATABASE)
        period = ("--from", begin, "--to", end, "--grace", "0")
        done = await self._console(
            url, "reconcile", str(report), "--profile", str(profile), "--propose", *period
        )
        keys = node.sql(
            "SELECT string_agg(transaction_id || ' ' || amount::real, ', ' ORDER BY adjustment_id)"
            " FROM adjustments WHERE transaction_id LIKE 'g-lost%'",
            DATABASE,
        )
        wanted = {"g-lost 2", "g-lost-win 5"}
        if done.returncode != EXIT_DIFFERS or set(keys.split(", ")) != wanted:
            self.complaints.append(f"the report asked for {keys!r}: {done.stdout}{done.stderr}")

    # --- how it is asked ------------------------------------------------------------------------

    async def _console(self, url: str, *words: str) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if name[:7] != "WALLET_"}
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "app", *words],
            env={**environment, "WALLET_DATABASE_URL": url, "COLUMNS": "200"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )

    async def _ask(self, caller: Caller, operation: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON has them
        now = int(datetime.now(UTC).timestamp())
        whole = {"iat": now, "op": operation, "user_id": "gambler", **members}
        present = {name: value for name, value in whole.items() if value is not None}
        return (await caller.operate(operation, present, AGENT, AGENT_KEY)).said

    async def _done(self, caller: Caller, operation: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON has them
        said = await self._ask(caller, operation, **members)
        assert int(said["code"]) == 0, said
        data = said["data"]
        assert isinstance(data, dict)
        return data

    async def _token(self, caller: Caller) -> str:
        token = (await self._done(caller, "account/session", jti=os.urandom(8).hex()))["token"]
        assert isinstance(token, str)
        return token

    async def _last_cursor(self, caller: Caller) -> str:
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._done(
                caller, "events", user_id=None, after=cursor, limit=EVENTS_A_PAGE
            )
            cursor = page["cursor"]
            if not page["has_more"]:
                break
        assert cursor is not None
        return cursor

    async def _move(
        self,
        caller: Caller,
        transaction_id: str,
        event_type: str,
        direction: str,
        amount: str,
        event_id: str = "e-1",
        **more: str,
    ) -> Reply:
        fields = {
            "token": self.early_token,
            "userId": "gambler",
            "gameId": "1",
            "eventId": event_id,
            "direction": direction,
            "transactionId": transaction_id,
            "eventType": event_type,
            "amount": amount,
        }
        fields |= {"userId" if name == "user_id" else name: value for name, value in more.items()}
        return await caller.move_funds(fields)

    def _expect(self, reply: Reply, code: int = 0) -> None:
        if reply.code != code:
            self.complaints.append(f"code {code} was expected: {reply.body!r}")
