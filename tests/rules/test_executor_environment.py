"""Agent code receives no variable of the server and no value that contains a credential of the server."""

from __future__ import annotations

import pytest

from executor.hosts.environment import host_environment
from models.runtime.settings import Settings

OURS = Settings(
    database_url="postgresql+psycopg://taxi:p%40ss-word@db.example:5432/taxiway",
    database_direct_url="postgresql://taxi:direct-word@db.example:6432/taxiway",
    redis_url="redis://:redis-word@cache.example:6379/0",
    secret_key="the-secret-key-of-ours",
)
INNOCENT = {"PATH": "/bin", "HOME": "/root", "LANG": "C.UTF-8", "OPENAI_API_KEY": "sk-123", "PASSWORD": "their own"}


@pytest.mark.parametrize(
    "name",
    ["TAXIWAY_DATABASE_URL", "TAXIWAY_X", "CELERY_BROKER_URL", "FLOWER_BASIC_AUTH", "PGPASSWORD", "PGHOST", "PYTHONPATH",
     "PYTHONSTARTUP"],
)  # fmt: skip
def test_variables_of_ours_and_of_our_tools_are_dropped(name: str) -> None:
    assert host_environment({**INNOCENT, name: "x"}, OURS) == INNOCENT


@pytest.mark.parametrize(
    "value",
    [
        "postgresql+psycopg://taxi:p%40ss-word@db.example:5432/taxiway",
        "postgresql://taxi:p%40ss-word@db.example:5432/taxiway",
        "password=p@ss-word host=db", "jdbc:…;password=direct-word", "redis-word", "--key=the-secret-key-of-ours,x",
    ],
)  # fmt: skip
def test_a_value_that_contains_a_credential_is_dropped_whatever_its_name(value: str) -> None:
    assert host_environment({**INNOCENT, "INNOCENT_LOOKING": value}, OURS) == INNOCENT


def test_a_short_password_is_hidden_where_it_stands_in_an_address() -> None:
    settings = Settings(database_url="postgresql://taxi:pw@db.example:5432/taxiway", secret_key="k" * 16)
    told = {"A": "postgresql+asyncpg://taxi:pw@db.example:5432/other", "B": "taxi:pw@db.example:5432", "C": "pwd"}
    assert host_environment({**INNOCENT, **told}, settings) == {**INNOCENT, "C": "pwd"}


def test_a_password_given_as_a_parameter_of_the_address_is_hidden() -> None:
    settings = Settings(database_url="postgresql://db/taxiway?user=taxi&password=in%2Fquery", secret_key="k" * 16)
    assert host_environment({"A": "in/query", "B": "in%2Fquery", "C": "x"}, settings) == {"C": "x"}


def test_an_allow_list_lets_nothing_else_through() -> None:
    settings = OURS.model_copy(update={"agent_env": "OPENAI_API_KEY, LEAK"})
    told = {**INNOCENT, "LEAK": "redis-word", "TZ": "UTC", "OTHER": "1"}
    kept = {"OPENAI_API_KEY": "sk-123", "PATH": "/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
    assert host_environment(told, settings) == kept


def test_an_empty_allow_list_allows_only_what_every_program_needs() -> None:
    assert host_environment(INNOCENT, OURS.model_copy(update={"agent_env": ""})) == {"PATH": "/bin", "LANG": "C.UTF-8"}
