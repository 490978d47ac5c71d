"""Who may stay connected to one listener when it is full (invariant 7). Pure.

Connections of strangers and of members have places of their own. A connection is a stranger's until
a member's request held on it; from then on no stranger can take its place. Too many strangers: of the
circuit that holds most of them the oldest goes, an idle one first, so that whoever wants to fill a
listener needs as many circuits as it has places, and a newcomer stays until as many have come after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from enigma_fed.base import limits

C = TypeVar("C")
T = TypeVar("T")


class Places(Generic[C]):
    """The connections of one listener; each method says whose connection has to end for it."""

    def __init__(self, worth: Callable[[C], int], most: int | None = None, few: int | None = None) -> None:
        """Of a connection that waits for a request `worth` is 0, of any other more: that one goes later.

        `most` is how many strangers' connections there may be, limits.CONNECTIONS_INBOUND if None; `few` how
        many by one circuit, limits.CONNECTIONS_PER_CIRCUIT if None.
        """
        self._worth = worth
        self._most = most
        self._few = few
        self._strangers: dict[C, Hashable] = {}
        """By arrival, with the circuit or what else names where it came from (None: nobody can tell)."""
        self._members: dict[C, tuple[bytes, Hashable]] = {}
        """By last use, with the member's key."""
        self._on_circuit: Counter[Hashable] = Counter()
        self._of_key: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._strangers) + len(self._members)

    @property
    def strangers(self) -> int:
        """How many connections no member has proved itself on."""
        return len(self._strangers)

    @property
    def members(self) -> int:
        """How many connections are members'."""
        return len(self._members)

    def arrive(self, connection: C, circuit: Hashable) -> C | None:
        """Take a new connection; returns the one that has to end, which can be the new one."""
        self._strangers[connection] = circuit
        self._on_circuit[circuit] += 1
        if circuit is not None and self._on_circuit[circuit] > (
            limits.CONNECTIONS_PER_CIRCUIT if self._few is None else self._few
        ):
            return self._oldest(circuit)
        if len(self._strangers) > (limits.CONNECTIONS_INBOUND if self._most is None else self._most):
            return self._oldest(self._fullest())
        return None

    def prove(self, connection: C, key: bytes) -> C | None:
        """A member's request held on it; returns another member's or its own connection that has to end."""
        known = self._members.pop(connection, None)
        if known is not None:
            self._members[connection] = known
            return None
        if connection not in self._strangers:
            return None
        self._members[connection] = (key, self._strangers.pop(connection))
        self._of_key[key] += 1
        if self._of_key[key] > limits.CONNECTIONS_PER_KEY:
            return self._least(each for each, (owner, _) in self._members.items() if owner == key)
        if len(self._members) > limits.CONNECTIONS_OF_MEMBERS:
            return self._least(self._members)
        return None

    def leave(self, connection: C) -> None:
        """The connection has ended."""
        known = self._members.pop(connection, None)
        if known is not None:
            _less(self._of_key, known[0])
            _less(self._on_circuit, known[1])
        elif connection in self._strangers:
            _less(self._on_circuit, self._strangers.pop(connection))

    def _fullest(self) -> Hashable:
        """The circuit with most strangers' connections; of equal ones that of the oldest."""
        return Counter(self._strangers.values()).most_common(1)[0][0]

    def _oldest(self, circuit: Hashable) -> C:
        return self._least(each for each, its in self._strangers.items() if its == circuit)

    def _least(self, connections: Iterable[C]) -> C:
        found = list(connections)
        return min(found[:-1], key=self._worth, default=found[0])


def _less(counts: Counter[T], name: T) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
