"""What went wrong on the way to an onion, in plain words."""

from __future__ import annotations

import asyncio

import aiohttp
import aiohttp_socks
import pytest
import python_socks

from enigma_fed.base.errors import PeerUnreachable, TorFailed
from enigma_fed.transports.tor.socks_errors import NOT_REACHED, REPLIES, explain, is_of_own_tor


@pytest.mark.parametrize("code", range(0xF0, 0xF8))
def test_tors_own_codes_come_as_text(code: int) -> None:
    assert explain(python_socks.ProxyError(f"Invalid reply code: {code:#02X}")) == REPLIES[code]


def test_codes_that_aiohttp_socks_knows_come_as_numbers_or_messages() -> None:
    assert explain(aiohttp_socks.ProxyError("x", error_code=5)) == REPLIES[5]
    assert explain(python_socks.ProxyError("General SOCKS server failure")) == REPLIES[1]


def test_an_unknown_code_is_told_as_a_number() -> None:
    assert "(199)" in explain(python_socks.ProxyError("Invalid reply code: 0XC7"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "did not answer in time"),
        (python_socks.ProxyTimeoutError("x"), "did not answer in time"),
        (aiohttp_socks.ProxyTimeoutError("x"), "did not answer in time"),
        (aiohttp.ServerTimeoutError(), "did not answer in time"),
        (python_socks.ProxyConnectionError(111, "x"), "tor does not answer"),
        (asyncio.IncompleteReadError(b"", 2), "tor closed the connection"),
        (aiohttp.ServerDisconnectedError(), "the connection broke"),
        (PeerUnreachable("it sleeps"), "it sleeps"),
        (TorFailed(), "Tor stopped or did not start"),
    ],
)
def test_other_errors(error: Exception, words: str) -> None:
    assert words in explain(error)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (python_socks.ProxyConnectionError(111, "x"), True),
        (aiohttp_socks.ProxyConnectionError(111, "x"), True),
        (asyncio.IncompleteReadError(b"", 2), True),
        (ConnectionResetError(), True),
        (python_socks.ProxyError("Invalid reply code: 0XF0"), False),
        (aiohttp_socks.ProxyError("x", error_code=4), False),
        (python_socks.ProxyTimeoutError("x"), False),
        (TimeoutError(), False),
    ],
)
def test_who_is_to_blame(error: Exception, ours: bool) -> None:
    assert is_of_own_tor(error) is ours


def test_every_explanation_follows_a_colon() -> None:
    assert not [words for words in REPLIES.values() if words.endswith(".") or "SOCKS" in words]


def test_a_failure_without_a_reason_is_not_laid_to_a_tor_that_is_ready() -> None:
    error = python_socks.ProxyError("General SOCKS server failure", error_code=1)
    assert "Tor has no network yet" in explain(error)
    assert explain(error, ready=True) == NOT_REACHED
    assert explain(TimeoutError(), ready=True) == explain(TimeoutError())
