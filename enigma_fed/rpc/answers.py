"""What both kinds of requests to peers, calls and streams, do with an answer, and with none."""

from __future__ import annotations

from typing import Final

import aiohttp
from multidict import CIMultiDictProxy

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer, UnsignedReply, WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import WORDS, Refused, Replayed, Stale, Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import contentdigest, httpsig
from enigma_fed.wire.httpsig import SignedReply
from enigma_fed.wire.jsonrpc import Outcome

AGAIN: Final = "Unless it is paused, it is tried again by itself. See: enigma-fed peer show PEER"
AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding")
"""Headers that aiohttp would add, and that would only tell strangers what runs here."""


def check_reply(
    did: Did, status: int, fields: CIMultiDictProxy[str], content_type: str, request_signature: str
) -> SignedReply | None:
    """The reply's signature, if it is the peer's and bound to our request: known before the body is read."""
    try:
        signed = httpsig.read_reply(
            fields, status=status, content_type=content_type, request_signature=request_signature
        )
    except (Unsigned, WireError):
        return None
    return signed if is_of(did, signed) else None


def is_of(did: Did, signed: SignedReply) -> bool:
    """Whether a reply's signature is this peer's, and holds."""
    return signed.keyid == did.url and verify(did.public_key, signed.base, signed.signature)


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The body; None when it is larger than `limit` or compressed."""
    if "Content-Encoding" in response.headers:
        response.close()
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()
            return None
    return bytes(body)


def bound_to(body: bytes | None, signed: SignedReply | None) -> SignedReply | None:
    """The signature, if it covers this body: nothing large is decoded before that (invariants 7 and 11)."""
    if signed is None or body is None or not contentdigest.matches(signed.digest, body):
        return None
    return signed


def refusal(outcome: Outcome, skew_s: int, *, sent_again: bool) -> PeerUnreachable | RefusedByPeer:
    """What a signed error means; `sent_again`: the same nonce went out twice on connections that broke."""
    code = outcome.error or ""
    if sent_again and code == Replayed.code:
        return PeerUnreachable("the connection broke before its answer came", hint=AGAIN)
    message = "".join(c for c in outcome.message if c.isprintable())[: limits.ERROR_CHARACTERS]
    if code == Stale.code and abs(skew_s) > limits.FRESHNESS_WINDOW:
        message = f"{message} (its clock is {skew_s:+d} s from ours)"
    # A word that is not of the protocol must not pass for one of this program's own.
    return RefusedByPeer(code if code in WORDS else Refused.code, message)


def unsigned(status: int, outcome: Outcome | None) -> UnsignedReply:
    """An answer whose signature does not hold, with what it claims."""
    claimed = outcome.error if outcome is not None and outcome.error is not None else ""
    said = f"it says {claimed}" if claimed else f"HTTP status {status}"
    return UnsignedReply(f"an answer came without its signature ({said})", hint=AGAIN, claimed_code=claimed)


def explain(error: BaseException) -> str:
    """Plain words for a connection without Tor."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection could be made"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "the connection was closed before an answer came"
    return "its answer could not be read"
