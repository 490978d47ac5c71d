"""The one error tree.

The docstring of a class is the sentence that the user reads; `detail` says why in this case
and `hint` what to do next. A class carries its JSON-RPC code, HTTP status and exit code
(docs/PROTOCOL.md section 9, docs/CLI.md "Exit codes").

    EnigmaError
    +-- InputError                    exit 2: what the user typed or gave
    |   +-- UsageError, ConfigError, DidInvalid, OnionInvalid, FieldInvalid
    |   +-- InviteError: InviteMalformed, InviteTooLarge, InviteTampered, InviteUnsigned, InviteSelf,
    |       InviteForOther
    +-- OperationFailed               exit 1: InviteExpired, PortInUse, LooseModes, NotInitialised, ...
    |   +-- TorError: TorMissing, TorFailed, TorTooOld, TorControlFailed
    +-- PeerUnreachable               exit 3: UnsignedReply, AnswerBroken, StreamNotOffered, StreamEnded
    +-- StateRefused                  exit 1
    +-- RefusedByPeer                 exit 4
    +-- NotFound                      exit 5: PeerNotFound, InviteNotFound
    +-- Conflict                      exit 6: AlreadyFederated, AgentRunning, AnotherCopy, ...
    +-- StoreError                    exit 7: StoreDamaged, StoreNewer, StoreRecovered, StoreChanged
    +-- TryLater                      exit 75: LockBusy
    +-- WireError                     bytes from a peer that break a format
    +-- RpcError                      an answer of the RPC endpoint, see `rpc_errors`
"""

from __future__ import annotations

from typing import ClassVar


class EnigmaError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "failed"
    rpc_code: ClassVar[int] = -32603
    http_status: ClassVar[int] = 200
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str = "", *, hint: str = "") -> None:
        self.detail = detail
        self.hint = hint
        super().__init__(detail)

    @property
    def what(self) -> str:
        """The class's sentence: first line of its docstring, without the full stop."""
        return (type(self).__doc__ or "Something went wrong.").strip().splitlines()[0].rstrip(".")

    def __str__(self) -> str:
        text = f"{self.what}: {self.detail}" if self.detail else self.what
        return f"{text}. {self.hint}" if self.hint else text


class InputError(EnigmaError):
    """That input cannot be used."""

    code = "bad-input"
    rpc_code = -32602
    exit_code = 2


class UsageError(InputError):
    """The command was not understood."""

    code = "usage"


class ConfigError(InputError):
    """The configuration cannot be used."""

    code = "bad-config"


class FieldInvalid(InputError):
    """A field has a value that is not allowed."""

    code = "bad-field"


class DidInvalid(InputError):
    """That is not a DID of a node."""

    code = "bad-did"


class OnionInvalid(InputError):
    """That is not a version 3 onion address."""

    code = "bad-onion"


class InviteError(InputError):
    """The invite code cannot be used."""

    code = "bad-invite"


class InviteMalformed(InviteError):
    """The invite code is malformed."""

    code = "invite-malformed"


class InviteTooLarge(InviteError):
    """The invite code is too large."""

    code = "invite-too-large"


class InviteTampered(InviteError):
    """The invite code was changed after it was signed."""

    code = "invite-tampered"


class InviteUnsigned(InviteError):
    """The invite code is not signed."""

    code = "invite-unsigned"


class InviteSelf(InviteError):
    """The invite code comes from this node itself."""

    code = "invite-self"


class InviteForOther(InviteError):
    """The invite code is for another node."""

    code = "invite-for-other"


class OperationFailed(EnigmaError):
    """The operation failed."""


class InviteExpired(OperationFailed):
    """The invite code has expired."""

    code = "invite-expired"


class PortInUse(OperationFailed):
    """The listen address is in use."""

    code = "port-in-use"


class LooseModes(OperationFailed):
    """A file or folder with secrets can be read by others."""

    code = "loose-modes"


class NotInitialised(OperationFailed):
    """This data folder holds no node yet."""

    code = "not-initialised"


class KeyElsewhere(OperationFailed):
    """The node's key is a credential that only its service gets."""

    code = "key-elsewhere"


class AgentNotRunning(OperationFailed):
    """No agent is running on this data folder."""

    code = "agent-not-running"


class TorError(OperationFailed):
    """Tor cannot be used."""

    code = "tor-failed"


