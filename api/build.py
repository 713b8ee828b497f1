"""The FastAPI application: its calls, its error handlers and its OpenAPI document."""

from fastapi import FastAPI

from api.consent import callback, complete, grants, start
from api.http.error_handlers import add_error_handlers
from api.http.nul_filter import RejectNul
from api.http.openapi import install_openapi
from api.http.read_turns import ReadTurns
from api.installation import (
    agents,
    capacity,
    drain,
    health,
    keys,
    metrics,
    providers,
    queues,
    window_overrides,
    windows,
    workers,
)
from api.lifespan import lifespan
from api.page import approval
from api.people import inbox, link_options
from api.reference import page as reference
from api.runs import (
    bulk,
    cancel,
    create,
    explain,
    listing,
    pause,
    read,
    resume,
    retry,
    signals,
    stream,
    tenant_stream,
    wait,
)
from api.scheduling import schedules
from api.version import VERSION

_ABOUT = """Durable agent runs: enqueue a run, follow it, cancel it.

Send an API key in the header `x-api-key` (or `Authorization: Bearer`). Only `/health`, `/ready`, `/metrics` and the links of
people need none. Every refusal is a problem document (RFC 9457) with a stable `code`."""

_ROUTERS = (
    approval,  # before `read`, which would take "approval" for the id of a run
    link_options,
    inbox,
    bulk,  # before the calls of one run, which would take "bulk" for its id
    create,
    listing,
    read,
    explain,
    stream,
    wait,
    tenant_stream,
    cancel,
    pause,
    resume,
    retry,
    signals,
    agents,
    workers,
    drain,
    capacity,
    windows,
    window_overrides,
    queues,
    schedules,
    providers,
    grants,
    callback,  # before the start of a wait: `start` may be the name of a provider
    start,
    complete,
    keys,
    health,
    metrics,
    reference,
)


def build() -> FastAPI:
    """Return the application. It reads settings and opens connections only at start-up."""
    app = FastAPI(
        title="Taxiway",
        version=VERSION,
        description=_ABOUT,
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,  # FastAPI's page loads its script from a public CDN: `api.reference` shows ours
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for module in _ROUTERS:
        app.include_router(module.router)
    app.add_middleware(ReadTurns)
    app.add_middleware(RejectNul)
    add_error_handlers(app)
    install_openapi(app)
    return app
