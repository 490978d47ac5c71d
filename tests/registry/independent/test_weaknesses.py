"""The 25 weaknesses of the registries that exist, looked for from outside (docs/REGISTRY.md section 11)."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blake3
import pytest

from tests.registry.independent import crypto, owner
from tests.registry.independent.client import Client, Person, compact
from tests.registry.independent.process import (
    KIDS,
    PEPPER,
    QUIET,
    Served,
    configuration,
    key,
    serving,
    until,
)

ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
LOW_ORDER = (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f")
"""X25519 public keys that make a shared secret of zeros with any other."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that counts nobody, with everything open that can be opened."""
    text = configuration(key(0), top="allow_sync = true\nnodes_open = true")
    with serving(tmp_path_factory.mktemp("open"), text) as made:
        yield made


@pytest.fixture
def client(registry: Served) -> Client:
    return registry.client


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def stored(folder: Path) -> bytes:
    """All bytes of the store's files."""
    return b"".join(path.read_bytes() for path in sorted((folder / "registry_db").glob("registry.db*")))


def test_weakness_01_the_pepper_that_all_clients_know_protects_nothing_at_rest(
    client: Client, registry: Served
) -> None:
    anna = Person("anna")
    assert client.register(anna).status == 200
    index = blake3.blake3(b"enigma:registry:blind:v1" + PEPPER + anna.id).digest()
    assert index not in stored(registry.folder)
    assert PEPPER not in stored(registry.folder)
    secret = registry.folder / "registry_db" / "index.key"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(set(secret.read_bytes())) > 16


def test_weakness_02_the_store_holds_no_handle_no_name_and_no_key(client: Client, registry: Served) -> None:
    bella = Person("bella of the unmistakable name")
    client.register(bella)
    for piece in (
        bella.id,
        bella.id.hex().encode(),
        bella.name.encode(),
        crypto.signing_public(bella.signing),
    ):
        assert piece not in stored(registry.folder)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username_hint": "somebody else"}, "identity.username_hint"),
        ({"signing_public_key": list(bytes(range(32)))}, "identity.signature"),
        ({"encryption_public_key": list(bytes(range(32)))}, "identity.signature"),
        ({"signature": list(b"enigma-id-v2:" + compact(Person("another").bundle()))}, "identity.signature"),
    ],
    ids=["hint", "signing key", "encryption key", "bundle"],
)
def test_weakness_03_what_contradicts_itself_is_not_registered(
    client: Client, changes: dict[str, Any], field: str
) -> None:
    clara = Person("clara")
    refused = client.register(clara, identity=clara.identity(**changes))
    assert (refused.status, refused.code, refused.field) == (400, "INVALID_INPUT", field)
    assert client.resolve(clara.id) is None


def test_weakness_03_a_prekey_that_its_owner_did_not_sign_is_refused(client: Client) -> None:
    clara = Person("clara")
    bundle = clara.bundle() | {"signed_prekey_sig": list(bytes(64))}
    unsigned = clara.identity(signature=list(b"enigma-id-v2:" + compact(bundle)))
    assert client.register(clara, identity=unsigned).status == 400


def test_weakness_04_an_identity_is_renewed_by_its_owner_and_by_nobody_else(client: Client) -> None:
    dana, thief = Person("dana"), Person("dana")
    client.register(dana)
    assert client.register(dana).body == {"ok": True}
    assert client.register(thief).code == "CONFLICT"
    log = owner.read_log(client, PEPPER, dana.id)
    stolen = owner.statement(client, thief, "rotate", owner.head(log), now_ms(), thief)
    assert client.ask("POST", "/v1/change", stolen).status == 401
    assert client.resolve(dana.id) == dana.identity()

    updated = Person("dana", signing=dana.signing)
    first = owner.statement(client, dana, "update", owner.head(log), now_ms(), updated)
    told = client.ask("POST", "/v1/change", first)
    assert (told.status, told.body["seq"]) == (200, 1)
    assert client.resolve(dana.id) == updated.identity()

    rotated = Person("dana")
    second = owner.statement(client, updated, "rotate", told.body["head"], now_ms(), rotated)
    told = client.ask("POST", "/v1/change", second)
    assert (told.status, told.body["seq"]) == (200, 2)
    assert client.ask("POST", "/v1/change", first).status in {401, 409}
    late = owner.statement(client, updated, "revoke", told.body["head"], now_ms())
    assert client.ask("POST", "/v1/change", late).status == 401

    last = owner.statement(client, rotated, "revoke", told.body["head"], now_ms())
    assert client.ask("POST", "/v1/change", last).body["seq"] == 3
    assert client.resolve(dana.id) is None
    assert client.register(thief).code == "CONFLICT"
    log = owner.read_log(client, PEPPER, dana.id)
    assert [entry["action"] for entry in log] == ["register", "update", "rotate", "revoke"]
    owner.check(log)


