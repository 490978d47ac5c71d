"""A home on a real disk that gets full, or read-only: it serves what there is and goes on afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.prerequisites import missing

_UNSHARE = ("unshare", "--mount", "--propagation", "private")


def test_invariant_5_an_agent_on_a_full_and_on_a_read_only_disk_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*_UNSHARE, "true"], check=False).returncode:
        missing("a mount namespace of our own (root, and unshare of util-linux)")
    command = [*_UNSHARE, sys.executable, "-m", "tests.soak.fulldisk", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.splitlines()[-1])
    assert "0 lost" in done.stdout
