"""BLAKE3 by its own test vectors, and what is said where there is none."""

from __future__ import annotations

import importlib
import sys

import pytest

from enigma_fed.base.errors import ConfigError
from enigma_fed.wire import blake3hash

# From the vectors that BLAKE3's authors publish.
_EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_the_published_vector() -> None:
    assert blake3hash.digest(b"").hex() == _EMPTY


def test_without_the_library_it_is_said_which_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "blake3", None)
        importlib.reload(blake3hash)
        with pytest.raises(ConfigError, match="blake3"):
            blake3hash.digest(b"")
    importlib.reload(blake3hash)
    assert blake3hash.digest(b"").hex() == _EMPTY
