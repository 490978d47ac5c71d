"""Bodies of the older generation: identities in clear."""

from __future__ import annotations

import json

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire import olderbodies
from tests.support.registryusers import User

ALICE = User("alice")
CLEAR = ALICE.identity().encode()


def test_an_older_registration_is_told_from_a_newer_one() -> None:
    assert olderbodies.registration(b'{"identity":%b}' % CLEAR) == ALICE.identity()
    assert olderbodies.registration(ALICE.register().encode()) is None
    assert olderbodies.registration(b"[]") is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"identity":%b,"more":1}' % CLEAR, "body"),
        (b'{"identity":null}', "identity"),
        (json.dumps({"identity": {**json.loads(CLEAR), "signature": []}}).encode(), "identity.signature"),
        (b"{", "body"),
    ],
)
def test_what_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        olderbodies.registration(body)
    assert caught.value.field == field


def test_its_size_is_bounded() -> None:
    with pytest.raises(TooLarge):
        olderbodies.registration(b" " * (registry_limits.REGISTER_BYTES + 1))


def test_the_answer() -> None:
    assert olderbodies.resolved(None) == b'{"identity":null}'
    assert json.loads(olderbodies.resolved(CLEAR)) == {"identity": json.loads(CLEAR)}
