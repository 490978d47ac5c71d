"""The one canonical JSON text of a value (RFC 8785), for signatures."""

from __future__ import annotations

from typing import Any, cast

import rfc8785

from enigma_fed.base.errors import WireError


def encode(value: object) -> bytes:
    """The RFC 8785 form of plain JSON values; raises WireError for one that has none."""
    try:
        return rfc8785.dumps(cast(Any, value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise WireError("the value has no canonical JSON form") from None
