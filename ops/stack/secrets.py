"""Secrets of a stack: made once, kept beside its data, readable only by the owner."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ops.private_files import close


def lasting_secret(path: Path) -> str:
    """Return the secret in `path`; it is made at the first call."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    close(path, 0o600)
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 600; an old one is replaced atomically."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
