"""The part of Structured Fields that signatures use."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import structured


def test_a_list_reads_and_writes_back_in_canonical_form() -> None:
    listed = structured.parse_inner_list('a=(  "@method"   "signature";req );x=1; y="z z"', "a")
    assert listed.components == ('"@method"', '"signature";req')
    assert listed.parameters == {"x": 1, "y": "z z"}
    assert str(listed) == '("@method" "signature";req);x=1;y="z z"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a=",
        "a=()b",
        'b=("x")',
        'a=("x"',
        'a=("x""y")',
        'a=("x" "x")',
        'a=("x");k=1;k=2',
        'a=("x");k',
        'a=("x");k=01',
        'a=("x");k=1.5',
        'a=("x");k=1234567890123456',
        'a=("x");k=token',
        'a=("x");K=1',
        'a=("x\\"y")',
        'a=("é")',
        'a=("x"), b=("y")',
        'a=("x");k="1" ',
        'a=("x")\n',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        structured.parse_inner_list(text, "a")


@given(st.binary(max_size=80))
def test_byte_strings_go_round(value: bytes) -> None:
    assert structured.parse_bytes(f"a={structured.serialize_bytes(value)}", "a", len(value)) == value


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "a=:", "a=::", "a=:AA:", "a=:AB==:", "a=:AA==", "b=:AA==:", "a=:A-==:"]
)
def test_other_forms_of_a_byte_are_refused(text: str) -> None:
    """The one form of one zero byte is `a=:AA==:`."""
    assert structured.parse_bytes("a=:AA==:", "a", 1) == b"\0"
    with pytest.raises(WireError):
        structured.parse_bytes(text, "a", 1)


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"a={text}", f'a=("x"){text}', f"a=:{text}:"):
        for read in (structured.parse_inner_list, lambda t, label: structured.parse_bytes(t, label, 3)):
            with contextlib.suppress(WireError):
                read(candidate, "a")


@given(
    st.lists(st.from_regex(r'"[a-z@-]{1,8}"(;req)?', fullmatch=True), unique=True, max_size=5),
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
        st.integers(-(10**15) + 1, 10**15 - 1) | st.from_regex(r"[ !#-\[\]-~]{0,10}", fullmatch=True),
        max_size=5,
    ),
)
def test_lists_go_round(components: list[str], parameters: dict[str, int | str]) -> None:
    listed = structured.InnerList(tuple(components), parameters)
    assert structured.parse_inner_list(f"a={listed}", "a") == listed


def test_no_pattern_repeats_what_repeats() -> None:
    """Without a repetition inside a repetition nothing is gone over twice, but a component's own keys."""
    nested = re.compile(r"[*+}]\)[*+{]")
    patterns = {name: v.pattern for name, v in vars(structured).items() if isinstance(v, re.Pattern)}
    assert len(patterns) == 4
    assert [name for name, pattern in patterns.items() if nested.search(pattern)] == ["_COMPONENT"]
    assert not any(mark in pattern for pattern in patterns.values() for mark in ("*+", "++", "?+", "}+"))


def test_a_list_longer_than_its_limit_is_refused_unread() -> None:
    longest = 'a=("x")' + ";k=1".rjust(limits.SIGNATURE_INPUT_BYTES - 7)
    with pytest.raises(WireError, match="parameters"):
        structured.parse_inner_list(longest, "a")
    longest = longest[: len('a=("x")')] + ";" + longest[len('a=("x")') + 1 :].replace(";", " ")
    assert structured.parse_inner_list(longest, "a").parameters == {"k": 1}
    with pytest.raises(WireError, match="longer than 1024"):
        structured.parse_inner_list("a=(" + " " * 8100 + "x", "a")
