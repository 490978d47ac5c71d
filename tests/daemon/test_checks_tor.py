"""What the doctor says of Tor."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from enigma_fed.base.errors import TorMissing
from enigma_fed.config import Settings, TorSection
from enigma_fed.daemon.checks import tor
from enigma_fed.daemon.checks.scene import Scene
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding, StatusView, TorView
from tests.support.views import NODE


def found(check: object, paths: Paths, settings: Settings, **values: str) -> Finding:
    """The one finding of a check, with these settings of Tor."""
    changed = dataclasses.replace(settings, tor=TorSection(**values))
    scene = Scene(paths, changed, {"PATH": "", "HOME": "/nowhere"})
    [finding] = check(scene)  # type: ignore[operator]
    return finding


def test_tor_that_is_off_is_a_warning(paths: Paths, settings: Settings) -> None:
    finding = found(tor.program, paths, settings, mode="off")
    assert (finding.result, finding.fix) == ("warning", "Set tor.mode to managed.")


def test_a_missing_tor_says_how_to_get_it(paths: Paths, settings: Settings) -> None:
    with pytest.raises(TorMissing) as caught:
        found(tor.program, paths, settings, binary="/nowhere/tor")
    assert "apt install tor" in caught.value.hint


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("echo 'Tor version 0.4.9.11.'", "ok"),
        ("echo 'Tor version 0.4.8.13 (git-abc).'", "ok"),
        ("echo 'Tor version 0.3.5.7.'", "warning"),
        ("exit 1", "failure"),
    ],
)
def test_tors_version_is_read(
    paths: Paths, settings: Settings, tmp_path: Path, script: str, result: str
) -> None:
    program = tmp_path / "tor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert found(tor.program, paths, settings, binary=str(program)).result == result


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
