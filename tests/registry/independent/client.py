"""A client of the registry as its wire describes it: standard library, no line of the package."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from tests.registry.independent import crypto

_PREFIX: Final = b"enigma-id-v2:"
_PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back: the body as parsed by the standard library."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def field(self) -> str | None:
        details = self.body["error"].get("details", {})
        return details.get("field")


@dataclass
class Person:
    """Somebody's keys, and the identity that his client makes of them."""

    name: str
    signing: bytes = field(default_factory=lambda: os.urandom(32))
    exchange: bytes = field(default_factory=lambda: os.urandom(32))
    prekey: bytes = field(default_factory=lambda: os.urandom(32))
    device: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_ms: int = 1_795_000_000_000

    @property
    def id(self) -> bytes:
        return crypto.user_id(self.name)

    def bundle(self) -> dict[str, Any]:
        """What stands in the member `signature` of the messenger's identities."""
        prekey = crypto.exchange_public(self.prekey)
        return {
            "user_id_hex": self.id.hex(),
            "device_id": self.device,
            "identity_dh_pub": list(crypto.exchange_public(self.exchange)),
            "identity_sig_pub": list(crypto.signing_public(self.signing)),
            "signed_prekey_id": 1,
            "signed_prekey_pub": list(prekey),
            "signed_prekey_sig": list(crypto.sign(self.signing, b"enigma:x3dh:spk:v1" + prekey)),
            "created_ms": self.created_ms,
            "expires_ms": None,
        }

    def identity(self, **changes: Any) -> dict[str, Any]:
        """The plaintext of an envelope, member by member in the wire's order."""
        made = {
            "user_id": self.id.hex(),
            "username_hint": self.name,
            "signing_public_key": list(crypto.signing_public(self.signing)),
            "encryption_public_key": list(crypto.exchange_public(self.exchange)),
            "signature": list(_PREFIX + compact(self.bundle())),
            "created_at_ms": self.created_ms,
        }
        return made | changes


def compact(value: Any) -> bytes:
    """JSON without spaces, text as UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def solutions() -> Iterator[str]:
    """As the daemon counts."""
    return (str(number) for number in count())


def solve(challenge: str, difficulty: int, candidates: Iterator[str] | None = None) -> str:
    """The first candidate whose SHA-256 has the zero bits, the challenge's own 32 characters in front."""
    start = hashlib.sha256(challenge.encode("ascii"))
    for candidate in candidates or solutions():
        digest = start.copy()
        digest.update(candidate.encode())
        if int.from_bytes(digest.digest(), "big") >> (256 - difficulty) == 0:
            return candidate
    raise AssertionError("no candidate is left")


class Client:
    """Speaks to one registry over one connection after the other."""

    def __init__(self, host: str, port: int, pepper: bytes, source: str = "127.0.0.1") -> None:
        """`source` is the address of this machine's loopback network that calls."""
        self._host, self._port, self._pepper, self._source = host, port, pepper, source

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; a `body` that is no bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else compact(body)
        sent = {} if content is None else {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection(
            self._host, self._port, timeout=_PATIENCE, source_address=(self._source, 0)
        )
        try:
            connection.request(method, path, body=content, headers=sent | dict(headers or {}))
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        return Answer(reply.status, dict(reply.headers), json.loads(text) if text else None)

    def key(self) -> dict[str, Any]:
        """The envelope key that the messenger would choose: the first active one, else the first."""
        keys = self.ask("GET", "/envelope_pubkeys").body
        active = [each for each in keys if each["active"]]
        chosen: dict[str, Any] = (active or keys)[0]
        return chosen

    def envelope(
        self, user: bytes, plaintext: bytes, key: Mapping[str, Any] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """An envelope to the registry, from a key made for it."""
        chosen = key or self.key()
        secret, nonce = os.urandom(32), os.urandom(24)
        sealed_with = crypto.envelope_key(
            self._pepper, user, secret, bytes.fromhex(chosen["x25519_public_key_hex"])
        )
        made = {
            "kid": chosen["kid_hex"],
            "sender_pubkey": crypto.exchange_public(secret).hex(),
            "nonce": nonce.hex(),
            "ciphertext": base64.b64encode(crypto.seal(sealed_with, nonce, plaintext, user)).decode(),
        }
        return made | changes

    def register(
        self,
        person: Person,
        identity: Mapping[str, Any] | None = None,
        key: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Answer:
        """`POST /register`, as the messenger does at each of its starts."""
        plaintext = compact(identity or person.identity())
        envelope = self.envelope(person.id, plaintext, key, **changes)
        return self.ask("POST", "/register", {"handle": person.id.hex(), "envelope": envelope})

    def resolve_raw(self, user: bytes, secret: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """`POST /resolve`, the answer as it is."""
        body = {
            "handle": user.hex(),
            "requester_ephemeral_pubkey_hex": crypto.exchange_public(secret).hex(),
        }
        return self.ask("POST", "/resolve", body, headers)

    def open(self, user: bytes, secret: bytes, envelope: Mapping[str, str]) -> Any:
        """The identity in an envelope that was made for `secret`."""
        sender = bytes.fromhex(envelope["sender_pubkey"])
        key = crypto.envelope_key(self._pepper, user, secret, sender)
        ciphertext = base64.b64decode(envelope["ciphertext"], validate=True)
        return json.loads(crypto.unseal(key, bytes.fromhex(envelope["nonce"]), ciphertext, user))

    def resolve(self, user: bytes, headers: Mapping[str, str] | None = None) -> Any:
        """The identity of a user, None where the registry has none."""
        secret = os.urandom(32)
        answer = self.resolve_raw(user, secret, headers)
        assert answer.status == 200, answer
        assert set(answer.body) == {"handle", "envelope"}
        assert answer.body["handle"] == user.hex()
        envelope = answer.body["envelope"]
        return None if envelope is None else self.open(user, secret, envelope)

    def announce(self, user: bytes, address: str, ts_ms: int) -> Answer:
        """`POST /announce`."""
        return self.ask("POST", "/announce", {"user_id": user.hex(), "addr": address, "ts_ms": ts_ms})

    def worked(self, route: str = "") -> dict[str, str]:
        """The header with a solved challenge; old clients ask for one without a route."""
        answer = self.ask("GET", f"/pow/challenge?route={route}" if route else "/pow/challenge")
        assert answer.status == 200, answer
        challenge = answer.body["challenge"]
        return {"x-enigma-pow": f"{challenge}:{solve(challenge, answer.body['difficulty'])}"}
