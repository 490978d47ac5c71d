"""HTTP message signatures (RFC 9421): our one profile for requests and replies (PROTOCOL section 1).

Pure: header values in, header values out; signing is a function that the caller brings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.wire import contentdigest, structured

METHOD: Final = "POST"
PATH: Final = "/rpc/v1"
LABEL: Final = "fed"
_LABELLED: Final = f"{LABEL}="
REQUEST_TAG: Final = "enigma-fed"
REPLY_TAG: Final = "enigma-fed-reply"
AUDIENCE: Final = "Federation-Audience"
CHALLENGE: Final = "Federation-Challenge"
CONTENT_TYPE: Final = "Content-Type"
CONTENT_DIGEST: Final = "Content-Digest"
SIGNATURE: Final = "Signature"
SIGNATURE_INPUT: Final = "Signature-Input"

_SIGNATURE_BYTES: Final = 64
AUDIENCE_COMPONENT: Final = '"federation-audience"'
_CHALLENGE_COMPONENT: Final = '"federation-challenge"'
REQUEST_COMPONENT: Final = '"signature";req'
_REPLY_COMPONENTS: Final = ('"@status"', '"content-type"', '"content-digest"', REQUEST_COMPONENT)
_REPLY_LIST: Final = f"({' '.join(_REPLY_COMPONENTS)})"
_REQUEST_PARAMETERS: Final = frozenset({"created", "expires", "nonce", "keyid", "tag"})
_REPLY_PARAMETERS: Final = frozenset({"created", "keyid", "tag"})
_ALGORITHM: Final = "ed25519"
_NONCE: Final = re.compile(rf"[A-Za-z0-9_-]{{{limits.NONCE_CHARACTERS_MIN},{limits.NONCE_CHARACTERS_MAX}}}")
_USUAL: Final = re.compile(
    r";created=(0|[1-9][0-9]{0,14});expires=(0|[1-9][0-9]{0,14})"
    rf';nonce="([ !#-\[\]-~]*)";keyid="([ !#-\[\]-~]*)";tag="{REQUEST_TAG}"'
)
"""The parameters of a request as `sign_covered` writes them: they are canonical as they stand."""
_VISIBLE: Final = re.compile(rf"[!-~]{{1,{limits.CHALLENGE_CHARACTERS}}}")

_Said: TypeAlias = tuple[str, int, int, str, bytes]
"""What `Signature-Input` says: keyid, created, expires, nonce; and the signature base."""


class Fields(Protocol):
    """Header fields by name, in any case, each value as it was sent (multidict's CIMultiDict fits)."""

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]:
        """All values of one name, or `default`."""
        ...


class SignedRequest(msgspec.Struct, frozen=True):
    """What a signed request says of itself; nothing is checked yet but its form."""

    keyid: str
    created: int
    expires: int
    nonce: str
    audience: str
    challenge: str | None
    digest: str
    """The field `Content-Digest`; empty where there is no body (a stream)."""
    signature: bytes
    signature_field: str
    """The field `Signature`, to which the reply is bound."""
    base: bytes
    """What `signature` signs."""


class SignedReply(msgspec.Struct, frozen=True):
    """What a signed reply says of itself; nothing is checked yet but its form."""

    keyid: str
    created: int
    digest: str
    """The field `Content-Digest`; empty where there is no body (a stream)."""
    signature: bytes
    base: bytes


def signature_base(components: Iterable[tuple[str, str]], parameters: str) -> bytes:
    """The signature base (RFC 9421 section 2.5) of (serialised identifier, value) pairs, all ASCII."""
    lines = "".join([f"{identifier}: {value}\n" for identifier, value in components])
    return f'{lines}"@signature-params": {parameters}'.encode("ascii")


def single(fields: Fields, name: str) -> str | None:
    """The one value of a field, None when it is absent; raises WireError when it occurs twice."""
    values = fields.getall(name, ())
    if not values:
        return None
    if len(values) > 1:
        raise WireError(f"the field {name} occurs twice")
    return values[0]


def is_unsigned(fields: Fields) -> bool:
    """Whether a request carries neither of the two fields of a signature."""
    return not fields.getall(SIGNATURE, ()) and not fields.getall(SIGNATURE_INPUT, ())


def read_request(fields: Fields, content_type: str) -> SignedRequest:
    """Read the signature of a `POST /rpc/v1` whose content type is known to be `content_type`.

    Raises Unsigned when there is no signature, WireError when it breaks the profile.
    """
    carried = _carried(fields, "request")
    digest = required(fields, CONTENT_DIGEST)
    contentdigest.check(digest)
    covered = {
        '"@method"': METHOD,
        '"@path"': PATH,
        '"content-type"': content_type,
        '"content-digest"': digest,
    }
    return _read_carried(fields, carried, covered, digest)


