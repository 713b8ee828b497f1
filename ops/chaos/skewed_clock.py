"""Runs a module as a program with a wrong wall clock: `python -m ops.chaos.skewed_clock SECONDS MODULE ARGUMENT …`."""

from __future__ import annotations

import runpy
import sys
import time


def main() -> None:
    skew = float(sys.argv[1])
    sys.argv = sys.argv[2:]
    right = time.time
    time.time = lambda: right() + skew
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
