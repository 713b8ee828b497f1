"""The column types that the tables share."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Identity,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY


def words(*, null: bool = True, default: str | None = None) -> Column[Any]:
    """A text column."""
    return Column(Text, nullable=null, server_default=None if default is None else text(f"'{default}'"))


def moment(*, null: bool = True, now: bool = False) -> Column[Any]:
    """A point in time, by the database clock."""
    return Column(DateTime(timezone=True), nullable=null, server_default=func.now() if now else None)


def moment_key() -> Column[Any]:
    """A point in time that is part of the primary key."""
    return Column(DateTime(timezone=True), primary_key=True)


def count(*, default: int | None = 0, null: bool = False) -> Column[Any]:
    """A 32-bit number."""
    return Column(Integer, nullable=null, server_default=None if default is None else text(str(default)))


def small(*, default: int = 0) -> Column[Any]:
    """A 16-bit number."""
    return Column(SmallInteger, nullable=False, server_default=text(str(default)))


def large(*, default: int | None = 0, null: bool = False) -> Column[Any]:
    """A 64-bit number: bytes, milliseconds, lock keys."""
    return Column(BigInteger, nullable=null, server_default=None if default is None else text(str(default)))


def real(*, default: float | None = 0, null: bool = False) -> Column[Any]:
    """A double."""
    return Column(Double, nullable=null, server_default=None if default is None else text(str(default)))


def flag(*, default: bool = False) -> Column[Any]:
    """A yes or no."""
    return Column(Boolean, nullable=False, server_default=text("true" if default else "false"))


def json_text(*, null: bool = True) -> Column[Any]:
    """JSON kept as the text that came: `json`, because one NUL escape makes a whole batch of `jsonb` fail."""
    return Column(JSON, nullable=null)


def texts() -> Column[Any]:
    """A list of words."""
    return Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))


def uuids() -> Column[Any]:
    """A list of ids."""
    return Column(ARRAY(Uuid), nullable=False, server_default=text("'{}'"))


def identity(*, null: bool = False, primary: bool = False) -> Column[Any]:
    """An id."""
    return Column(Uuid, nullable=null, primary_key=primary)


def numbered() -> Column[Any]:
    """A number that the database gives, as the primary key: in the order of the inserts."""
    return Column(BigInteger, Identity(always=True), primary_key=True)


def small_key() -> Column[Any]:
    """A 16-bit number that is part of the primary key."""
    return Column(SmallInteger, primary_key=True, autoincrement=False)


def count_key() -> Column[Any]:
    """A 32-bit number that is part of the primary key."""
    return Column(Integer, primary_key=True, autoincrement=False)


def key(*, default: str | None = None) -> Column[Any]:
    """A word that is part of the primary key."""
    return Column(Text, primary_key=True, server_default=None if default is None else text(f"'{default}'"))
