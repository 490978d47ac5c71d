"""data/openrpc.json says what the RPC takes and gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from enigma_fed.cli import openrpc
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.state import (
    DeltaAnswer,
    FullState,
    GetStateParams,
    Have,
    Unchanged,
    full_state_to_object,
)
from enigma_fed.wire.statedelta import Patch, StateDelta
from tests.support.identities import did, onion
from tests.wire.test_state import STATES

FILE = Path(__file__).parents[2] / "data" / "openrpc.json"
JOIN = JoinParams(did=did(1), onion=onion(1), token=bytes(16), signature=bytes(64), name="attic")


def params_of(method: str) -> dict[str, Any]:
    required, optional = openrpc.params_schema(method)
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


def is_valid(value: object, schema: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == openrpc.text(), "write it again with: make docs"


def test_every_error_of_a_method_is_described() -> None:
    described = openrpc.document()
    for method in described["methods"]:
        for error in method["errors"]:
            *_, name = error["$ref"].split("/")
            assert described["components"]["errors"][name]["data"]["code"] == name


@pytest.mark.parametrize(
    "params", [GetStateParams(), GetStateParams(have=Have(bytes(8), 7)), GetStateParams(plain=True)]
)
def test_what_is_sent_in_a_poll_fits(params: GetStateParams) -> None:
    assert is_valid(params.to_object(binary=False), params_of("federation.get-state"))


@given(STATES)
def test_every_state_that_is_sent_fits(state: FullState) -> None:
    schema = openrpc.result_schema("federation.get-state")
    found = full_state_to_object(state, binary=False)
    assert is_valid(found, schema)
    assert not is_valid({**found, "unchanged": True}, schema)
    assert not is_valid({**found, "epoch": "x"}, schema)


def test_every_delta_that_is_sent_fits() -> None:
    schema = openrpc.result_schema("federation.get-state")
    delta = DeltaAnswer(StateDelta(1, 2, 3, Patch(cpu_tenths=7)), bytes(64)).to_object(binary=False)
    assert is_valid(delta, schema)
    assert not is_valid({**delta, "delta": "="}, schema)
    assert not is_valid({**delta, "unchanged": True}, schema)


def test_what_is_sent_in_a_join_fits() -> None:
    schema = params_of("federation.peer-joined")
    found: Any = JOIN.to_object(binary=False)
    assert is_valid(found, schema)
    for name in ("did", "onion", "pubkey", "signature", "token"):
        assert not is_valid({**found, name: "x"}, schema)
        assert not is_valid({key: value for key, value in found.items() if key != name}, schema)


def test_results_fit() -> None:
    assert is_valid(Unchanged().to_object(binary=False), openrpc.result_schema("federation.get-state"))
    for level in TrustLevel:
        assert is_valid(
            JoinReply(level).to_object(binary=False), openrpc.result_schema("federation.peer-joined")
        )
