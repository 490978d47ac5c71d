"""A process that dies leaves no file with its memory."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.cli.homes import make_home


def test_invariant_8_an_agent_that_crashes_leaves_no_core(tmp_path: Path) -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    try:
        with make_home(tmp_path, "attic").agent() as running:
            assert resource.prlimit(running.pid, resource.RLIMIT_CORE)[0] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, most))
