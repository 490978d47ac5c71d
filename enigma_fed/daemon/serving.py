"""What peers reach at this node: its methods and its stream, put together."""

from __future__ import annotations

from collections.abc import Callable

from enigma_fed.base.clock import Clock
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.clockstate import ClockState
from enigma_fed.federation.methods import peer_joined_method, tokenless_join_method
from enigma_fed.federation.service import Federation
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.methods import MethodTable
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.service import StateService
from enigma_fed.state.streaming import StreamPublisher
from enigma_fed.wire.windows import Window


def make_publisher(
    state: StateService, federation: Federation, clock: Clock, tasks: Tasks
) -> StreamPublisher:
    """Who pushes the state: to members, as long as they may read it; their pings count as heard."""
    return StreamPublisher(state, clock, tasks, federation.may_stream, federation.heard)


def make_endpoint(
    key: NodeKey,
    state: StateService,
    federation: Federation,
    publisher: StreamPublisher,
    clock_state: ClockState,
    traffic: Traffic,
    clock: Clock,
    random: Callable[[int], bytes],
    away: Callable[[], tuple[Window, ...]],
) -> RpcEndpoint:
    """The endpoint of a node; `random` gives secret random bytes, `away` when it announces to be off."""
    get_state = get_state_method(state, away)
    install = package_install(federation.suspended)
    return RpcEndpoint(
        key,
        MethodTable((get_state, peer_joined_method(federation), install)),
        federation,
        clock,
        random,
        clock_state.challenge_everyone,
        legacy_methods=(get_state, tokenless_join_method(federation)),
        let_in=clock_state.let_in,
        traffic=traffic,
        publisher=publisher,
    )
