"""Settings of what is decided about money: repeats, stakes, currencies, games, limits."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from app import settings_parsing
from app.settings.group import SettingsGroup


class MoneySettings(SettingsGroup):
    """What a movement is held against; the ledger stores those that decide what it becomes."""

    duplicate_reply: Literal["conflict", "replay"] = "conflict"
    """The answer to a repeat of an accepted movement: code 409, or the first answer again."""

    key_scope: Literal["transaction", "transaction_event"] = "transaction"
    """What makes a movement the same: its transactionId, or that with eventType and direction."""

    stake_order: Literal["real_first", "bonus_first"] = "real_first"
    """Which pocket a stake is taken from first."""

    overtaken_bet: Literal["refuse", "flag"] = "refuse"
    """What is done with a bet whose abort came before it; stored at the ledger's first start."""

    overtaken_seconds: Annotated[int, Field(ge=0, le=86400)] = 600
    """How long after its abort a bet is taken to be the voided one."""

    sport_game_id: Annotated[int, Field(ge=0, lt=10**18)] | None = None
    """The one gameId of all sports bets; unset: sport is not told apart."""

    games: Annotated[Mapping[int, str], NoDecode, BeforeValidator(settings_parsing.games)] = {}
    """What games are, as JSON: {"1037566": "sport"}; the ledger keeps a name that it has."""

    currencies: Annotated[
        Mapping[str, int], NoDecode, BeforeValidator(settings_parsing.currencies)
    ] = {}
    """Currencies beside the contract's, as code:decimals, for instance BTC:8,USDT:6."""

    deposit_check: Literal["optional", "required"] = "optional"
    """Whether a deposit needs a check that allowed it."""

    limit_cooling_seconds: Annotated[int, Field(ge=0, le=366 * 86400)] = 86400
    """How long a raised limit waits; a lowered one holds at once."""

    limit_cooling_by: Annotated[
        Mapping[str, Annotated[int, Field(ge=0, le=366 * 86400)]],
        NoDecode,
        BeforeValidator(settings_parsing.cooling_periods),
    ] = {}
    """Other periods, as JSON: {"agent:uk": 86400, "currency:INR": 604800}; the longer one rules."""

    limit_raise: Literal["confirm", "automatic"] = "confirm"
    """Whether a raised limit must be confirmed when it has waited, or then holds by itself."""

    limit_zone: Annotated[str, AfterValidator(settings_parsing.time_zone)] = "UTC"
    """The IANA time zone whose days limits count in; stored at the ledger's first start."""
