"""Fixture of the command line's tests: the `taxiway` command, run against a canned server."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from taxiway.cli import app, options
from taxiway.client import Client, backoff
from typer.testing import CliRunner, Result

from tests.rules.canned import URL, Canned
from tests.rules.command_line import Invoke


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Run the command line against a canned server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backoff, "FIRST", 0.0)

    def call(server: Canned, *arguments: str, **kwargs: Any) -> Result:
        monkeypatch.setattr(options, "Client", partial(Client, transport=server.transport))
        return CliRunner().invoke(app, [*arguments, "--url", URL, "--api-key", "key"], **kwargs)

    return call
