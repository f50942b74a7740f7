"""The opponent: the usual design with an ORM, written for speed.

FastAPI, one SQLAlchemy ORM session and one transaction a request, on the same tables with the same
checks and the same hash chain. At SERIALIZABLE it runs again when the database asks for it; at
READ COMMITTED it locks the wallet's row first.
"""

import asyncio
import hmac
import json
import os
import random
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.opponent.models import Movement, Player, Round, Session, TransactionKey, Wallet

ATTEMPTS_MAX = 30
WAIT_FIRST_SECONDS, WAIT_MAX_SECONDS = 0.002, 0.25
AGAIN = {"40001", "40P01", "23505"}
"""Serialization failure, deadlock, and a key that somebody else took meanwhile."""

ISOLATION = os.environ["OPPONENT_ISOLATION"]
LOCKS = ISOLATION == "READ COMMITTED"
KEY = os.environ["OPPONENT_KEY"]

engine = create_async_engine(
    os.environ["OPPONENT_DATABASE_URL"],
    isolation_level=ISOLATION,
    pool_size=int(os.environ.get("OPPONENT_POOL", "16")),
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


ACCEPTED, INSUFFICIENT_FUNDS = "ACCEPTED", "INSUFFICIENT_FUNDS"
DUPLICATE_CODE, FUNDS_CODE = 409, 402
UNDOES = {"BetPlacingAbort": "BetPlacing", "SportBetCancel": "Win"}


class MoveFunds(BaseModel):
    """The fields of a movement."""

    token: Annotated[str, Field(min_length=1, max_length=250)]
    user_id: Annotated[str, Field(alias="userId", min_length=1, max_length=250)]
    game_id: Annotated[int, Field(alias="gameId")]
    extra_data: Annotated[str, Field(alias="extraData")] = ""
    event_id: Annotated[str, Field(alias="eventId", min_length=1, max_length=250)]
    direction: Annotated[str, Field(pattern="^(debit|credit)$")]
    transaction_id: Annotated[str, Field(alias="transactionId", min_length=1, max_length=250)]
    event_type: Annotated[
        Literal["BetPlacing", "Win", "BetPlacingAbort", "SportBetCancel"], Field(alias="eventType")
    ]
    amount: Annotated[Decimal, Field(ge=0, decimal_places=2, max_digits=20)]


class Balance(BaseModel):
    """What an accepted movement is answered."""

    status: bool = True
    balance: str
    real_balance: Annotated[str, Field(serialization_alias="realBalance")]
    bonus_balance: Annotated[str, Field(serialization_alias="bonusBalance")]


async def signed_form(request: Request) -> MoveFunds:
    """Read the form and check its signature."""
    fields = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    kept = {name: fields[name] for name in sorted(fields) if name != "extraData"}
    text = json.dumps(kept, separators=(",", ":")).replace("/", "\\/")
    expected = sha256((text + KEY).encode()).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("hash-authorization", "")):
        raise HTTPException(400, "Request not validate")
    return MoveFunds.model_validate(fields)


@app.post("/moveFunds", response_model=Balance)
async def move_funds(
    message: Annotated[MoveFunds, Depends(signed_form)],
) -> Balance | JSONResponse:
    """Move funds in one transaction, as often as the database asks for it."""
    wait = WAIT_FIRST_SECONDS
    for _ in range(ATTEMPTS_MAX):
        try:
            async with sessions() as session, session.begin():
                return await move(session, message)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in AGAIN:
                raise
        await asyncio.sleep(random.uniform(0, wait))  # noqa: S311, TID251 - a bench's jitter
        wait = min(2 * wait, WAIT_MAX_SECONDS)
    raise HTTPException(503, "busy")


