"""Room of each host: an account of its own, if there are several, and a temporary folder.

No host gets an account before everything that an earlier host had there is gone.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.errors import CannotServe
from executor.hosts import accounts
from executor.hosts.accounts import Account
from executor.hosts.removal import remove_tree
from executor.hosts.sweeping import sweep
from executor.hosts.temp_folders import TempFolders, remove_leftovers
from models.runtime.facts import fact

UMASK = 0o077


@dataclass(frozen=True, slots=True)
class Room:
    """The account and the folder of one host."""

    account: Account | None
    folder: Path

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the host's variables; the worker's home is closed to another account."""
        own = {"TMPDIR": str(self.folder)}
        return {**environment, **own} if self.account is None else {**environment, **own, "HOME": str(self.folder)}

    def identity(self) -> dict[str, Any]:
        """Return the options that start a process under the account, without the worker's groups and with private files."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": [], "umask": UMASK}


class Rooms:
    """Gives rooms to hosts. `leave` may be called from any thread, the rest from one at a time."""

    def __init__(self, host_user: str | None) -> None:
        self._host_user = host_user
        self._free: deque[Account] = deque()
        self._shared: Account | None = None
        self._held: list[Account] = []
        self._left: deque[Room] = deque()
        self._stuck: list[Account] = []
        self._unswept: set[Account] = set()
        """Free accounts where an earlier worker may have left something; swept when taken, so that a start is fast."""
        self._folders: TempFolders | None = None

    def start(self, needed: int, most: int) -> int:
        """Hold accounts for up to `most` hosts; return their number. Raise CannotServe if it is below `needed`."""
        count = most if self._host_user is None else self._hold(self._host_user, needed, most)
        remove_leftovers()
        self._folders = TempFolders(others_enter=self._host_user is not None)
        return count

    def _hold(self, host_user: str, needed: int, most: int) -> int:
        named = accounts.named(host_user)
        if len(named) == 1:
            self._shared = named[0]
            why = "TAXIWAY_HOST_USER names one account for all hosts: each can read the files of the others"
            fact("host.account_shared", level="warning", why=why)
            return most
        held = accounts.hold(named, most)
        if len(held) < needed:
            taken = len(named) - len(held)
            accounts.release(held)
            others = f", and other workers of this machine hold {taken} of them" if len(named) >= needed else ""
            raise CannotServe(
                f"TAXIWAY_HOST_USER names {len(named)} accounts{others}; this worker needs {needed}: one for each slot and a "
                f"spare, better {most} with TAXIWAY_IDLE_HOSTS. Name more, or give the worker fewer slots with -c."
            )
        self._held = held
        self._free.extend(held)
        self._unswept.update(held)
        return len(self._held)

    @property
    def are_untidy(self) -> bool:
        """Return whether hosts have left rooms that are not cleaned yet."""
        return bool(self._left)

    def take(self) -> Room:
        """Return a room for a new host, under the account that was free for longest; raise CannotServe if none is free."""
        self.tidy()
        account = self._shared if not self._held else self._account()
        if self._folders is None:
            raise CannotServe("the worker is stopping")
        try:
            return Room(account, self._folders.make(account))
        except OSError as error:
            raise CannotServe(f"no temporary folder can be made for an agent host: {error}.") from error

    def _account(self) -> Account:
        stuck, self._stuck = self._stuck, []
        for account in () if self._free else stuck:
            self._sweep(account)
        while self._free:
            account = self._free.popleft()
            if account not in self._unswept:
                return account
            self._unswept.discard(account)
            if sweep(account):
                return account
            self._stick(account)
        raise CannotServe("No account of TAXIWAY_HOST_USER is free: what earlier hosts left there cannot be ended.")

    def leave(self, room: Room) -> None:
        """Record that no host uses the room any longer."""
        self._left.append(room)

    def tidy(self) -> None:
        """Remove what hosts left behind: their folders and, with accounts of their own, every process and file."""
        while self._left:
            room = self._left.popleft()
            if self._held and room.account is not None:
                self._sweep(room.account)
            remove_tree(room.folder)

    def _sweep(self, account: Account) -> None:
        if sweep(account):
            self._free.append(account)
        else:
            self._stick(account)

    def _stick(self, account: Account) -> None:
        fact("host.account_stuck", level="error", uid=account.uid, why="what its host left cannot be ended or removed")
        self._stuck.append(account)

    def stop(self) -> None:
        """Clean all rooms and release the accounts."""
        self.tidy()
        accounts.release(self._held)
        self._held = []
        if self._folders is not None:
            self._folders.close()
            self._folders = None
