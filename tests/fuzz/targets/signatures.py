"""Header fields: structured fields, digests, signatures of requests and replies, challenges."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.wire import contentdigest, httpsig, structured
from tests.fuzz.target import Target, attempt, header_text, to_bytes
from tests.fuzz.targets.identifiers import VECTORS
from tests.support.identities import did, key

_JSON: Final = "application/json"
_SECRET: Final = bytes(32)
_NONCE: Final = "AAECAwQFBgcICQoLDA0ODw"


def inner_list(data: bytes) -> bool:
    """A list that is read is written in its canonical form, which says the same."""
    listed = attempt(lambda: structured.parse_inner_list(header_text(data), "fed"), WireError)
    if not isinstance(listed, structured.InnerList):
        return False
    again = structured.parse_inner_list(f"fed={listed}", "fed")
    assert (again, str(again)) == (listed, str(listed))
    assert str(listed).isascii()
    return True


def byte_string(data: bytes) -> bool:
    """There is one text for each byte string."""
    text = header_text(data)
    value = attempt(lambda: structured.parse_bytes(text, "fed", 64), WireError)
    if not isinstance(value, bytes):
        return False
    assert f"fed={structured.serialize_bytes(value)}" == text
    return True


def content_digest(data: bytes) -> bool:
    """A digest that is read matches one body at most."""
    field = header_text(data)
    if attempt(lambda: contentdigest.check(field) or True, WireError) is not True:
        return False
    assert contentdigest.matches(field, b"body") == (field == contentdigest.of(b"body"))
    return True


def request_fields(data: bytes) -> bool:
    """The base of a request's signature has one line per component and one for the parameters."""
    fields = to_fields(data)
    request = attempt(lambda: httpsig.read_request(fields, _JSON), WireError, Unsigned)
    if not isinstance(request, httpsig.SignedRequest):
        return False
    lines = request.base.decode("ascii").split("\n")
    assert len(lines) == (6 if request.challenge is None else 7)
    assert_parameters(lines[-1])
    assert len(request.signature) == 64
    assert 0 < request.expires - request.created <= limits.SIGNATURE_LIFETIME
    assert limits.NONCE_CHARACTERS_MIN <= len(request.nonce) <= limits.NONCE_CHARACTERS_MAX
    assert request.challenge is None or len(request.challenge) <= limits.CHALLENGE_CHARACTERS
    return True


def reply_fields(data: bytes) -> bool:
    """The base of a reply's signature names its status and the request that it answers."""
    fields = to_fields(data)
    reply = attempt(
        lambda: httpsig.read_reply(fields, status=200, content_type=_JSON, request_signature="fed=:AA==:"),
        WireError,
        Unsigned,
    )
    if not isinstance(reply, httpsig.SignedReply):
        return False
    lines = reply.base.decode("ascii").split("\n")
    assert len(lines) == 5
    assert {'"@status": 200', '"signature";req: fed=:AA==:'} < set(lines)
    assert_parameters(lines[-1])
    return True


def challenge(data: bytes) -> bool:
    """Nobody makes up a challenge: it holds only if this start issued it for this caller and nonce."""
    challenger, text = Challenger(_SECRET), header_text(data)
    if not httpsig.is_challenge(text):
        return False
    holds = challenger.holds(text, did(1).public_key, _NONCE, 10.0)
    assert not holds or text in {_issued(second) for second in range(11)}
    return holds


def assert_parameters(line: str) -> None:
    """The last line of a base is the canonical list itself."""
    text = line.removeprefix('"@signature-params": ')
    assert str(structured.parse_inner_list(f"fed={text}", "fed")) == text


def to_fields(data: bytes) -> CIMultiDict[str]:
    """Header fields of lines `name: value`."""
    fields: CIMultiDict[str] = CIMultiDict()
    for line in header_text(data).split("\n"):
        name, _, value = line.partition(": ")
        fields.add(name, value)
    return fields


def from_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """The input that gives these fields."""
    return to_bytes("\n".join(f"{name}: {value}" for name, value in fields))


def _issued(second: int) -> str:
    return Challenger(_SECRET).issue(did(1).public_key, _NONCE, second)


def _requests() -> Iterable[bytes]:
    rows = json.loads((VECTORS / "httpsig.json").read_text(encoding="utf-8"))
    return sorted(
        {from_fields(row["input"]["headers"]) for row in rows if "headers" in row["input"]}, key=len
    )[:60]


def _reply(**changes: str) -> bytes:
    fields = httpsig.sign_reply(
        key(1).sign,
        keyid=did(1).url,
        status=200,
        content_type=_JSON,
        body=b"{}",
        request_signature="fed=:AA==:",
        created=1_800_000_000,
    )
    return from_fields({**fields, **changes}.items())


def _lists() -> Iterable[bytes]:
    good = 'fed=("@method" "signature";req);created=1;keyid="x";alg="ed25519"'
    yield from map(
        to_bytes, (good, "fed=()", 'fed=( "a"  "b" ); x=-1', 'fed=("a" "a")', 'fed=("a");x=01', "fed=1")
    )


TARGETS: Final = (
    Target("structured-list", inner_list, _lists, longest=1100),
    Target(
        "structured-bytes",
        byte_string,
        lambda: (b"fed=:" + b"A" * 86 + b"==:", b"fed=:" + b"A" * 85 + b"B==:", b"fed=:AA==:", b"x=:AA==:"),
        longest=128,
    ),
    Target(
        "content-digest",
        content_digest,
        lambda: map(
            to_bytes, (contentdigest.of(b"body"), contentdigest.of(b"body")[:-2] + "=:", "sha-512=:AA==:")
        ),
        longest=128,
    ),
    Target("httpsig-request", request_fields, _requests),
    Target("httpsig-reply", reply_fields, lambda: (_reply(), _reply(Signature="fed=:AA==:"), b"")),
    Target(
        "challenge",
        challenge,
        lambda: (_issued(10).encode(), _issued(99).encode(), b"A" * 43, b""),
        longest=160,
    ),
)
