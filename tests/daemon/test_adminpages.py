"""Health and readiness of a running agent, asked over HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import aiohttp
import pytest_asyncio

from enigma_fed.base.tasks import Tasks
from enigma_fed.config import AdminSettings, Settings
from enigma_fed.daemon.adminpages import AdminPages
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.transports.tor.status import TorPhase, TorStatus

ONION = "a" * 56
ANY_PORT = AdminSettings(listen="127.0.0.1:0")


@pytest_asyncio.fixture
async def url(paths: Paths, settings: Settings) -> AsyncIterator[str]:
    agent = Agent(dataclasses.replace(settings, admin=ANY_PORT), paths, keep_log=False)
    await agent.start()
    status = await asyncio.to_thread(RemoteOperations(paths.control_socket).status)
    yield f"http://{status.admin}"
    await agent.close()


async def get(url: str, accept: str = "*/*") -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": accept}) as response,
    ):
        return response.status, response.headers["Content-Type"], await response.text()


async def test_a_running_agent_is_alive(url: str) -> None:
    assert await get(f"{url}/healthz") == (200, "text/plain; charset=utf-8", "alive\n")
    status, kind, text = await get(f"{url}/healthz", "application/json")
    assert (status, kind) == (200, "application/json")
    assert json.loads(text)["alive"] is True


async def test_it_says_why_it_is_not_ready_in_words_and_in_json(url: str) -> None:
    status, kind, text = await get(f"{url}/readyz")
    assert (status, kind) == (503, "text/plain; charset=utf-8")
    assert text.startswith("not ready\n")
    assert "tor-off: Tor is switched off" in text
    status, kind, text = await get(f"{url}/readyz", "application/json")
    assert (status, kind) == (503, "application/json")
    view = json.loads(text)
    assert view["ready"] is False
    assert "tor-off" in [reason["code"] for reason in view["reasons"]]


async def test_an_agent_whose_admin_port_is_taken_runs_and_says_so(paths: Paths, settings: Settings) -> None:
    taken = bind_loopback("127.0.0.1", 0)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    asked = dataclasses.replace(settings, admin=AdminSettings(listen=address))
    agent = Agent(asked, paths, keep_log=False)
    await agent.start()
    status = await asyncio.to_thread(RemoteOperations(paths.control_socket).status)
    await agent.close()
    taken.close()
    assert status.running
    assert status.admin is None
    [warning] = [text for text in status.warnings if "admin.listen" in text]
    assert address in warning


async def test_invariant_8_a_reason_of_tors_names_no_onion(tmp_path: Path) -> None:
    parts = Mock()
    parts.tor = lambda: TorStatus(TorPhase.FAILED, reason=f"{ONION}.onion is gone")
    parts.federation.suspended = lambda: ()
    parts.data_dir, parts.tasks = tmp_path, Tasks()
    told = await AdminPages(parts, Counter()).ready("application/json")
    assert b"is gone" in told.body
    assert ONION.encode() not in told.body
