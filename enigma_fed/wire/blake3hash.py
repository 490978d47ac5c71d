"""BLAKE3, the hash of the registry's wire: user ids and envelope keys."""

from __future__ import annotations

from typing import Final

try:
    from blake3 import blake3
except ImportError:  # no wheel for this processor: everything but the registry works
    blake3 = None  # type: ignore[assignment,misc]

from enigma_fed.base.errors import ConfigError

DIGEST_BYTES: Final = 32


def digest(data: bytes) -> bytes:
    """The plain 32-byte hash; raises ConfigError where the library is missing."""
    if blake3 is None:
        raise ConfigError(
            "the registry needs the Python package blake3, which is not installed",
            hint="On a processor without a ready-made package: install Rust, then pip install blake3",
        )
    return blake3(data).digest()
