"""User and folders of an embedded PostgreSQL: the user can reach the data, and the socket path is short."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ops.embedded.errors import EmbeddedError
from ops.embedded.identity import Identity, Way, identity_for
from ops.embedded.programs import LASTING, copy_for_others, major_version, postgres_folder

LONGEST_SOCKET_FOLDER = 80
"""The address of a Unix socket holds 103 bytes on macOS and 107 on Linux, including the socket's name."""


@dataclass(frozen=True)
class ServerFolders:
    """The folders of a server, and their owner. The name of a data folder holds its major version."""

    identity: Identity
    programs: Path
    home: Path
    data: Path
    sockets: Path


def choose_folders(base: Path, way: Way | None) -> ServerFolders:
    """Return the folders below `base`, or outside if the server's user cannot reach it; `way` forces how root runs it."""
    base.mkdir(parents=True, exist_ok=True)
    programs = postgres_folder()
    name = f"pg-{major_version(programs)}"
    known = base / "home" / name
    identity = identity_for(programs / "postgres", known if known.exists() else base / name, way)
    if not identity.can_run(programs / "postgres"):
        programs = copy_for_others(programs)
    home = data_home(base, identity, programs / "postgres")
    return ServerFolders(identity, programs, home, home / name, socket_folder(home, identity))


def data_home(base: Path, identity: Identity, program: Path) -> Path:
    """Return the parent of the data folder: `base`, or a folder outside if the server cannot reach it.

    A folder outside is recorded as the symbolic link `home` in `base`.
    """
    remembered = base / "home"
    if remembered.exists():
        return remembered.resolve()
    if identity.can_run(program, cwd=base):
        return base
    home = Path(tempfile.mkdtemp(prefix="taxiway-", dir=LASTING))
    home.chmod(0o711)
    remembered.symlink_to(home)
    return home


def socket_folder(home: Path, identity: Identity) -> Path:
    """Return the private folder for sockets, made for and owned by the server's user."""
    folder = home / "run"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"taxiway-{os.geteuid()}-{digest}"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        raise EmbeddedError(f"The path {folder} is too long for a socket: set TMPDIR to a shorter one.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.lstat().st_uid not in (os.geteuid(), identity.uid):
        raise EmbeddedError(f"{folder} belongs to another user: remove it, or set TMPDIR to a folder of your own.")
    folder.chmod(0o700)
    identity.own(folder)
    return folder
