"""Service of a host for one worker: it executes activations one after another and reads frames at the same time."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import sys
import threading
import time
from typing import Final, Protocol

import taxiway
from taxiway.activation import Activation
from taxiway.agents import Agent
from taxiway.errors import INVALID_INPUT, InvalidValue, NotRecorded
from taxiway.forks import ChildEndsHere, refuse_in_child, register_host
from taxiway.frames import PROTOCOL, ChannelClosed, Frame, FrameError, FrameSocket, Kind
from taxiway.host.alarms import AlarmThread
from taxiway.host.def_player import DefAgentPlayer
from taxiway.host.interpreter_state import note_audit_hooks
from taxiway.host.interrupts import AGAIN_AFTER, Interrupts
from taxiway.host.leftovers import Leftovers
from taxiway.host.loading import Broken, Served, load
from taxiway.host.process_end import abandon, die, leave
from taxiway.ledger import Recorded, Turn
from taxiway.orders import Order
from taxiway.outcome import Failed, Finished, Outcome
from taxiway.storable_text import MAX_LOG, storable
from taxiway.waits import Settled

EXIT_BROKEN: Final = 3
_EXIT_AFTER: Final = 1.0
_UNWINDING: Final = 5.0
"""Seconds that an agent's code has to unwind after a park; then the run is parked without it."""


class _Player(Protocol):
    @property
    def spoilt(self) -> bool: ...
    def carry(self, agent: Agent, inputs: dict[str, object]) -> Outcome: ...
    def cancel(self) -> None: ...


