"""`enigma-fed demo`."""

from __future__ import annotations

import pytest

from enigma_fed.demo import run as demo
from tests.cli.fakes import invoke


@pytest.mark.parametrize(
    ("words", "call"),
    [([], (3, False, False)), (["--nodes", "2", "--keep", "--json"], (2, True, True))],
)
def test_the_demo_gets_its_flags_and_gives_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, words: list[str], call: tuple[int, bool, bool]
) -> None:
    calls: list[tuple[int, bool, bool]] = []

    async def run_demo(nodes: int, keep: bool, json_output: bool) -> int:
        calls.append((nodes, keep, json_output))
        return 1

    monkeypatch.setattr(demo, "run_demo", run_demo)
    assert invoke("demo", *words).exit_code == 1
    assert calls == [call]


@pytest.mark.parametrize("count", ["1", "9", "x"])
def test_a_number_of_homes_that_cannot_be_is_2(count: str) -> None:
    assert invoke("demo", "--nodes", count).exit_code == 2
