"""`Content-Digest` with its one member."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.wire import contentdigest


def test_the_rfcs_own_example() -> None:
    """RFC 9530 appendix A: the digest of `{"hello": "world"}` and a line end."""
    body = b'{"hello": "world"}\n'
    assert contentdigest.of(body) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_digest_matches_its_body_only(body: bytes, other: bytes) -> None:
    field = contentdigest.of(body)
    contentdigest.check(field)
    assert contentdigest.matches(field, other) == (body == other)


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        contentdigest.check(text)