async def move(session: AsyncSession, message: MoveFunds) -> Balance | JSONResponse:
    """Check, decide and write one movement."""
    now = datetime.now(UTC)
    player = await session.scalar(select(Player).where(Player.user_id == message.user_id))
    if player is None:
        raise HTTPException(404, "no such player")
    wallet = await session.get_one(Wallet, player.player_id, with_for_update=LOCKS or None)
    key = await session.get(TransactionKey, ("callback", message.transaction_id, ""))
    if key is not None:
        return await _repeat(session, wallet, key, message)
    token = await session.get(Session, (player.player_id, sha256(message.token.encode()).digest()))
    is_bet = message.event_type == "BetPlacing"
    if token is None or (is_bet and (token.expires_at <= now or player.blocked)):
        raise HTTPException(410, "token expired")
    decision, reverses = ACCEPTED, ""
    if is_bet and wallet.real < message.amount:
        decision = INSUFFICIENT_FUNDS
    else:
        round_ = await session.get(Round, (player.player_id, message.event_id, False))
        if round_ is None:
            if not is_bet:
                raise HTTPException(406, "no matching bet")
            round_ = _new_round(player, message, now)
            session.add(round_)
        undone = await _undone(session, wallet, message)
        if undone is not None:
            reverses = f"{undone.position}/{int(message.amount.scaleb(player.scale))}/0"
        _move_round(round_, message, undone, now)
    entry = _entry(player, wallet, message, now, decision, reverses)
    session.add(entry)
    session.add(
        TransactionKey(
            source="callback",
            transaction_id=message.transaction_id,
            facet="",
            player_id=player.player_id,
            position=entry.position,
        )
    )
    _move_wallet(wallet, entry, now)
    await session.flush()
    if decision == INSUFFICIENT_FUNDS:
        return _refusal(wallet, FUNDS_CODE, "not enough money")
    return _balance(wallet)


async def _repeat(
    session: AsyncSession, wallet: Wallet, key: TransactionKey, message: MoveFunds
) -> JSONResponse:
    """Answer an id that has its outcome already: the same movement hears it again."""
    entry = await session.get_one(Movement, (key.player_id, key.position))
    known = (entry.player_id, entry.event_type, entry.event_id, entry.amount)
    if known != (wallet.player_id, message.event_type, message.event_id, message.amount):
        return _refusal(wallet, 400, "same id, other content")
    if entry.decision == INSUFFICIENT_FUNDS:
        return _refusal(wallet, FUNDS_CODE, "not enough money")
    return _refusal(wallet, DUPLICATE_CODE, "the transactionId was processed already")


async def _undone(session: AsyncSession, wallet: Wallet, message: MoveFunds) -> Movement | None:
    """Find what an abort or a cancel undoes: the latest of its amount that nobody has undone."""
    if message.event_type not in UNDOES:
        return None
    asked = select(Movement).where(
        Movement.player_id == wallet.player_id,
        Movement.event_id == message.event_id,
        Movement.decision == ACCEPTED,
    )
    history = (await session.scalars(asked.order_by(Movement.position))).all()
    gone = {entry.reverses.partition("/")[0] for entry in history if entry.reverses}
    for entry in reversed(history):
        is_meant = entry.event_type == UNDOES[message.event_type]
        if is_meant and entry.amount == message.amount and str(entry.position) not in gone:
            return entry
    return None


def _move_round(round_: Round, message: MoveFunds, undone: Movement | None, now: datetime) -> None:
    """Count a movement in its round, or refuse it."""
    amount = message.amount
    match message.event_type:
        case "BetPlacing":
            round_.bets_placed += 1
            round_.bets_open += 1
            round_.stake_real += amount
            round_.staked += amount
            round_.settled = False
        case "Win":
            if round_.bets_open == 0 and round_.cancels == 0:
                raise HTTPException(406, "no matching bet")
            round_.paid += amount
            round_.settled = True
        case "BetPlacingAbort":
            if undone is None or round_.paid > round_.taken_back:
                raise HTTPException(406, "no matching bet")
            round_.bets_open -= 1
            round_.stake_real -= amount
        case "SportBetCancel":
            # It is debited whatever is found, and whatever the wallet holds.
            round_.cancels += 1
            if undone is None:
                round_.uncovered += amount
            else:
                round_.taken_back += amount
            round_.settled = False
    round_.last_at = now


