"""Lines for tor's control port and the meaning of its answers (control-spec). Pure."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import Final

from enigma_fed.base import limits

COLLISION: Final = "collision"
"""Part of tor's answer when it serves that onion already."""
SYSTEM_USERS: Final = 1000
"""Numbers of users below this are the system's own."""
UNMAPPED_USER: Final = 65534
"""What every user but root and ourselves looks like in a user namespace (systemd's PrivateUsers=)."""


def add_onion_line(expanded_key: bytes, ports: Sequence[tuple[int, str]], *, pow_defence: bool) -> str:
    """`ADD_ONION` for a key of ours (64 bytes, tor's form); `ports` are virtual ones with `ADDR:PORT`.

    Without the flag Detach: the onion lives and dies with the control connection. It holds a
    secret: never logged.
    """
    words = [
        f"ADD_ONION ED25519-V3:{base64.b64encode(expanded_key).decode('ascii')}",
        "Flags=MaxStreamsCloseCircuit",
        f"MaxStreams={limits.TOR_STREAMS_PER_CIRCUIT}",
    ]
    if pow_defence:
        words += [
            "PoWDefensesEnabled=1",
            f"PoWQueueRate={limits.TOR_POW_QUEUE_RATE}",
            f"PoWQueueBurst={limits.TOR_POW_QUEUE_BURST}",
        ]
    return " ".join([*words, *(f"Port={port},{target}" for port, target in ports)])


def password_line(password: str) -> str:
    """`AUTHENTICATE` with a password, in hex: no character of it needs quotes. Never logged."""
    return f"AUTHENTICATE {password.encode('utf-8').hex()}"


def choose_method(offered: Collection[str], *, has_password: bool, is_unix: bool) -> tuple[str, str]:
    """(method, "") to prove ourselves to a control port, or ("", why there is none).

    Never plain COOKIE: it would hand the file that a stranger on that port names to him. Never
    without any proof over TCP: any program of this machine can listen there, and would be
    given the onion's key.
    """
    if has_password and "PASSWORD" in offered:
        return "PASSWORD", ""
    if "SAFECOOKIE" in offered:
        return "SAFECOOKIE", ""
    if "NONE" in offered and is_unix:
        return "NONE", ""
    if "NONE" in offered:
        return "", "it lets everyone in, so nothing shows that it is tor; switch CookieAuthentication on"
    if "PASSWORD" in offered:
        return "", "it asks for a password: put it into a file and name that in tor.control_password_file"
    return "", "it offers no way to prove who we are that this program takes"


def cookie_doubt(owner: int, mode: int, own: int, *, is_unix: bool) -> str:
    """Why a cookie file proves nothing, "" when it does; `own` is the number of our user.

    Who answers at a control port names the file. Only what no other user can have written or
    read shows that tor itself is there. At a Unix socket its path vouches for it already.
    """
    if not is_unix and not is_trusted_user(owner, own):
        return "its cookie file belongs to another user of this machine"
    if mode & 0o006:
        return "its cookie file is open to everyone on this machine"
    return ""


def may_listen(user: int, own: int) -> bool:
    """Whether a tor of the system may be that user, found at a path that only root can hand out."""
    return user == UNMAPPED_USER or is_trusted_user(user, own)


def is_trusted_user(user: int, own: int) -> bool:
    """Whether that is the system (root, tor's own user) or ourselves."""
    return user < SYSTEM_USERS or user == own


def service_ids(text: str) -> frozenset[str]:
    """The onions (56 characters each) of `GETINFO onions/current`."""
    return frozenset(text.split())
