"""What goes wrong when this node asks a registry (docs/REGISTRY.md section 12)."""

from __future__ import annotations

from enigma_fed.base.errors import (
    Conflict,
    EnigmaError,
    NotFound,
    OperationFailed,
    PeerUnreachable,
    TryLater,
)


class RegistryUnreachable(PeerUnreachable):
    """The registry cannot be reached."""

    code = "registry-unreachable"


class RegistryNotTrusted(RegistryUnreachable):
    """The registry does not prove who it is, or wants a proof of this side."""

    code = "registry-not-trusted"


class RegistryAnswerBroken(PeerUnreachable):
    """The registry's answer breaks the format."""

    code = "registry-answer-broken"


class RegistryBusy(TryLater):
    """The registry cannot answer right now."""

    code = "registry-busy"


class PowTooHard(TryLater):
    """The registry asks for more work than this command does."""

    code = "pow-too-hard"


class IdentityRefused(EnigmaError):
    """What the registry says of that identity does not hold."""

    code = "identity-refused"


class KeysChanged(Conflict):
    """The keys of that identity are not those of before."""

    code = "keys-changed"


class HandleTaken(Conflict):
    """The registry holds another identity under that name."""

    code = "handle-taken"


class NotRegistered(NotFound):
    """The registry holds no such identity."""

    code = "not-registered"


class NoOwnIdentity(NotFound):
    """This node has no identity of that name."""

    code = "no-own-identity"


class NotOffered(OperationFailed):
    """That registry does not offer this."""

    code = "not-offered"