def test_weakness_05_sync_takes_nothing_from_a_stranger_though_it_is_on(client: Client) -> None:
    emma = Person("emma")
    for headers in ({}, ELSEWHERE, {"Federation-Audience": "did:key:z6Mk"}, {"Signature": "fed=:AAAA:"}):
        refused = client.ask("POST", "/sync", {"identities": [emma.identity()]}, headers)
        assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
    assert client.resolve(emma.id) is None


def test_weakness_11_a_presence_that_its_owner_signed_is_not_overwritten(client: Client) -> None:
    greta = Person("greta")
    client.register(greta)
    assert owner.announce_signed(client, greta, "http://home.example", now_ms()).body["ok"] is True
    forged = owner.announce_signed(client, Person("greta"), "http://evil.example", now_ms())
    assert forged.status == 401
    assert client.announce(greta.id, "http://evil.example", now_ms()).body == {"ok": True}
    far = owner.announce_signed(client, greta, "http://home.example", now_ms() + 10 * 60_000)
    assert far.status in {400, 401}
    assert client.announce(greta.id, " " * 300 + "padded", 1).code == "INVALID_INPUT"
    assert client.announce(greta.id, "x" * 257, 1).field == "addr"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8443",
        "https://10.0.0.7",
        "http://[::1]",
        "http://169.254.169.254/latest",
        "ftp://a.example",
    ],
)
def test_weakness_12_no_list_leads_into_a_private_network(client: Client, url: str) -> None:
    assert client.ask("POST", "/nodes", {"nodes": [{"base_url": url}]}).code == "INVALID_INPUT"


def test_weakness_12_one_node_has_one_spelling(client: Client) -> None:
    for url in ("https://Node.Example/", "https://node.example", "https://node.example:443"):
        assert client.ask("POST", "/nodes", {"nodes": [{"base_url": url}]}).status == 200
    assert client.ask("GET", "/nodes").body == {"nodes": [{"base_url": "https://node.example"}]}


def test_weakness_13_work_is_bound_single_and_not_burnt_by_a_mistake(tmp_path: Path) -> None:
    tables = f"{QUIET}[pow]\nenabled = true\ndifficulty = 8\n"
    with serving(tmp_path, configuration(tables=tables)) as registry:
        client, user, secret = registry.client, crypto.user_id("hugo"), os.urandom(32)
        header = client.worked("/resolve")
        wrong = {"x-enigma-pow": header["x-enigma-pow"] + "0"}
        statuses = [client.resolve_raw(user, secret, each).status for each in (wrong, header, header)]
        assert statuses == [400, 200, 200]
        assert client.resolve_raw(user, os.urandom(32), header).code == "POW_REQUIRED"
        assert client.register(Person("hugo")).status == 200


def test_weakness_14_a_challenge_can_be_read_by_the_daemon(tmp_path: Path) -> None:
    with serving(tmp_path, configuration(tables="[pow]\nenabled = true\n")) as registry:
        told = registry.client.ask("GET", "/pow/challenge").body
        assert told["_expires_ms"] == told["expires_ms"] > now_ms()


@pytest.mark.parametrize("low", LOW_ORDER, ids=["zero", "one", "p - 1"])
def test_weakness_15_low_order_keys_are_refused(client: Client, low: bytes) -> None:
    iris = Person("iris")
    assert client.register(iris, sender_pubkey=low.hex()).status == 400
    client.register(iris)
    body = {"handle": iris.id.hex(), "requester_ephemeral_pubkey_hex": low.hex()}
    refused = client.ask("POST", "/resolve", body)
    assert (refused.status, refused.field) == (400, "requester_ephemeral_pubkey_hex")


