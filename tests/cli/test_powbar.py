"""What is seen of a proof of work."""

from __future__ import annotations

import sys

import pytest

from enigma_fed.cli.powbar import Told, likelihood, shown_solver
from enigma_fed.registry.powworker import is_solution

CHALLENGE = "000102030405060708090a0b0c0d0e0f"


def test_how_far_it_is() -> None:
    assert likelihood(0, 20) == 0
    assert likelihood(2**20, 20) == pytest.approx(0.632, abs=0.001)
    assert 0.999 < likelihood(2**24, 20) <= 1


def test_nothing_is_told_for_two_seconds_and_then_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(20, begun=100.0)
    told.at(1, 101.9)
    assert capsys.readouterr().err == ""
    told.at(2**20, 102.0)
    line = capsys.readouterr().err
    assert "20 bits: 1048576 tries in 2 s; 63 % of cases" in line
    told.at(2**21, 131.9)
    assert capsys.readouterr().err == ""
    told.at(2**21, 132.0)
    assert capsys.readouterr().err


async def test_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert is_solution(CHALLENGE, await shown_solver(CHALLENGE, 8, 60), 8)
    assert capsys.readouterr().out == ""


async def test_at_a_terminal_there_is_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert is_solution(CHALLENGE, await shown_solver(CHALLENGE, 8, 60), 8)
    said = capsys.readouterr()
    assert "proof of work, 8 bits" in said.err
    assert said.out == ""
