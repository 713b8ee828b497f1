"""Start and stop of the resources that all calls of a process share.

On SIGTERM uvicorn waits for open responses *before* it stops the application, and a stream never ends by itself. So this module
handles the signal too and ends the streams; their clients reconnect to another process from the last id.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI

from api.http.fair_use import FairUse
from api.resources import Resources
from api.streams.hub import Hub
from models.errors import DatabaseAway
from models.runtime.bus import Bus
from models.runtime.database import connect
from models.runtime.facts import fact
from models.runtime.settings import settings

SWITCH_SECONDS = 0.001
"""How long a thread that writes a long page keeps the GIL; Python's default of 5 ms is many times what a call takes."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the bus and the hub of the process while the application serves."""
    sys.setswitchinterval(SWITCH_SECONDS)
    given = settings()
    redis = given.redis_url, given.redis_prefix
    shared = Resources(given, Bus(*redis).start(), Hub(*redis), FairUse(given.searches_per_key))
    app.state.resources = shared
    shared.hub.start()
    await asyncio.to_thread(_check_database)
    if "secret_key" not in settings().model_fields_set:
        fact(
            "secret_key.temporary",
            level="warning",
            detail="set TAXIWAY_SECRET_KEY: links die with this process until then",
        )
    if "api.guard" not in sys.modules:  # with `--http api.guard:Guard` uvicorn imports it before the application
        fact(
            "api.unguarded",
            level="warning",
            detail="half-sent requests are held until the client leaves: add --http api.guard:Guard, or set a proxy in front",
        )
    fact("api.started")
    try:
        with on_signal(shared.hub.close):
            yield
    finally:
        await shared.hub.stop()
        await asyncio.to_thread(shared.bus.stop)
        fact("api.stopped")


def _check_database() -> None:
    try:
        connect("api").close()
    except DatabaseAway as error:
        fact("database.away", level="warning", detail=f"{error}; answering 503 until it is there")


@contextmanager
def on_signal(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the event loop at SIGTERM or SIGINT, then call the handler that was installed before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        earlier = before[signal.Signals(number)]
        if callable(earlier):
            earlier(number, frame)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
