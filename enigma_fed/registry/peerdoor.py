"""Whether a request is a peer's: signed by it for this registry, fresh, and for the first time.

The signature is that of PROTOCOL section 1 with this registry's DID as audience and the route's own path.
What was signed before this registry started is refused, and so is what is signed for a time to come: after
a restart nobody remembers which nonces were used. For /sync a client certificate that the handshake verified
does too; for nothing else: where the handshake asks for one, every client has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import DidInvalid, WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.registry_errors import Unauthorized, Unavailable
from enigma_fed.base.rpc_errors import Busy, RpcError
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.rpc import rules
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.wire import contentdigest, httpsig
from enigma_fed.wire.httpsig import SignedRequest

if TYPE_CHECKING:
    from enigma_fed.base.clock import Clock
    from enigma_fed.registry.http import Call

_OK: Final = 200
_JSON: Final = "application/json"


class PeerDoor:
    """The checks of signed requests, with the nonces that were used."""

    def __init__(self, key: NodeKey, is_peer: Callable[[Did], bool], clock: Clock) -> None:
        """`key` is the registry's own."""
        self._key = key
        self._is_peer = is_peer
        self._clock = clock
        self.nonces = NonceTable()
        """Those that were used."""
        self._newest: dict[bytes, int] = {}
        """By peer: the newest time that a request which was let in was signed at."""
        self._started = clock.wall()

    def check_sync(self, call: Call) -> None:
        """Raise Unauthorized, or Unavailable, unless a certificate or a peer's signature opens /sync."""
        transport = call.request.transport
        if transport is None or not transport.get_extra_info("peercert"):
            self.check(call)

    def check(self, call: Call) -> SignedRequest:
        """Raise Unauthorized, or Unavailable, unless the request is signed by a peer."""
        try:
            digest = httpsig.required(call.request.headers, httpsig.CONTENT_DIGEST)
            signed = self._read(call, digest)
            self._pass(signed, Did.parse_url(signed.keyid), contentdigest.matches(digest, call.body))
        except Busy:
            raise Unavailable(registry_limits.PEER_BUSY_PAUSE) from None
        except (RpcError, WireError, DidInvalid):
            raise Unauthorized from None
        return signed

    def signed_reply(self, signed: SignedRequest, body: bytes) -> dict[str, str]:
        """The fields, without `Content-Type`, that sign a reply to a signed request."""
        fields = httpsig.sign_reply(
            self._key.sign,
            keyid=self._key.did.url,
            status=_OK,
            content_type=_JSON,
            body=body,
            request_signature=signed.signature_field,
            created=int(self._clock.wall()),
        )
        del fields[httpsig.CONTENT_TYPE]  # every reply has it
        return fields

    def _read(self, call: Call, digest: str) -> SignedRequest:
        fields = call.request.headers
        contentdigest.check(digest)
        covered = {
            '"@method"': call.request.method,
            '"@path"': call.request.path,
            '"content-type"': httpsig.required(fields, httpsig.CONTENT_TYPE),
            '"content-digest"': digest,
        }
        return httpsig.read_covered(fields, covered)

    def _pass(self, signed: SignedRequest, did: Did, covers_body: bool) -> None:
        wall, boot = self._clock.wall(), self._clock.boot()
        if signed.audience != str(self._key.did) or signed.challenge is not None or not self._is_peer(did):
            raise Unauthorized
        if not self._is_fresh(signed, did, wall) or not covers_body:
            raise Unauthorized
        if not verify(did.public_key, signed.base, signed.signature):
            raise Unauthorized
        since_start = signed.created - self._started
        if since_start <= registry_limits.PEER_CLOCK_AHEAD:
            raise Unavailable(max(1, math.ceil(registry_limits.PEER_CLOCK_AHEAD - since_start)))
        end = rules.nonce_end(signed.created, wall, boot)
        self.nonces.use(did.public_key, signed.nonce, until=end, now=boot)
        self._newest[did.public_key] = max(signed.created, self._newest.get(did.public_key, 0))

    def _is_fresh(self, signed: SignedRequest, did: Did, wall: float) -> bool:
        """Whether it was signed lately, and not long before another one of the same peer's."""
        # The second guards against our own clock being set back: what was forgotten would be fresh again.
        newest = self._newest.get(did.public_key, 0)
        return (
            signed.created <= wall + registry_limits.PEER_CLOCK_AHEAD
            and signed.created >= newest - limits.NONCE_MEMORY
            and not rules.is_stale(signed.created, signed.expires, wall)
        )
