"""Types of arguments: lifetimes and trust levels."""

from __future__ import annotations

import re
from typing import Final

import click

from enigma_fed.base import limits

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN: Final = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)

TRUST: Final = click.Choice(["trusted", "observer", "untrusted"])
SCOPE: Final = click.Choice(["observer", "trusted"])


def parse_ttl(text: str) -> int:
    """A lifetime in seconds from "24h", "30m", "7d", "90s" or plain seconds; raises ValueError."""
    seconds = parse_ago(text)
    if not limits.INVITE_TTL_MIN <= seconds <= limits.INVITE_TTL_MAX:
        lowest, highest = limits.INVITE_TTL_MIN // 60, limits.INVITE_TTL_MAX // 86400
        raise ValueError(f"{text!r} is outside of {lowest}m to {highest}d")
    return seconds


def parse_ago(text: str) -> int:
    """Any length of time in seconds, written like a lifetime; raises ValueError."""
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a time like 24h, 30m, 7d or a number of seconds")
    return int(found[1]) * _UNITS[found[2]]


def _read_ttl(ctx: click.Context, param: click.Parameter, value: str) -> int:
    try:
        return parse_ttl(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


ttl_option: Final = click.option(
    "--ttl",
    metavar="TIME",
    default="24h",
    show_default=True,
    callback=_read_ttl,
    help="How long the code is valid, from 1m to 30d: 30m, 24h, 7d, or seconds.",
)
