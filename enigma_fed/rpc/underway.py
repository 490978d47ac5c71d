"""What is under way with each peer, so that a removal can end it at once (invariant 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from enigma_fed.base.ids import Did


class UnderWay:
    """Requests and streams by peer, each as the call that ends it."""

    def __init__(self) -> None:
        self._ends: dict[Did, list[Callable[[], None]]] = {}

    @contextmanager
    def track(self, did: Did, end: Callable[[], None]) -> Iterator[None]:
        """While inside, `cut` calls `end`, which returns at once."""
        ends = self._ends.setdefault(did, [])
        ends.append(end)
        try:
            yield
        finally:
            ends.remove(end)
            if not ends:
                del self._ends[did]

    def cut(self, did: Did) -> None:
        """End everything that is under way with this DID."""
        for end in tuple(self._ends.get(did, ())):
            end()
