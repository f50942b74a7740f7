"""Settings of the processes that serve: addresses, ports, deadlines, sizes."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from app import settings_parsing
from app.settings.group import Port, SettingsGroup


class ProcessSettings(SettingsGroup):
    """Where the processes listen, how long a request may take, and how much each does at once."""

    host: str = "127.0.0.1"
    """The address the two contracts listen on."""

    port: Port = 8080
    """The port the two contracts listen on."""

    private_host: str = "127.0.0.1"
    """The address that metrics and health listen on."""

    private_port: Port = 8081
    """The port that metrics and health listen on."""

    backoffice_host: str = "127.0.0.1"
    """The address the back office listens on."""

    backoffice_port: Port = 8082
    """The port the back office listens on."""

    deliver_port: Port = 8090
    """The port that metrics and health of `wallet deliver` listen on, at the private host."""

    project_port: Port = 8091
    """The port that metrics and health of `wallet project` listen on, at the private host."""

    liability_alarms: Annotated[
        Mapping[str, str], NoDecode, BeforeValidator(settings_parsing.amounts)
    ] = {}
    """What open bets may win on one outcome before the inbox tells of it: USD:50000,EUR:40000."""

    deadline_seconds: Annotated[
        Decimal, BeforeValidator(settings_parsing.seconds), Field(gt=0, le=60)
    ] = Decimal(10)
    """How long a request may take; a movement not begun by then is dropped."""

    fast_path: Literal["on", "off"] = "on"
    """Whether moveFunds is answered without the framework; off: everything goes through it."""

    background_lag_seconds: Annotated[
        Decimal, BeforeValidator(settings_parsing.seconds), Field(ge=0, le=600)
    ] = Decimal(10)
    """How long webhooks and bet slips may wait while no core of their machine is idle."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """How many server processes share the port."""

    lanes: Annotated[int, Field(ge=1, le=32)] = 1
    """How many queues of movements one process serves at once."""

    pool_size: Annotated[int, Field(ge=3, le=100)] = 8
    """How many database connections one process opens, two for each lane included."""

    sandbox: Literal["on", "off"] = "off"
    """Whether the money is not real; on: every answer says so, and simulations are let in."""

    expect_sync: Literal["on", "off"] = "off"
    """Whether a synchronous standby is expected; on: the service says so wherever there is none."""

    @property
    def deadline(self) -> timedelta:
        """The deadline as a duration."""
        return timedelta(microseconds=int(self.deadline_seconds * 1_000_000))

    @property
    def background_lag(self) -> timedelta:
        """How long webhooks and bet slips may wait, as a duration."""
        return timedelta(microseconds=int(self.background_lag_seconds * 1_000_000))

    @model_validator(mode="after")
    def _pool_holds_the_lanes(self) -> Self:
        """Check that the lanes leave a connection for reads."""
        if self.pool_size <= 2 * self.lanes:
            raise ValueError("WALLET_POOL_SIZE must be larger than twice WALLET_LANES")
        return self
