"""Reads every setting from `TAXIWAY_*` variables into one frozen object, checked before the first connection."""

import secrets
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.errors import SettingsError
from models.runtime.host_user import accounts_named
from models.runtime.redis_address import RedisAddress


def _postgres_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme.split("+")[0] not in ("postgresql", "postgres") or not rest:
        raise ValueError("must be a PostgreSQL address such as postgresql://user:password@host:5432/taxiway")
    return f"postgresql://{rest}"


def _redis_url(value: str) -> str:
    try:
        RedisAddress.parse(value)
    except ValueError as error:
        raise ValueError(f"it {error}") from None
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http or https address such as https://taxiway.example.com")
    return value.rstrip("/")


def _host_user(value: str) -> str:
    accounts_named(value)
    return value


HostUser = Annotated[str, AfterValidator(_host_user)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Bytes = Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)]


class Settings(BaseSettings):
    """The settings of one process; the same for every kind, so that one environment file serves all."""

    model_config = SettingsConfigDict(env_prefix="TAXIWAY_", frozen=True, extra="ignore")

    database_url: PostgresUrl = Field(
        "postgresql://localhost/taxiway", description="PostgreSQL 15 or newer: the truth."
    )
    database_direct_url: PostgresUrl | None = Field(
        None, description="Where session locks are held; set it when `TAXIWAY_DATABASE_URL` points at a pooler."
    )
    redis_url: RedisUrl = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey: Celery's broker and hints. Also `rediss://` and `sentinel://a,b/0?master=NAME`.",
    )
    redis_prefix: str = Field(
        "taxiway:",
        description="Put before every broker key and the channels of tenants, so that a server can be shared.",
    )
    agents: str = Field("", description="Agents that a worker serves: `./my_agents.py` or `package.module`, by comma.")
    agent_python: str | None = Field(None, description="Interpreter of the agent hosts (default: the worker's own).")
    agent_env: str | None = Field(None, description="Allow-list of variables handed to agent hosts, by comma.")
    host_user: HostUser | None = Field(
        None,
        description="Accounts of agent hosts, one each: names or user ids, by comma, or `20000-20063` (needs a worker run as "
        "root). A single account is shared by all hosts: then each can read the others' files.",
    )
    host_confined: bool = Field(
        True,
        description="Keep agent hosts from signalling, tracing and reading other processes (Linux, Landlock), and root's from "
        "most capabilities. `false` for agents that signal or trace what they did not start, need setuid programs such as `sudo` "
        "under an account, or mount file systems, open raw sockets and devices as root.",
    )
    read_timeout: float = Field(
        5,
        ge=0.1,
        le=3600,
        description="Seconds after which a statement of a call that only reads is given up with 503.",
    )
    searches_per_key: int = Field(
        2,
        ge=1,
        le=100,
        description="Searches of one API key that an API process carries out at the same time (`docs/limits.md`).",
    )
    public_url: HttpUrl = Field("http://127.0.0.1:8000", description="Address under which people reach the API.")
    secret_key: str = Field(
        default_factory=lambda: secrets.token_urlsafe(32),
        min_length=16,
        description="Signs links; keep it secret and the same for all processes (default: a new one at each start).",
    )
    api_docs: bool = Field(True, description="Whether `/docs` shows the calls of the API without a key.")
    lease_seconds: float = Field(15, ge=3, le=300, description="How long a worker owns its runs without a renewal.")
    cancel_grace_seconds: float = Field(5, ge=0, le=3600, description="Time between a cancel and the host's kill.")
    drain_seconds: float = Field(
        20, ge=0, le=86_400, description="How long SIGTERM lets running steps reach their end."
    )
    park_after: float = Field(
        10,
        ge=0,
        le=86_400,
        description="Seconds after which a run is parked whose agent waits, but also keeps timers, sockets or tasks of its own.",
    )
    retention_days: int | None = Field(
        None, ge=1, le=36_500, description="Days after which a run that has ended is deleted (default: kept for ever)."
    )
    ops_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port of `/health`, `/ready` and `/metrics` of a scheduler or worker (default: none).",
    )
    ops_host: str = Field("127.0.0.1", description="Address of the same; `0.0.0.0` in a container.")
    private_providers: bool = Field(
        False,
        description="Whether OAuth providers may have private addresses, and http on loopback: the server calls them.",
    )
    host_activations: int = Field(10_000, ge=1, description="Activations after which an agent host is replaced.")
    host_growth: int = Field(
        512, ge=1, le=1 << 20, description="MiB by which an agent host's memory may grow before it is replaced."
    )
    idle_hosts: int = Field(
        4,
        ge=0,
        le=1000,
        description="Agent hosts that may stand idle beyond one per slot and a spare: those of tenants that come back.",
    )
    worker_name: str | None = Field(None, description="Label of the worker (default: Celery's node name).")
    log_format: Literal["console", "json"] = Field("console", description="How log lines are written.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    max_input_bytes: Bytes = Field(1 << 20, description="Largest input of a run.")
    max_value_bytes: Bytes = Field(1 << 20, description="Largest value of a step.")
    max_result_bytes: Bytes = Field(1 << 20, description="Largest result of a run.")
    max_event_bytes: Bytes = Field(64 << 10, description="Largest event of an agent.")
    max_log_bytes: Bytes = Field(1 << 20, description="Log kept of one run; then a marker.")
    max_steps: int = Field(10_000, ge=1, description="Steps that one run may record.")
    max_recorded_bytes: int = Field(64 << 20, ge=1024, description="Step values that one run may record, added up.")
    max_children: int = Field(10_000, ge=1, description="Runs that one run may start.")
    max_levels: int = Field(20, ge=1, le=1000, description="How deep runs may start runs that start runs.")
    max_batch: int = Field(1000, ge=1, le=10_000, description="Runs that one batch call may enqueue.")

    http_connections: int = Field(
        4000,
        ge=10,
        le=1_000_000,
        description="Connections that one API process holds, as far as its open files suffice.",
    )
    http_connections_per_peer: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        description="Of these from one address; a proxy in `FORWARDED_ALLOW_IPS` has no such limit.",
    )

    @property
    def direct_url(self) -> str:
        """Address for connections that hold session locks."""
        return self.database_direct_url or self.database_url

    @property
    def agent_specs(self) -> tuple[str, ...]:
        """The entries of `TAXIWAY_AGENTS`, trimmed."""
        return tuple(spec.strip() for spec in self.agents.split(",") if spec.strip())


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = "TAXIWAY_" + "_".join(str(part) for part in first["loc"]).upper()
    said = first["msg"].removeprefix("Value error, ")
    return f"{name} is wrong: {said}."


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read the settings once per process; raises SettingsError with one sentence when one of them is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