def test_weakness_16_an_answer_turned_into_a_registration_changes_nothing(client: Client) -> None:
    jana, secret = Person("jana"), os.urandom(32)
    client.register(jana)
    envelope = client.resolve_raw(jana.id, secret).body["envelope"]
    turned = envelope | {"sender_pubkey": crypto.exchange_public(secret).hex()}
    again = client.ask("POST", "/register", {"handle": jana.id.hex(), "envelope": turned})
    assert again.body == {"ok": True}
    assert len(owner.read_log(client, PEPPER, jana.id)) == 1


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """At a registry with three keys: one that has expired, the active one, and the one before it."""
    keys = (key(0, not_after_ms=1_600_000_000_000), key(1), key(2, active=False))
    with serving(tmp_path_factory.mktemp("rotated"), configuration(*keys)) as registry:
        yield registry.client


def test_weakness_17_the_key_before_opens_what_is_on_its_way_and_seals_nothing(rotated: Client) -> None:
    kim = Person("kim")
    shown = rotated.ask("GET", "/envelope_pubkeys").body
    assert [(each["kid_hex"], each["active"]) for each in shown] == [(KIDS[1], True), (KIDS[2], False)]
    assert rotated.register(kim, key=shown[1]).status == 200
    assert rotated.resolve_raw(kim.id, os.urandom(32)).body["envelope"]["kid"] == KIDS[1]


def test_weakness_18_an_expired_key_stops_no_start_and_is_told_to_nobody(rotated: Client) -> None:
    assert KIDS[0] not in str(rotated.ask("GET", "/envelope_pubkeys").body)
    assert rotated.ask("GET", "/envelope_pubkey").body["kid_hex"] == KIDS[1]
    expired = rotated.register(Person("karl"), kid=KIDS[0])
    assert (expired.status, "envelope key" in expired.message) == (400, True)


def test_weakness_19_no_handle_stands_in_a_log(client: Client, registry: Served) -> None:
    lena = Person("lena")
    client.register(lena)
    client.resolve(lena.id)
    client.ask("GET", f"/check_user/{lena.id.hex()}")
    client.ask("POST", f"/{lena.id.hex()}", b"{")
    registry.reload()
    until(lambda: "the configuration was read again" in registry.log())
    log = registry.log()
    assert lena.id.hex() not in log
    assert lena.name not in log


def test_weakness_20_whether_a_name_exists_can_be_kept_from_strangers(tmp_path: Path) -> None:
    with serving(tmp_path, configuration(top="check_user = false")) as registry:
        client, mira = registry.client, Person("mira")
        client.register(mira)
        for user in (mira.id, crypto.user_id("absent")):
            assert client.ask("GET", f"/check_user/{user.hex()}").code == "FEATURE_DISABLED"


def test_weakness_21_nothing_of_a_request_comes_back_in_an_error(client: Client) -> None:
    mark = "unmistakable"
    for answer in (
        client.ask("POST", "/register", f'{{"{mark}": 1}}'.encode()),
        client.ask("POST", "/resolve", {"handle": mark, "requester_ephemeral_pubkey_hex": mark}),
        client.ask("GET", f"/check_user/{mark}"),
        client.ask("GET", f"/{mark}"),
        client.register(Person("nora"), identity=Person("nora").identity(username_hint=mark)),
    ):
        assert answer.status in {400, 404}
        assert mark not in str(answer.body)
    upper = {
        "handle": crypto.user_id("nora").hex().upper(),
        "requester_ephemeral_pubkey_hex": crypto.exchange_public(bytes(32)).hex(),
    }
    assert client.ask("POST", "/resolve", upper).body["handle"] == crypto.user_id("nora").hex()


def serve_in_vain(folder: Path, text: str) -> str:
    """What `registry serve` says about a configuration that it does not take."""
    path = folder / "registry.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    command = [sys.executable, "-m", "enigma_fed", "registry", "serve", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


@pytest.mark.parametrize("secret", [bytes(32), b"\x11" * 32], ids=["zeros", "one byte"])
def test_weakness_22_secrets_that_everyone_knows_start_nothing(tmp_path: Path, secret: bytes) -> None:
    text = configuration().replace(PEPPER.hex(), secret.hex())
    said = serve_in_vain(tmp_path, text)
    assert "pepper_hex" in said
    assert "enigma-fed registry init --config" in said
    assert secret.hex() not in said


