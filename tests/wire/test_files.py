"""nodes.json, invites.json and state.json: written, read back, and what is not valid in them."""

from __future__ import annotations

import contextlib
import json
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.storage.seal import seal, seal_rows, unseal
from enigma_fed.wire import invitesfile, nodesfile, observationsfile, timestamps
from enigma_fed.wire.records import InvitesFile, NodesFile, Observation, Stage, Tombstone, Via
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import FullState, full_state_to_object
from enigma_fed.wire.windows import Window
from tests.support import members
from tests.support.identities import did, onion
from tests.support.samplehome import FOLDER, invites

SCHEMAS = FOLDER.parents[1] / "schemas"


def through_disk(body: Any) -> Any:
    return json.loads(json.dumps(body))


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check_schema(name: str, body: Any) -> None:
    validator(name).validate(json.loads(seal(body, 1)))


@given(members.nodes_files())
def test_nodes_round_trip_and_follow_the_schema(value: NodesFile) -> None:
    body = nodesfile.encode(value)
    assert nodesfile.decode(through_disk(body)) == value
    check_schema("nodes", body)


@given(members.invites_files())
def test_invites_round_trip_and_follow_the_schema(value: InvitesFile) -> None:
    body = invitesfile.encode(value)
    assert invitesfile.decode(through_disk(body)) == value
    check_schema("invites", body)


@given(st.lists(members.observations(), max_size=4))
def test_observations_round_trip_and_follow_the_schema(values: list[Observation]) -> None:
    body, rev = unseal(b"".join(seal_rows(observationsfile.MEMBER, observationsfile.rows(values), 3)))
    last = {observation.did: observation for observation in values}
    assert (observationsfile.decode(body), rev) == (last, 3)
    check_schema("state", body)


@given(members.observations())
def test_a_state_is_written_as_it_travels(value: Observation) -> None:
    (row,) = observationsfile.rows([value])
    state = None if value.state is None else full_state_to_object(value.state, binary=False)
    assert json.loads(row)["state"] == state


def test_the_schemas_refuse_other_files() -> None:
    good = nodesfile.encode(NodesFile(nodes=(members.member(1),)))
    for change in ({"nodes": None}, {"nodes": [{"did": "x"}]}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            check_schema("nodes", {**good, **change})


def test_an_encoder_that_remembers_gives_the_same() -> None:
    encoder = nodesfile.NodeEncoder()
    first = NodesFile(nodes=(members.member(1), members.member(2)))
    second = NodesFile(nodes=(first.nodes[0], members.member(2, stage=Stage.USED)))
    for value in (first, second, second):
        assert encoder.encode(value) == nodesfile.encode(value)
    entries = encoder.encode(second)["nodes"]
    assert isinstance(entries, list)
    assert entries[0] is encoder.encode(second)["nodes"][0]  # type: ignore[index]


GOOD = through_disk(nodesfile.encode_node(members.member(1)))


def test_a_removed_peer_reads_as_it_was_written() -> None:
    gone = Tombstone(did=did(1), removed_at=members.NOW, joined_with=(bytes(32),))
    file = NodesFile(removed=(gone,))
    assert nodesfile.decode(through_disk(nodesfile.encode(file))) == file


@pytest.mark.parametrize(
    ("value", "windows"),
    [
        (None, []),
        ("23:00-07:00", []),
        ([7, "23-7", "07:00-07:00", "23:00-07:00", "23:00-07:00"], ["23:00-07:00"]),
        ([f"0{n}:00-09:00" for n in range(9)], [f"0{n}:00-09:00" for n in range(limits.OFFLINE_WINDOWS)]),
    ],
)
def test_a_window_that_is_none_costs_nobody_the_membership(value: object, windows: list[str]) -> None:
    node = nodesfile.decode_node({**GOOD, "offline_windows": value})
    assert [str(window) for window in node.offline_windows] == windows
    assert nodesfile.decode_node(through_disk(nodesfile.encode_node(node))) == node


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("did", "did:key:zABC"),
        ("did", str(did(2))),
        ("pubkey", "aabbccdd"),
        ("onion", "127.0.0.1:80/x?.onion"),
        ("onion", "127.0.0.1:80/x?"),
        ("onion", "example.onion"),
        ("onion", str(onion(1)).upper()),
        ("onion", None),
        ("trust_level", "root"),
        ("added_at", "yesterday"),
        ("stage", "half"),
        ("joined_with", ["00"]),
        ("paused", "yes"),
    ],
)
def test_invariant_4_an_entry_that_is_not_valid_is_kept_as_text_and_is_no_member(
    name: str, value: object
) -> None:
    entry = {**GOOD, name: value}
    read = nodesfile.decode({"nodes": [entry, GOOD]})
    assert [node.did for node in read.nodes] == [did(1)]
    assert json.loads(read.invalid[0]) == entry
    again = nodesfile.decode(through_disk(nodesfile.encode(read)))
    assert again == read


