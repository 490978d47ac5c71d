"""Which tor will do."""

from __future__ import annotations

import pytest

from enigma_fed.transports.tor.versions import drawback, numbers, too_old


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.4.9.11", (0, 4, 9, 11)),
        ("0.4.8.1-alpha-dev (git-5f4c2ab9)", (0, 4, 8, 1)),
        ("0.4.8.13+dfsg", (0, 4, 8, 13)),
        ("unknown", ()),
        ("9" * 5000 + ".1", ()),
        ("", ()),
    ],
)
def test_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize("version", ["0.4.6.12", "0.3.5.8", "0.4.6"])
def test_older_than_vanguards_lite_is_refused(version: str) -> None:
    assert version in too_old(version)
    assert drawback(version) == ""


@pytest.mark.parametrize("version", ["0.4.7.16", "0.4.7.1-alpha", "0.4.7"])
def test_older_than_proof_of_work_is_taken_with_a_word(version: str) -> None:
    assert too_old(version) == ""
    assert "proof of work" in drawback(version)


@pytest.mark.parametrize("version", ["0.4.8.13", "0.4.10.1", "0.5.0.1", "1.0.0", "of our own making"])
def test_newer_ones_and_unreadable_ones_are_taken(version: str) -> None:
    assert too_old(version) == drawback(version) == ""
