"""Which files a running registry follows, and what its owner should know of them."""

from __future__ import annotations

from enigma_fed.base.errors import EnigmaError
from enigma_fed.daemon.registryfiles import FileWatch
from enigma_fed.registry import tls
from enigma_fed.registry.configfile import Loaded


def follow(watch: FileWatch, loaded: Loaded) -> tuple[str, ...]:
    """Watch the files of this configuration, certificates included; what to tell its owner. Blocks."""
    settings, said, files = loaded.settings, list(loaded.warnings), list(loaded.files)
    if settings.mode == "tls" and settings.tls is not None:
        found = (settings.tls.certificate, settings.tls.key, settings.tls.client_ca)
        files += [path for path in found if path is not None]
        try:
            said += tls.advice(settings.tls, tls.now())
        except EnigmaError as error:
            said.append(str(error))
    watch.follow(files)
    return tuple(said)
