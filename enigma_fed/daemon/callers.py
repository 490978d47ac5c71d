"""The clients of an agent's one session: what it calls peers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from enigma_fed.base.clock import Clock
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.client import RpcClient
from enigma_fed.rpc.streamclient import StreamClient
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.transports.tor.session import renew_circuit
from enigma_fed.transports.tor.socks_errors import explain


@dataclass(frozen=True, slots=True)
class Callers:
    """Calls and streams; both know the same of the peers' clocks."""

    calls: RpcClient
    streams: StreamClient

    def cut(self, did: Did) -> None:
        """End every call and stream of ours to this DID (invariant 6)."""
        self.calls.cut(did)
        self.streams.cut(did)


def make_callers(
    key: NodeKey,
    session: aiohttp.ClientSession,
    clock: Clock,
    random: Callable[[int], bytes],
    skewed: Callable[[Did, int], None],
    traffic: Traffic,
) -> Callers:
    """`random` gives secret random bytes; `skewed` hears what signed answers say of peers' clocks."""

    def unanswered(onion: OnionAddress) -> None:
        renew_circuit(session, onion)

    calls = RpcClient(
        key, session, clock, random, explain, unanswered=unanswered, skewed=skewed, traffic=traffic
    )
    streams = StreamClient(key, session, clock, random, calls.clocks, explain, unanswered, skewed, traffic)
    return Callers(calls, streams)
