"""What an agent takes from outside, and tests give it instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from enigma_fed.base.clock import Clock
from enigma_fed.transports.tor.status import TorStatus
from enigma_fed.wire.snapshot import App


def nothing(status: TorStatus) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a test replaces: time, chance, and the way out when there is no Tor."""

    clock: Clock
    random: Callable[[int], bytes]
    session: Callable[[], aiohttp.ClientSession] | None
    heard_tor: Callable[[TorStatus], None] = nothing
    """Gets every new status of Tor."""
    apps: Callable[[], tuple[App, ...]] = tuple
    """The apps of this home; whoever changes them calls StateService.changed."""
