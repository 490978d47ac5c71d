"""The sealed form: whatever was changed in it is noticed."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import StoreNewer, WireError
from enigma_fed.storage.seal import HEAD_BYTES, is_newer, read_head, seal, seal_rows, unseal


def test_what_was_sealed_is_unsealed() -> None:
    data = seal({"words": ["one"]}, 7)
    assert unseal(data) == ({"words": ["one"]}, 7)
    head = read_head(data[:HEAD_BYTES])
    assert head is not None
    assert (head.newer, head.rev) == (False, 7)
    assert f'"sum": "{head.sum}"'.encode() in data


def test_invariant_5_every_single_flipped_bit_is_noticed() -> None:
    data = seal({"words": ["one", 2, None]}, 7)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            unseal(bytes(flipped))


def test_only_a_file_that_is_whole_with_our_version_in_it_is_damaged() -> None:
    data = seal({"words": ["one"]}, 7).replace(b'"version": 1', b'"version": 12')
    with pytest.raises(WireError, match="version"):
        unseal(data)
    with pytest.raises(StoreNewer):
        unseal(data.replace(b"one", b"two"))


def test_a_file_of_another_agent_has_rev_0_and_no_head() -> None:
    assert unseal(b'{"words": []}') == ({"words": []}, 0)
    assert read_head(b'{"words": []}') is None


@pytest.mark.parametrize(
    "data", [b'{"version": 2}', b'{ "version": 2, broken', b' {"version":999999999,"rev":1}']
)
def test_a_newer_version_is_seen_before_anything_else_is_read(data: bytes) -> None:
    assert is_newer(data)
    head = read_head(data)
    assert head is not None
    assert head.newer
    with pytest.raises(StoreNewer):
        unseal(data)


@pytest.mark.parametrize("data", [b'{"version": 1, "rev": 1}', b'{"version": 0, "rev": 1}', b"", b"[]"])
def test_what_is_no_newer_version(data: bytes) -> None:
    assert not is_newer(data)
    with pytest.raises(WireError):
        unseal(data)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_a_list_is_sealed_in_parts(count: int) -> None:
    rows = [f'{{"number":{number},"text":"{"x" * 9000}"}}'.encode() for number in range(count)]
    parts = seal_rows("rows", iter(rows), 7)
    assert max(map(len, parts)) < 2 * 128 * 1024
    body, rev = unseal(b"".join(parts))
    assert (rev, body["rows"]) == (7, [{"number": number, "text": "x" * 9000} for number in range(count)])
    head = read_head(parts[0][:HEAD_BYTES])
    assert head is not None
    assert (head.newer, head.rev) == (False, 7)
    with pytest.raises(WireError):
        unseal(b"".join(parts).replace(b"]", b" ]", 1))