def test_a_second_entry_with_the_same_did_is_kept_aside() -> None:
    read = nodesfile.decode({"nodes": [GOOD, {**GOOD, "trust_level": "trusted"}]})
    assert [node.trust_level.value for node in read.nodes] == ["observer"]
    assert len(read.invalid) == 1


NOT_NAMES = ["", "attic ", "x" * 70, "did:key:z6Mk", "z6Mkattic", "a\x1bb", "a\u200bb", "\u2800", 7]


@pytest.mark.parametrize("name", NOT_NAMES)
def test_a_name_that_is_not_valid_here_costs_nobody_the_membership(name: object) -> None:
    read = nodesfile.decode({"nodes": [{**GOOD, "name": name, "alias": name}]})
    assert (read.nodes[0].name, read.nodes[0].alias, read.invalid) == (None, None, ())
    entries = invitesfile.encode(InvitesFile(incoming=(members.incoming(1),), pending=(members.pending(2),)))
    body = through_disk(entries)
    for entry in (*body["incoming"], *body["pending"]):
        entry["name"] = name
    invites = invitesfile.decode(body)
    assert (invites.incoming[0].name, invites.pending[0].name, invites.invalid) == (None, None, ())


@pytest.mark.parametrize("size", [2**53, 2**64 - 1, 2**127])
def test_a_large_integer_of_another_agent_costs_its_state_only(size: int) -> None:
    state = {"apps": [], "mem_used_bytes": size}
    data = json.dumps({"nodes": [{**GOOD, "last_state": state}, {**GOOD, "did": size}]}).encode()
    read = nodesfile.decode(unseal(data)[0])
    assert [(node.did, node.last_state) for node in read.nodes] == [(did(1), None)]
    assert json.loads(read.invalid[0])["did"] == size
    again = unseal(seal(nodesfile.encode(read), 1))[0]
    assert nodesfile.decode(again) == read


def test_a_state_that_is_not_valid_here_costs_nobody_the_membership() -> None:
    read = nodesfile.decode({"nodes": [{**GOOD, "last_state": {"apps": "none"}}]})
    assert read.nodes[0].last_state is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"nodes": None},
        {"nodes": {}},
        {"nodes": [], "removed": [{}]},
        {"nodes": [], "removed": {}},
        {"nodes": [], "invalid": [1]},
        {"nodes": [GOOD], "removed": [{"did": str(did(1)), "removed_at": "2026-01-01T00:00:00Z"}]},
    ],
)
def test_invariant_5_a_nodes_file_without_sense_is_an_error_and_never_empty(body: Any) -> None:
    with pytest.raises(WireError):
        nodesfile.decode(body)


@pytest.mark.parametrize("body", [{}, {"outgoing": []}, {"incoming": []}, {"outgoing": {}, "incoming": []}])
def test_invariant_5_an_invites_file_without_sense_is_an_error(body: Any) -> None:
    with pytest.raises(WireError):
        invitesfile.decode(body)


