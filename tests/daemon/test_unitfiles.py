"""Unit files filled in for a machine."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import UsageError
from enigma_fed.daemon import unitfiles


def test_a_unit_starts_the_given_command_line() -> None:
    text = unitfiles.unit(unitfiles.UNIT, ["/opt/enigma-fed/bin/enigma-fed", "run"])
    assert "\nExecStart=/opt/enigma-fed/bin/enigma-fed run\n" in text
    assert "/usr/bin/enigma-fed" not in text


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/opt/a b/x", '"/opt/a b/x"'),
        ("50%", '"50%%"'),
        ("$HOME", '"$$HOME"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("a\\b", '"a\\\\b"'),
        ("", '""'),
        ("--data-dir", "--data-dir"),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert unitfiles.quoted(word) == written


def test_a_line_break_never_gets_into_a_unit() -> None:
    with pytest.raises(UsageError):
        unitfiles.unit(unitfiles.UNIT, ["/opt/x\nUser=root", "run"])
