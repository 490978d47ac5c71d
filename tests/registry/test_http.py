"""What a registry answers over HTTP: form, limits and proofs of requests, errors as objects."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, LockBusy, StoreDamaged, WriteFailed
from enigma_fed.registry.doors import Door
from enigma_fed.registry.settings import PowSettings, RateLimitSettings
from enigma_fed.registry.storememory import MemoryStore
from tests.support.registryserver import RegistryCaller, registration, registry, settings
from tests.support.registryusers import User

ALICE, BOB = User("alice"), User("bob")
TIGHT = RateLimitSettings(per_ip_rps=1, burst=2)


@pytest.fixture
async def caller() -> AsyncIterator[RegistryCaller]:
    async with registry() as made:
        yield made


def solved(challenge: str, difficulty: int) -> str:
    """The header with a solution."""
    for tries in range(2**24):
        digest = hashlib.sha256(f"{challenge}{tries}".encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - difficulty) == 0:
            return f"{challenge}:{tries}"
    raise AssertionError


async def work(caller: RegistryCaller, route: str = "") -> dict[str, str]:
    """The header that opens one request."""
    made = (await caller.ask("GET", f"/pow/challenge{route}")).json
    return {"x-enigma-pow": solved(made["challenge"], made["difficulty"])}


async def test_what_is_registered_is_resolved(caller: RegistryCaller) -> None:
    answer = await caller.register(ALICE.identity())
    assert (answer.status, answer.body) == (200, b'{"ok":true}')
    assert answer.headers["Content-Type"] == "application/json"
    assert await caller.resolve(ALICE.id) == ALICE.identity()
    assert await caller.resolve(BOB.id) is None


async def test_whether_a_user_is_there(caller: RegistryCaller) -> None:
    await caller.register(ALICE.identity())
    for user, exists in ((ALICE, b'{"exists":true}'), (BOB, b'{"exists":false}')):
        assert (await caller.ask("GET", f"/check_user/{user.id.hex}")).body == exists
        assert (await caller.ask("GET", f"/check_user/{user.id.hex.upper()}")).body == exists


async def test_the_keys_that_are_shown(caller: RegistryCaller) -> None:
    one = (await caller.ask("GET", "/envelope_pubkey")).json
    assert one["active"] is True
    assert set(one) == {"kid_hex", "x25519_public_key_hex", "active"}
    assert (await caller.ask("GET", "/envelope_pubkeys")).json == [one]


async def test_an_announcement_is_answered_and_kept_for_who_is_registered(caller: RegistryCaller) -> None:
    await caller.register(ALICE.identity())
    for user in (ALICE, BOB):
        body = json.dumps({"user_id": user.id.hex, "addr": " local ", "ts_ms": 1}).encode()
        answer = await caller.ask("POST", "/announce", body)
        assert (answer.status, answer.body) == (200, b'{"ok":true}')
        assert answer.headers["Reannounce-After"] == "100"
    presences = caller.server.registry.presences
    found = presences.find(ALICE.id)
    assert found is not None
    assert found.addr == "local"
    assert presences.find(BOB.id) is None


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "/", (404, "NOT_FOUND", None)),
        ("GET", "/resolve/", (404, "NOT_FOUND", None)),
        ("GET", "/nodes/", (404, "NOT_FOUND", None)),
        ("GET", "/check_user/", (404, "NOT_FOUND", None)),
        ("GET", "/check_user/{handle}", (400, "INVALID_INPUT", "handle")),
        ("GET", "/pow/challenge", (404, "NOT_FOUND", None)),
        ("GET", "/resolve", (405, "METHOD_NOT_ALLOWED", None)),
        ("DELETE", "/nodes", (405, "METHOD_NOT_ALLOWED", None)),
        ("OPTIONS", "/register", (405, "METHOD_NOT_ALLOWED", None)),
        ("GET", "/check_user/abc", (400, "INVALID_INPUT", "handle")),
    ],
)
async def test_every_error_is_an_object(
    caller: RegistryCaller, method: str, path: str, refusal: tuple[int, str, str | None]
) -> None:
    answer = await caller.ask(method, path)
    assert answer.refusal == refusal
    assert answer.headers["Content-Type"] == "application/json"
    assert ("Allow" in answer.headers) == (answer.status == 405)


async def test_a_method_that_is_not_there_is_told_which_are(caller: RegistryCaller) -> None:
    assert (await caller.ask("DELETE", "/nodes")).headers["Allow"] == "GET, POST"
    assert (await caller.ask("HEAD", "/nodes")).status == 200


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"Content-Type": "text/plain"}, (415, "UNSUPPORTED_MEDIA_TYPE", "content-type")),
        ({"Content-Type": "application/json; charset=x"}, (415, "UNSUPPORTED_MEDIA_TYPE", "content-type")),
        ({"Content-Encoding": "gzip"}, (415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding")),
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, (400, "INVALID_INPUT", "handle")),
    ],
)
async def test_invariant_7_a_body_is_plain_json(
    caller: RegistryCaller, headers: dict[str, str], refusal: tuple[int, str, str | None]
) -> None:
    assert (await caller.ask("POST", "/resolve", b"{}", headers)).refusal == refusal


async def test_invariant_7_a_body_is_not_read_past_its_size(caller: RegistryCaller) -> None:
    too_large = await caller.ask("POST", "/register", b" " * (limits.REQUEST_BYTES + 1))
    assert too_large.refusal == (413, "TOO_LARGE", "body")


async def test_invariant_7_a_body_that_does_not_come_is_given_up(
    caller: RegistryCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection(*caller.url.removeprefix("http://").split(":"))
    writer.write(
        b"POST /resolve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"field":"body"' in answer


async def test_what_is_no_http_gets_an_object_too(caller: RegistryCaller) -> None:
    reader, writer = await asyncio.open_connection(*caller.url.removeprefix("http://").split(":"))
    writer.write(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert b"INVALID_INPUT" in answer


async def test_invariant_7_a_request_is_counted_before_its_body_is_read() -> None:
    async with registry(settings(rate_limit=TIGHT)) as caller:
        statuses = [(await caller.ask("POST", "/resolve", b"nonsense")).status for _ in range(3)]
        assert statuses == [400, 400, 429]
        refused = await caller.ask("POST", "/resolve", b" " * 100_000)
        assert refused.refusal[:2] == (429, "RATE_LIMITED")
        assert int(refused.headers["Retry-After"]) >= 1
        caller.clock.advance(2)
        assert (await caller.ask("GET", "/nodes")).status == 200


@pytest.mark.parametrize("path", ["/nodes", "/envelope_pubkey", "/envelope_pubkeys", "/nowhere"])
async def test_invariant_7_every_route_is_limited_and_what_is_none_too(path: str) -> None:
    async with registry(settings(rate_limit=TIGHT)) as caller:
        statuses = [(await caller.ask("GET", path)).status for _ in range(3)]
    assert 429 not in statuses[:2]
    assert statuses[2] == 429


async def test_invariant_7_a_proof_of_work_is_asked_for_where_it_is_switched_on() -> None:
    async with registry(settings(pow=PowSettings(enabled=True, difficulty=4))) as caller:
        path = f"/check_user/{ALICE.id.hex}"
        assert (await caller.ask("GET", path)).refusal == (400, "POW_REQUIRED", "x-enigma-pow")
        header = await work(caller)
        for _ in range(2):  # the second is the same request again
            assert (await caller.ask("GET", path, headers=header)).body == b'{"exists":false}'
        other = await caller.ask("GET", f"/check_user/{BOB.id.hex}", headers=header)
        assert other.refusal[1] == "POW_REQUIRED"
        assert await caller.resolve(ALICE.id, await work(caller, "?route=/resolve")) is None
        assert (await caller.register(ALICE.identity())).status == 200


async def test_a_proof_of_work_for_a_route_is_good_for_no_other() -> None:
    async with registry(settings(pow=PowSettings(enabled=True, difficulty=4))) as caller:
        header = await work(caller, "?route=/resolve")
        path = f"/check_user/{ALICE.id.hex}"
        assert (await caller.ask("GET", path, headers=header)).refusal[1] == "POW_REQUIRED"
        unpriced = await caller.ask("GET", "/pow/challenge?route=/nodes")
        assert unpriced.refusal == (400, "INVALID_INPUT", "route")


async def test_registering_can_cost_a_proof_of_work() -> None:
    async with registry(settings(pow=PowSettings(enabled=True, difficulty=4, register=True))) as caller:
        body = registration(ALICE.identity())
        assert (await caller.ask("POST", "/register", body)).refusal[1] == "POW_REQUIRED"
        assert (await caller.ask("POST", "/register", body, await work(caller))).status == 200


async def test_invariant_7_behind_an_onion_without_circuits_work_stands_in_for_an_empty_account() -> None:
    tight = RateLimitSettings(per_ip_rps=0.01, burst=1)
    async with registry(settings(rate_limit=tight, pow=PowSettings(difficulty=4)), door=Door.ONION) as caller:
        path = f"/check_user/{ALICE.id.hex}"
        refused = None
        for _ in range(200):
            refused = await caller.ask("GET", path)
            if refused.status == 429:
                break
        assert refused is not None
        assert refused.status == 429
        header = await work(caller)
        assert (await caller.ask("GET", path, headers=header)).status == 200
        other = await caller.ask("GET", f"/check_user/{BOB.id.hex}", headers=header)
        assert other.refusal[1] == "POW_REQUIRED"
        made_up = await caller.ask("GET", path, headers={"x-enigma-pow": "00:1"})
        assert made_up.refusal == (400, "POW_REQUIRED", "x-enigma-pow")


async def test_invariant_7_by_tcp_no_work_stands_in_for_an_empty_account() -> None:
    made = settings(rate_limit=TIGHT, pow=PowSettings(enabled=True, difficulty=4))
    async with registry(made) as caller:
        header = await work(caller)
        path = f"/check_user/{ALICE.id.hex}"
        statuses = [(await caller.ask("GET", path, headers=header)).status for _ in range(2)]
    assert statuses == [200, 429]


class Troubled(MemoryStore):
    """A store whose disk is full or broken."""

    def __init__(self, trouble: EnigmaError) -> None:
        super().__init__()
        self._trouble = trouble

    def has(self, user: object) -> bool:
        raise self._trouble


@pytest.mark.parametrize("trouble", [StoreDamaged("registry.db"), WriteFailed("registry.db"), LockBusy()])
async def test_invariant_8_a_store_in_trouble_is_told_as_such(
    trouble: EnigmaError, caplog: pytest.LogCaptureFixture
) -> None:
    async with registry(store=Troubled(trouble)) as caller:
        answer = await caller.ask("GET", f"/check_user/{ALICE.id.hex}")
    assert answer.refusal == (503, "UNAVAILABLE", None)
    assert int(answer.headers["Retry-After"]) >= 1
    assert "a request failed here" in caplog.text
    assert ALICE.id.hex not in caplog.text


async def test_requests_are_counted_by_what_became_of_them(caller: RegistryCaller) -> None:
    await caller.ask("GET", "/nodes")
    await caller.ask("GET", "/check_user/x")
    await caller.ask("GET", "/nowhere")
    assert caller.server.counters == {"nodes-ok": 1, "check_user-INVALID_INPUT": 1, "other-NOT_FOUND": 1}