def read_covered(fields: Fields, covered: Mapping[str, str]) -> SignedRequest:
    """Read the signature of a request over `covered` (values by identifier), the audience, and a challenge.

    Raises Unsigned when there is no signature, WireError when it breaks the profile.
    """
    return _read_carried(fields, _carried(fields, "request"), covered, "")


def _read_carried(
    fields: Fields, carried: tuple[str, str], covered: Mapping[str, str], digest: str
) -> SignedRequest:
    field, signature_input = carried
    audience, challenge = required(fields, AUDIENCE), single(fields, CHALLENGE)
    values = {**covered, AUDIENCE_COMPONENT: audience}
    if challenge is not None:
        if not is_challenge(challenge):
            raise WireError(f"the field {CHALLENGE} is not {limits.CHALLENGE_CHARACTERS} visible characters")
        values[_CHALLENGE_COMPONENT] = challenge
    usual = _read_usual(signature_input, values)
    keyid, created, expires, nonce, base = usual or _read_any(signature_input, values)
    if not 0 < expires - created <= limits.SIGNATURE_LIFETIME:
        raise WireError("a signature lives 1 to 60 seconds")
    if _NONCE.fullmatch(nonce) is None:
        raise WireError("the nonce is not 16 to 64 characters of base64url")
    return SignedRequest(
        keyid=keyid,
        created=created,
        expires=expires,
        nonce=nonce,
        audience=audience,
        challenge=challenge,
        digest=digest,
        signature=structured.parse_bytes(field, LABEL, _SIGNATURE_BYTES),
        signature_field=field,
        base=base,
    )


def read_reply(fields: Fields, *, status: int, content_type: str, request_signature: str) -> SignedReply:
    """Read the signature of a reply to the request with the field `Signature: request_signature`.

    Raises Unsigned when there is none, WireError when it breaks the profile.
    """
    _carried(fields, "reply")
    if single(fields, CONTENT_TYPE) != content_type:
        raise WireError("the reply has another content type than the request")
    digest = required(fields, CONTENT_DIGEST)
    contentdigest.check(digest)
    covered = {'"@status"': str(status), '"content-type"': content_type, '"content-digest"': digest}
    return read_covered_reply(fields, covered, request_signature, digest)


def read_covered_reply(
    fields: Fields, covered: Mapping[str, str], request_signature: str, digest: str = ""
) -> SignedReply:
    """Read the signature of a reply over `covered` and its request's field `Signature: request_signature`.

    Raises Unsigned when there is none, WireError when it breaks the profile.
    """
    field, signature_input = _carried(fields, "reply")
    values = {**covered, REQUEST_COMPONENT: request_signature}
    listed = _read_input(signature_input, values, _REPLY_PARAMETERS, REPLY_TAG)
    return SignedReply(
        keyid=_string(listed, "keyid"),
        created=_integer(listed, "created"),
        digest=digest,
        signature=structured.parse_bytes(field, LABEL, _SIGNATURE_BYTES),
        base=signature_base([(name, values[name]) for name in listed.components], str(listed)),
    )


def is_challenge(text: str) -> bool:
    """Whether a text can be a challenge: 1 to 128 visible ASCII characters."""
    return _VISIBLE.fullmatch(text) is not None


def sign_request(
    sign: Callable[[bytes], bytes],
    *,
    keyid: str,
    audience: str,
    content_type: str,
    digest: str,
    created: int,
    nonce: str,
    challenge: str | None = None,
) -> dict[str, str]:
    """The header fields of a signed request, `Content-Type` apart, valid for 60 s from `created`.

    `sign` makes the Ed25519 signature (64 bytes); `digest` is the field `Content-Digest`.
    """
    covered = {
        '"@method"': METHOD,
        '"@path"': PATH,
        '"content-type"': content_type,
        '"content-digest"': digest,
        AUDIENCE_COMPONENT: audience,
    }
    signed = sign_covered(sign, covered, keyid=keyid, created=created, nonce=nonce, challenge=challenge)
    return {CONTENT_DIGEST: digest, AUDIENCE: audience, **signed}


