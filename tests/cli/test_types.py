"""Lifetimes in words."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.cli.types import parse_ttl
from tests.cli.fakes import FakeNode, invoke


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86400),
        ("30m", 1800),
        ("7d", 604800),
        ("90s", 90),
        ("3600", 3600),
        ("60", 60),
        ("30d", 2592000),
    ],
)
def test_a_lifetime_in_words(text: str, seconds: int) -> None:
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1 h", "-5m", "1.5h", "1w", "59", "31d", "٣h", "9" * 30])
def test_a_lifetime_that_cannot_be_used_is_2_and_nothing_is_made(text: str) -> None:
    node = FakeNode()
    shown = invoke("invite", "create", f"--ttl={text}", node=node)
    assert shown.exit_code == 2
    assert "--ttl" in shown.err
    assert node.calls == []


def test_the_help_names_the_range() -> None:
    assert "1m to 30d" in invoke("invite", "create", "--help").out


def test_the_bounds_of_a_lifetime_are_the_limits() -> None:
    assert parse_ttl(str(limits.INVITE_TTL_MIN)) == limits.INVITE_TTL_MIN
    assert parse_ttl(str(limits.INVITE_TTL_MAX)) == limits.INVITE_TTL_MAX
