"""What a command can ask of a node, whether an agent runs on its data folder or not.

One writer: an agent holds the folder's lock for life, a command while it edits the files.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, Self, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import LockBusy, NotInitialised
from enigma_fed.config import Settings
from enigma_fed.daemon import calls, controlclient, keys
from enigma_fed.daemon.calls import Call, NoParams, Params
from enigma_fed.daemon.paths import SYSTEM_CONTROL_SOCKET, SYSTEM_RUNTIME_DIR, Paths
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.wire.historyview import HistoryView
from enigma_fed.wire.views import (
    InvalidView,
    InviteView,
    NodeView,
    PeerView,
    PingView,
    RecoveryView,
    StatusView,
)

R = TypeVar("R")
_RETRY: Final = 0.1
"""Seconds between two looks at an agent that starts or stops."""


class Operations:
    """A node, as the command line sees it; every call blocks until it is done.

    A `ref` names a peer: its DID, six or more characters of the DID after `did:key:`, its
    name or alias. Errors are those of base/errors.py, the same whether the work was done
    here or by the agent. Used as a context manager: leaving it frees the lock.
    """

    target: str = ""
    """A sentence saying which node this is."""
    lasting: bool = False
    """Whether one object serves for long: not where files are read, which change."""
    announce: bool = False
    """True when the user named no data folder and a running system agent was taken: say `target`."""

    def call(self, call: Call[R], params: Params) -> R:
        """Carry one call to where it is served."""
        raise NotImplementedError

    def hanging(self) -> str:
        """What to say of a call that takes long; empty when nothing is known."""
        return ""

    def close(self) -> None:
        """Free what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def identity(self) -> NodeView:
        """This node."""
        return self.call(calls.IDENTITY, NoParams())

    def status(self) -> StatusView:
        """What runs, how far Tor is, who is there, what to do next."""
        return self.call(calls.STATUS, NoParams())

    def invite_create(
        self, scope: str, ttl_s: int, *, for_did: str | None = None, legacy: bool = False
    ) -> InviteView:
        """A new invite with its `code`; `scope` is observer or trusted, `ttl_s` in seconds.

        Only `for_did` may join with it. While a `legacy` one is open, joins without a token wait for
        the owner.
        """
        params = calls.InviteCreate(scope=scope, ttl_s=ttl_s, for_did=for_did, legacy=legacy)
        return self.call(calls.INVITE_CREATE, params)

    def invite_accept(self, code: str, trust: str, allow_unsigned: bool) -> InviteView:
        """Accept a code; `trust` is what the inviter gets here."""
        params = calls.InviteAccept(code=code, trust=trust, allow_unsigned=allow_unsigned)
        return self.call(calls.INVITE_ACCEPT, params)

    def invite_list(self) -> list[InviteView]:
        """Every invite, made and accepted."""
        return self.call(calls.INVITE_LIST, NoParams())

    def invite_revoke(self, invite_id: str) -> InviteView:
        """Make an open invite worthless."""
        return self.call(calls.INVITE_REVOKE, calls.InviteRef(invite_id=invite_id))

    def peer_list(self) -> list[PeerView]:
        """Every peer."""
        return self.call(calls.PEER_LIST, NoParams())

    def peer_show(self, ref: str) -> PeerView:
        """One peer."""
        return self.call(calls.PEER_SHOW, calls.PeerRef(ref=ref))

    def peer_approve(self, ref: str) -> PeerView:
        """Let a joiner in that waits."""
        return self.call(calls.PEER_APPROVE, calls.PeerRef(ref=ref))

    def peer_trust(self, ref: str, level: str, legacy: bool | None = None) -> PeerView:
        """Set what the peer may do here: trusted, observer or untrusted.

        `legacy` lets it ask for our state with the old header set, or not any more; None changes nothing.
        """
        return self.call(calls.PEER_TRUST, calls.PeerTrust(ref=ref, level=level, legacy=legacy))

    def peer_rename(self, ref: str, name: str | None) -> PeerView:
        """Set our own name for it; None takes it away."""
        return self.call(calls.PEER_RENAME, calls.PeerRename(ref=ref, name=name))

    def peer_remove(self, ref: str) -> PeerView:
        """Remove it at once; the answer is the peer as it was."""
        return self.call(calls.PEER_REMOVE, calls.PeerRef(ref=ref))

    def peer_pause(self, ref: str, paused: bool) -> PeerView:
        """Stop or resume polling it."""
        return self.call(calls.PEER_PAUSE, calls.PeerPause(ref=ref, paused=paused))

    def peer_offline(self, ref: str, windows: list[str]) -> PeerView:
        """Say when it is expected to be off, each day, as `23:00-07:00`; none takes the windows away."""
        return self.call(calls.PEER_OFFLINE, calls.PeerOffline(ref=ref, windows=windows))

    def peer_sync(self, ref: str | None) -> list[PeerView]:
        """Poll now, one peer or all, and wait for the outcome; raises AgentNotRunning without an agent."""
        return self.call(calls.PEER_SYNC, calls.PeerSync(ref=ref))

    def peer_ping(self, ref: str) -> PingView:
        """One signed request, timed; raises AgentNotRunning without an agent."""
        return self.call(calls.PEER_PING, calls.PeerRef(ref=ref))

    def history(self, ref: str | None, resolution_s: int, since_s: int) -> HistoryView:
        """The gauges of a peer, without a `ref` of this node, in steps of 300 or 3600 seconds since then."""
        params = calls.HistoryOf(ref=ref, resolution_s=resolution_s, since_s=since_s)
        return self.call(calls.HISTORY, params)

    def recoveries(self) -> list[RecoveryView]:
        """The damaged files whose copies are used; empty when all is well."""
        return self.call(calls.RECOVERIES, NoParams())

    def accept_recovered(self) -> list[RecoveryView]:
        """Take what was recovered for right; what that was."""
        return self.call(calls.ACCEPT_RECOVERED, NoParams())

    def invalid(self) -> list[InvalidView]:
        """The entries of this node's files that are not valid here."""
        return self.call(calls.INVALID, NoParams())

    def drop_invalid(self) -> list[InvalidView]:
        """Forget the entries that are not valid here; what they were."""
        return self.call(calls.DROP_INVALID, NoParams())


