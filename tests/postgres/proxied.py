"""Settings of a test, for code of the application: it runs against the test's own servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from models.runtime.settings import settings
from tests.postgres.proxy import Proxy

PATIENCE = 20.0


@contextmanager
def settings_of(monkeypatch: pytest.MonkeyPatch, **values: str) -> Iterator[None]:
    """Set these values of `settings()`: `settings_of(monkeypatch, DATABASE_URL=…)`."""
    for name, value in values.items():
        monkeypatch.setenv(f"TAXIWAY_{name}", value)
    settings.cache_clear()
    try:
        yield
    finally:
        settings.cache_clear()


def proxy_to(database_url: str) -> Proxy:
    """Start a proxy in front of the server of this address."""
    told = conninfo_to_dict(database_url)
    return Proxy(f"{told['host']}/.s.PGSQL.{told.get('port', 5432)}")


def through(proxy: Proxy, database_url: str) -> str:
    """Return the same database's address through the proxy."""
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{conninfo_to_dict(database_url)['dbname']}"


class Clock:
    """A monotonic clock that a test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def until(fact: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until `fact()` is true and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := fact()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)  # the fact belongs to another thread or session; no signal to wait on
    return seen


class Deaf:
    """A bus without subscribers; it keeps what was published."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        self.woken: list[tuple[str, str]] = []

    def publish_event(self, tenant: str, message: Mapping[str, Any]) -> None:
        self.said.append((tenant, message))

    def wake_up(self, channel: str, text: str = "") -> None:
        self.woken.append((channel, text))
