"""Which URLs a registry may have."""

from __future__ import annotations

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import UsageError
from enigma_fed.registry.clientplace import Place, is_this_machine

ONION = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://registry.example", "https://registry.example"),
        ("https://registry.example/", "https://registry.example"),
        ("HTTPS://Registry.Example:443/", "https://registry.example"),
        ("https://registry.example:8443/a/b/", "https://registry.example:8443/a/b"),
        ("http://127.0.0.1:8443", "http://127.0.0.1:8443"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://localhost:8443", "http://localhost:8443"),
        (f"http://{ONION}:8443/", f"http://{ONION}:8443"),
    ],
)
def test_there_is_one_spelling(text: str, url: str) -> None:
    place = Place.parse(text)
    assert place.url == url
    assert Place.parse(url) == place
    assert place.is_encrypted == url.startswith("https:")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no URL"),
        ("registry.example", "no URL"),
        ("ftp://registry.example", "no URL"),
        ("https://", "no URL"),
        ("https://registry.example:0", "no URL"),
        ("https://registry.example:65536", "no URL"),
        ("https://[::1", "no URL"),
        ("https://user:secret@registry.example", "nothing else"),
        ("https://registry.example/?a=b", "nothing else"),
        ("https://registry.example/#a", "nothing else"),
        ("https://registry.example/a b", "characters"),
        ("https://registry.example/\r\nx", "characters"),
        ("https://regiştry.example", "characters"),
        ("https://registry.example/%2e", "characters"),
        (f"https://{ONION}", "Tor itself encrypts"),
        (f"http://{'a' * 56}.onion", "onion address"),
        ("http://registry.example:8443", "without encryption"),
        ("http://10.0.0.1", "without encryption"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        Place.parse(text)
    assert "secret" not in str(caught.value)


def test_invariant_9_plain_http_to_another_machine_is_for_who_allows_it() -> None:
    assert Place.parse("http://10.0.0.1:8443", allow_http=True).url == "http://10.0.0.1:8443"
    with pytest.raises(UsageError, match="without encryption"):
        Place.parse("http://10.0.0.1:8443")


def test_invariant_7_a_url_has_a_length() -> None:
    start = "https://registry.example/"
    longest = start + "a" * (registry_limits.NODE_URL_BYTES - len(start))
    assert Place.parse(longest).url == longest
    with pytest.raises(UsageError, match="longer"):
        Place.parse(longest + "a")


def test_invariant_8_an_onion_is_shortened_in_sentences() -> None:
    place = Place.parse(f"http://{ONION}:8443")
    assert place.onion is not None
    assert ONION not in place.short
    assert place.short.startswith("http://pg6mmj…")
    assert Place.parse("https://registry.example").short == "https://registry.example"


def test_this_machine() -> None:
    assert is_this_machine("127.8.8.8")
    assert not is_this_machine("127.0.0.1.example")
