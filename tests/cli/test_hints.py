"""Commands in hints keep to the node that the line named."""

from __future__ import annotations

import pytest

from enigma_fed.cli.hints import given, with_flags


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("See: enigma-fed peer list", "See: enigma-fed --config /c --data-dir /d peer list"),
        ("enigma-fed --json invite list", "enigma-fed --config /c --data-dir /d --json invite list"),
        ("`enigma-fed logs` may say", "`enigma-fed --config /c --data-dir /d logs` may say"),
        ("See `enigma-fed peer --help`", "See `enigma-fed peer --help`"),
        ("the newer enigma-fed that wrote it", "the newer enigma-fed that wrote it"),
    ],
)
def test_commands_get_the_flags(text: str, typed: str) -> None:
    assert with_flags(text, config="/c", data_dir="/d") == typed
    assert with_flags(text, config=None, data_dir=None) == text


def test_a_path_with_a_space_can_be_typed() -> None:
    assert (
        with_flags("enigma-fed run", config=None, data_dir=r"/a b\1") == r"enigma-fed --data-dir '/a b\1' run"
    )


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], None),
        (["--data-dir"], None),
        (["peer", "--data-dir", "/a", "list"], "/a"),
        (["--data-dir=/a", "--data-dir", "/b"], "/b"),
        (["--", "--data-dir", "/a"], None),
    ],
)
def test_the_flag_of_a_line(words: list[str], value: str | None) -> None:
    assert given(words, "--data-dir") == value
