"""A small registry like the first generation's server, which a test can make lie.

It burns a challenge at its first use and refuses the same identity twice, as the servers of before do.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import nacl.bindings
import nacl.encoding
from aiohttp import web
from blake3 import blake3

from tests.support.inathread import in_a_thread

PEPPER = bytes(range(1, 33))
SECRET = b"\x11" * 32
KID = "0001020304050607"

Answer = Callable[[web.Request], web.StreamResponse]


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """An error object."""
    body = {"error": {"code": code, "message": message}}
    return lambda request: web.json_response(body, status=status, headers=headers)


def said(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Any JSON."""
    return lambda request: web.json_response(body, status=status, headers=headers)


@dataclass
class SmallRegistry:
    """Its state; `answers` holds for a path what is said instead, in turn."""

    difficulty: int | None = None
    secret: bytes = SECRET
    kid: str = KID
    tls: SSLContext | None = None
    identities: dict[str, bytes] = field(default_factory=dict)
    presences: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Answer] = field(default_factory=dict)
    """For a path what is said instead, every time."""
    lies: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    """The same for what depends on the body."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """(method, path with query, header fields in lower case, body) of every request."""
    challenges: set[str] = field(default_factory=set)
    url: str = ""

    @property
    def public_key(self) -> bytes:
        return nacl.bindings.crypto_scalarmult_base(self.secret)

    def paths(self) -> list[str]:
        """What was asked for."""
        return [f"{method} {path}" for method, path, _, _ in self.asked]

    def envelope(self, handle: str, requester: bytes, plain: bytes) -> dict[str, Any]:
        """An identity sealed to whoever asked."""
        nonce = os.urandom(24)
        key = self._key(handle, requester)
        sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            plain, bytes.fromhex(handle), nonce, key
        )
        return {
            "kid": self.kid,
            "sender_pubkey": self.public_key.hex(),
            "nonce": nonce.hex(),
            "ciphertext": nacl.encoding.Base64Encoder.encode(sealed).decode(),
        }

    def _key(self, handle: str, other: bytes) -> bytes:
        shared = nacl.bindings.crypto_scalarmult(self.secret, other)
        label = b"enigma:registry:envelope:v1"
        return blake3(label + PEPPER + bytes.fromhex(handle) + shared).digest()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fields = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.path_qs, fields, body))
        scripted = self.answers.get(request.path)
        if scripted:
            return scripted.pop(0)(request)
        if request.path in self.lies:
            return await self.lies[request.path](request)
        if request.path in self.always:
            return self.always[request.path](request)
        name = f"{request.method} /{request.path.split('/')[1]}"
        work = {
            "POST /register": self._register,
            "POST /resolve": self._resolve,
            "GET /check_user": self._check,
            "POST /announce": self._announce,
            "GET /nodes": self._nodes,
            "POST /nodes": self._add_nodes,
            "GET /envelope_pubkeys": self._keys,
            "GET /pow": self._challenge,
        }.get(name)
        return web.Response(status=404) if work is None else work(request, body)

    def _register(self, request: web.Request, body: bytes) -> web.StreamResponse:
        asked = json.loads(body)
        handle, sealed = asked["handle"], asked["envelope"]
        if sealed["kid"] != self.kid:
            return refusal(400, "INVALID_INPUT", "invalid input: unknown envelope key")(request)
        plain = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            nacl.encoding.Base64Encoder.decode(sealed["ciphertext"].encode()),
            bytes.fromhex(handle),
            bytes.fromhex(sealed["nonce"]),
            self._key(handle, bytes.fromhex(sealed["sender_pubkey"])),
        )
        if handle in self.identities:
            return refusal(409, "CONFLICT", "conflict")(request)
        self.identities[handle] = plain
        return web.json_response({"ok": True})

    def _resolve(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if not self._worked(request):
            return refusal(400, "POW_REQUIRED", "pow required")(request)
        asked = json.loads(body)
        handle = asked["handle"]
        plain = self.identities.get(handle)
        requester = bytes.fromhex(asked["requester_ephemeral_pubkey_hex"])
        envelope = None if plain is None else self.envelope(handle, requester, plain)
        return web.json_response({"handle": handle, "envelope": envelope})

    def _check(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if not self._worked(request):
            return refusal(400, "POW_REQUIRED", "pow required")(request)
        return web.json_response({"exists": request.path.split("/")[2] in self.identities})

    def _announce(self, request: web.Request, body: bytes) -> web.StreamResponse:
        asked = json.loads(body)
        self.presences[asked["user_id"]] = asked
        return web.json_response({"ok": True}, headers={"Reannounce-After": "150"})

    def _nodes(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response({"nodes": [{"base_url": url} for url in self.nodes]})

    def _add_nodes(self, request: web.Request, body: bytes) -> web.StreamResponse:
        new = [each["base_url"] for each in json.loads(body)["nodes"] if each["base_url"] not in self.nodes]
        self.nodes += new
        return web.json_response({"merged": len(new)})

    def _keys(self, request: web.Request, body: bytes) -> web.StreamResponse:
        key = {"kid_hex": self.kid, "x25519_public_key_hex": self.public_key.hex(), "active": True}
        return web.json_response([key])

    def _challenge(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self.difficulty is None:
            return web.Response(status=404)
        challenge = os.urandom(16).hex()
        self.challenges.add(challenge)
        return web.json_response(
            {"challenge": challenge, "difficulty": self.difficulty, "expires_ms": 4_000_000_000_000}
        )

    def _worked(self, request: web.Request) -> bool:
        if self.difficulty is None:
            return True
        challenge, _, solution = request.headers.get("x-enigma-pow", "").partition(":")
        if challenge not in self.challenges:
            return False
        self.challenges.remove(challenge)
        digest = int.from_bytes(hashlib.sha256(f"{challenge}{solution}".encode()).digest(), "big")
        return digest < 1 << (256 - self.difficulty)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SmallRegistry]:
        """It, on a loopback port of the running loop."""
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        scheme = "http" if self.tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def in_a_thread(self) -> AbstractContextManager[SmallRegistry]:
        """It, for tests whose commands have loops of their own."""
        return in_a_thread(self.running)
