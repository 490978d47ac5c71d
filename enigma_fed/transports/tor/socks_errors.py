"""What went wrong on the way to an onion, in plain words.

Tor answers a failed SOCKS request with a code of its own (socks-extensions, "Extended error
codes"); python-socks reports an unknown code only as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from enigma_fed.base.errors import EnigmaError

NOT_PUBLISHED: Final = 0xF0
"""Tor found no descriptor of the onion."""
FAILURE: Final = 0x01
"""Any other failure: of a tor that is ready, most often that it did not get to the onion."""
NOT_REACHED: Final = "it was not reached: it may be off, or its onion address is not published"
HOST_UNREACHABLE: Final = 0x04
"""The same from a SOCKS port without ExtendedErrors, as a tor that is not ours has it."""
REPLIES: Final[Mapping[int, str]] = MappingProxyType(
    {
        FAILURE: "Tor could not connect; it may not accept us, or Tor has no network yet",
        0x02: "Tor's own settings do not allow this connection",
        0x03: "Tor has no route to the network",
        HOST_UNREACHABLE: "Tor could not find a way to it: it is offline, or was never online",
        0x05: "it is reachable, but nothing answers on its port",
        0x06: "Tor gave up waiting for it",
        0x07: "Tor did not understand the request",
        0x08: "Tor does not accept that kind of address",
        NOT_PUBLISHED: "its onion address is not published: it is offline, or was never online",
        0xF1: "what is published for its onion address is damaged",
        0xF2: "it is published but does not answer: it may have just gone offline",
        0xF3: "a meeting with it inside Tor failed",
        0xF4: "its onion address needs a client key and this node has none",
        0xF5: "its onion address does not accept this node's client key",
        0xF6: "that is not a valid onion address",
        0xF7: "it did not answer in time inside Tor",
    }
)
"""SOCKS reply code → words that follow "The peer cannot be reached:"."""

_UNKNOWN_CODE: Final = re.compile(r"Invalid reply code: 0X([0-9A-F]{1,2})")
_MESSAGES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "General SOCKS server failure": 0x01,
        "Connection not allowed by ruleset": 0x02,
        "Network unreachable": 0x03,
        "Host unreachable": 0x04,
        "Connection refused by destination host": 0x05,
        "TTL expired": 0x06,
        "Command not supported or protocol error": 0x07,
        "Address type not supported": 0x08,
    }
)


def reply_code(error: BaseException) -> int | None:
    """The SOCKS reply code that an error of aiohttp-socks stands for, if it stands for one."""
    code = getattr(error, "error_code", None)
    if isinstance(code, int):
        return code
    text = str(error)
    found = _UNKNOWN_CODE.search(text)
    return int(found[1], 16) if found else _MESSAGES.get(text)


def is_of_own_tor(error: BaseException) -> bool:
    """Whether our own tor did not take the request, so that the failure says nothing of the peer."""
    gone = type(error).__name__ == "ProxyConnectionError" or isinstance(error, EOFError | ConnectionError)
    return gone and reply_code(error) is None


def explain(error: BaseException, *, ready: bool = False) -> str:
    """Why a call failed, in words that follow "The peer cannot be reached:"; never an address.

    `ready`: our own tor is, so that a failure without a reason is not laid to it.
    """
    if isinstance(error, EnigmaError):
        return error.detail or error.what
    code = reply_code(error)
    if code == FAILURE and ready:
        return NOT_REACHED
    if code is not None:
        return REPLIES.get(code, f"Tor answered with an unknown code ({code})")
    if isinstance(error, TimeoutError) or type(error).__name__ == "ProxyTimeoutError":
        return "it did not answer in time"
    if type(error).__name__ == "ProxyConnectionError":
        return "this node's tor does not answer; it may be starting again"
    if isinstance(error, EOFError | ConnectionError):
        return "this node's tor closed the connection; it may be starting again"
    return "the connection broke"
