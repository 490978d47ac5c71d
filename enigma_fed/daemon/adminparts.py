"""The parts of a running node that the admin listener tells about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from enigma_fed.base.clock import Clock
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.clockstate import ClockState
from enigma_fed.daemon.listeners import Listeners
from enigma_fed.federation.client import RpcPeerCaller
from enigma_fed.federation.service import Federation
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.state.historyservice import HistoryService
from enigma_fed.state.service import StateService
from enigma_fed.state.streaming import StreamPublisher
from enigma_fed.transports.tor.status import TorStatus

if TYPE_CHECKING:
    from enigma_fed.daemon.registryhere import RegistryHere


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages look at; nothing of it is changed."""

    clock: Clock
    started: float
    """On the boot clock."""
    tasks: Tasks
    data_dir: Path
    tor: Callable[[], TorStatus]
    clock_state: ClockState
    federation: Federation
    caller: RpcPeerCaller
    state: StateService
    endpoint: RpcEndpoint
    listeners: Listeners
    traffic: Traffic
    publisher: StreamPublisher | None = None
    history: HistoryService | None = None
    registry: RegistryHere | None = None
