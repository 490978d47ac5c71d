"""A running node: the one place where the rooms are put together, started, and stopped in order."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

from enigma_fed.base import limits
from enigma_fed.base.errors import NoWayOut
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import Settings
from enigma_fed.daemon import degraded
from enigma_fed.daemon.adminpages import make_admin
from enigma_fed.daemon.adminparts import Parts
from enigma_fed.daemon.announcement import Announcement
from enigma_fed.daemon.callers import make_callers
from enigma_fed.daemon.clockstate import ClockState, newest_time
from enigma_fed.daemon.control import ControlServer
from enigma_fed.daemon.desk import Desk
from enigma_fed.daemon.history import begin_history, keep_history
from enigma_fed.daemon.init import node_view, own_address
from enigma_fed.daemon.listeners import Listeners
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.reload import Unsettled
from enigma_fed.daemon.serving import make_endpoint, make_publisher
from enigma_fed.daemon.status import Running, compose, tor_view
from enigma_fed.daemon.strangers import StrangersDoor
from enigma_fed.daemon.surroundings import Surroundings
from enigma_fed.daemon.torlog import TorLog
from enigma_fed.daemon.torplan import TorPlan, make_tor
from enigma_fed.daemon.wayout import WayOut
from enigma_fed.federation.client import GET_STATE, RpcPeerCaller, RpcStreamCaller
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Streaming
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.client import SigningRequest
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.traffic import DayBytes, Traffic
from enigma_fed.state.sampler import Sampler
from enigma_fed.state.service import StateService
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import ManagedTor, Tor
from enigma_fed.transports.tor.session import onion_session, renew_circuit
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import TorNeeds
from enigma_fed.wire.state import FullState, GetStateParams, full_state_from_object
from enigma_fed.wire.stream import CloseCode
from enigma_fed.wire.viewbuild import snapshot_view
from enigma_fed.wire.views import StatusView

if TYPE_CHECKING:
    from enigma_fed.daemon.registryhere import RegistryHere

_log = logging.getLogger(__name__)

_EPOCH_BYTES: Final = 8
_ISOLATION_KEY_BYTES: Final = 32


class RunningNode:
    """Every part of one node, tied together; `start` brings them up, the exit stack takes them down."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        own_keys: tuple[NodeKey, OnionKey],
        store: FederationStore,
        tor: TorPlan,
        around: Surroundings,
        strangers: OnionKey | None = None,
    ) -> None:
        """`store` is open, `strangers` the key of their onion, if there is to be one; call it on the loop."""
        clock, random = around.clock, around.random
        self._key, self._onion = own_keys
        self._settings, self._config = settings, str(paths.config.absolute()) if paths.config else ""
        self._clock = clock
        self._started = clock.boot()
        self._copy_heard_at: float | None = None
        self._has_session_of_its_own = around.session is not None
        self.unsettled = Unsettled()
        self._tor_log = TorLog()
        self._heard_tor = around.heard_tor
        self._tasks = Tasks()
        self._announcement = Announcement(settings.node.offline_windows, clock)
        self._view = node_view(*own_keys, paths, settings)
        self._address = own_address(self._onion, settings)
        self._tor = self._make_tor(tor, paths)
        self._session = self._make_session(around)
        self._traffic = Traffic(clock.boot)
        self._callers = make_callers(self._key, self._session, clock, random, self._skewed, self._traffic)
        self._caller = RpcPeerCaller(
            self._callers.calls,
            clock,
            lambda *said: self.federation.announced(*said),  # noqa: PLW0108
        )
        self._history = keep_history(paths.data_dir, self._key.did, clock, self._tasks)
        self.federation = self._make_federation(store, around)
        self._way_out = WayOut(self.federation.lose, self.federation.wake)
        sampler = Sampler(paths.data_dir, self._view.name, clock)
        self._state = StateService(
            self._key, clock, random(_EPOCH_BYTES), sampler, self._tor_is_ready, self._tasks, around.apps
        )
        newest = newest_time(store.membership, store.observations.values())
        self._clock_state = ClockState(clock, newest, assume=settings.clock.synchronised == "assume")
        self._publisher = make_publisher(self._state, self.federation, clock, self._tasks)
        self._endpoint = self._make_endpoint(around)
        self._listeners = Listeners(self._endpoint, settings.rpc.listen, tor.door(paths))
        self._strangers = None if strangers is None else StrangersDoor(tor.mode, paths, strangers)
        self._registry = self._make_registry(paths, around)
        self._admin = make_admin(settings.admin.listen, self._parts())
        self._control = self._make_control(paths)

    async def start(self, held: AsyncExitStack) -> None:
        """Start every part, and leave with `held` how to stop it; raises PortInUse, OperationFailed."""
        held.push_async_callback(self._tasks.close)
        held.push_async_callback(self._history.close)
        held.push_async_callback(self._session.close)
        held.push_async_callback(self._tor.close)
        held.push_async_callback(self.federation.close)
        held.push_async_callback(self._listeners.close)
        held.callback(self._publisher.close)
        await self._listeners.start()
        held.push_async_callback(self._admin.close)
        await self._admin.start()
        held.push_async_callback(self._control.close)
        await self._control.start()
        self.federation.start()
        begin_history(self._history, self._state, self.federation, lambda: self._settings)
        self._tasks.start("clock watch", self._clock_state.watch())
        if self._registry is not None:
            held.push_async_callback(self._registry.close)
            self._registry.start()
        await self._tor.start()
        address = self._listeners.address or "no loopback address"
        _log.info("%s is up as %s, listening on %s", self._view.name, self._view.did, address)

    @property
    def tor_status(self) -> TorStatus:
        """How far Tor is."""
        return self._tor.status

    @property
    def has_own_tor(self) -> bool:
        """Whether the tor is a process of this agent."""
        return isinstance(self._tor, ManagedTor)

    async def reload(self, settings: Settings) -> bool:
        """Take over what a running node can change; whether its own tor got other lines of the owner's.

        Raises ConfigError when tor refuses them, TorFailed; then nothing has changed.
        """
        registry = settings.registry if settings.registry != self._settings.registry else None
        prepared = await self._registry.prepare(registry) if self._registry and registry else None
        extra = Path(settings.tor.torrc_extra) if settings.tor.torrc_extra else None
        told = isinstance(self._tor, ManagedTor) and await self._tor.change_extra(extra)
        if self._registry and registry and prepared:
            await self._registry.take(registry, prepared)
        self._settings = settings
        if self._announcement.change(settings.node.offline_windows):
            self._publisher.end_all(CloseCode.TRUST_CHANGED)  # those peers poll, and are told
        self.federation.change_interval(settings.federation.poll_interval)
        if self.federation.streams is not None:
            self.federation.streams.change_most(settings.federation.streams)
        return told

    async def status(self) -> StatusView:
        """The whole status of the running node."""
        state = await self._state.current()
        running = Running(
            pid=os.getpid(),
            uptime_s=round(self._clock.boot() - self._started, 1),
            epoch=self._state.epoch.hex(),
            listen=self._listeners.address,
            admin=self._admin.address,
            admin_trouble=self._admin.trouble,
            admin_listen=self._admin.listen,
            config=self._config,
            offline_windows=self._announcement.texts,
            tor=tor_view(self._tor.status),
            public=None if self._strangers is None else self._strangers.view(self._tor.status.public),
            registry=None if self._registry is None else self._registry.view(),
            state=snapshot_view(state.snapshot, state.started + state.ts),
            clock_synchronised=self._clock_state.synchronised,
            clock_behind=self._clock_state.behind,
            challenge_all=self._clock_state.in_doubt,
            another_copy=self._another_copy(),
            disk_free=shutil.disk_usage(self._view.data_dir).free,
        )
        suspended = self.federation.suspended()
        warnings = [*degraded.warnings(self.federation.store, suspended), *self._history.warnings()]
        warnings += self.unsettled.warnings()
        return compose(
            self._view,
            await self.federation.peers_in_turns(),
            self.federation.invites(),
            running,
            warnings,
            suspended=suspended,
        )

    def _parts(self) -> Parts:
        return Parts(
            clock=self._clock,
            started=self._started,
            tasks=self._tasks,
            data_dir=Path(self._view.data_dir),
            tor=lambda: self._tor.status,
            clock_state=self._clock_state,
            federation=self.federation,
            caller=self._caller,
            state=self._state,
            endpoint=self._endpoint,
            listeners=self._listeners,
            traffic=self._traffic,
            publisher=self._publisher,
            history=self._history,
            registry=self._registry,
        )

    def _make_control(self, paths: Paths) -> ControlServer:
        desk = Desk(self.federation, self._view, self.status, self._history)
        return ControlServer(paths.control_socket, desk.serve, group=paths.group(os.getegid()))

    def _make_federation(self, store: FederationStore, around: Surroundings) -> Federation:
        settings = self._settings.federation
        return Federation(
            store,
            self._key,
            self._address,
            self._view.name,
            around.clock,
            around.random,
            self._tasks,
            self._caller,
            Hooks(self._cut, self._has_a_way_out, self._another_copy, self._day_of, *self._history.hooks),
            poll_interval=settings.poll_interval,
            streaming=Streaming(RpcStreamCaller(self._callers.streams), settings.streams),
        )

    def _make_registry(self, paths: Paths, around: Surroundings) -> RegistryHere | None:
        section = self._settings.registry
        if not section.enabled:
            return None
        from enigma_fed.daemon.registryhere import RegistryHere, RegistryNeeds  # a home without one is small

        needs = RegistryNeeds(
            config=paths.config,
            data_dir=paths.data_dir,
            clock=around.clock,
            random=around.random,
            tasks=self._tasks,
            is_trusted=self.federation.trusts,
            door=self._strangers,
            publish=self._tor.publish,
        )
        return RegistryHere(section, needs)

    def _make_tor(self, plan: TorPlan, paths: Paths) -> Tor:
        needs = TorNeeds(self._tasks, self._clock, self.reaches_itself, self._tor_changed)
        onion = (self._onion, self._address)
        return make_tor(plan, paths, onion, lambda: self._listeners.onion_address, needs)

    def _make_endpoint(self, around: Surroundings) -> RpcEndpoint:
        return make_endpoint(
            self._key,
            self._state,
            self.federation,
            self._publisher,
            self._clock_state,
            self._traffic,
            around.clock,
            around.random,
            self._announcement.in_utc,
        )

    def _make_session(self, around: Surroundings) -> aiohttp.ClientSession:
        if around.session is not None:
            return around.session()
        return onion_session(
            self._socks,
            isolation_key=around.random(_ISOLATION_KEY_BYTES),
            request_class=SigningRequest,
            unpublished=self._tor.look_again,
            ready=self._tor_is_ready,
        )

    def _socks(self) -> Endpoint | None:
        if self._tor.status.phase is TorPhase.OFF:
            raise NoWayOut("Tor is switched off here", hint="Set tor.mode to auto, and restart the agent.")
        return self._tor.socks

    def _tor_is_ready(self) -> bool:
        return self._tor.status.ready

    def _has_a_way_out(self) -> bool:
        return self._tor.socks is not None or self._has_session_of_its_own

    def _tor_changed(self, status: TorStatus) -> None:
        self._tor_log(status)
        self._heard_tor(status)
        self._state.changed()
        self._way_out(status)

    def _cut(self, did: Did) -> None:
        """End everything that is under way with a removed peer, in both directions (invariant 6)."""
        self._endpoint.cut(did)
        self._callers.cut(did)
        if self.federation.store.node(did) is None:
            self._traffic.forget(did.public_key)

    def _day_of(self, did: Did) -> DayBytes:
        return self._traffic.day(did.public_key)

    def _skewed(self, did: Did, seconds: int) -> None:
        """The client, made before the federation, heard what a peer's clock shows."""
        self.federation.note_skew(did, seconds)

    async def reaches_itself(self) -> bool:
        """Call our own onion through Tor; only our own epoch in the answer counts (PROTOCOL section 5)."""
        # An open circuit goes on working when nobody new can reach this node any more.
        renew_circuit(self._session, self._address)
        reply = await self._callers.calls.call(
            self._key.did, self._address, GET_STATE, GetStateParams(), _read_full_state
        )
        self.federation.proven()
        own = reply.result.epoch == self._state.epoch
        if not own:
            if not self._another_copy():
                _log.error("%s", degraded.COPY_RUNS)
            self._copy_heard_at = self._clock.boot()
        return own

    def _another_copy(self) -> bool:
        """Whether another copy of this node answered at our onion within a day."""
        at = self._copy_heard_at
        return at is not None and self._clock.boot() - at < limits.ANOTHER_COPY_MEMORY


def _read_full_state(result: object) -> FullState:
    return full_state_from_object(result, binary=False)