@pytest.mark.parametrize(
    ("accepted", "stage"), [(True, Stage.USED), (False, Stage.CREATED), (None, Stage.CREATED)]
)
def test_invariant_3_a_code_of_the_rust_agent_that_was_accepted_is_used(accepted: Any, stage: Stage) -> None:
    rust = {**invites()["outgoing"][0], "accepted": accepted}  # type: ignore[index]
    (read,) = invitesfile.decode({"outgoing": [rust], "incoming": []}).outgoing
    assert (read.stage, read.code is None) == (stage, stage is Stage.USED)


def test_what_ends_after_the_year_9999_ends_with_it() -> None:
    """Entries that give no end get one that can be written."""
    last = timestamps.to_text(timestamps.UNIX_MAX)
    rust = {**invites()["outgoing"][0], "created_at": last}  # type: ignore[index]
    pending = {**through_disk(invitesfile.encode(InvitesFile(pending=(members.pending(2),))))["pending"][0]}
    del pending["expires_at"]
    body = {"outgoing": [rust], "incoming": [rust], "pending": [{**pending, "received_at": last}]}
    read = invitesfile.decode(body)
    ends = [entry.expires_at for entry in (*read.outgoing, *read.incoming, *read.pending)]
    assert ends == [timestamps.UNIX_MAX] * 3
    assert invitesfile.decode(through_disk(invitesfile.encode(read))) == read


def test_a_whole_observation_is_written_and_read() -> None:
    snapshot = Snapshot(
        node_name="attic",
        apps=(App(id="lnd", status="up"),),
        cpu_tenths=452,
        mem_used_kib=3,
        tor_active=False,
    )
    state = FullState(epoch=bytes(8), started=5, seq=7, ts=9, snapshot=snapshot, signature=bytes(64))
    whole = Observation(
        did=did(1),
        last_seen=members.NOW,
        state=state,
        latency_ms=12.5,
        skew_s=-3,
        failures=2,
        last_error="nobody answers",
        last_error_at=members.NOW + 1,
        next_poll_at=members.NOW + 60,
        via=Via.STREAM,
        stream_failures=1,
        away=(Window(1380, 420),),
    )
    (row,) = observationsfile.rows([whole])
    assert json.loads(row)["state"] == full_state_to_object(state, binary=False)
    assert observationsfile.decode({"peers": [json.loads(row)]}) == {did(1): whole}


def test_an_observation_of_before_windows_stored_pauses_and_streams_is_read() -> None:
    entry = json.loads(*observationsfile.rows([Observation(did=did(1), failures=2)]))
    for name in ("away", "next_poll_at", "via", "stream_failures"):
        del entry[name]
    assert observationsfile.decode({"peers": [entry]}) == {did(1): Observation(did=did(1), failures=2)}


def test_an_observation_that_could_not_be_written_again_is_left_out() -> None:
    good = json.loads(*observationsfile.rows([Observation(did=did(1), skew_s=-3)]))
    far = {**good, "did": str(did(2)), "skew_s": 1e300}
    gone = {**good, "did": str(did(3)), "away": [[0, 1440]]}
    read = observationsfile.decode({"peers": [good, far, gone]})
    assert read == {did(1): Observation(did=did(1), skew_s=-3)}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(GOOD)), anything)
def test_any_value_of_a_member_is_read_or_kept(name: str, value: object) -> None:
    read = nodesfile.decode({"nodes": [{**GOOD, name: value}]})
    assert len(read.nodes) + len(read.invalid) == 1


@given(
    st.sampled_from(["nodes", "outgoing", "incoming", "pending", "peers", "removed"]),
    st.lists(anything, max_size=2),
)
def test_any_entries_are_read_or_a_wire_error(name: str, entries: list[object]) -> None:
    body = {"nodes": [], "outgoing": [], "incoming": [], "peers": [], name: entries}
    for decode in (nodesfile.decode, invitesfile.decode, observationsfile.decode):
        with contextlib.suppress(WireError):
            decode(body)
