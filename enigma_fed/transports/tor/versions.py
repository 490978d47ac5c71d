"""Which versions of tor will do, and what an older one lacks. Pure."""

from __future__ import annotations

import re
from typing import Final

OLDEST: Final = (0, 4, 7)
"""Vanguards-lite: without it an onion service gives its guard relays away in days."""
ADVISED: Final = (0, 4, 8)
"""Proof of work against floods of the onion; what is older gets no corrections any more."""

_VERSION: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){1,9}")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of `0.4.9.11` or `0.4.8.1-alpha-dev (git-…)`; () when there are none."""
    found = _VERSION.match(version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def too_old(version: str) -> str:
    """Why a tor of this version is not used, "" when it is; an unreadable version passes."""
    if not _is_below(version, OLDEST):
        return ""
    return f"version {version} hides an onion's guard relays badly; the oldest that is taken is 0.4.7"


def drawback(version: str) -> str:
    """What a usable tor of this version lacks, "" when nothing."""
    if too_old(version) or not _is_below(version, ADVISED):
        return ""
    return f"version {version} is no longer maintained and has no proof of work against floods; 0.4.8 has"


def _is_below(version: str, least: tuple[int, ...]) -> bool:
    found = numbers(version)
    return bool(found) and found < least
