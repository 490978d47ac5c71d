"""What the RPC endpoint answers: one class per word in `error.data.code` (PROTOCOL section 9).

Errors up to the trust step carry an HTTP status of their own; from the trust step on the
status is 200 and callers decide by the word alone.
"""

from __future__ import annotations

from typing import Final

from enigma_fed.base.errors import EnigmaError


class RpcError(EnigmaError):
    """The request was not served."""

    code = "internal"
    rpc_code = -32603
    exit_code = 4


class ParseError(RpcError):
    """The body is not valid JSON or CBOR."""

    code = "parse-error"
    rpc_code = -32700
    http_status = 400


class InvalidRequest(RpcError):
    """The body is not a JSON-RPC request."""

    code = "invalid-request"
    rpc_code = -32600


class MalformedRequest(RpcError):
    """The signed request breaks the profile."""

    code = "malformed"
    rpc_code = -32600
    http_status = 400


class MethodNotFound(RpcError):
    """There is no such method."""

    code = "method-not-found"
    rpc_code = -32601


class InvalidParams(RpcError):
    """The parameters of the method are not valid."""

    code = "invalid-params"
    rpc_code = -32602


class InternalError(RpcError):
    """The node failed to answer."""

    code = "internal"
    rpc_code = -32603


class Unsigned(RpcError):
    """The request is not signed."""

    code = "unsigned"
    rpc_code = -32001
    http_status = 401


class BadSignature(RpcError):
    """The signature does not hold."""

    code = "bad-signature"
    rpc_code = -32002
    http_status = 401


class WrongAudience(RpcError):
    """The request is meant for another node."""

    code = "wrong-audience"
    rpc_code = -32003
    http_status = 401


class Stale(RpcError):
    """The request is outside the time window, or a challenge is required."""

    code = "stale"
    rpc_code = -32004
    http_status = 401

    def __init__(self, detail: str = "", *, hint: str = "", challenge: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.challenge = challenge


class BadChallenge(RpcError):
    """The challenge is not valid or no longer valid."""

    code = "bad-challenge"
    rpc_code = -32005
    http_status = 401


class BadDigest(RpcError):
    """The body does not match its digest."""

    code = "bad-digest"
    rpc_code = -32006
    http_status = 400


class Replayed(RpcError):
    """The request was seen before."""

    code = "replayed"
    rpc_code = -32007
    http_status = 401


class Busy(RpcError):
    """The node cannot take more requests right now."""

    code = "busy"
    rpc_code = -32008
    http_status = 429


class TooLarge(RpcError):
    """The request is too large."""

    code = "too-large"
    rpc_code = -32009
    http_status = 413


class UnsupportedMedia(RpcError):
    """The content type or encoding is not supported."""

    code = "unsupported-media"
    rpc_code = -32010
    http_status = 415


class UnknownPeer(RpcError):
    """This node does not know the caller."""

    code = "unknown-peer"
    rpc_code = -32020


class NotAllowed(RpcError):
    """The caller's trust level does not allow this."""

    code = "not-allowed"
    rpc_code = -32021


class Removed(RpcError):
    """The caller was removed from this node."""

    code = "removed"
    rpc_code = -32022


class Refused(RpcError):
    """The node's own policy refuses this."""

    code = "refused"
    rpc_code = -32023


class UnknownToken(RpcError):
    """There is no invite with this token."""

    code = "unknown-token"
    rpc_code = -32030
    http_status = 401


class TokenUsed(RpcError):
    """The invite was used by another node."""

    code = "token-used"
    rpc_code = -32031


class Revoked(RpcError):
    """The invite was revoked."""

    code = "revoked"
    rpc_code = -32032


class WrongJoiner(RpcError):
    """The invite is for another node."""

    code = "wrong-joiner"
    rpc_code = -32033


class AwaitingApproval(RpcError):
    """The invite came too late; the owner has to approve the join."""

    code = "awaiting-approval"
    rpc_code = -32034


WORDS: Final = frozenset(kind.code for kind in RpcError.__subclasses__())
"""Every word that `error.data.code` can be."""