def _new_round(player: Player, message: MoveFunds, now: datetime) -> Round:
    return Round(
        player_id=player.player_id,
        event_id=message.event_id,
        is_streamer=False,
        agent=player.agent,
        currency=player.currency,
        scale=player.scale,
        game_id=message.game_id,
        opened_at=now,
        last_at=now,
        bets_placed=0,
        bets_open=0,
        stake_real=Decimal(0),
        stake_bonus=Decimal(0),
        staked=Decimal(0),
        paid=Decimal(0),
        taken_back=Decimal(0),
        cancels=0,
        uncovered=Decimal(0),
        settled=False,
        refused_aborts=[],
    )


def _entry(
    player: Player,
    wallet: Wallet,
    message: MoveFunds,
    now: datetime,
    decision: str,
    reverses: str,
) -> Movement:
    is_accepted = decision == ACCEPTED
    delta = -message.amount if message.direction == "debit" else message.amount
    if not is_accepted:
        delta = Decimal(0)
    entry = Movement(
        player_id=player.player_id,
        position=wallet.position + 1,
        version=wallet.version + is_accepted,
        source="callback",
        transaction_id=message.transaction_id,
        facet="",
        delivery=uuid.uuid4(),
        event_type=message.event_type,
        direction=message.direction,
        decision=decision,
        currency=player.currency,
        scale=player.scale,
        amount=message.amount,
        real_before=wallet.real,
        bonus_before=wallet.bonus,
        real_delta=delta,
        bonus_delta=Decimal(0),
        real_after=wallet.real + delta,
        bonus_after=wallet.bonus,
        contra="house:games",
        event_id=message.event_id,
        game_id=message.game_id,
        bonus_code=None,
        extra_data=message.extra_data,
        reverses=reverses,
        flags="",
        event_time=now,
        ledger_time=now,
    )
    entry.chain = sha256(wallet.chain + _canonical(entry).encode()).digest()
    return entry


def _canonical(entry: Movement) -> str:
    def minor(amount: Decimal) -> int:
        return int(amount.scaleb(entry.scale))

    moment = int(entry.event_time.timestamp() * 1_000_000)
    free = (entry.source, entry.transaction_id, entry.facet, entry.event_id)
    parts = [
        "v1",
        entry.player_id,
        entry.position,
        entry.version,
        entry.delivery.hex,
        entry.event_type,
        entry.direction,
        entry.decision,
        entry.currency,
        entry.scale,
        *map(minor, (entry.amount, entry.real_before, entry.bonus_before)),
        *map(minor, (entry.real_delta, entry.bonus_delta)),
        entry.contra,
        entry.game_id,
        entry.reverses,
        "",
        moment,
        moment,
        *(f"{len(text)}:{text}" for text in free),
        "-",
        f"{len(entry.extra_data)}:{entry.extra_data}",
    ]
    return "|".join(map(str, parts))


def _move_wallet(wallet: Wallet, entry: Movement, now: datetime) -> None:
    stake = (
        -entry.real_delta if entry.event_type in {"BetPlacing", "BetPlacingAbort"} else Decimal(0)
    )
    wallet.real = entry.real_after
    wallet.version, wallet.position, wallet.chain = entry.version, entry.position, entry.chain
    wallet.usage_day = now.toordinal()
    wallet.stake_day += stake
    wallet.stake_week += stake
    wallet.stake_month += stake
    wallet.loss_day -= entry.real_delta
    wallet.loss_week -= entry.real_delta
    wallet.loss_month -= entry.real_delta


def _balance(wallet: Wallet) -> Balance:
    real, bonus = wallet.real.quantize(Decimal("0.01")), wallet.bonus.quantize(Decimal("0.01"))
    return Balance(balance=str(real + bonus), real_balance=str(real), bonus_balance=str(bonus))


def _refusal(wallet: Wallet, code: int, words: str) -> JSONResponse:
    """Say no in the contract's way: HTTP 200, the code inside, the balance beside it."""
    balance = str((wallet.real + wallet.bonus).quantize(Decimal("0.01")))
    errors = {"code": code, "error": words}
    return JSONResponse({"status": False, "balance": balance, "errors": errors})
