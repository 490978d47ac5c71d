"""Tries that may have failed by our own doing: nothing came through our way out since. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")


class Doubt(Generic[K]):
    """Whom we tried in vain since our own way out was last known to work, and their failures before that.

    An answer proves the way out, and with it that those who failed until then are silent. While the
    way out is known to be lost nothing proves that: who answers then may be the first after its return.
    """

    def __init__(self) -> None:
        self._before: dict[K, int] = {}
        self.lost = False
        """Whether our own way out is known not to work."""

    def failed(self, key: K, before: int) -> None:
        """A try failed, after so many failures in a row."""
        self._before.setdefault(key, before)

    def drop(self, key: K) -> None:
        """It answered, or it is not tried any more."""
        self._before.pop(key, None)

    def proven(self) -> None:
        """Something came through our way out."""
        if not self.lost:
            self._before.clear()

    def lose(self) -> None:
        """Our own way out does not work, from the last proof on."""
        self.lost = True

    def settle(self) -> dict[K, int]:
        """It works again: whose tries do not count, each with its failures of before."""
        tried, self._before, self.lost = self._before, {}, False
        return tried
