"""Hooks and patches of a run do not reach another run: they are removed, or the process serves no further run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

SOURCE = """
import builtins, codecs, ctypes, gc, inspect, json, resource, signal, socket
import taxiway.frames, taxiway.forks, taxiway.host.left_threads
libc = ctypes.CDLL(None, use_errno=True)
SEEN = Path(__file__).parent / "seen"
SYS_HOOKS = ("excepthook", "unraisablehook", "displayhook", "breakpointhook")
other = lambda *_, **__: None

def excepthooks():
    for name in SYS_HOOKS: setattr(sys, name, other)
    threading.excepthook = other
def deleted():
    del sys.excepthook, threading.excepthook
def thread_traces(): threading.settrace(other); threading.setprofile(other)
def collector(): gc.callbacks.append(other); gc.set_threshold(7); gc.disable()
def codec_errors(): codecs.register_error("strict", lambda error: ("", error.end))
def builtin_open():
    builtins.open = builtins.print = other
    builtins._ = other
def switching(): sys.setswitchinterval(1)
def processors(): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def tools():
    sys.monitoring.use_tool_id(3, "mine")
    sys.monitoring.set_events(3, sys.monitoring.events.PY_START)

def decode():
    original = taxiway.frames.decode
    def seeing(body):
        SEEN.write_bytes(body)
        return original(body)
    taxiway.frames.decode = seeing
def change_code(function): function.__code__ = function.__code__.replace(co_name="mine")
def decode_code(): change_code(taxiway.frames.decode)
def method():
    original = taxiway.frames.FrameSocket.recv
    taxiway.frames.FrameSocket.recv = lambda self, timeout: original(self, timeout)
def shadowed_method():
    for one in gc.get_objects():
        if type(one) is taxiway.frames.FrameSocket: one.send = one.send
def shadowed_builtin(): taxiway.frames.memoryview = memoryview
def decoder(): taxiway.frames._DECODER.object_hook = other
def host_function():
    original = taxiway.host.left_threads.LeftThreads.look
    taxiway.host.left_threads.LeftThreads.look = lambda self: original(self)
def agent_function(): change_code(look)
def json_method():
    original = json.JSONDecoder.decode
    json.JSONDecoder.decode = lambda self, text, *rest: original(self, text, *rest)
def socket_method(): socket.socket.recv = lambda self, *rest: super(socket.socket, self).recv(*rest)
def audit_hook(): sys.addaudithook(other)
def no_new_privileges(): libc.prctl(38, 1, 0, 0, 0)
def chroot(): os.chroot(SEEN.parent)
def scheduling(): os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
def hard_limit(): resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))
def capability():
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    sets[0] &= ~1
    libc.capset(header, sets)

@agent
def leave(run: Run, how: str):
    run.step(globals()[how])
    return os.getpid()

@agent
async def leave_async(run: AsyncRun, how: str):
    await run.step(globals()[how])
    return os.getpid()

@agent
def look(run: Run):
    hooks = [getattr(sys, name) for name in SYS_HOOKS] + [threading.excepthook, threading.gettrace(), threading.getprofile()]
    tools = [sys.monitoring.get_tool(n) for n in range(6)] if hasattr(sys, "monitoring") else []
    return [
        other in hooks, gc.callbacks == [], gc.get_threshold(), gc.isenabled(), codecs.lookup_error("strict").__name__,
        [open is other, print is other], sys.getswitchinterval(), len(os.sched_getaffinity(0)), tools,
    ]

def imports():
    "Import much for the first time: libraries change things of the process while they are imported."
    import asyncio, concurrent.futures, email, http.client, logging.config, multiprocessing.pool, random
    import sqlite3, ssl, unittest.mock, taxiway.client, taxiway.testing
    taxiway.Client, taxiway.AsyncRun
    json.loads(json.dumps({"a": [1]}))

@agent
def uses(run: Run):
    run.step(imports)
    inspect.get_annotations(type(run))
    return os.getpid()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(agents_file(tmp_path, SOURCE)) as host:
        host.hello()
        yield host


RESTORED = ["excepthooks", "deleted", "thread_traces", "collector", "codec_errors", "builtin_open", "switching"]
if sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1:
    RESTORED.append("processors")
if sys.version_info >= (3, 12):
    RESTORED.append("tools")


@pytest.mark.parametrize("how", RESTORED)
def test_what_a_run_hooked_into_the_interpreter_is_taken_off(host: Host, how: str) -> None:
    before = host.result(Run("look"))
    assert host.next()["frame"] == "idle"
    for agent in ("leave", "leave_async"):
        host.result(Run(agent, {"how": how}))
        assert host.next()["frame"] == "idle", host.of_kind("leaving")
        assert host.result(Run("look")) == before
        assert host.next()["frame"] == "idle"


PATCHES = {
    "decode": "a change of taxiway.frames.decode",
    "decode_code": "a change of taxiway.frames.decode",
    "method": "a change of taxiway.frames.FrameSocket.recv",
    "shadowed_method": "a change of FrameSocket",
    "shadowed_builtin": "a change of taxiway.frames.memoryview",
    "decoder": "a change of taxiway.frames._DECODER.object_hook",
    "host_function": "a change of taxiway.host.left_threads.LeftThreads.look",
    "agent_function": "a change of my_agents.look",
    "json_method": "a change of JSONDecoder.decode",
    "socket_method": "a change of socket.recv",
    "audit_hook": "an audit hook",
}
OF_THE_KERNEL = {
    "no_new_privileges": "seccomp or new privileges",
    "scheduling": "the scheduling",
}
OF_ROOT = {"chroot": "the current folder", "capability": "capabilities"}


def _is_replaced(host: Host, how: str, what: str) -> None:
    host.activate(Run("leave", {"how": how}))
    host.serve(Run("leave", {"how": how}))
    [leaving] = host.of_kind("leaving")
    assert what in leaving["left"]
    [told] = [frame["message"] for frame in host.of_kind("log")]
    assert what in told
    host.ends()


@pytest.mark.parametrize(("how", "what"), PATCHES.items())
def test_a_process_whose_code_was_patched_serves_no_further_run(host: Host, how: str, what: str) -> None:
    _is_replaced(host, how, what)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
@pytest.mark.parametrize(("how", "what"), [*OF_THE_KERNEL.items(), *(OF_ROOT.items() if os.getuid() == 0 else ())])
def test_a_process_that_a_run_has_limited_for_good_serves_no_further_run(host: Host, how: str, what: str) -> None:
    _is_replaced(host, how, what)


def test_a_limit_that_cannot_be_raised_again_ends_the_process(tmp_path: Path) -> None:
    """Root may raise any limit, hence the host gives up being root."""
    source = SOURCE + "\nif os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        _is_replaced(host, "hard_limit", "resource limits")


def test_what_is_imported_for_the_first_time_costs_no_fresh_process(host: Host) -> None:
    pids = set()
    for _ in range(3):
        pids.add(host.result(Run("uses")))
        assert host.next()["frame"] == "idle", host.of_kind("leaving")
    assert pids == {host.process.pid}