class Service:
    """A running host: the main thread executes activations, a reader thread takes frames, and an alarm thread keeps times."""

    def __init__(
        self, channel: FrameSocket, lease_seconds: float, key: bytes | None = None, confined: str | None = None
    ) -> None:
        self._channel = channel
        self._key = key
        self._confined = confined
        self._lease = lease_seconds
        self._valid_at = time.monotonic()
        self._watch = AlarmThread()
        self._interrupts = Interrupts(self._watch)
        self._leftovers: Leftovers | None = None
        self._agents: dict[str, Served] = {}
        self._orders: queue.SimpleQueue[Activation | None] = queue.SimpleQueue()
        self._arriving: tuple[Order, list[Recorded], list[Settled], list[Turn]] | None = None
        self._activation: Activation | None = None
        self._player: _Player | None = None

    def run(self, specs: list[str]) -> int:
        """Serve until the worker sends `stop`; return the exit status."""
        self._watch.start()
        self._watch_lease()
        threading.Thread(target=self._read, name="taxiway-reader", daemon=True).start()
        register_host(self._forget_run)
        try:
            self._agents = load(specs)
        except Broken as broken:
            error = {"type": broken.kind, "message": broken.message}
            self._write({"frame": Kind.BROKEN, "error": error, "where": broken.where})
            leave(EXIT_BROKEN)
        self._interrupts.install()
        note_audit_hooks()
        agents = [served.agent.function for served in self._agents.values()]
        self._leftovers = Leftovers(agents, (self._channel, self))
        self._write(self._hello())
        while (activation := self._orders.get()) is not None:
            if not self._carry(activation):
                abandon()  # immediately: interrupted code must not delay the end
            self._write({"frame": Kind.IDLE, "activation": activation.order.activation})
        self._watch.after(_EXIT_AFTER, lambda: leave(0))  # an agent's own threads may keep Python from ending
        return 0

    def _hello(self) -> Frame:
        return {
            "frame": Kind.HELLO,
            "protocol": PROTOCOL,
            "sdk": taxiway.__version__,
            "python": platform.python_version(),
            "pid": os.getpid(),
            "confined": self._confined,
            "agents": [served.as_frame() for served in self._agents.values()],
        }

    # The main thread.

    def _carry(self, activation: Activation) -> bool:
        """Execute one activation until the worker has acknowledged its end; return whether this process may take another."""
        served = self._agents.get(activation.order.agent)
        if served is None:
            message = f"this host has no agent {activation.order.agent!r}"
            self._conclude(activation, Failed("agent_error", "UnknownAgent", message))
            return True
        activation.agent_retry = served.agent.retry
        activation.in_order = not served.agent.is_async
        activation.write_input, activation.check_input = served.agent.write_input, served.agent.read_input
        activation.on_park = lambda: self._park_soon(activation)
        self._interrupts.install()
        player = self._player = self._player_for(served.agent, activation)
        with ChildEndsHere():
            outcome = self._outcome(served.agent, activation, player)
        self._flush()
        left = self._clear(activation)
        last = bool(left) or player.spoilt or activation.canceled.is_set()
        if last:
            self._write({"frame": Kind.LEAVING, "activation": activation.order.activation, "left": left})
        self._conclude(activation, outcome)
        self._player = None
        return not (last or activation.canceled.is_set())

    def _clear(self, activation: Activation) -> list[str]:
        """Clear the run's leftovers; return, and log for the run, those that end this process."""
        assert self._leftovers is not None, "made with the agents"
        left = self._leftovers.clear()
        if left:
            message = f"left behind by the run, so that its process is replaced: {', '.join(left)}"[:MAX_LOG]
            about = {"activation": activation.order.activation, "step": None, "attempt": None}
            self._write({"frame": Kind.LOG, "level": "warning", "message": storable(message), **about})
        return left

    def _park_soon(self, activation: Activation) -> None:
        self._watch.after(_UNWINDING, lambda: self._park_anyway(activation))

    def _park_anyway(self, activation: Activation) -> None:
        """Park a run whose agent does not unwind, and end this process. Called in the alarm thread."""
        if not activation.over:
            activation.conclude(Finished("null"))
            self._watch.after(_EXIT_AFTER, lambda: die("an agent continued although its run waits"))

    def _outcome(self, agent: Agent, activation: Activation, player: _Player) -> Outcome:
        try:
            inputs = agent.read_input(activation.order.input)
        except (InvalidValue, ValueError) as problem:
            return Failed(INVALID_INPUT, "InvalidInput", f"agent {agent.name!r}: {problem}")
        if activation.canceled.is_set():  # the cancel arrived before there was a player to interrupt
            return Failed("canceled", "Canceled", "the run was canceled")
        return player.carry(agent, inputs)

    def _player_for(self, agent: Agent, activation: Activation) -> _Player:
        if not agent.is_async:
            return DefAgentPlayer(activation, self._interrupts)

        from taxiway.host.async_player import AsyncAgentPlayer  # noqa: PLC0415 - it needs asyncio, a `def` agent does not

        return AsyncAgentPlayer(activation, self._interrupts, self._watch)

    def _conclude(self, activation: Activation, outcome: Outcome) -> None:
        try:
            activation.conclude(outcome).result()
        except NotRecorded as refusal:
            # A refused result becomes a failure; a refused failure is left to the worker.
            if not isinstance(outcome, Failed):
                self._conclude(activation, Failed(refusal.code, "NotRecorded", str(refusal)))

    def _flush(self) -> None:
        """Flush what the agent printed, including an unfinished line: it belongs to this run, not to the next one."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the agent may have replaced or closed them
                stream.flush()

    # The reader thread.

    def _read(self) -> None:
        try:
            while True:
                frame = self._channel.recv(None)
                assert frame is not None
                self._take(frame)
        except ChannelClosed:
            die("the worker closed the channel")
        except FrameError as error:
            die(f"the worker sent no frame: {error}")
        except Exception as error:  # noqa: BLE001 - a frame without its fields; nothing after it can be trusted
            die(f"the worker sent a frame that makes no sense: {type(error).__name__}: {error}")

    def _take(self, frame: Frame) -> None:
        match frame["frame"]:
            case Kind.VALID:
                self._valid_at = time.monotonic()
            case Kind.ACTIVATE:
                self._arriving = (Order.from_frame(frame), [], [], [])
            case Kind.RECORDED:
                self._take_recorded(frame)
            case Kind.STOP:
                self._orders.put(None)
            case Kind.ACK | Kind.REFUSED | Kind.RECALLED | Kind.GRANTED | Kind.SETTLED | Kind.PAUSE | Kind.CANCEL:
                self._take_answer(frame)
            case kind:
                raise ValueError(f"unknown frame {kind!r}")

    def _take_recorded(self, frame: Frame) -> None:
        assert self._arriving is not None, "recorded before activate"
        order, recorded, settled, turns = self._arriving
        recorded.extend(map(Recorded.from_frame, frame["steps"]))
        settled.extend(map(Settled.from_frame, frame.get("waits", ())))
        turns.extend(map(Turn.from_frame, frame.get("turns", ())))
        if frame["last"]:
            self._arriving = None
            lock = self._interrupts.lock
            self._activation = Activation(order, recorded, settled, self._write, lock, turns=turns, key=self._key)
            self._activation.later = self._watch.after
            self._orders.put(self._activation)

    def _take_answer(self, frame: Frame) -> None:
        activation = self._activation
        if activation is None or frame["activation"] != activation.order.activation:
            return  # it belongs to an earlier activation
        match frame["frame"]:
            case Kind.ACK:
                activation.acknowledge(frame["n"], frame.get("value"))
            case Kind.REFUSED:
                activation.refuse(frame["n"], frame["code"], frame["message"])
            case Kind.RECALLED:
                activation.deliver(frame["key"], frame["value"])
            case Kind.GRANTED:
                activation.granted(frame)
            case Kind.SETTLED:
                activation.settle([Settled.from_frame(item) for item in frame["waits"]])
            case Kind.PAUSE:
                activation.on_pause()
            case Kind.CANCEL:
                if activation.cancel(frame["kind"]):
                    self._interrupt(activation)

    def _interrupt(self, activation: Activation) -> None:
        if activation is self._activation and not activation.over:
            if (player := self._player) is not None:
                player.cancel()
            self._watch.after(AGAIN_AFTER, lambda: self._interrupt(activation))

    # All threads.

    def _forget_run(self) -> None:
        """Forget the channel and the key in a forked child, which must not write frames of a run."""
        self._channel.forget()
        self._key = None
        if self._activation is not None:
            self._activation.forget_key()

    def _write(self, frame: Frame) -> None:
        refuse_in_child("a verb of the run")
        try:
            self._channel.send(frame)
        except ChannelClosed:
            die("the worker closed the channel")

    def _watch_lease(self) -> None:
        remaining = self._valid_at + self._lease - time.monotonic()
        if remaining <= 0:
            die(f"the worker has sent no `valid` for {self._lease:g} s")
        self._watch.after(remaining, self._watch_lease)
