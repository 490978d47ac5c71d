"""The demo as a user runs it: its JSON line, Ctrl-C, two at once."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

pytestmark = [pytest.mark.tor, pytest.mark.timeout(700)]

DEMO = [sys.executable, "-m", "enigma_fed", "demo"]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A demo with its temporary files and sockets in a folder of its own: what it leaves can be seen."""
    folder.mkdir()
    (folder / "run").mkdir(mode=0o700)
    return subprocess.Popen(
        [*DEMO, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")},
    )


def left_running(folder: Path) -> list[str]:
    """Command lines of processes that still belong to a demo in this folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(folder) in line:
            found.append(line)
    return found


def check_nothing_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while left_running(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(folder) == []
    assert [path.name for path in folder.iterdir()] == ["run"]
    assert list((folder / "run" / "enigma-fed").iterdir()) == []


@pytest.fixture
def folders() -> Iterator[list[Path]]:
    """Two folders that are not there yet, at paths short enough for sockets."""
    named = [Path(f"/tmp/fed-demo-{os.getpid()}-{number}") for number in range(2)]
    yield named
    for folder in named:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_demos_at_once_end_well_and_one_that_is_kept_works(folders: list[Path]) -> None:
    """The first ends by itself and leaves nothing; the other stays up, and its printed commands work."""
    with (
        start(folders[0], "--nodes", "2", "--json") as ending,
        start(folders[1], "--nodes", "2", "--keep") as kept,
    ):
        try:
            check_it_ends_well(ending, folders[0])
            check_it_is_kept(kept, folders[1])
        finally:
            ending.kill()
            kept.kill()


def check_it_ends_well(demo: subprocess.Popen[bytes], folder: Path) -> None:
    output, talk = demo.communicate(timeout=330)
    assert demo.returncode == 0, talk.decode()
    result = msgspec.json.decode(output.splitlines()[-1])
    assert result["ok"] is True
    assert result["seconds"] < 300
    assert [node["name"] for node in result["nodes"]] == ["alice", "bob"]
    assert {(p["from"], p["to"]) for p in result["pairs"]} == {("alice", "bob"), ("bob", "alice")}
    for row in result["pairs"]:
        facts = {"stage", "trust_level", "liveness", "age_s", "via", "latency_ms"}
        assert set(row) == {"from", "to"} | facts
        assert row["liveness"] == "up"
        assert row["via"] == "stream"
        assert row["age_s"] is not None
    check_nothing_is_left(folder)


def check_it_is_kept(demo: subprocess.Popen[bytes], folder: Path) -> None:
    assert demo.stderr is not None
    commands: list[list[str]] = []
    for line in demo.stderr:
        if b"--data-dir" in line:
            commands.append(shlex.split(line.decode()))
        if b"peer ping" in line:
            break
    assert all((command[1], command[3]) == ("--config", "--data-dir") for command in commands)
    assert [command[5:] for command in commands[:2]] == [["peer", "list"], ["peer", "list"]]
    for command in commands:
        environment = os.environ | {"XDG_RUNTIME_DIR": str(folder / "run")}
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        assert b"alice" in done.stdout or b"bob" in done.stdout
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode == 0
    check_nothing_is_left(folder)


def test_ctrl_c_leaves_nothing_running() -> None:
    folder = Path(f"/tmp/fed-demo-{os.getpid()}-c")
    demo = start(folder, "--nodes", "2")
    try:
        assert demo.stderr is not None
        for line in demo.stderr:
            if b"alice" in line:
                break
        assert left_running(folder)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=30)
        assert demo.returncode == 130
        check_nothing_is_left(folder)
    finally:
        shutil.rmtree(folder)
