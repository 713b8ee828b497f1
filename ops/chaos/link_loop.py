"""Event loop that runs all links in its own thread, callable from other threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from ops.chaos.proxy import Link, Streams


class LinkLoop:
    """All links, in an event loop in its own thread; its methods are called from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._links: list[Link] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def link(self, dial: Callable[[], Awaitable[Streams]]) -> Link:
        """Open a link, listening on a free port."""
        link = Link(dial)
        self._await(link.listen())
        self._links.append(link)
        return link

    def do(self, change: Callable[..., None], *arguments: Any) -> None:
        """Call a method of a link in the loop's thread, and wait for its end."""

        async def call() -> None:
            change(*arguments)

        self._await(call())

    def stop(self) -> None:
        """Close everything."""
        self._await(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _close(self) -> None:
        for link in self._links:
            link.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # aborted transports close their sockets in the next turns of the loop

    def _await(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(10)
