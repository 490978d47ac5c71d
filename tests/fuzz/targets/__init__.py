"""Every fuzz target; a new decoder gets one here (docs/CONTRIBUTING.md)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.fuzz.target import Target
from tests.fuzz.targets import (
    bodies,
    client,
    identifiers,
    local,
    membership,
    plain,
    registry,
    registryfile,
    signatures,
    stored,
    streams,
)

_ROOMS: Final = (
    client, plain, identifiers, signatures, bodies, membership, local, streams, stored, registry,
    registryfile,
)  # fmt: skip
TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {target.name: target for room in _ROOMS for target in room.TARGETS}
)
