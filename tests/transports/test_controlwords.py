"""What is said to a control port, and what is never said to one."""

from __future__ import annotations

import base64
import stat

import pytest

from enigma_fed.transports.tor.controlwords import (
    UNMAPPED_USER,
    add_onion_line,
    choose_method,
    cookie_doubt,
    is_trusted_user,
    may_listen,
    password_line,
    service_ids,
)

KEY = bytes(range(64))


def test_an_onion_dies_with_its_connection_and_has_its_limits() -> None:
    line = add_onion_line(KEY, ((80, "127.0.0.1:8786"),), pow_defence=True)
    assert line == (
        f"ADD_ONION ED25519-V3:{base64.b64encode(KEY).decode()} Flags=MaxStreamsCloseCircuit MaxStreams=32 "
        "PoWDefensesEnabled=1 PoWQueueRate=100 PoWQueueBurst=400 Port=80,127.0.0.1:8786"
    )
    assert "Detach" not in line


def test_a_tor_without_proof_of_work_gets_no_word_of_it() -> None:
    assert "PoW" not in add_onion_line(KEY, ((80, "127.0.0.1:1"),), pow_defence=False)


@pytest.mark.parametrize("password", ["plain", 'with "quotes" and \\', "äöü\r\nSIGNAL SHUTDOWN"])
def test_a_password_of_any_characters_is_one_word(password: str) -> None:
    word, _, value = password_line(password).partition(" ")
    assert word == "AUTHENTICATE"
    assert bytes.fromhex(value).decode() == password


@pytest.mark.parametrize(
    ("offered", "has_password", "method"),
    [
        ({"COOKIE", "SAFECOOKIE"}, False, "SAFECOOKIE"),
        ({"COOKIE", "SAFECOOKIE", "PASSWORD"}, True, "PASSWORD"),
        ({"COOKIE", "SAFECOOKIE", "PASSWORD"}, False, "SAFECOOKIE"),
        ({"PASSWORD"}, True, "PASSWORD"),
        ({"SAFECOOKIE"}, True, "SAFECOOKIE"),
        ({"NONE"}, False, "NONE"),
    ],
)
def test_the_method_for_a_unix_socket(offered: set[str], has_password: bool, method: str) -> None:
    assert choose_method(offered, has_password=has_password, is_unix=True) == (method, "")


def test_invariant_8_a_port_that_asks_for_nothing_is_never_given_the_key() -> None:
    method, trouble = choose_method({"NONE"}, has_password=False, is_unix=False)
    assert method == ""
    assert "CookieAuthentication" in trouble


def test_invariant_8_no_file_is_handed_to_who_names_it() -> None:
    assert choose_method({"COOKIE"}, has_password=False, is_unix=True)[0] == ""
    assert choose_method({"COOKIE"}, has_password=False, is_unix=False)[0] == ""


def test_a_port_that_wants_a_password_says_where_to_put_it() -> None:
    assert "tor.control_password_file" in choose_method({"PASSWORD"}, has_password=False, is_unix=False)[1]
    assert choose_method(set(), has_password=True, is_unix=True)[0] == ""


OURS = 1001


@pytest.mark.parametrize(("owner", "mode"), [(0, 0o640), (105, 0o640), (OURS, 0o600), (105, 0o660)])
def test_a_cookie_of_the_system_or_ours_proves_tor(owner: int, mode: int) -> None:
    assert cookie_doubt(owner, stat.S_IFREG | mode, OURS, is_unix=False) == ""


@pytest.mark.parametrize(("owner", "mode"), [(1002, 0o600), (65534, 0o600), (0, 0o644), (0, 0o602)])
def test_invariant_8_a_cookie_that_another_user_can_know_proves_nothing(owner: int, mode: int) -> None:
    assert cookie_doubt(owner, stat.S_IFREG | mode, OURS, is_unix=False)


def test_at_a_unix_socket_its_path_vouches_for_the_owner_but_not_for_an_open_file() -> None:
    assert cookie_doubt(UNMAPPED_USER, stat.S_IFREG | 0o640, OURS, is_unix=True) == ""
    assert cookie_doubt(UNMAPPED_USER, stat.S_IFREG | 0o644, OURS, is_unix=True)


def test_trusted_users() -> None:
    assert is_trusted_user(0, OURS)
    assert is_trusted_user(999, OURS)
    assert is_trusted_user(OURS, OURS)
    assert not is_trusted_user(1000, OURS)
    assert not is_trusted_user(UNMAPPED_USER, OURS)
    assert may_listen(UNMAPPED_USER, OURS)
    assert may_listen(105, OURS)
    assert not may_listen(1000, OURS)


def test_onions_of_a_connection() -> None:
    assert service_ids("") == frozenset()
    assert service_ids("aaa\nbbb\n") == {"aaa", "bbb"}
