"""Threads of the harness. An unnoticed death of one would make the exercise worthless, so errors are raised again."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Threads:
    """Starts threads, and raises their errors in the thread that waits for them."""

    def __init__(self) -> None:
        self.faults: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def go(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Call a function in a new thread."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again in the joining thread
                self.faults.append(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def join(self, thread: threading.Thread, seconds: float) -> None:
        """Wait for one of them; raises the first error of any thread."""
        thread.join(seconds)
        if thread.is_alive():
            raise TimeoutError(f"the harness's thread {thread.name} did not end")
        if self.faults:
            raise self.faults[0]

    def join_all(self, seconds: float) -> None:
        for thread in self._threads:
            self.join(thread, seconds)
