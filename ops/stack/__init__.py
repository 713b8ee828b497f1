"""Complete Taxiway on one machine: servers, API, scheduler, workers and Flower, started and stopped in order."""

from ops.stack.errors import AlreadyRunning, ChildEnded, Halted, NotReady, SetupFailed, StackError
from ops.stack.halt import Halt
from ops.stack.options import StackOptions
from ops.stack.stack import Stack

__all__ = [
    "AlreadyRunning",
    "ChildEnded",
    "Halt",
    "Halted",
    "NotReady",
    "SetupFailed",
    "Stack",
    "StackError",
    "StackOptions",
]
