"""Names and the ids that they hash to."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire.userid import UserId, normalized

ALICE = "4e586a7d57683f7ae69c6dbe407c986df78603ca12e9cab26d245df1349f08b5"


def test_the_id_of_a_name() -> None:
    assert UserId.of("alice").hex == ALICE
    assert UserId.of("  alice\u3000").hex == ALICE
    assert UserId.parse(ALICE.upper()) == UserId.of("alice")


@pytest.mark.parametrize("names", [("alice", "Alice", "@alice"), ("é", "e\u0301")])
def test_case_composition_and_at_signs_make_other_users(names: tuple[str, ...]) -> None:
    assert len({UserId.of(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["", "   ", "alice\n", "\talice", "a\x7fb", "a\x85", "\ud800", "é" * 33])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InputRefused) as caught:
        normalized(name)
    assert (caught.value.field, caught.value.message) == ("name", "invalid input: name")


def test_a_space_of_no_width_is_no_white_space_and_stays() -> None:
    assert normalized("\u200balice ") == "\u200balice"


def test_every_control_character_is_refused_and_nothing_else_of_one_character_but_spaces() -> None:
    refused = set()
    for character in map(chr, range(0xD800)):
        try:
            normalized(f"a{character}")
        except InputRefused:
            refused.add(character)
    assert refused == {c for c in map(chr, range(0xD800)) if unicodedata.category(c) == "Cc"}


def test_trimming_takes_exactly_unicodes_white_space() -> None:
    """Python strips four control characters more, which are refused before."""
    stripped = {c for c in map(chr, range(sys.maxunicode + 1)) if not c.strip()}
    spaces = {c for c in stripped if unicodedata.category(c) != "Cc"}
    assert {ord(c) for c in spaces} == {
        0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", ALICE[:-1], ALICE + "0", "0x" + ALICE[2:], ALICE[:-1] + "g", ALICE[:-2] + " 0",
        ALICE[:30] + "  " + ALICE[32:], ALICE[:-1] + "\u0665",
    ],
)  # fmt: skip
def test_an_id_is_64_hexadecimal_digits(text: str) -> None:
    with pytest.raises(InputRefused) as caught:
        UserId.parse(text, "user_id")
    assert caught.value.field == "user_id"


def test_a_value_of_another_length_is_no_id() -> None:
    with pytest.raises(InputRefused):
        UserId(bytes(31))


def test_invariant_8_no_handle_stands_in_a_traceback() -> None:
    assert ALICE[:8] not in repr(UserId.of("alice"))
