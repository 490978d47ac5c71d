"""How Tor gets on, in the log."""

from __future__ import annotations

import logging

from enigma_fed.transports.tor.status import PublicStatus, TorStatus

_log = logging.getLogger(__name__)


class TorLog:
    """Writes down how Tor gets on, once per change of phase or reason."""

    def __init__(self) -> None:
        self._said = ("", "")
        self._said_of_strangers = (PublicStatus().phase, "")

    def __call__(self, status: TorStatus) -> None:
        """Note a status."""
        self._note_strangers(status.public)
        said = (status.phase.value, status.reason)
        if said == self._said:
            return
        self._said = said
        if status.reason:
            _log.warning("Tor is %s at %d %%: %s", status.phase.value, status.percent, status.reason)
        else:
            _log.info("Tor is %s", status.phase.value)

    def _note_strangers(self, public: PublicStatus) -> None:
        said = (public.phase, public.reason)
        if said == self._said_of_strangers:
            return
        self._said_of_strangers = said
        if public.reason:
            _log.warning("the onion for strangers is %s: %s", public.phase.value, public.reason)
        else:
            _log.info("the onion for strangers is %s", public.phase.value)
