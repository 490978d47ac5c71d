"""RFC 3339 times: written in whole seconds UTC, read as the Rust agent writes them too."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from enigma_fed.base.errors import WireError

UNIX_MAX: Final = 253402300799
"""The last second of the year 9999: the largest time that has a text."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORM: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def to_text(unix: int) -> str:
    """`2026-11-20T08:49:00Z`; `unix` from 0 to UNIX_MAX."""
    return (_EPOCH + timedelta(seconds=unix)).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> int:
    """Unix seconds, a fraction cut off; any offset; from 1970 to 9999; raises WireError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise WireError("not an RFC 3339 time")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    sign, offset_hours, offset_minutes = match.groups()[6:]
    offset = int(offset_hours or 0) * 3600 + int(offset_minutes or 0) * 60
    leap = second == 60  # counted as the first second of the next minute
    try:
        at = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        raise WireError("not a time of the calendar") from None
    unix = (at - _EPOCH) // timedelta(seconds=1) + leap - (-offset if sign == "-" else offset)
    if not 0 <= unix <= UNIX_MAX or offset > 86399:
        raise WireError("a time outside 1970 to 9999")
    return unix
