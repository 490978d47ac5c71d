"""How much of all members' states is kept (invariant 7). Pure.

One state is bounded by its format, the number of members by limits.PEERS; both at their bound would be
gigabytes, and files that could not be read back.
"""

from __future__ import annotations

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.wire.records import Observation
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState

_APP_BYTES = 256
"""What an app takes besides its texts, in memory and in a file."""


class StateBudget:
    """Weighs the states of all members; one that does not fit is dropped, and asked for at the next poll."""

    def __init__(self) -> None:
        self._weights: dict[Did, int] = {}
        self._states: dict[Did, FullState] = {}
        self._total = 0

    def admit(self, observation: Observation) -> Observation:
        """The observation as it may be kept: without its state if the others leave no room for it."""
        did, state = observation.did, observation.state
        if state is not None and self._states.get(did) is state:
            return observation
        self.forget(did)
        if state is None:
            return observation
        weight = weigh(state.snapshot)
        if self._total + weight > limits.STATES_BYTES:
            return msgspec.structs.replace(observation, state=None)
        self._states[did], self._weights[did] = state, weight
        self._total += weight
        return observation

    def forget(self, did: Did) -> None:
        """A member's state is no longer kept."""
        self._states.pop(did, None)
        self._total -= self._weights.pop(did, 0)


def weigh(snapshot: Snapshot) -> int:
    """No less than what a snapshot's apps take in memory, and no less than their JSON, in bytes."""
    texts = (len(app.id) + len(app.status) + len(app.version or "") for app in snapshot.apps)
    return sum(_APP_BYTES + 4 * size for size in texts)
