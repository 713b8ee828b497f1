"""The statements that docs/sql shows are whole: PostgreSQL plans each, and each says what it is for."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from ops.documents import sql
from tests.postgres.factory import World

_HEAD = re.compile(r"(?:^-- .*\n)+", re.MULTILINE)


@pytest.mark.parametrize("module", sql.MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_each_statement_of_the_documents_is_planned(world: World, module: ModuleType) -> None:
    parts = sql.text(module).removesuffix(";\n").split(";\n\n")
    assert len(parts) == len(list(sql.statements(module))) > 0
    for part in parts:
        statement = re.sub(r"%\(\w+\)s", "NULL", _HEAD.sub("", part)).replace("%%", "%")
        world.connection.execute(f"EXPLAIN {statement}")


@pytest.mark.parametrize("module", sql.MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_each_statement_has_a_name_and_a_purpose(module: ModuleType) -> None:
    heads = [head[0].splitlines() for head in _HEAD.finditer(sql.text(module))][1:]
    assert len(heads) == len({name for name, *_ in heads}) > 0
    assert [name for name, *purpose in heads if not purpose] == []
