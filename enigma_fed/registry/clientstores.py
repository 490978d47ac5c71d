"""What the registry's client keeps: identities with their secret keys, and what was seen of others'.

Everything lies in one folder, 0700, under a lock of its own: the agent needs none of it. It blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import Conflict, StoreDamaged
from enigma_fed.base.registry_client_errors import NoOwnIdentity
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.wire import knownidentities, ownidentity
from enigma_fed.wire.knownidentities import KnownFile
from enigma_fed.wire.ownidentity import OwnIdentity
from enigma_fed.wire.userid import UserId

_SUFFIX: Final = ".json"
_FILE: Final = re.compile(r"([0-9a-f]{64})\.json(?:\.bak)?", re.ASCII)
"""An identity's file, or the copy of one that is missing."""
T = TypeVar("T")
_KNOWN: Final = "known.json"


class ClientStores:
    """The folder `<data>/registry-identities`."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self._disk = disk or Disk()
        self.recovered: set[str] = set()
        """Files that were damaged, so that their copies were read."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that writes in it; raises LockBusy, LooseModes, WriteFailed."""
        with FolderLock(self.folder) as lock:
            lock.acquire(limits.LOCK_WAIT)
            yield

    def own(self, user: UserId) -> OwnIdentity:
        """An identity of the owner; raises NoOwnIdentity, StoreDamaged, StoreNewer, LooseModes."""
        file = self._file(user)
        if not file.exists():
            raise NoOwnIdentity("", hint="Make it: enigma-fed registry identity create NAME")
        own = self._read(file)
        if own.user_id != user:
            raise StoreDamaged(f"{file.path} is of another name", hint="Give it back its own file name.")
        return own

    def owns(self, user: UserId) -> bool:
        """Whether there is an identity of this handle here."""
        return self._file(user).exists()

    def owned(self) -> list[OwnIdentity]:
        """All of the owner's identities, by name."""
        self._disk.check_folder(self.folder)
        found = {match[1] for name in self._disk.names(self.folder) if (match := _FILE.fullmatch(name))}
        return sorted((self.own(UserId(bytes.fromhex(handle))) for handle in found), key=lambda own: own.name)

    def create(self, own: OwnIdentity) -> None:
        """Keep a new identity, durable on return; raises Conflict when there is one of that name."""
        if len(self.owned()) >= registry_limits.OWN_IDENTITIES:
            raise Conflict(f"there are {registry_limits.OWN_IDENTITIES} identities here already")
        self._file(own.user_id).create(own)

    def change(self, user: UserId, change: Callable[[OwnIdentity], OwnIdentity]) -> OwnIdentity:
        """Change an identity, durable on return, while the folder is `locked`."""
        return self._update(self._file(user), change)

    def known(self) -> KnownFile:
        """What was seen of others; raises StoreDamaged, StoreNewer, LooseModes."""
        file = self._known_file()
        return self._read(file) if file.exists() else KnownFile()

    def learn(self, change: Callable[[KnownFile], KnownFile]) -> None:
        """Change what is known of others, durable on return, while the folder is `locked`."""
        file = self._known_file()
        if not file.exists():
            file.create(KnownFile())
        self._update(file, change)

    def path(self, user: UserId) -> Path:
        """The file of an identity."""
        return self.folder / f"{user.hex}{_SUFFIX}"

    def _file(self, user: UserId) -> JsonFile[OwnIdentity]:
        return JsonFile(self.path(user), ownidentity.encode, ownidentity.decode, disk=self._disk)

    def _known_file(self) -> JsonFile[KnownFile]:
        path = self.folder / _KNOWN
        return JsonFile(path, knownidentities.encode, knownidentities.decode, disk=self._disk)

    def _read(self, file: JsonFile[T]) -> T:
        value = file.read()
        if file.recovery is not None:
            self.recovered.add(str(file.path))
        return value

    def _update(self, file: JsonFile[T], change: Callable[[T], T]) -> T:
        """Change a file; one that was damaged is whole again, from its copy, which the command tells."""
        file.mend()
        if file.recovery is not None:
            self.recovered.add(str(file.path))
            file.accept()
        return file.update(change)
