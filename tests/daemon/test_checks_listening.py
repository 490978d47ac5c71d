"""What the doctor says of the ports on this machine."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from enigma_fed.base.tasks import Tasks
from enigma_fed.config import AdminSettings, RpcSettings, Settings
from enigma_fed.daemon.admin import Admin, Text
from enigma_fed.daemon.checks import listening
from enigma_fed.daemon.checks.scene import Check, Scene
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding, StatusView
from tests.support.manualclock import ManualClock
from tests.support.views import NODE


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    return Scene(paths, settings)


def one(check: Check, scene: Scene) -> Finding:
    [finding] = check(scene)
    return finding


@pytest.fixture
def taken() -> Iterator[str]:
    held = bind_loopback("127.0.0.1", 0)
    yield f"127.0.0.1:{held.getsockname()[1]}"
    held.close()


def with_rpc(scene: Scene, listen: str) -> Scene:
    return dataclasses.replace(
        scene, settings=dataclasses.replace(scene.settings, rpc=RpcSettings(listen=listen))
    )


def with_admin(scene: Scene, listen: str, address: str | None = None, *, runs: bool = False) -> Scene:
    status = StatusView(node=NODE, running=True, admin=address) if runs else None
    settings = dataclasses.replace(scene.settings, admin=AdminSettings(listen=listen))
    return dataclasses.replace(scene, settings=settings, status=status)


def test_a_taken_port_is_a_failure_and_names_who_has_it(scene: Scene, taken: str) -> None:
    finding = one(listening.listen_address, with_rpc(scene, taken))
    assert finding.result == "failure"
    assert taken in finding.detail
    assert f"(process {os.getpid()})" in finding.detail
    ours = StatusView(node=NODE, running=True)
    assert (
        one(listening.listen_address, dataclasses.replace(with_rpc(scene, taken), status=ours)).result == "ok"
    )


def test_no_port_and_any_port_are_well(scene: Scene) -> None:
    for listen in ("", "127.0.0.1:0"):
        assert one(listening.listen_address, with_rpc(scene, listen)).result == "ok"
        assert one(listening.admin_listener, with_admin(scene, listen)).result == "ok"


def test_an_admin_port_that_another_program_has_is_a_warning_and_names_it(scene: Scene, taken: str) -> None:
    for runs in (False, True):
        finding = one(listening.admin_listener, with_admin(scene, taken, runs=runs))
        assert finding.result == "warning"
        assert f"(process {os.getpid()})" in finding.detail
        assert "admin.listen" in finding.fix


def test_an_agent_that_does_not_listen_where_it_should_is_a_warning(scene: Scene) -> None:
    finding = one(listening.admin_listener, with_admin(scene, "127.0.0.1:0", runs=True))
    assert (finding.result, finding.detail) == ("warning", "the agent does not listen on 127.0.0.1:0")


@pytest.mark.parametrize(("theirs", "said"), [("", "none configured"), ("127.0.0.1:0", None)])
def test_the_agents_own_setting_counts_and_not_the_one_at_hand(
    scene: Scene, theirs: str, said: str | None
) -> None:
    asked = with_admin(scene, "127.0.0.1:8788", runs=True)
    assert asked.status is not None
    asked = dataclasses.replace(asked, status=replace(asked.status, admin_listen=theirs))
    assert one(listening.admin_listener, asked).detail == (said or f"the agent does not listen on {theirs}")


def test_a_listener_that_is_gone_is_a_failure(scene: Scene) -> None:
    held = bind_loopback("127.0.0.1", 0)
    address = f"127.0.0.1:{held.getsockname()[1]}"
    held.close()
    finding = one(listening.admin_listener, with_admin(scene, address, address, runs=True))
    assert finding.result == "failure"
    assert "does not answer" in finding.detail


@pytest.mark.parametrize(("status", "result"), [(200, "ok"), (500, "failure")])
async def test_the_listener_of_an_agent_that_runs_is_asked(scene: Scene, status: int, result: str) -> None:
    async def health(accept: str) -> Text:
        return Text(b"", "text/plain", status)

    tasks = Tasks()
    admin = Admin("127.0.0.1:0", {"/healthz": health}, tasks, ManualClock())
    await admin.start()
    asked = with_admin(scene, "127.0.0.1:0", admin.address, runs=True)
    finding = await asyncio.to_thread(one, listening.admin_listener, asked)
    await admin.close()
    assert finding.result == result
