"""A node with its real federation, stores on disk and endpoint, for others to flood."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.methods import peer_joined_method
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.methods import MethodTable
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.sampler import Sampler
from enigma_fed.state.service import StateService
from enigma_fed.wire import invite
from enigma_fed.wire.records import TrustLevel
from tests.support.manualclock import ManualClock
from tests.support.members import member
from tests.support.memberships import commit, membership
from tests.support.rpcserver import serving
from tests.support.signedcalls import key, onion


class Target:
    """Node key(2), whose one member is key(1); past its first three minutes."""

    def __init__(
        self, folder: Path, clock: Clock, store: FederationStore, started: Callable[[], None]
    ) -> None:
        """`started` moves the clock out of the window after a start."""
        self.key = key(2)
        self.did = self.key.did
        self.clock = clock
        self.store = store
        self.tasks = Tasks()
        self.federation = Federation(
            store,
            self.key,
            onion(2),
            "target",
            clock,
            os.urandom,
            self.tasks,
            None,
            Hooks(cut=lambda did: None),
        )
        state = StateService(
            self.key, clock, bytes(8), Sampler(folder, "target", clock), lambda: True, self.tasks
        )
        methods = (get_state_method(state), peer_joined_method(self.federation), package_install())
        self.endpoint = RpcEndpoint(self.key, MethodTable(methods), self.federation, clock, os.urandom)
        self.port = 0
        started()

    async def token(self, seconds: int = 3600) -> bytes:
        """The token of a new invite."""
        view = await self.federation.create_invite(TrustLevel.OBSERVER, seconds)
        return invite.decode(view.code or "").token


class RunningClock:
    """The system's, whose boot time can be moved on."""

    def __init__(self, wall: Callable[[], float], boot: Callable[[], float]) -> None:
        self._wall = wall
        self._boot = boot
        self._ahead = 0.0

    def wall(self) -> float:
        """Unix time in seconds."""
        return self._wall()

    def boot(self) -> float:
        """Seconds of a steady clock."""
        return self._boot() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """As asyncio's."""
        await asyncio.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move the boot time on."""
        self._ahead += seconds


@asynccontextmanager
async def target(folder: Path, clock: ManualClock | RunningClock) -> AsyncIterator[Target]:
    """A target that listens on a loopback port."""
    FederationStore.create(folder)
    store = FederationStore(folder)
    store.open()
    await commit(store, membership(nodes=[member(1, did=key(1).did, onion=onion(1))]))
    made = Target(folder, clock, store, lambda: clock.advance(limits.CHALLENGE_AFTER_START))
    async with serving(made.endpoint.runner()) as port:
        made.port = port
        yield made
    await made.federation.close()
    await made.tasks.close()
