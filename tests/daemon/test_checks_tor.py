"""What the doctor says of Tor."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from enigma_fed.base.errors import TorMissing
from enigma_fed.config import Settings, TorSection
from enigma_fed.daemon.checks import tor
from enigma_fed.daemon.checks.scene import Check, Scene
from enigma_fed.daemon.paths import Paths
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.wire.views import Finding, StatusView, TorView
from tests.support.fakecontrol import FakeControl
from tests.support.views import NODE


def scene_of(paths: Paths, settings: Settings, **values: str) -> Scene:
    """A machine without tor, with these settings of Tor."""
    changed = dataclasses.replace(settings, tor=TorSection(**values))
    return Scene(paths, changed, {"PATH": "", "HOME": "/nowhere"})


def found(check: Check, paths: Paths, settings: Settings, **values: str) -> Finding:
    """The last finding of a check, with these settings of Tor."""
    return list(check(scene_of(paths, settings, **values)))[-1]


def test_tor_that_is_off_is_a_warning(paths: Paths, settings: Settings) -> None:
    finding = found(tor.program, paths, settings, mode="off")
    assert (finding.result, finding.fix) == ("warning", "Set tor.mode to auto.")


def test_a_missing_tor_says_how_to_get_it(paths: Paths, settings: Settings) -> None:
    with pytest.raises(TorMissing) as caught:
        found(tor.program, paths, settings, binary="/nowhere/tor")
    assert "apt install tor" in caught.value.hint


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("echo 'Tor version 0.4.9.11.'", "ok"),
        ("echo 'Tor version 0.4.8.13 (git-abc).'", "ok"),
        ("echo 'Tor version 0.4.7.16.'", "warning"),
        ("echo 'Tor version 0.3.5.7.'", "failure"),
        ("exit 1", "failure"),
    ],
)
def test_tors_version_is_read(
    paths: Paths, settings: Settings, tmp_path: Path, script: str, result: str
) -> None:
    program = tmp_path / "tor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    mode, finding = tor.program(scene_of(paths, settings, binary=str(program)))
    assert (mode.check, mode.detail) == ("tor mode", "managed: tor.binary is set")
    assert finding.result == result


async def test_a_control_port_that_lets_us_in_and_one_that_does_not(
    paths: Paths, settings: Settings, tmp_path: Path
) -> None:
    async with FakeControl(tmp_path / "control") as control:
        place = {"mode": "system", "control": str(control.endpoint)}
        finding = await asyncio.to_thread(found, tor.program, paths, settings, **place)
        assert (finding.result, finding.detail) == (
            "ok",
            "its control port lets this agent in, version 0.4.9.11",
        )
        control.methods = "HASHEDPASSWORD"
        finding = await asyncio.to_thread(found, tor.program, paths, settings, **place)
        assert (finding.result, "tor.control_password_file" in finding.detail) == ("failure", True)
    finding = await asyncio.to_thread(found, tor.program, paths, settings, **place)
    assert (finding.result, "nothing answers" in finding.detail) == ("failure", True)


def test_in_mode_socks_the_lines_for_the_owners_tor_are_told(paths: Paths, settings: Settings) -> None:
    _, port, onion = tor.program(scene_of(paths, settings, mode="socks", socks="127.0.0.1:1"))
    assert (port.result, onion.result) == ("failure", "warning")
    assert f"sudo cp -r {paths.tor_dir}/onions/peers /var/lib/tor/enigma-fed" in onion.fix
    assert "HiddenServicePort 80 127.0.0.1:8786" in onion.fix
    *_, onion = tor.program(scene_of(paths, settings, mode="socks", onion=str(OnionKey(bytes(32)).address)))
    assert "cp -r" not in onion.fix
    assert "HiddenServicePort 80 127.0.0.1:8786" in onion.fix


def test_repairs_of_a_running_agent_are_told(paths: Paths, settings: Settings) -> None:
    view = TorView(mode="system", phase="ready", repairs=2, last_repair="it is added again")
    scene = Scene(paths, settings, status=StatusView(node=NODE, running=True, tor=view))
    _, finding = tor.progress(scene)
    assert "2 times since the start, last: it is added again" in finding.detail


def test_extra_lines_are_a_warning_and_a_missing_file_a_failure(
    paths: Paths, settings: Settings, tmp_path: Path
) -> None:
    extra = tmp_path / "extra"
    assert found(tor.extra_lines, paths, settings, torrc_extra=str(extra)).result == "failure"
    extra.touch()
    assert found(tor.extra_lines, paths, settings, torrc_extra=str(extra)).result == "warning"


@pytest.mark.parametrize(
    ("phase", "reason", "result", "says"),
    [
        ("failed", "it was killed", "failure", "it was killed"),
        ("bootstrapping", "no network", "warning", "bootstrapping, 45 %: no network"),
        ("ready", "", "ok", "reached itself"),
    ],
)
def test_how_far_tor_is(
    paths: Paths, settings: Settings, phase: str, reason: str, result: str, says: str
) -> None:
    view = TorView(mode="managed", phase=phase, percent=45, reason=reason)
    scene = Scene(paths, settings, status=StatusView(node=NODE, running=True, tor=view))
    [finding] = tor.progress(scene)
    assert finding.result == result
    assert says in finding.detail
