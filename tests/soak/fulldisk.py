"""A program for a mount namespace of its own: one home on a disk that gets full, and then read-only.

`unshare --mount python -m tests.soak.fulldisk FOLDER`; the last line says that all of it held.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.cli.fakes import Outcome
from tests.cli.homes import Home, make_home

SIZE = "768k"


def mount(*words: str) -> None:
    """Run mount(8)."""
    subprocess.run(["mount", *words], check=True)


def fill(disk: Path) -> Path:
    """Take every free block."""
    path = disk / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return path
    raise AssertionError("it never gets full")


def expect(shown: Outcome, exit_code: int, words: str = "") -> Outcome:
    """The command ended like this."""
    assert shown.exit_code == exit_code, (shown.exit_code, shown.err)
    assert words in shown.err, shown.err
    return shown


def check_refusals(home: Home, why: str) -> None:
    """Reading works, changing says why it does not, and status tells both."""
    invites = expect(home("invite", "list", "--json"), 0).json
    for _ in range(3):
        expect(home("invite", "create"), 1, why)
    assert expect(home("invite", "list", "--json"), 0).json == invites
    assert any("cannot be written" in text for text in expect(home("status", "--json"), 0).json["warnings"])
    shown = home("doctor", "--json")
    assert shown.exit_code in {0, 1}, shown.err


def until_told(home: Home, words: str) -> None:
    """Wait until `status` warns of it."""
    for _ in range(300):
        if any(words in text for text in expect(home("status", "--json"), 0).json["warnings"]):
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody says: {words}")


def check(folder: Path) -> None:
    """The whole story, with a running agent and with none."""
    disk = folder / "disk"
    disk.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(disk))
    home = make_home(disk, "attic")
    stores = str(home.data_dir / "federation")
    mount("--bind", stores, stores)  # a disk that the agent writes its log to cannot become read-only
    with home.agent() as agent:
        expect(home("invite", "create"), 0)
        ballast = fill(disk)
        check_refusals(home, "No space left")
        ballast.unlink()
        expect(home("invite", "create"), 0)
        mount("-o", "remount,bind,ro", stores)
        check_refusals(home, "Read-only file system")
        mount("-o", "remount,bind,rw", stores)
        expect(home("invite", "create"), 0)
        assert agent.poll() is None
    ballast = fill(disk)  # what an end gives back (the log of history.db) is taken, too
    # A start on a full disk, and commands without an agent.
    expect(home("invite", "create"), 1, "No space left")
    with home.agent() as agent:
        check_refusals(home, "No space left")
        until_told(home, "The history of gauges is not kept")
        ballast.unlink()
        expect(home("invite", "create"), 0)
        assert agent.poll() is None
    assert len(expect(home("invite", "list", "--json"), 0).json) == 4
    assert expect(home("peer", "history", "--self", "--json"), 0).json["problem"] == ""
    expect(home("doctor", "--accept-recovered"), 0, "sound")
    print("full disk: 0 lost")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
