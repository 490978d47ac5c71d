"""Who gets an answer of the admin listener (invariant 10). Pure.

Only programs of this machine that name it by its loopback address, and only its own pages: not a page of
another origin in the owner's browser, also not under a name that was led to this address (DNS rebinding),
nor a caller whom some tor leads here by an onion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from enigma_fed.base.errors import WireError
from enigma_fed.wire.httpsig import Fields, single

METHODS: Final = ("GET", "HEAD")
_HTTP_PORT: Final = 80
_OWN_SITES: Final = frozenset({"none", "same-origin"})
"""`Sec-Fetch-Site` of what the owner typed, and of a page of this very origin (another port: `same-site`)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A short answer that tells nothing about the node."""

    status: int
    word: str
    """What it is counted as."""
    text: str


_UNCLEAR: Final = Refusal(400, "bad-request", "bad request\n")
_FOREIGN: Final = Refusal(
    403, "foreign", "this is for programs on this machine, under its loopback address\n"
)
_NOT_FOUND: Final = Refusal(404, "not-found", "not found\n")
_METHOD: Final = Refusal(405, "method", "GET and HEAD only\n")
_BODY: Final = Refusal(413, "body", "no bodies\n")


@dataclass(frozen=True, slots=True)
class Names:
    """What the listener may be called in `Host` and `Origin`."""

    hosts: frozenset[str]

    @classmethod
    def of(cls, host: str, port: int) -> Names:
        """For a listener at this loopback address."""
        shown = f"[{host}]" if ":" in host else host
        names = (shown, "localhost")
        bare = names if port == _HTTP_PORT else ()
        return cls(frozenset({*(f"{name}:{port}" for name in names), *bare}))


def refusal(
    fields: Fields, method: str, target: str, targets: frozenset[str], names: Names
) -> Refusal | None:
    """Why a request gets no answer; None when it does. `target` is as it was sent."""
    try:
        host = single(fields, "Host")
        origin = single(fields, "Origin")
        site = single(fields, "Sec-Fetch-Site")
    except WireError:
        return _UNCLEAR
    if host is None or host.lower() not in names.hosts:
        return _FOREIGN
    if origin is not None and origin.lower() not in {f"http://{name}" for name in names.hosts}:
        return _FOREIGN
    if site is not None and site not in _OWN_SITES:
        return _FOREIGN
    if target not in targets:
        return _NOT_FOUND
    if method not in METHODS:
        return _METHOD
    return _BODY if _has_body(fields) else None


def _has_body(fields: Fields) -> bool:
    lengths = fields.getall("Content-Length", ())
    return bool(fields.getall("Transfer-Encoding", ())) or any(length.strip("0 ") for length in lengths)
