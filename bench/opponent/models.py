"""The opponent's ORM models, mapped onto the service's own tables."""

from sqlalchemy.orm import DeclarativeBase

from app.ledger import tables


class Base(DeclarativeBase):
    """The models' common root."""

    metadata = tables.metadata


class Player(Base):
    """A player."""

    __table__ = tables.players


class Wallet(Base):
    """A player's wallet."""

    __table__ = tables.wallets


class Session(Base):
    """A session token."""

    __table__ = tables.sessions


class Round(Base):
    """A round of a player."""

    __table__ = tables.rounds


class TransactionKey(Base):
    """The key that makes a movement happen once."""

    __table__ = tables.transaction_keys


class Movement(Base):
    """A journal entry."""

    __table__ = tables.movements
