"""Why a node takes part in no join and no install for now (PROTOCOL section 5)."""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import Final

from enigma_fed.base.errors import AnotherCopy, EnigmaError, StoreRecovered

_RECOVERED: Final = (
    "Its files were damaged, and it works with their copies: see what is in them, "
    "and take them: enigma-fed doctor --accept-recovered"
)
_COPY: Final = "Stop the other copy, remove its data folder, and restart this node's agent."


class Suspended(enum.StrEnum):
    """A reason; without one nothing is suspended."""

    RECOVERED = "recovered"
    """A damaged file was replaced by its copy, which may be older."""
    ANOTHER_COPY = "another-copy"
    """Another agent with our identity answered at our onion."""


def refusal(reasons: Collection[Suspended]) -> EnigmaError | None:
    """What the owner is told who asks for a join or an install; None when nothing is suspended."""
    if Suspended.RECOVERED in reasons:
        return StoreRecovered("joins and installs are suspended", hint=_RECOVERED)
    if reasons:
        return AnotherCopy("joins and installs are suspended", hint=_COPY)
    return None
