"""Threads that a run left behind: those that it started and that are still busy."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from taxiway.host.left_threads import LeftThreads


@pytest.mark.parametrize(("prefix", "left"), [("taxiway-step", []), ("mine", ["thread 'mine_0'"])])
def test_an_idle_thread_of_our_own_pool_is_not_left_behind_another_s_is(prefix: str, left: list[str]) -> None:
    threads = LeftThreads()
    with ThreadPoolExecutor(1, thread_name_prefix=prefix) as pool:
        pool.submit(int).result()
        assert threads.look() == left
    assert threads.look() == []


def test_a_thread_of_our_own_pool_that_still_calls_something_is_left_behind() -> None:
    threads, end = LeftThreads(), threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="taxiway-step") as pool:
        pool.submit(end.wait)
        assert threads.look() == ["thread 'taxiway-step_0'"]
        end.set()


def test_threads_that_were_there_before_are_not_left_behind() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert LeftThreads().look() == []
    end.set()
    thread.join()
