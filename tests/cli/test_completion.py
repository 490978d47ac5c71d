"""`enigma-fed completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.fakes import invoke
from tests.support.prerequisites import missing


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_that_shell(tmp_path: Path, shell: str) -> None:
    shown = invoke("completion", shell)
    assert shown.exit_code == 0
    assert "_ENIGMA_FED_COMPLETE" in shown.out
    program = shutil.which(shell)
    if program is None:
        missing(f"{shell} is not installed; it checks its completion script")
    script = tmp_path / "script"
    script.write_text(shown.out)
    subprocess.run([program, "-n", str(script)], check=True)


def test_completion_without_a_shell_names_the_shells_in_one_line() -> None:
    shown = invoke("completion")
    assert (shown.exit_code, len(shown.err.splitlines())) == (2, 1)
    assert "bash, zsh, fish" in shown.err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("pe", ["peer"]),
        ("peer re", ["remove", "rename"]),
        ("invite create --qr", ["--qr", "--qr-file"]),
        ("peer trust x t", ["trusted"]),
    ],
)
def test_a_half_typed_line_is_completed(typed: str, offered: list[str]) -> None:
    words = {
        "_ENIGMA_FED_COMPLETE": "bash_complete",
        "COMP_WORDS": f"enigma-fed {typed}",
        "COMP_CWORD": str(len(typed.split())),
    }
    done = subprocess.run(
        [sys.executable, "-m", "enigma_fed"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **words},
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered
