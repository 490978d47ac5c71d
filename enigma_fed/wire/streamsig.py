"""Signatures of a stream: of the request that opens it, and of the `101` to it (PROTOCOL section 3).

The same profile as that of calls; but what is covered differs, so neither verifies as the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from enigma_fed.base.errors import WireError
from enigma_fed.wire import hexadecimal, httpsig, stream, structured, websocket
from enigma_fed.wire.httpsig import Fields, SignedReply, SignedRequest
from enigma_fed.wire.state import EPOCH_BYTES, Have

METHOD: Final = "GET"
PATH: Final = "/rpc/v1/stream"
HAVE: Final = "Federation-Have"
EPOCH: Final = "Federation-Epoch"
SWITCHING_PROTOCOLS: Final = 101

_KEY_COMPONENT: Final = '"sec-websocket-key"'
_HAVE_COMPONENT: Final = '"federation-have"'
_STATUS_COMPONENT: Final = '"@status"'
_EPOCH_COMPONENT: Final = '"federation-epoch"'


class StreamRequest(msgspec.Struct, frozen=True):
    """What a request for a stream says; nothing is checked yet but its form."""

    signed: SignedRequest
    key: str
    """The field `Sec-WebSocket-Key`."""
    have: Have | None
    """The state to go on from."""


class StreamOpening(msgspec.Struct, frozen=True):
    """What a `101` says; nothing is checked yet but its form."""

    signed: SignedReply
    epoch: bytes
    """8 bytes: the epoch of every frame that follows."""


def sign_request(
    sign: Callable[[bytes], bytes],
    *,
    keyid: str,
    audience: str,
    key: str,
    have: Have | None,
    created: int,
    nonce: str,
    challenge: str | None = None,
) -> dict[str, str]:
    """The header fields that sign a stream's request, valid for 60 s from `created` (Unix seconds).

    `sign` makes the Ed25519 signature (64 bytes); `key` is the field `Sec-WebSocket-Key` that is sent too.
    """
    covered = _covered(key) | {httpsig.AUDIENCE_COMPONENT: audience}
    fields = {httpsig.AUDIENCE: audience}
    if have is not None:
        covered[_HAVE_COMPONENT] = fields[HAVE] = stream.write_have(have)
    signed = httpsig.sign_covered(
        sign, covered, keyid=keyid, created=created, nonce=nonce, challenge=challenge
    )
    return fields | signed


def read_request(fields: Fields) -> StreamRequest:
    """Read the signature of a `GET /rpc/v1/stream`.

    Raises Unsigned when there is none, WireError when it breaks the profile.
    """
    key = httpsig.required(fields, websocket.KEY)
    websocket.check_key(key)
    covered, text = _covered(key), httpsig.single(fields, HAVE)
    have = None if text is None else stream.read_have(text)
    if have is not None:
        covered[_HAVE_COMPONENT] = stream.write_have(have)
    return StreamRequest(httpsig.read_covered(fields, covered), key, have)


def sign_opening(
    sign: Callable[[bytes], bytes], *, keyid: str, epoch: bytes, request_signature: str, created: int
) -> dict[str, str]:
    """The header fields that sign a `101`, bound to the request's field `Signature`; `epoch` has 8 bytes."""
    covered = {
        _STATUS_COMPONENT: str(SWITCHING_PROTOCOLS),
        _EPOCH_COMPONENT: epoch.hex(),
        httpsig.REQUEST_COMPONENT: request_signature,
    }
    parameters = f'({" ".join(covered)});created={created};keyid="{keyid}";tag="{httpsig.REPLY_TAG}"'
    signature = sign(httpsig.signature_base(covered.items(), parameters))
    return {
        EPOCH: epoch.hex(),
        httpsig.SIGNATURE_INPUT: f"{httpsig.LABEL}={parameters}",
        httpsig.SIGNATURE: f"{httpsig.LABEL}={structured.serialize_bytes(signature)}",
    }


def read_opening(fields: Fields, *, request_signature: str) -> StreamOpening:
    """Read the signature of the `101` to the request with the field `Signature: request_signature`.

    Raises Unsigned when there is none, WireError when it breaks the profile.
    """
    text = httpsig.single(fields, EPOCH)
    if text is None:
        raise WireError(f"the field {EPOCH} is missing")
    epoch = hexadecimal.decode(text, EPOCH_BYTES)
    covered = {_STATUS_COMPONENT: str(SWITCHING_PROTOCOLS), _EPOCH_COMPONENT: text}
    return StreamOpening(httpsig.read_covered_reply(fields, covered, request_signature), epoch)


def _covered(key: str) -> dict[str, str]:
    return {'"@method"': METHOD, '"@path"': PATH, _KEY_COMPONENT: key}
