"""Pydantic models drawn field by field, with constraints that their schemas can express."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Flag
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
from hypothesis import strategies as st

from tests.rules.drawn import Animal, Colour, Level, Point, Size
from tests.rules.drawn_models import MODELS


class Gaps(Flag):
    FIRST = 1
    THIRD = 4


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Hound(pydantic.BaseModel, extra="forbid"):
    kind: Literal["dog", "hound"]
    owner: str | None = None


class Tagged(pydantic.BaseModel):
    type_: Literal["x"] = pydantic.Field("x", alias="type")
    size: int = 1


class TaggedToo(pydantic.BaseModel):
    type_: Literal["y"] = pydantic.Field("y", alias="type")


class Branch(pydantic.BaseModel):
    name: str
    branches: list[Branch] = []
    by_number: dict[int, Branch] = {}


class Strictly(pydantic.BaseModel, strict=True):
    count: int
    ratio: float = 0.5
    on: bool = False
    level: Level = Level.LOW
    many: list[int] = []


class Enums(pydantic.BaseModel):
    colour: Colour = Colour.RED
    size: Size | None = None
    level: Level | Literal["none", 3] = 3


FIELDS: list[Any] = [
    str, int, float, bool, bytes, Any, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, UUID,
    Colour, Level, Size, Literal["a", 1, True], Animal, Point, Cat, Branch, Strictly, Enums,
    pydantic.HttpUrl, pydantic.AnyUrl, pydantic.RedisDsn, pydantic.WebsocketUrl, pydantic.SecretStr,
    pydantic.AwareDatetime, pydantic.NaiveDatetime, pydantic.UUID4, pydantic.IPvAnyAddress, pydantic.IPvAnyNetwork,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Interface,
    re.Pattern,
    pydantic.constr(pattern=r"^[a-z]+$"),
    pydantic.constr(pattern=r"^\p{L}\d*$"),
    pydantic.constr(pattern=r"x\z"),
    pydantic.constr(pattern=re.compile("^ab$", re.IGNORECASE)),
    pydantic.constr(pattern=re.compile("^(?!a)b")),
    pydantic.constr(min_length=2, max_length=4),
    pydantic.conint(ge=1, le=9, multiple_of=3),
    pydantic.conint(gt=-2, lt=10**20),
    pydantic.confloat(gt=0.5, le=1e300),
    pydantic.condecimal(ge=Decimal("0.1"), lt=100, max_digits=4, decimal_places=2),
    pydantic.condecimal(multiple_of=Decimal("0.05")),
    pydantic.condecimal(gt=0),
    pydantic.conlist(int, min_length=1, max_length=2),
    set[int], frozenset[UUID], tuple[int, str], tuple[dt.date, ...], list[Cat | int], dict[str, Any],
    dict[int, str], dict[float, int], dict[UUID, int], dict[dt.date, bool], dict[Colour, int], dict[Level, int],
    Mapping[pydantic.constr(pattern="^k"), int],  # type: ignore[misc]
    Annotated[Cat | Hound, pydantic.Field(discriminator="kind")],
    Annotated[Tagged | TaggedToo, pydantic.Field(discriminator="type_")],
    Annotated[str, pydantic.Field(max_length=3)] | dt.date,
]  # fmt: skip
MORE: list[Any] = [
    Gaps,
    set[dt.datetime],
    set[int | bool],
    set[float],
    Mapping[int, Colour],
    list[dt.timedelta],
]
NAMES = st.sampled_from(["a", "b", "kind", "value"])


@st.composite
def _models(draw: st.DrawFn) -> Any:
    members: dict[str, Any] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        annotation = draw(st.sampled_from(FIELDS))
        annotation = draw(st.sampled_from([annotation, annotation, annotation | None, list[annotation]]))
        default = draw(st.sampled_from([..., None])) if annotation == annotation | None else ...
        alias = draw(st.sampled_from([None, None, f"{name}Alias"]))
        members[name] = (annotation, pydantic.Field(default, alias=alias))
    config = pydantic.ConfigDict(
        strict=draw(st.booleans()),
        extra=draw(st.sampled_from(["ignore", "forbid", "allow"])),
        validate_by_name=draw(st.booleans()),
    )
    return pydantic.create_model("Drawn", __config__=config, **members)


def models() -> st.SearchStrategy[Any]:
    """Return the strategy of models."""
    return _models() | st.sampled_from([annotation for annotation, _ in MODELS])
