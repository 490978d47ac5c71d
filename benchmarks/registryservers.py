"""Floors for the registry's benchmarks, each a process of its own on a loopback port.

`python -m benchmarks.registryservers KIND FOLDER` prints its port and serves until its standard input ends.
KIND is one of:

- `echo`: bare aiohttp, which sends back what it read.
- `crypto`: the same, and what no answer to `/resolve` can do without: X25519 with a key that was never seen
  before, a key from it, one point read of SQLite, one sealed value opened and one sealed. Nothing is parsed
  but the two keys, by their place; the answer is as long as a real one.
- `unseal`: the echo, and what `/register` cannot do without: X25519, a key from it, one sealed value opened.
- `verify`: likewise, and one signature checked, which an identity with a bundle has.
"""

from __future__ import annotations

import asyncio
import binascii
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import nacl.bindings
from aiohttp import web
from nacl.signing import SigningKey

from benchmarks.registryusers import PEPPER, SERVER_SECRET, User
from enigma_fed.wire import blake3hash

_HEADERS: Final = {"Content-Type": "application/json"}
_LABEL: Final = b"enigma:registry:envelope:v1"
_USERS: Final = 4096
_HANDLE: Final = slice(11, 75)
_REQUESTER: Final = slice(-66, -2)
_SENDER: Final = slice(131, 195)
_NONCE: Final = slice(206, 254)
_CIPHERTEXT: Final = slice(270, -3)
_TEXT_OF_AN_ANSWER: Final = 300
"""Bytes of an answer besides its ciphertext."""


async def echo(request: web.BaseRequest) -> web.Response:
    """Send back the body."""
    return web.Response(body=await request.read(), headers=_HEADERS)


class Crypto:
    """Does what `/resolve` has to do, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._key = os.urandom(32)
        database = sqlite3.connect(folder / "floor.db")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE identities (place BLOB PRIMARY KEY, sealed BLOB) WITHOUT ROWID")
        database.executemany("INSERT INTO identities VALUES (?, ?)", map(self._row, range(_USERS)))
        database.commit()
        self._database = database

    def _row(self, number: int) -> tuple[bytes, bytes]:
        user = User(number)
        nonce = os.urandom(24)
        identity = user.identity.encode()
        sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            identity, user.id.value, nonce, self._key
        )
        return user.id.value, nonce + sealed

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer a compact body of `/resolve`."""
        body = await request.read()
        user, requester = bytes.fromhex(body[_HANDLE].decode()), bytes.fromhex(body[_REQUESTER].decode())
        shared = nacl.bindings.crypto_scalarmult(SERVER_SECRET, requester)
        key = blake3hash.digest(_LABEL + PEPPER + user + shared)
        row = self._database.execute("SELECT sealed FROM identities WHERE place = ?", (user,)).fetchone()
        sealed = row[0]
        plain = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed[24:], user, sealed[:24], self._key
        )
        answer = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, user, os.urandom(24), key)
        return web.Response(body=bytes(_TEXT_OF_AN_ANSWER + len(answer) * 4 // 3), headers=_HEADERS)


class Unseal:
    """Opens what `/register` has to open; nothing is kept."""

    def __init__(self, *, verify: bool) -> None:
        self._signed = bytes(SigningKey(bytes(32)).sign(bytes(50))) if verify else None
        self._signer = bytes(SigningKey(bytes(32)).verify_key)

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer a compact body of `/register`."""
        body = await request.read()
        user, sender = bytes.fromhex(body[_HANDLE].decode()), bytes.fromhex(body[_SENDER].decode())
        shared = nacl.bindings.crypto_scalarmult(SERVER_SECRET, sender)
        key = blake3hash.digest(_LABEL + PEPPER + user + shared)
        sealed = binascii.a2b_base64(body[_CIPHERTEXT])
        nonce = bytes.fromhex(body[_NONCE].decode())
        nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, user, nonce, key)
        if self._signed is not None:
            nacl.bindings.crypto_sign_open(self._signed, self._signer)
        return web.Response(body=b'{"ok":true}', headers=_HEADERS)


def _handler(kind: str, folder: Path) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    if kind == "crypto":
        return Crypto(folder)
    return echo if kind == "echo" else Unseal(verify=kind == "verify")


async def _serve(kind: str, folder: Path) -> None:
    runner = web.ServerRunner(web.Server(_handler(kind, folder), access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """Serve until standard input ends."""
    try:
        import uvloop

        make_loop = uvloop.new_event_loop
    except ImportError:
        make_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))


if __name__ == "__main__":
    main()
