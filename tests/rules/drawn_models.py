"""Pydantic models for drawn annotations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import pydantic
from hypothesis import strategies as st

from tests.rules.drawn import JSON, MOMENTS, NUMBER, TEXT, Approved, Colour, Drawn, Rejected


class Item(pydantic.BaseModel):
    sku: str
    price: float = 1.5
    at: datetime | None = None


class Special(Item):
    why: Approved | Rejected | None = None


class Aliased(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    inner: list[Item] = []


class Secret(pydantic.BaseModel):
    token: pydantic.SecretStr
    key: pydantic.SecretBytes | None = None


class Computed(pydantic.BaseModel, extra="forbid"):
    a: int

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.a


class Strict(pydantic.BaseModel, strict=True):
    at: datetime
    day: date
    id: UUID
    colour: Colour
    pair: tuple[int, bytes]


class Hidden(pydantic.BaseModel):
    shown: str
    hidden: int = pydantic.Field(exclude=True)
    _private: Any = pydantic.PrivateAttr(default=None)


class Open(pydantic.BaseModel, extra="allow"):
    what: Any = None


class Two(pydantic.BaseModel):
    validated: str = pydantic.Field(validation_alias="in", serialization_alias="out")


class Listed(pydantic.RootModel[list[int]]):
    pass


def _hidden(shown: str, hidden: int, private: Any) -> Hidden:
    made = Hidden(shown=shown, hidden=hidden)
    made._private = private
    return made


ITEM = st.builds(Item, sku=TEXT, price=NUMBER, at=st.none() | MOMENTS)
SPECIAL = st.builds(Special, sku=TEXT, why=st.none() | st.builds(Rejected, TEXT) | st.builds(Approved, TEXT))
MODELS: list[Drawn] = [
    (Item, ITEM | SPECIAL),
    (
        Aliased,
        st.builds(
            lambda number, inner: Aliased(userId=number, inner=inner),
            st.integers(),
            st.lists(ITEM | SPECIAL, max_size=2),
        ),
    ),
    (
        Secret,
        st.builds(
            Secret, token=TEXT.map(pydantic.SecretStr), key=st.none() | st.binary(max_size=5).map(pydantic.SecretBytes)
        ),
    ),
    (Computed, st.builds(Computed, a=st.integers())),
    (
        Strict,
        st.builds(
            Strict,
            at=MOMENTS,
            day=st.dates(),
            id=st.uuids(),
            colour=st.sampled_from(Colour),
            pair=st.tuples(st.integers(), st.binary(max_size=4)),
        ),
    ),
    (Hidden, st.builds(_hidden, TEXT, st.integers(), JSON)),
    (Open, st.builds(lambda what, more: Open(what=what, more=more), JSON | MOMENTS, JSON)),
    (Two, st.builds(lambda text: Two(**{"in": text}), TEXT)),
    (Listed, st.builds(Listed, st.lists(st.integers(), max_size=3))),
    (pydantic.HttpUrl, st.just(pydantic.HttpUrl("https://example.com/a?b=1"))),
    (pydantic.SecretStr, TEXT.map(pydantic.SecretStr)),
]