class TorMissing(TorError):
    """No tor program was found."""

    code = "tor-missing"


class TorFailed(TorError):
    """Tor stopped or did not start."""

    code = "tor-failed"


class TorTooOld(TorError):
    """This tor is too old."""

    code = "tor-too-old"


class TorControlFailed(TorError):
    """Tor's control port cannot be used."""

    code = "tor-control"


class PeerUnreachable(EnigmaError):
    """The peer cannot be reached."""

    code = "peer-unreachable"
    rpc_code = -32050
    exit_code = 3


class NoWayOut(PeerUnreachable):
    """No peer can be reached."""

    code = "no-way-out"


class UnsignedReply(PeerUnreachable):
    """The answer does not prove that it comes from the peer."""

    code = "unsigned-reply"

    def __init__(self, detail: str = "", *, hint: str = "", claimed_code: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.claimed_code = claimed_code
        """The error's word in that answer, which anyone may have written (invariant 11)."""


class AnswerBroken(PeerUnreachable):
    """The peer's answer, which it signed, breaks the format."""

    code = "answer-broken"


class StreamNotOffered(PeerUnreachable):
    """The peer offers no stream of states."""

    code = "stream-not-offered"


class StreamEnded(PeerUnreachable):
    """The peer's stream of states ended."""

    code = "stream-ended"

    def __init__(self, reason: str, detail: str = "", *, hint: str = "") -> None:
        super().__init__(detail or reason, hint=hint)
        self.reason = reason
        """One word, counted (rpc/streamend.py)."""


class StateRefused(EnigmaError):
    """What the peer says of its state breaks the rules; the state known before stays."""

    code = "state-refused"
    rpc_code = -32056

    def __init__(self, reason: str, detail: str = "", *, hint: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason, hint=hint)
        self.reason = reason
        """A word of state.receiving.Reason."""


class RefusedByPeer(EnigmaError):
    """The peer refused."""

    rpc_code = -32051
    exit_code = 4

    def __init__(self, code: str, detail: str = "", *, hint: str = "") -> None:
        super().__init__(detail or code, hint=hint)
        self.code = code  # type: ignore[misc]  # the peer's own word, per instance


class NotFound(EnigmaError):
    """Not found."""

    code = "not-found"
    rpc_code = -32052
    exit_code = 5


class PeerNotFound(NotFound):
    """No such peer."""

    code = "peer-not-found"


class InviteNotFound(NotFound):
    """No such invite."""

    code = "invite-not-found"


class Conflict(EnigmaError):
    """That conflicts with what is there."""

    code = "conflict"
    rpc_code = -32053
    exit_code = 6


class AlreadyFederated(Conflict):
    """This node is already federated with that peer."""

    code = "already-federated"


class AlreadyAccepted(Conflict):
    """This invite code was already accepted here."""

    code = "already-accepted"


class AlreadyInitialised(Conflict):
    """This data folder already holds a node."""

    code = "already-initialised"


class AgentRunning(Conflict):
    """Another agent already runs on this data folder."""

    code = "agent-running"


class AnotherCopy(Conflict):
    """Another copy of this node runs somewhere."""

    code = "another-copy"


class StoreError(EnigmaError):
    """A file of this node cannot be used."""

    code = "store"
    rpc_code = -32054
    exit_code = 7


class StoreDamaged(StoreError):
    """A file of this node is damaged."""

    code = "store-damaged"


class StoreNewer(StoreError):
    """A file of this node was written by a newer version."""

    code = "store-newer"


class StoreRecovered(StoreError):
    """This node works with the copy of a damaged file."""

    code = "store-recovered"


class StoreChanged(StoreError):
    """A file of this node was changed by another program."""

    code = "store-changed"


class WriteFailed(OperationFailed):
    """A change could not be written to disk."""

    code = "write-failed"

    def __init__(
        self, detail: str = "", *, hint: str = "Free space or repair the disk, then: enigma-fed doctor"
    ) -> None:
        super().__init__(detail, hint=hint)


class TryLater(EnigmaError):
    """That is busy right now."""

    code = "try-later"
    rpc_code = -32055
    exit_code = 75


class LockBusy(TryLater):
    """Another command is changing this data folder."""

    code = "lock-busy"


class WireError(EnigmaError):
    """Bytes from the other side break the format."""

    code = "malformed"
    rpc_code = -32600
    http_status = 400
