"""Options of the client's calls: one TypedDict a call, shared by the blocking and the asyncio client."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Required, TypedDict

from taxiway.client.calls import NewRun
from taxiway.durations import Duration

KEEP: Any = object()
"""The value of an option that is to stay as it is, as if it were not passed."""


class NewRunOptions(TypedDict, total=False):
    """Options of `enqueue`; the server fills in what is missing or None."""

    user_id: str | None
    """The user for whom the run acts."""
    queue: str | None
    window: str | None
    """The run executes only while this window is open."""
    priority: int | None
    """From -100 to 100; higher first."""
    timeout: Duration | None
    """Limit of active time: seconds, a timedelta, `"15m"` or `"PT15M"`."""
    metadata: Mapping[str, str] | None
    tags: Iterable[str] | None
    approval_strategy: str | None
    """Approvals beside those of the agent: `NONE`, `ON_START` (of the start) or `ON_TOOL_CALL` (of each tool call)."""
    not_before: datetime | str | None
    """The earliest start: a datetime with its zone, or RFC 3339."""
    expires_in: Duration | None
    """A run that has not started after this time fails as `expired`."""
    concurrency_key: str | None
    """The queue limits how many runs with the same key execute at the same time; the default is one."""
    on_conflict: str | None
    """Without a free place the run waits (`queue`), is canceled (`skip`) or cancels earlier runs (`cancel_running`)."""


class WindowOptions(TypedDict, total=False):
    """Options of `put_window`."""

    cron: Required[str]
    """When the window begins."""
    duration: Required[Duration]
    """How long it lasts; 7 days at most."""
    timezone: Required[str]
    """The IANA time zone in which `cron` is read."""
    kind: str
    """`window` (the default), or `blackout`: closed within these times instead of outside them."""
    on_close: str
    """When it closes, executing runs `finish` (the default) or `pause`."""


class AgentOptions(TypedDict, total=False):
    """Options of `put_agent`; a missing option stays as it is, None removes it."""

    limit: int | None
    """Runs of the agent in flight at the same time."""
    paused: bool
    window: str | None
    """The window that gates its runs."""


class QueueOptions(TypedDict, total=False):
    """Options of `put_queue`; a missing option stays as it is, None removes it."""

    limit: int | None
    """Runs in flight at the same time."""
    tenant_limit: int | None
    """Runs of one tenant in flight at the same time."""
    key_limit: int | None
    """Runs of one concurrency key in flight at the same time; None means one."""
    hold_keys: bool
    """Whether a parked run keeps the place of its concurrency key."""
    rate: Mapping[str, Any] | None
    """`{"limit": 100, "per": "1m"}`: at most so many new runs start within any such span."""
    weights: Mapping[str, float] | None
    """`{"acme": 2}`: the shares of all tenants; a tenant that is missing has 1."""
    cordoned: bool
    """Whether new runs are held back."""
    paused: bool
    window: str | None
    """The window that gates its runs."""


class ScheduleOptions(TypedDict, total=False):
    """Options of `put_schedule`; what is missing or None stays as it is. A new schedule needs cron, timezone and run."""

    cron: str | None
    timezone: str | None
    """The IANA time zone in which `cron` is read."""
    run: NewRun | Mapping[str, Any] | None
    """The run that it enqueues; a mapping holds the keyword arguments of `enqueue`."""
    overlap: str | None
    """While an earlier run has not ended, a firing is left out (`skip`) or its run waits (`queue`)."""
    catch_up: str | None
    """Of firings missed by more than a minute, none is made up for (`none`) or the last one (`last`)."""
    paused: bool | None


class ProviderOptions(TypedDict, total=False):
    """Options of `put_provider`."""

    authorize_url: Required[str]
    token_url: Required[str]
    client_id: Required[str]
    client_secret: str | None
    """A missing secret stays as it is, None removes it. Changing `token_url`, `revocation_url`, `client_id` or
    `client_auth` requires it again."""
    client_auth: str
    """How the client proves itself at the token address; `basic` is the default."""
    revocation_url: str | None
    scopes: Iterable[str]
    """Requested with every authorization."""
    parameters: Mapping[str, str] | None
    """Added to the address where people authorize."""
    issuer: str | None
    """With an issuer, answers that do not name it are refused (RFC 9207)."""
    callback: str | None
    """`own` or `shared`; stays as it is when missing. Register the answer's `callbackUrl` at the provider."""


def as_body(options: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Return the options of this kind under the API's names, without those that are KEEP.

    Raises TypeError for an unknown name and for a missing required one.
    """
    if unknown := options.keys() - kind.__annotations__.keys():
        raise TypeError(f"{min(unknown)} is not an option; the options are: {', '.join(kind.__annotations__)}")
    if missing := kind.__required_keys__ - options.keys():
        raise TypeError(f"missing option: {', '.join(sorted(missing))}")
    return {api_name(name): value for name, value in options.items() if value is not KEEP}


def api_name(name: str) -> str:
    """Return a Python name as the API spells it: `tenant_limit` is `tenantLimit`."""
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)