class RemoteOperations(Operations):
    """The node of a running agent, through its control socket; one connection per call."""

    lasting = True

    def __init__(self, socket: Path, *, announce: bool = False) -> None:
        self._socket = socket
        self.announce = announce
        self.target = "Speaking to this machine's own node (the system service)." if announce else ""

    def call(self, call: Call[R], params: Params) -> R:
        """Ask the agent; raises AgentNotRunning when there is none, TryLater when it does not answer."""
        timeout = limits.CONTROL_READ_TIMEOUT if call.reads else limits.CONTROL_ANSWER_TIMEOUT
        return controlclient.call_agent(self._socket, call, params, timeout)

    def hanging(self) -> str:
        """Which process it is that does not answer, and how to end it."""
        return controlclient.hanging(self._socket)


def is_of_the_service(paths: Paths) -> bool:
    """Whether commands speak to the machine's service: it runs, lets this user in, and no folder is named."""
    return not paths.explicit and not paths.is_system and controlclient.answers(SYSTEM_CONTROL_SOCKET)


def open_operations(paths: Paths, settings: Settings, *, mutating: bool) -> Operations:
    """The way to the node of these paths: its agent when one runs, else its files.

    A mutating command waits up to limits.LOCK_WAIT for another command. Raises LockBusy,
    NotInitialised, StoreError.
    """
    if is_of_the_service(paths):
        return RemoteOperations(SYSTEM_CONTROL_SOCKET, announce=True)
    if not keys.is_made(paths) and not controlclient.answers(paths.control_socket):
        raise NotInitialised(f"{paths.data_dir}", hint=_way_to_a_node(paths))
    return _open_for_change(paths, settings) if mutating else _open_to_read(paths, settings)


def _way_to_a_node(paths: Paths) -> str:
    if paths.explicit or not SYSTEM_RUNTIME_DIR.is_dir() or os.access(SYSTEM_RUNTIME_DIR, os.X_OK):
        return "Run: enigma-fed init"
    return (
        "This machine's service runs a node, for members of the group enigma-fed: "
        "sudo usermod -aG enigma-fed $USER, then log in again. For a node of your own: enigma-fed init"
    )


def _open_to_read(paths: Paths, settings: Settings) -> Operations:
    from enigma_fed.daemon.local import LocalOperations

    if controlclient.answers(paths.control_socket):
        return RemoteOperations(paths.control_socket)
    return LocalOperations(paths, settings, lock=None)


def _open_for_change(paths: Paths, settings: Settings) -> Operations:
    from enigma_fed.daemon.local import LocalOperations

    lock = FolderLock(paths.data_dir)
    deadline = time.monotonic() + limits.LOCK_WAIT
    while True:
        holder = lock.holder()
        if holder is not None and holder.kind == "agent":
            if controlclient.answers(paths.control_socket):
                return RemoteOperations(paths.control_socket)
            busy = LockBusy("the agent starts or stops right now", hint="Try again in a moment.")
        else:
            try:
                lock.acquire(_RETRY)
                return LocalOperations(paths, settings, lock=lock)
            except LockBusy as error:
                if controlclient.answers(paths.control_socket):  # a full disk keeps it from being named
                    return RemoteOperations(paths.control_socket)
                busy = error
        if time.monotonic() >= deadline:
            raise busy
        time.sleep(_RETRY)
