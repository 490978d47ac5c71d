"""What the registry's client reads back from its own files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from enigma_fed.base.errors import WireError
from enigma_fed.wire import knownidentities, ownidentity, strictjson
from enigma_fed.wire.knownidentities import Known, KnownFile
from enigma_fed.wire.ownidentity import Registration, new_identity
from enigma_fed.wire.userid import UserId
from tests.fuzz.target import REFUSED, Form, Target, attempt
from tests.support.identities import did

_LONGEST: Final = 4096


def _members(
    decode: Callable[[Mapping[str, object]], Any], encode: Callable[[Any], Mapping[str, object]]
) -> Callable[[bytes], bool]:
    def read(data: bytes) -> bool:
        """What is read can be written, and is then read as the same."""
        found = attempt(lambda: strictjson.decode(data, limit=_LONGEST), WireError)
        if not isinstance(found, dict):
            return False
        value = attempt(lambda: decode(found), WireError)
        if value is REFUSED:
            return False
        assert decode(json.loads(json.dumps(encode(value)))) == value
        return True

    return read


def _compact(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _own() -> Iterable[bytes]:
    own = new_identity("alice", lambda size: bytes(range(size)), 1_800_000_000_000, shows_name=False)
    registered = own.with_registration(Registration(url="https://a.example", identity=bytes(32), at=1))
    for good in (ownidentity.encode(own), ownidentity.encode(registered)):
        yield _compact(good)
        yield _compact({**good, "keys": []})
        yield _compact({**good, "name": "a\n"})


def _known() -> Iterable[bytes]:
    known = Known(
        url="https://a.example",
        user_id=UserId(bytes(32)),
        keys=bytes(32),
        identity=bytes(32),
        first_seen=1,
        last_seen=2,
        head=bytes(32),
    )
    full = knownidentities.encode(KnownFile().with_identity(known).with_registry("https://a.example", did(1)))
    yield from (_compact(full), _compact({**full, "registries": []}), b'{"identities":[]}')
    yield _compact(full).replace(b'"url"', b'"uri"')


TARGETS: Final = (
    Target(
        "own-identity", _members(ownidentity.decode, ownidentity.encode), _own, Form.JSON, longest=_LONGEST
    ),
    Target(
        "known-identities",
        _members(knownidentities.decode, knownidentities.encode),
        _known,
        Form.JSON,
        longest=_LONGEST,
    ),
)
