"""How Tor gets on, in the log."""

from __future__ import annotations

import logging

from enigma_fed.transports.tor.status import TorStatus

_log = logging.getLogger(__name__)


class TorLog:
    """Writes down how Tor gets on, once per change of phase or reason."""

    def __init__(self) -> None:
        self._said = ("", "")

    def __call__(self, status: TorStatus) -> None:
        """Note a status."""
        said = (status.phase.value, status.reason)
        if said == self._said:
            return
        self._said = said
        if status.reason:
            _log.warning("Tor is %s at %d %%: %s", status.phase.value, status.percent, status.reason)
        else:
            _log.info("Tor is %s", status.phase.value)
