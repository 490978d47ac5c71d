"""DIDs, onion addresses and names: one way in, and only valid values come out."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import DidInvalid, FieldInvalid, OnionInvalid
from enigma_fed.base.ids import Did, OnionAddress, parse_node_name

VECTORS = Path(__file__).parents[1] / "vectors"


def vectors(name: str) -> list[object]:
    rows = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [pytest.param(row["input"], row["expect"], id=row["name"]) for row in rows]


@pytest.mark.parametrize(("text", "expect"), vectors("did.json"))
def test_invariant_4_did_vectors(text: str, expect: str) -> None:
    if expect == "ok":
        assert str(Did.parse(text)) == text
    else:
        with pytest.raises(DidInvalid):
            Did.parse(text)


@pytest.mark.parametrize(("text", "expect"), vectors("onion.json"))
def test_invariant_4_onion_vectors(text: str, expect: str) -> None:
    if expect == "ok":
        assert str(OnionAddress.parse(text)) == text
    else:
        with pytest.raises(OnionInvalid):
            OnionAddress.parse(text)


def test_invariant_4_a_key_of_another_kind_is_called_that() -> None:
    with pytest.raises(DidInvalid, match="not an Ed25519 key"):
        Did.parse("did:key:z6LSkzxVagBX8fzFegos93GjWVSkdeQbkmEuxsQL5nw78pKu")


@given(st.text())
def test_any_text_is_a_did_or_an_error(text: str) -> None:
    for candidate in (text, "did:key:z" + text, "did:key:z6Mk" + text):
        with contextlib.suppress(DidInvalid):
            assert str(Did.parse(candidate)) == candidate


@given(st.text(), st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=56, max_size=56))
def test_any_text_is_an_onion_address_or_an_error(text: str, label: str) -> None:
    for candidate in (text, text + ".onion", label + ".onion"):
        with contextlib.suppress(OnionInvalid):
            assert str(OnionAddress.parse(candidate)) == candidate


def test_key_id_is_the_did_with_its_own_key_as_fragment() -> None:
    did = Did.parse("did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX")
    assert did.url == f"{did}#z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX"
    assert Did.parse_url(did.url) == did


@pytest.mark.parametrize("fragment", ["", "#", "#z6Mk", "#z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"])
def test_invariant_4_key_id_with_another_fragment_is_refused(fragment: str) -> None:
    with pytest.raises(DidInvalid):
        Did.parse_url("did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX" + fragment)


def test_short_forms_do_not_hold_the_whole_value() -> None:
    onion = OnionAddress.parse("rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5optfad.onion")
    assert onion.short == "rkeohx….onion"
    assert Did(onion.public_key).short == "z6Mkon…LfLX"


@pytest.mark.parametrize("name", ["home", "Zoë's server", "家", "a" * 64, "a" + "\u0301" * 4])
def test_names(name: str) -> None:
    assert parse_node_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " home",
        "home\n",
        "a\x00b",
        "a\u202eb",
        "a\u200bb",
        "\u3164",
        "\u2800",
        "a\u00a0b",
        "z6MkqPUZjsqN",
        "did:key:z6Mk",
        "attic [z6MkqPUZjsqN]",
        "attic \uff5a6\uff2d\uff4b",
        "a" + "\u0301" * 5,
        "é" * 33,
        "a" * 65,
        "\ud800",
    ],
)
def test_names_that_could_deceive_or_overflow_are_refused(name: str) -> None:
    with pytest.raises(FieldInvalid):
        parse_node_name(name)
