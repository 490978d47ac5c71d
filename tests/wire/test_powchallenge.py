"""Proof of work: challenges that carry what they ask for, and answers to them."""

from __future__ import annotations

import hashlib

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import PowRequired
from enigma_fed.wire import powchallenge

SECRET, SALT = bytes([1]) * 32, bytes([2]) * 4
TEXT = powchallenge.make(SECRET, SALT, 1_795_000_120, 18, "/resolve")


def test_a_challenge_is_32_lower_case_digits_that_say_what_they_ask_for() -> None:
    assert len(TEXT) == 32
    assert bytes.fromhex(TEXT).hex() == TEXT
    assert powchallenge.read(SECRET, TEXT, "/resolve") == (1_795_000_120, 18)


def test_two_challenges_of_one_second_differ_by_their_salt() -> None:
    assert powchallenge.make(SECRET, bytes(4), 1_795_000_120, 18, "/resolve") != TEXT


def test_without_a_route_it_is_another_challenge() -> None:
    free = powchallenge.make(SECRET, SALT, 7, 18, None)
    assert powchallenge.read(SECRET, free, None) == (7, 18)
    assert powchallenge.read(SECRET, free, "/resolve") is None


@pytest.mark.parametrize(
    ("secret", "text", "route"),
    [
        (bytes(32), TEXT, "/resolve"),
        (SECRET, TEXT, "/check_user"),
        (SECRET, TEXT, None),
        (SECRET, TEXT, "\udcff"),
        (SECRET, TEXT[:-1], "/resolve"),
        (SECRET, TEXT + "0", "/resolve"),
        (SECRET, TEXT.upper(), "/resolve"),
        (SECRET, TEXT[:-2] + "\u0665\u0665", "/resolve"),
        (SECRET, "g" * 32, "/resolve"),
        (SECRET, "", "/resolve"),
    ],
)
def test_invariant_7_what_we_did_not_give_out_for_a_route_is_no_challenge(
    secret: bytes, text: str, route: str | None
) -> None:
    assert powchallenge.read(secret, text, route) is None


@pytest.mark.parametrize("position", range(16))
def test_invariant_7_no_bit_of_a_challenge_can_be_changed(position: int) -> None:
    data = bytearray.fromhex(TEXT)
    for bit in range(8):
        data[position] ^= 1 << bit
        assert powchallenge.read(SECRET, data.hex(), "/resolve") is None
        data[position] ^= 1 << bit


def test_the_header_is_split_at_its_first_colon() -> None:
    assert powchallenge.split("abc:1:2") == ("abc", "1:2")


@pytest.mark.parametrize("header", ["", "abc", ":", "abc:", ":1"])
def test_a_header_of_another_form(header: str) -> None:
    with pytest.raises(PowRequired):
        powchallenge.split(header)


def test_invariant_7_a_header_is_bounded() -> None:
    most = registry_limits.POW_HEADER_CHARACTERS
    assert powchallenge.split("a:" + "1" * (most - 2))[0] == "a"
    with pytest.raises(PowRequired):
        powchallenge.split("a:" + "1" * (most - 1))


def test_the_published_vector() -> None:
    challenge = "000102030405060708090a0b0c0d0e0f"
    assert powchallenge.meets(challenge, "456", 8)
    assert not powchallenge.meets(challenge, "0", 8)


def test_zero_bits_are_counted_from_the_first() -> None:
    for number in range(300):
        digest = hashlib.sha256(b"c%d" % number).digest()
        leading = len(bin(int.from_bytes(b"\x01" + digest, "big"))[3:].split("1")[0])
        assert powchallenge.meets("c", str(number), leading)
        assert not powchallenge.meets("c", str(number), leading + 1)


def test_a_solution_is_any_text_of_a_header() -> None:
    assert powchallenge.meets("c", "\udcff", 0)
    assert powchallenge.digest("c", "é") == hashlib.sha256("cé".encode()).digest()
