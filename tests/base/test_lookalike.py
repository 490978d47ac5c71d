"""Names that look alike have one skeleton, names that do not have not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import FieldInvalid
from enigma_fed.base.ids import parse_node_name
from enigma_fed.base.lookalike import is_unseen, skeleton

ALIKE = {
    "attic": (
        "Attic",
        "ATTIC",
        "att1c",
        "attlc",
        "attIc",
        "atti\u0307c",
        "att\u00edc",
        "att\u0131c",
        "\uff41\uff54\uff54\uff49\uff43",  # full width
        "\u0430tti\u0441",  # Cyrillic a and s
        "\u0391\u03a4\u03a4\u0399C",  # Greek capitals
        "\u0410\u0422\u0422\u0406\u0421",  # Cyrillic capitals
        "\u1d00\u1d1b\u1d1b\u026a\u1d04",  # small capitals
        "\ua4ee\ua4d4\ua4d4\ua4f2\ua4da",  # Lisu
        "\u13aa\u13a2\u13a2\u13a5\u13df",  # Cherokee
        "\uab7a\uab72\uab72\uab75\uabaf",  # its small letters
        "\u2c81\u2ca7\u2ca7\u2c93\u2ca5",  # Coptic
        "atti\u03f2",  # Greek lunate sigma
        "\U0001d41a\U0001d42d\U0001d42d\U0001d422\U0001d41c",  # mathematical bold
    ),
    "Home 0": ("h\u043eme O", "home  o", "\u041d\u041e\u041c\u0415 0", "h\u03bfm\u03b5 0"),
    "Grandma's": ("grandma\u2019s", "Grandrna's"),
    "\u03c3\u03c0\u03af\u03c4\u03b9\u03b1\u03c2": ("\u03a3\u03a0\u0399\u03a4\u0399\u0391\u03a3",),
    "a-b": ("a\u2010b", "a\u2014b", "a\u2212b"),
}


@pytest.mark.parametrize(("name", "other"), [(name, o) for name, others in ALIKE.items() for o in others])
def test_names_that_a_person_takes_for_each_other(name: str, other: str) -> None:
    assert skeleton(other) == skeleton(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("attic", "cellar"),
        ("home 1", "home 2"),
        ("my attic", "myattic"),
        ("a-b", "a_b"),
        ("\u5bb6", "\u5ba4"),
    ],
)
def test_names_that_differ(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


SEEN = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])


@given(st.text(SEEN, max_size=64))
def test_case_width_and_what_is_not_seen_make_no_other_name(name: str) -> None:
    assert skeleton("".join(f"{c}\ufe0f\u034f" for c in name)) == skeleton(name)
    assert skeleton(unicodedata.normalize("NFKD", name)) == skeleton(unicodedata.normalize("NFKC", name))


@pytest.mark.parametrize("code", [0x034F, 0x17B4, 0x180B, 0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x200D, 0x3164])
def test_a_name_has_nothing_that_is_not_seen(code: int) -> None:
    assert is_unseen(chr(code))
    with pytest.raises(FieldInvalid, match="invisible"):
        parse_node_name(f"a{chr(code)}b")


def test_the_plain_space_is_seen() -> None:
    assert not is_unseen(" ")
    assert parse_node_name("my attic") == "my attic"