def sign_covered(
    sign: Callable[[bytes], bytes],
    covered: Mapping[str, str],
    *,
    keyid: str,
    created: int,
    nonce: str,
    challenge: str | None,
) -> dict[str, str]:
    """The fields of a request's signature over `covered` (values by identifier, in order) and a challenge."""
    values = dict(covered) if challenge is None else {**covered, _CHALLENGE_COMPONENT: challenge}
    parameters = (
        f"({' '.join(values)});created={created};expires={created + limits.SIGNATURE_LIFETIME}"
        f';nonce="{nonce}";keyid="{keyid}";tag="{REQUEST_TAG}"'
    )
    signature = sign(signature_base(values.items(), parameters))
    fields = {
        SIGNATURE_INPUT: f"{LABEL}={parameters}",
        SIGNATURE: f"{LABEL}={structured.serialize_bytes(signature)}",
    }
    if challenge is not None:
        fields[CHALLENGE] = challenge
    return fields


def sign_reply(
    sign: Callable[[bytes], bytes],
    *,
    keyid: str,
    status: int,
    content_type: str,
    body: bytes,
    request_signature: str,
    created: int,
) -> dict[str, str]:
    """The header fields of a signed reply, bound to the request's field `Signature`."""
    digest = contentdigest.of(body)
    parameters = f'{_REPLY_LIST};created={created};keyid="{keyid}";tag="{REPLY_TAG}"'
    base = (
        f'"@status": {status}\n"content-type": {content_type}\n"content-digest": {digest}\n'
        f'"signature";req: {request_signature}\n"@signature-params": {parameters}'
    )
    return {
        CONTENT_TYPE: content_type,
        CONTENT_DIGEST: digest,
        SIGNATURE_INPUT: f"{LABEL}={parameters}",
        SIGNATURE: f"{LABEL}={structured.serialize_bytes(sign(base.encode('ascii')))}",
    }


def required(fields: Fields, name: str) -> str:
    """The one value of a field, in plain ASCII; raises WireError."""
    value = single(fields, name)
    if value is None or not value.isascii() or not value.isprintable():
        raise WireError(f"the field {name} is missing or not plain text")
    return value


def _carried(fields: Fields, what: str) -> tuple[str, str]:
    """The fields `Signature` and `Signature-Input`; raises Unsigned when one is absent."""
    field, signature_input = single(fields, SIGNATURE), single(fields, SIGNATURE_INPUT)
    if field is None or signature_input is None:
        raise Unsigned(f"the {what} carries no signature")
    return field, signature_input


def _read_usual(text: str, values: Mapping[str, str]) -> _Said | None:
    """Read `Signature-Input` as `sign_covered` writes it, in one step; None for any other form."""
    listed = f"{LABEL}=({' '.join(values)})"
    if len(text) > limits.SIGNATURE_INPUT_BYTES or not text.startswith(listed):
        return None
    match = _USUAL.fullmatch(text, len(listed))
    if match is None:
        return None
    created, expires, nonce, keyid = match.groups()
    base = signature_base(values.items(), text.removeprefix(_LABELLED))
    return keyid, int(created), int(expires), nonce, base


def _read_any(text: str, values: Mapping[str, str]) -> _Said:
    """Read `Signature-Input` of a request in any order of its members."""
    listed = _read_input(text, values, _REQUEST_PARAMETERS, REQUEST_TAG)
    return (
        _string(listed, "keyid"),
        _integer(listed, "created"),
        _integer(listed, "expires"),
        _string(listed, "nonce"),
        signature_base([(name, values[name]) for name in listed.components], str(listed)),
    )


def _read_input(
    text: str, values: Mapping[str, str], parameters: frozenset[str], tag: str
) -> structured.InnerList:
    listed = structured.parse_inner_list(text, LABEL)
    if set(listed.components) != values.keys():
        raise WireError("the signature does not cover what it must, and nothing else")
    if listed.parameters.keys() - {"alg"} != parameters:
        raise WireError("the signature does not have the parameters that it must, and no other")
    if listed.parameters.get("alg", _ALGORITHM) != _ALGORITHM:
        raise WireError("the signature's algorithm is not ed25519")
    if listed.parameters["tag"] != tag:
        raise WireError(f"the signature's tag is not {tag}")
    return listed


def _integer(listed: structured.InnerList, name: str) -> int:
    value = listed.parameters[name]
    if not isinstance(value, int) or value < 0:
        raise WireError(f"the parameter {name} is not a plain integer")
    return value


def _string(listed: structured.InnerList, name: str) -> str:
    value = listed.parameters[name]
    if not isinstance(value, str):
        raise WireError(f"the parameter {name} is not a string")
    return value
