"""The demo as a user runs it: its JSON line, Ctrl-C, two at once."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
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


def test_two_demos_at_once_end_well_and_leave_nothing(tmp_path: Path) -> None:
    folders = [Path(f"/tmp/fed-demo-{os.getpid()}-{number}") for number in range(2)]
    try:
        demos = [start(folder, "--nodes", "2", "--json") for folder in folders]
        for demo, folder in zip(demos, folders, strict=True):
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
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


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


def test_keep_stays_up_and_its_printed_commands_work() -> None:
    folder = Path(f"/tmp/fed-demo-{os.getpid()}-k")
    demo = start(folder, "--nodes", "2", "--keep")
    try:
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
    finally:
        demo.kill()
        demo.wait()
        shutil.rmtree(folder)
