"""Settings of a command that uses the database and does not serve: addresses, seals, the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from app import settings_parsing
from app.database_url import connect_arguments
from app.settings.group import SettingsGroup

DATABASE_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")


class DatabaseSettings(SettingsGroup):
    """The settings of a command that uses the database and does not serve: no keys."""

    database_url: SecretStr | None = None
    """Where the service finds its database; unset: the embedded PostgreSQL."""

    owner_database_url: SecretStr | None = None
    """The same database for `wallet migrate`, as the role that owns it; unset: as the service."""

    reports_database_url: SecretStr | None = None
    """A replica of the database for long reads (reports, the audit); unset: the database itself.
    No decision about money is ever read there."""

    ops_database_url: SecretStr | None = None
    """The same database, or a replica, for the back office's reading, as the role wallet_ops."""

    data_dir: Path = Path(".wallet")
    """Where the embedded PostgreSQL keeps its data."""

    buckets: Annotated[int, Field(ge=1, le=64)] = 1
    """How many schemas hold the players; stored at the ledger's first start."""

    adjust_solo_max: Annotated[
        Mapping[str, str], NoDecode, BeforeValidator(settings_parsing.amounts)
    ] = {}
    """What one person alone may move by an adjustment, as code:amount; unset: nothing."""

    seal_key: Path | None = None
    """The file of the private key that seals the ledger; unset: it is not sealed."""

    seal_to: Path | None = None
    """The file outside the database that every seal is appended to."""

    seal_keys_known: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """Public keys that sealed before, comma-separated, for `wallet audit`."""

    @model_validator(mode="after")
    def _sealing_is_whole(self) -> Self:
        """Check that a seal would be kept in both places."""
        if (self.seal_key is None) is not (self.seal_to is None):
            raise ValueError("WALLET_SEAL_KEY and WALLET_SEAL_TO must be set together")
        return self

    @field_validator("seal_keys_known")
    @classmethod
    def _are_public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Check that each is a public key."""
        for key in value:
            fault = settings_parsing.public_key_fault(key)
            if fault is not None:
                raise ValueError(fault)
        return value

    @field_validator(
        "database_url", "owner_database_url", "reports_database_url", "ops_database_url"
    )
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        """Accept the usual URL schemes, and refuse addresses that cannot be used."""
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        if scheme not in DATABASE_SCHEMES or not separator or not rest:
            raise ValueError("must be an address such as postgresql://role:password@host/database")
        url = f"{DATABASE_SCHEMES[0]}://{rest}"
        connect_arguments(url)
        return SecretStr(url)