def test_weakness_22_what_is_not_written_is_safe(tmp_path: Path) -> None:
    """No `[storage]` is SQLite, sync is off, and nothing listens beyond this machine."""
    text = f'[envelope]\npepper_hex = "{PEPPER.hex()}"\nkeys = [{key(0)}]\n'
    (tmp_path / "probe").mkdir()
    with serving(tmp_path / "probe", 'address = "127.0.0.1:0"\n' + text) as registry:
        assert (registry.folder / "registry_db" / "registry.db").exists()
        assert registry.client.ask("POST", "/sync", {"identities": []}).status == 401
        assert registry.address[0] == "127.0.0.1"


def behaviour(client: Client) -> list[Any]:
    """Statuses and bodies of a series of requests."""
    olaf = Person(
        "olaf", *(bytes([each]) * 32 for each in (1, 2, 3)), device="0b6b7a52-9c1b-4f6e-8a53-6f7d8f2f4c11"
    )
    nodes = [{"base_url": f" https://{name}.example "} for name in ("b", "a", "b")]
    bad = [{"base_url": "https://c.example"}, {"base_url": "nothing"}]
    answers = [
        client.register(olaf),
        client.register(olaf),
        client.register(Person("olaf")),
        client.ask("POST", "/nodes", {"nodes": nodes}),
        client.ask("POST", "/nodes", {"nodes": bad}),
        client.ask("GET", "/nodes"),
        client.ask("GET", f"/check_user/{olaf.id.hex()}"),
    ]
    return [(answer.status, answer.body) for answer in answers] + [client.resolve(olaf.id)]


def test_weakness_23_both_stores_behave_alike(tmp_path: Path) -> None:
    seen = []
    for kind in ("memory", "sled"):
        folder = tmp_path / kind
        folder.mkdir()
        text = configuration(top="nodes_open = true").replace('"sled"', f'"{kind}"')
        with serving(folder, text) as registry:
            seen.append(behaviour(registry.client))
    assert seen[0] == seen[1]
    assert seen[0][5] == (200, {"nodes": [{"base_url": f"https://{name}.example"} for name in "ba"]})


def test_weakness_25_identities_in_clear_are_served_to_nobody_unless_switched_on(
    client: Client, tmp_path: Path
) -> None:
    paul = Person("paul")
    assert client.ask("POST", "/register", {"identity": paul.identity()}).status == 400
    assert client.ask("GET", f"/resolve/{paul.id.hex()}").status in {404, 405}
    generation_a = {"username": "paul", "public_key": "k", "signature": "s", "timestamp": 1}
    assert client.ask("POST", "/register", generation_a).status == 400
    with serving(tmp_path, configuration(top="older_routes = true")) as registry:
        older = registry.client
        assert older.ask("POST", "/register", {"identity": paul.identity()}).body == {"ok": True}
        told = older.ask("GET", f"/resolve/{paul.id.hex()}").body
        assert told == {"identity": paul.identity()}
        assert older.ask("POST", "/register", {"identity": paul.identity(username_hint="x")}).status == 400
        assert older.ask("POST", "/register", generation_a).status == 400


def test_what_is_said_of_the_envelope_s_text_is_kept(client: Client) -> None:
    """Base64 without padding is read, and written with it."""
    rita, secret = Person("rita"), os.urandom(32)
    sealed = client.envelope(rita.id, compact(rita.identity()))
    sealed["ciphertext"] = sealed["ciphertext"].rstrip("=")
    assert client.ask("POST", "/register", {"handle": rita.id.hex(), "envelope": sealed}).status == 200
    text = client.resolve_raw(rita.id, secret).body["envelope"]["ciphertext"]
    assert base64.b64encode(base64.b64decode(text, validate=True)).decode() == text


def test_each_of_the_25_has_its_test() -> None:
    """That of TLS, weakness 24, stands beside the listener's other tests."""
    here = Path(__file__).parent
    files = [*here.glob("test_weaknesses*.py"), here.parent / "test_tlslistener.py"]
    names = "".join(re.findall(r"def test_\w*weakness\w+", "\n".join(path.read_text() for path in files)))
    assert {int(number) for number in re.findall(r"_(\d\d)(?=_)", names)} == set(range(1, 26))
