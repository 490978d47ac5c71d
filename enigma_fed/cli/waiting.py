"""A node whose slow answers are told of while they are waited for."""

from __future__ import annotations

from typing import Final, TypeVar

from enigma_fed.cli import output
from enigma_fed.daemon import calls
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.operations import Operations

R = TypeVar("R")
_TOLD_ELSEWHERE: Final = frozenset({calls.PEER_SYNC.name, calls.PEER_PING.name, calls.HISTORY.name})
"""Calls whose commands show a progress of their own."""


class Waiting(Operations):
    """Another node's operations, with progress on standard error around each call."""

    def __init__(self, node: Operations) -> None:
        self._node = node
        self.target, self.lasting, self.announce = node.target, node.lasting, node.announce

    def call(self, call: Call[R], params: Params) -> R:
        """Carry the call on; raises what it raises."""
        if call.name in _TOLD_ELSEWHERE:
            return self._node.call(call, params)
        with output.progress("waiting for the agent", self._node.hanging):
            return self._node.call(call, params)

    def hanging(self) -> str:
        """What the node says."""
        return self._node.hanging()

    def close(self) -> None:
        """Free what the node holds."""
        self._node.close()
