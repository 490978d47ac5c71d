"""BLAKE3 by its own test vectors, and what is said where there is none."""

from __future__ import annotations

import importlib
import sys

import pytest

from enigma_fed.base.errors import ConfigError
from enigma_fed.wire import blake3hash

# From the vectors that BLAKE3's authors publish: input 00 01 02, key "whats the Elvish word for friend".
_KEY = b"whats the Elvish word for friend"
_EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
_KEYED_EMPTY = "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"


def test_the_published_vectors() -> None:
    assert blake3hash.digest(b"").hex() == _EMPTY
    assert blake3hash.keyed(_KEY, b"").hex() == _KEYED_EMPTY


def test_without_the_library_it_is_said_which_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "blake3", None)
        importlib.reload(blake3hash)
        for call in (lambda: blake3hash.digest(b""), lambda: blake3hash.keyed(_KEY, b"")):
            with pytest.raises(ConfigError, match="blake3"):
                call()
    importlib.reload(blake3hash)
    assert blake3hash.digest(b"").hex() == _EMPTY
