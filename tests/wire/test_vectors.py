"""The vectors of the small formats and of the files: what anyone has to accept and to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import BadSignature
from enigma_fed.identity.signing import verify
from enigma_fed.wire import (
    cbor,
    contentdigest,
    invitesfile,
    jsonrpc,
    nodesfile,
    pem,
    structured,
    timestamps,
)
from enigma_fed.wire.join import JoinParams
from tests.support import filevectors, formatvectors

MAKERS = formatvectors.FILES | filevectors.FILES


def rows(name: str) -> list[Any]:
    found = json.loads((formatvectors.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["name"]) for row in found]


def refused(row: dict[str, Any], read: Any) -> str:
    """The words of the error that reading a row gives, which must be the one that it names."""
    with pytest.raises(EnigmaError) as caught:
        read()
    assert caught.value.code == row["expect"]
    return str(caught.value)


@pytest.mark.parametrize("name", MAKERS)
def test_the_vectors_are_what_their_maker_makes(name: str) -> None:
    text = (formatvectors.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(text) == MAKERS[name]()
    assert {"ok"} < {row["expect"] for row in json.loads(text)}


@pytest.mark.parametrize("row", rows("signature"))
def test_invariant_4_signature_vectors(row: dict[str, Any]) -> None:
    key, message, signature = (bytes.fromhex(row[name]) for name in ("public_key", "message", "signature"))
    assert verify(key, message, signature) == (row["expect"] == "ok")
    assert row["expect"] in ("ok", BadSignature.code)


def test_invariant_4_the_key_that_openssl_accepts_for_any_message_is_no_did_and_signs_nothing() -> None:
    neutral = bytes([1]) + bytes(31)
    with pytest.raises(EnigmaError):
        Did(neutral)
    with pytest.raises(EnigmaError):
        Did.parse("did:key:z6MkeXATEjyXENzBXBxgC5EHk2JE5aqd7qMGGtDpLUH1e2Sj")
    assert not any(verify(neutral, b"%d" % number, neutral + bytes(32)) for number in range(8))


@pytest.mark.parametrize("row", rows("cbor"))
def test_cbor_vectors(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"])
    if row["expect"] != "ok":
        refused(row, lambda: cbor.decode(data, limit=1024))
        return
    assert cbor.encode(cbor.decode(data, limit=1024)) == data


@pytest.mark.parametrize("row", rows("call"))
def test_call_vectors(row: dict[str, Any]) -> None:
    form = jsonrpc.BodyForm(row["form"])
    body = bytes.fromhex(row["hex"]) if form.binary else row["input"].encode()
    if row["expect"] != "ok":
        refused(row, lambda: jsonrpc.decode_call(form, body))
        return
    assert jsonrpc.decode_call(form, body).method


@pytest.mark.parametrize("row", rows("time"))
def test_time_vectors(row: dict[str, Any]) -> None:
    if row["expect"] != "ok":
        refused(row, lambda: timestamps.from_text(row["input"]))
        return
    assert timestamps.from_text(row["input"]) == row["unix"]


@pytest.mark.parametrize("row", rows("field"))
def test_field_vectors(row: dict[str, Any]) -> None:
    read = {
        "list": lambda text: structured.parse_inner_list(text, "fed"),
        "bytes": lambda text: structured.parse_bytes(text, "fed", 64),
        "digest": contentdigest.check,
    }[row["kind"]]
    if row["expect"] != "ok":
        refused(row, lambda: read(row["input"]))
        return
    read(row["input"])


@pytest.mark.parametrize("row", rows("key"))
def test_key_vectors(row: dict[str, Any]) -> None:
    data = row["input"].encode()
    if row["expect"] != "ok":
        refused(row, lambda: pem.decode_seed(data))
        return
    assert pem.decode_seed(data).hex() == row["seed"]


@pytest.mark.parametrize("row", rows("nodesfile"))
def test_invariant_4_nodesfile_vectors(row: dict[str, Any]) -> None:
    """Whoever is not valid is no peer, so that it is never dialled; its entry is kept."""
    if row["expect"] != "ok":
        refused(row, lambda: nodesfile.decode(row["input"]))
        return
    read = nodesfile.decode(row["input"])
    assert [str(node.did) for node in read.nodes] == row["peers"]
    assert len(read.invalid) == row["kept"]


@pytest.mark.parametrize("row", rows("invitesfile"))
def test_invariant_4_invitesfile_vectors(row: dict[str, Any]) -> None:
    if row["expect"] != "ok":
        refused(row, lambda: invitesfile.decode(row["input"]))
        return
    read = invitesfile.decode(row["input"])
    assert [len(read.outgoing), len(read.incoming), len(read.pending)] == row["counts"]
    assert len(read.invalid) == row["kept"]


@pytest.mark.parametrize("row", rows("join"))
def test_invariant_4_join_vectors(row: dict[str, Any]) -> None:
    if row["expect"] != "ok":
        assert row["field"] in refused(row, lambda: JoinParams.from_object(row["input"], binary=False))
        return
    said = JoinParams.from_object(row["input"], binary=False)
    assert verify(said.did.public_key, said.message, said.signature)
