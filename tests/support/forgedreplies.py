"""Servers behind a peer's address whose answers prove nothing, and the pieces that they are made of."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.wire import httpsig
from tests.support.signedcalls import key, onion

B, C = key(2), key(3)


def response(body: bytes, status: int = 200, **headers: str) -> web.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json", **fields})


RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"x":"forged"}}'


def reply_by(signer: Any, request_signature: str, body: bytes = RESULT, status: int = 200) -> web.Response:
    fields = httpsig.sign_reply(
        signer.sign,
        keyid=signer.did.url,
        status=status,
        content_type="application/json",
        body=body,
        request_signature=request_signature,
        created=1_800_000_000,
    )
    return response(body, status, **fields)


async def unsigned_result(request: web.BaseRequest) -> web.Response:
    return response(RESULT)


async def another_key(request: web.BaseRequest) -> web.Response:
    return reply_by(C, request.headers["Signature"])


async def another_request(request: web.BaseRequest) -> web.Response:
    return reply_by(B, f"fed=:{'A' * 86}==:")


async def another_body(request: web.BaseRequest) -> web.Response:
    reply = reply_by(B, request.headers["Signature"], b'{"jsonrpc":"2.0","id":1,"result":{}}')
    reply.body = RESULT
    return reply


async def another_status(request: web.BaseRequest) -> web.Response:
    reply = reply_by(B, request.headers["Signature"])
    reply.set_status(401)
    return reply


async def signed_twice(request: web.BaseRequest) -> web.Response:
    reply = reply_by(B, request.headers["Signature"])
    reply.headers.add("Signature", reply.headers["Signature"])
    return reply


async def redirect(request: web.BaseRequest) -> web.Response:
    return response(RESULT, 307, Location=f"http://{onion(3)}/rpc/v1")


async def too_large(request: web.BaseRequest) -> web.Response:
    return reply_by(B, request.headers["Signature"], RESULT + b" " * limits.REPLY_BYTES)


async def compressed(request: web.BaseRequest) -> web.Response:
    reply = reply_by(B, request.headers["Signature"])
    reply.headers["Content-Encoding"] = "identity"
    return reply


async def text(request: web.BaseRequest) -> web.Response:
    return web.Response(status=502, text="bad gateway")


async def removed(request: web.BaseRequest) -> web.Response:
    return response(b'{"id":null,"error":{"code":-32022,"message":"Removed","data":{"code":"removed"}}}')
