"""Flower's configuration requires a password, changes nothing, and hides everything but ids and outcomes."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flower.command  # noqa: F401 - defines Flower's options
import pytest
import tornado.options

FILE = str(Path(__file__).resolve().parents[2] / "ops" / "flowerconfig.py")
RUN = "0198f3c2-7e1a-7000-8000-000000000001"


def configuration() -> dict[str, Any]:
    return {name: value for name, value in runpy.run_path(FILE).items() if name in tornado.options.options}


def shown(**fields: str | None) -> SimpleNamespace:
    blank = dict.fromkeys(("args", "kwargs", "result", "exception", "traceback"))
    task: SimpleNamespace = configuration()["format_task"](SimpleNamespace(**{**blank, **fields}))
    return task


def test_every_value_has_the_type_that_flower_wants() -> None:
    values = configuration()
    assert {"address", "basic_auth", "format_task", "port", "read_only"} <= values.keys()
    for name, value in values.items():
        option = tornado.options.options._options[name.replace("_", "-")]
        assert all(isinstance(one, option.type) for one in (value if option.multiple else [value])), name


def test_it_is_read_only_and_seen_from_this_machine_alone() -> None:
    assert configuration()["read_only"] is True
    assert configuration()["address"] == "127.0.0.1"


def test_a_deployment_chooses_address_port_and_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("FLOWER_PORT", "5599")
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "ann:one,bob:two")
    values = configuration()
    assert (values["address"], values["port"]) == ("0.0.0.0", 5599)
    assert values["basic_auth"] == ["ann:one", "bob:two"]


def test_without_a_login_nobody_can_guess_one() -> None:
    (first,), (second,) = configuration()["basic_auth"], configuration()["basic_auth"]
    assert first != second
    assert len(first) > 30


def test_ids_epochs_and_outcomes_are_shown() -> None:
    task = shown(args=f"run={RUN} epoch=3", kwargs="", result="'failed:step_error'")
    assert (task.args, task.kwargs, task.result) == (f"run={RUN} epoch=3", "", "'failed:step_error'")


@pytest.mark.parametrize("field", ["args", "kwargs", "result"])
@pytest.mark.parametrize(
    "text", ["('sentinel',)", "{'a': 'sentinel'}", f"run={RUN} epoch=3 sentinel", "sentinel words"]
)
def test_anything_else_is_hidden(field: str, text: str) -> None:
    assert "sentinel" not in str(vars(shown(**{field: text})))


def test_of_an_error_only_its_kind_is_shown() -> None:
    task = shown(exception="ValueError('sentinel')", traceback="… sentinel …")
    assert task.exception == "ValueError"
    assert task.traceback is None
