"""`http-message-signatures`, a complete implementation of RFC 9421, as the oracle of our profile."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver
from multidict import CIMultiDict

from tests.support.signedcalls import key

REQUEST_COMPONENTS = (
    '"@method"',
    '"@path"',
    '"content-type"',
    '"content-digest"',
    '"federation-audience"',
)
REPLY_COMPONENTS = ('"@status"', '"content-type"', '"content-digest"', '"signature";req')


def private(number: int) -> Ed25519PrivateKey:
    """The same key as `key(number)`, for the library."""
    pem_seed = key(number).to_pem()
    seed = base64.b64decode(pem_seed.splitlines()[1])[-32:]
    return Ed25519PrivateKey.from_private_bytes(seed)


def resolver(number: int) -> MappingKeyResolver:
    """Finds the key of this number by its DID URL."""
    name = key(number).did.url
    return MappingKeyResolver(
        public_keys={name: private(number).public_key()}, private_keys={name: private(number)}
    )


def library_request(headers: CIMultiDict[str]) -> SimpleNamespace:
    """A request as the library sees one."""
    return SimpleNamespace(method="POST", url="http://peer.onion/rpc/v1", headers=headers)


def library_verify(message: Any, number: int, tag: str) -> Any:
    """What the library found to hold; raises InvalidSignature."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=resolver(number))
    return verifier.verify(message, expect_tag=tag)


def library_sign(
    message: Any,
    number: int,
    created: int,
    components: Sequence[str],
    *,
    tag: str,
    nonce: str | None = None,
    lifetime: int | None = None,
    include_alg: bool = False,
) -> None:
    """Put the library's signature into the message's headers."""
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=resolver(number)).sign(
        message,
        key_id=key(number).did.url,
        created=datetime.fromtimestamp(created, UTC),
        expires=None if lifetime is None else datetime.fromtimestamp(created + lifetime, UTC),
        nonce=nonce,
        label="fed",
        tag=tag,
        include_alg=include_alg,
        use_existing_digest=True,
        covered_component_ids=components,
    )
