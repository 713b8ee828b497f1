"""A wrong setting raises one sentence that names the variable; right ones are read once into a frozen object."""

from __future__ import annotations

from collections.abc import Iterator

import pydantic
import pytest

from models.errors import SettingsError
from models.runtime import settings as module
from models.runtime.host_user import accounts_named
from models.runtime.settings import Settings, settings

DEFAULTS = {
    "lease_seconds": 15, "cancel_grace_seconds": 5, "host_activations": 10_000, "host_growth": 512, "redis_prefix": "taxiway:",
    "log_format": "console", "max_input_bytes": 2**20, "max_value_bytes": 2**20, "max_result_bytes": 2**20,
    "max_event_bytes": 64 * 2**10, "max_steps": 10_000, "max_recorded_bytes": 64 * 2**20, "max_log_bytes": 2**20,
    "max_batch": 1000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    module.settings.cache_clear()
    yield
    module.settings.cache_clear()


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TAXIWAY_{name}", value)


def test_everything_has_a_default_that_works() -> None:
    read = settings()

    assert {name: getattr(read, name) for name in DEFAULTS} == DEFAULTS
    assert read.direct_url == read.database_url


def test_every_setting_says_what_it_is_for_in_one_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/db"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", "taxiway"),
        ("DATABASE_DIRECT_URL", "redis://h"),
        ("REDIS_URL", "http://u:hunter2@h"),
        ("PUBLIC_URL", "taxiway.example.com"),
        ("SECRET_KEY", "hunter2"),
        ("HOST_USER", ""),
        ("HOST_USER", "agent,,other"),
        ("HOST_USER", "0"),
        ("HOST_USER", "0-63"),
        ("HOST_USER", "20063-20000"),
        ("HOST_USER", "20000-90000"),
        ("HOST_USER", "99999999999"),
        ("HOST_USER", "20000-20003,20002"),
        ("HOST_USER", "agent,agent"),
        ("IDLE_HOSTS", "-1"),
        ("LEASE_SECONDS", "2"),
        ("LEASE_SECONDS", "soon"),
        ("LEASE_SECONDS", ""),
        ("LEASE_SECONDS", "nan"),
        ("CANCEL_GRACE_SECONDS", "-1"),
        ("HOST_ACTIVATIONS", "0"),
        ("HOST_GROWTH", "0"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("MAX_INPUT_BYTES", "10"),
        ("MAX_VALUE_BYTES", "1e9"),
        ("MAX_STEPS", "many"),
        ("MAX_BATCH", "0"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "1.5"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _set(monkeypatch, **{name: value})

    with pytest.raises(SettingsError) as caught:
        settings()

    sentence = str(caught.value)
    assert sentence.startswith(f"TAXIWAY_{name} is wrong: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hunter2" not in sentence
    assert caught.value.__suppress_context__


def test_addresses_are_taken_in_the_forms_that_people_use(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch, DATABASE_URL="postgresql+psycopg://u@h/db", DATABASE_DIRECT_URL="postgres://h/db",
        REDIS_URL="rediss://h:6380/1", PUBLIC_URL="https://taxiway.example.com/",
    )  # fmt: skip

    read = settings()

    assert (read.database_url, read.direct_url) == ("postgresql://u@h/db", "postgresql://h/db")
    assert (read.redis_url, read.public_url) == ("rediss://h:6380/1", "https://taxiway.example.com")


def test_agents_are_listed_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, AGENTS=" ./a.py , b.agents,, ")

    assert settings().agent_specs == ("./a.py", "b.agents")


def test_settings_are_read_once_and_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    _set(monkeypatch, MAX_STEPS="5")

    assert settings() is first
    with pytest.raises(pydantic.ValidationError):
        first.max_steps = 5  # type: ignore[misc]  # that is the point


def test_a_variable_of_somebody_else_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, PIDS_WORKER="1 2 3")

    assert settings().max_steps == 10_000


def test_accounts_of_hosts_are_names_user_ids_and_ranges() -> None:
    assert accounts_named("agent") == ["agent"]
    assert accounts_named("a, b-c ,20000, 20005-20007") == ["a", "b-c", 20000, 20005, 20006, 20007]
