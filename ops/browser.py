"""Browser for the tests of pages: finds one, or installs Debian's if permitted: `python -m ops.browser`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",  # root cannot use a sandbox; the browser opens only our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = "no Chromium or Chrome on the PATH: set TAXIWAY_BROWSER_BIN, or install one"
_PATIENCE = 240.0
"""Timeout in seconds of each of the two commands."""
_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")


def browser() -> str | None:
    """Return the path of an installed browser."""
    found = (shutil.which(name) for name in (os.environ.get("TAXIWAY_BROWSER_BIN", ""), *NAMES) if name)
    return next((path for path in found if path), None)


def fetch() -> str | None:
    """Install Debian's browser; return the error, or the reason why it was not tried."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return MISSING
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ((*_APT, "update"), (*_APT, "install", "-y", "--no-install-recommends", "chromium")):
        try:
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return f"`{' '.join(command)}` took more than {_PATIENCE:.0f} s"
        if done.returncode != 0:
            return f"`{' '.join(command)}` failed: {done.stderr.decode(errors='replace').strip()[-200:]}"
    return None if browser() else MISSING


def main() -> int:
    """Print in one line why there is no browser; the tests that need one are skipped then."""
    if browser() is None and (why := fetch()) is not None:
        sys.stdout.write(f"the tests of the approval page in a browser are skipped: {why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
