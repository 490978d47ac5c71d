"""Pure decisions about signed requests and their replies (PROTOCOL section 1)."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.rpc_errors import InternalError, InvalidParams, MalformedRequest, RpcError, Stale
from enigma_fed.rpc.methods import Standing

_OK: Final = 200
_BAD_REQUEST: Final = 400


def is_stale(created: int, expires: int, now: float) -> bool:
    """Whether a request's own times (Unix seconds) are outside the window at wall time `now`."""
    return abs(now - created) > limits.FRESHNESS_WINDOW or now > expires


def nonce_end(created: int, wall: float, boot: float) -> float:
    """Until when a nonce is remembered, max(now, created) + 121 s, as a time of the boot clock."""
    return boot + max(0.0, created - wall) + limits.NONCE_MEMORY


def created_at(wall: float, theirs: float | None) -> int:
    """The `created` of a request: our Unix time, or the receiver's, `theirs`, if ours is known to be ahead.

    What is signed for a time to come would be fresh then, and only a receiver that was not started
    anew in between knows that its nonce is used (PROTOCOL section 1.4).
    """
    if theirs is not None and wall - theirs > limits.SKEW_TOLD:
        return int(theirs)
    return int(wall)


def http_status(error: EnigmaError, *, past_nonce: bool) -> int:
    """The status of an error reply: 200 from the trust step on, the error's own before."""
    if past_nonce:
        return _OK
    return error.http_status if error.http_status != _OK else _BAD_REQUEST


def is_signed(error: EnigmaError, *, signature_held: bool, standing: Standing) -> bool:
    """Whether an error reply is signed: after a signature that held, and a challenge to a known DID."""
    known = standing is Standing.MEMBER or standing is Standing.SELF
    return signature_held or (known and isinstance(error, Stale))


def to_rpc_error(error: EnigmaError) -> RpcError:
    """What the caller is told of an error: ours as they are, a broken format as such, no inner detail."""
    if isinstance(error, RpcError):
        return error
    return MalformedRequest(error.detail) if isinstance(error, WireError) else InternalError()


def bad_params(error: WireError) -> InvalidParams:
    """A broken format inside `params`."""
    return InvalidParams(error.detail)
