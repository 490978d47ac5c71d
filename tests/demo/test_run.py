"""How the demo ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from enigma_fed.demo import run
from enigma_fed.demo.run import Progress, run_demo


class KeptDemo:
    """A demo that is kept, or one that is still at it, without homes."""

    finished = True

    def __init__(self, folder: Path, nodes: int, progress: Progress) -> None:
        self.folder = folder

    async def run(self, json_output: bool, keep_until: asyncio.Event | None) -> int:
        assert self.folder.is_dir()
        if keep_until is not None:
            await keep_until.wait()
        return 0


class LongDemo(KeptDemo):
    finished = False

    async def run(self, json_output: bool, keep_until: asyncio.Event | None) -> int:
        await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize(("kind", "code"), [(KeptDemo, 0), (LongDemo, 130)])
async def test_ctrl_c_ends_with_a_line_that_says_that_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[KeptDemo], code: int
) -> None:
    stopped = asyncio.Event()
    monkeypatch.setattr(run, "_stop_on_signals", lambda: stopped)
    monkeypatch.setattr(run, "_Demo", kind)
    ending = asyncio.create_task(run_demo(2, keep=True, json_output=False))
    stopped.set()
    async with asyncio.timeout(60):
        assert await ending == code
    assert capsys.readouterr().err.splitlines()[-1].endswith("] stopped; everything is removed")


async def test_a_demo_that_ends_by_itself_speaks_of_no_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "_stop_on_signals", asyncio.Event)
    monkeypatch.setattr(run, "_Demo", KeptDemo)
    assert await run_demo(2, keep=False, json_output=False) == 0
    assert "stopped" not in capsys.readouterr().err
