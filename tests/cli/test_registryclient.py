"""`enigma-fed registry …` against a small registry of the first generation, honest or not."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from enigma_fed.base import registry_limits
from enigma_fed.wire.userid import UserId
from tests.cli.fakes import ONION, Outcome, invoke
from tests.registry.test_clienttls import Authority
from tests.support.fakesocks import FakeSocks
from tests.support.inathread import in_a_thread
from tests.support.smallregistry import PEPPER, SmallRegistry, refusal, said


class Person:
    """A data folder, a pepper file, and a registry to ask."""

    def __init__(self, folder: Path, registry: SmallRegistry) -> None:
        self.data_dir = folder / "data"
        self.keys = self.data_dir / "registry-identities"
        self.pepper = folder / "pepper"
        self.pepper.write_text(PEPPER.hex())
        self.pepper.chmod(0o600)
        self.registry = registry

    def __call__(self, *words: str, pepper: bool = True, url: str = "") -> Outcome:
        flags = ["--data-dir", str(self.data_dir)]
        if words[0] != "identity":
            flags += ["--url", url or self.registry.url]
            flags += ["--pepper-file", str(self.pepper)] if pepper else []
        return invoke("registry", *words, *flags)


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with SmallRegistry().in_a_thread() as running:
        yield running


@pytest.fixture
def alice(tmp_path: Path, registry: SmallRegistry) -> Person:
    (tmp_path / "alice").mkdir()
    return Person(tmp_path / "alice", registry)


@pytest.fixture
def bob(tmp_path: Path, registry: SmallRegistry) -> Person:
    (tmp_path / "bob").mkdir()
    return Person(tmp_path / "bob", registry)


def test_a_name_is_registered_and_resolved_by_somebody_else(alice: Person, bob: Person) -> None:
    made = alice("register", "alice", "--json")
    assert made.exit_code == 0, made.err
    assert made.json["outcome"] == "done"
    assert "keep a copy" in made.err
    found = bob("resolve", "alice")
    assert found.exit_code == 0, found.err
    assert made.json["fingerprint"] in found.out
    assert "first time" in found.err
    again = bob("resolve", UserId.of("alice").hex.upper(), "--json")
    assert again.json["keys"] == "same"
    assert again.json["fingerprint"] == made.json["fingerprint"]
    assert again.json["name"] == "alice"
    assert again.json["prekey"]["id"] == 1


def test_doing_it_twice_is_no_mistake_and_makes_no_new_keys(alice: Person) -> None:
    alice("register", "alice")
    before = sorted((path.name, path.read_bytes()) for path in alice.keys.glob("*.json"))
    again = alice("register", "alice", "--json")
    assert (again.exit_code, again.json["outcome"]) == (0, "was-done")
    after = sorted((path.name, path.read_bytes()) for path in alice.keys.glob("*.json"))
    assert [name for name, _ in before] == [name for name, _ in after]
    shown = alice("identity", "show", "alice", "--json").json
    assert shown["key_sets"] == 1
    assert [each["registry"] for each in shown["registrations"]] == [alice.registry.url]


def test_hints_name_what_the_line_named(alice: Person) -> None:
    wrong = said({"exists": "?"})
    alice.registry.always["/resolve"] = wrong
    broken = alice("resolve", "a name")
    assert "whether that URL is a registry's" in broken.err
    alice.registry.always.clear()
    alice("register", "a name")
    alice("resolve", "a name")
    alice.registry.identities.clear()
    gone = alice("resolve", "a name")
    assert f"registry log 'a name' --url {alice.registry.url} --pepper-file " in gone.err
    made = alice("identity", "create", "my own")
    assert "registry register 'my own' --url" in made.err
    again = alice("identity", "create", "my own")
    assert "identity show 'my own'" in again.err
    nobody = alice("identity", "show", "some body")
    assert "identity create 'some body'" in nobody.err


def test_a_taken_name_is_a_conflict(alice: Person, bob: Person) -> None:
    alice("register", "alice")
    refused = bob("register", "alice")
    assert refused.exit_code == 6
    assert "somebody else" in refused.err
    assert "another name" in refused.err


def test_keys_of_a_name_that_was_taken_are_in_the_way_until_they_are_moved(
    alice: Person, bob: Person
) -> None:
    alice("register", "alice")
    bob("register", "alice")
    refused = bob("resolve", "alice")
    assert refused.exit_code == 6
    assert "identity show alice" in refused.err
    shown = bob("identity", "show", "alice", "--json").json
    for ending in ("", ".bak"):
        Path(f"{shown['file']}{ending}").rename(bob.data_dir / f"away.json{ending}")
    assert bob("resolve", "alice").exit_code == 0


def test_nobody_of_that_name(alice: Person) -> None:
    absent = alice("resolve", "bob")
    assert absent.exit_code == 5
    assert "letter by letter" in absent.err
    absent = alice("check", "bob", "--json")
    assert (absent.exit_code, absent.json["exists"]) == (5, False)
    alice("register", "bob")
    there = alice("check", "bob", pepper=False)
    assert (there.exit_code, there.out) == (0, "bob is registered\n")


def test_announce_and_nodes(alice: Person) -> None:
    said_ = alice("announce", "alice", "https://a.example", "--json", pepper=False)
    assert said_.exit_code == 0, said_.err
    assert (said_.json["reannounce_after"], said_.json["signed"]) == (150, False)
    assert alice.registry.presences[UserId.of("alice").hex]["addr"] == "https://a.example"
    assert alice("announce", "alice", "x" * 257).exit_code == 2
    assert "2 min 30 s" in alice("announce", "alice", "local").err
    assert "no other registry" in alice("nodes").err
    added = alice("nodes", "--add", "https://b.example/", "--add", "http://c.example", "--json")
    assert added.json["merged"] == 2
    assert added.json["nodes"] == ["https://b.example", "http://c.example"]
    assert alice("nodes").out == "https://b.example\nhttp://c.example\n"


def test_nodes_are_strangers_words(alice: Person) -> None:
    alice.registry.nodes.append("https://x.example/\x1b[31m")
    assert "\x1b" not in alice("nodes").out
    assert "\x1b" not in alice("nodes", "--json").out


def test_what_a_registry_says_of_an_error_cannot_steer_the_terminal(alice: Person) -> None:
    alice.registry.always["/resolve"] = refusal(400, "INVALID_INPUT", "\x1b[31m" + "x" * 5000)
    refused = alice("resolve", "bob")
    assert refused.exit_code == 4
    assert "\x1b" not in refused.err
    assert len(refused.err) < 1500


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [
        (refusal(401, "UNAUTHORIZED", "unauthorized"), 4),
        (refusal(413, "TOO_LARGE", "too large"), 4),
        (refusal(429, "RATE_LIMITED", "rate limited", {"Retry-After": "31536000"}), 75),
        (refusal(503, "UNAVAILABLE", "unavailable", {"Retry-After": "3600"}), 75),
        (said({}, status=302, headers={"Location": "http://127.0.0.1:1/"}), 3),
        (said({"exists": 1}), 3),
        (said({"exists": True, "more": 1}), 3),
        (said({"exists": True}, headers={"Content-Encoding": "gzip"}), 3),
        (said("x" * (registry_limits.REGISTRY_REPLY_BYTES + 1)), 3),
    ],
)
def test_exit_codes_of_what_a_registry_may_say(alice: Person, answer: Any, exit_code: int) -> None:
    alice.registry.always[f"/check_user/{UserId.of('bob').hex}"] = answer
    refused = alice("check", "bob", "--json")
    assert refused.exit_code == exit_code
    error = json.loads(refused.err)["error"]
    assert error["message"]
    assert error["hint"], "there is a next step"


def test_nobody_there(alice: Person) -> None:
    assert alice("check", "bob", url="http://127.0.0.1:1").exit_code == 3


def test_invariant_8_keys_and_pepper_are_the_owners_and_are_shown_nowhere(alice: Person) -> None:
    words = [alice("register", "alice"), alice("identity", "show", "alice"), alice("identity", "list")]
    words += [alice("identity", "show", "alice", "--json"), alice("resolve", "alice")]
    (file,) = alice.keys.glob("*[0-9a-f].json")
    for path in alice.keys.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = json.loads(file.read_bytes())["keys"][0]
    secrets = [keys["signing_seed"], keys["encryption_secret"], keys["prekey_secret"], PEPPER.hex()]
    for outcome in words:
        assert outcome.exit_code == 0, outcome.err
        assert not any(secret in outcome.out + outcome.err for secret in secrets)
    for _, path_qs, _, body in alice.registry.asked:
        assert not any(secret in path_qs or secret.encode() in body for secret in secrets)


def test_invariant_8_keys_are_on_the_disk_before_anything_is_sent(alice: Person) -> None:
    handle = alice.keys / f"{UserId.of('alice').hex}.json"
    there: list[bytes] = []

    def busy(request: web.Request) -> web.StreamResponse:
        there.append(handle.read_bytes())
        return refusal(503, "UNAVAILABLE", "no", {"Retry-After": "9999"})(request)

    alice.registry.always["/envelope_pubkeys"] = busy
    assert alice("register", "alice").exit_code == 75
    written = handle.read_bytes()
    assert there == [written]
    assert "POST /register" not in alice.registry.paths()
    alice.registry.always.clear()
    assert alice("register", "alice").exit_code == 0
    assert json.loads(handle.read_bytes())["keys"] == json.loads(written)["keys"]


def test_other_keys_are_refused_until_they_are_accepted(alice: Person, bob: Person) -> None:
    alice("register", "alice")
    bob("resolve", "alice")
    handle = UserId.of("alice").hex
    del alice.registry.identities[handle]
    for path in alice.keys.glob(f"{handle}*"):
        path.unlink()
    alice("register", "alice")
    refused = bob("resolve", "alice")
    assert (refused.exit_code, refused.out) == (6, "")
    assert "--accept-new-keys" in refused.err
    taken = bob("resolve", "alice", "--accept-new-keys")
    assert taken.exit_code == 0
    assert "WARNING" in taken.err
    assert bob("resolve", "alice", "--json").json["keys"] == "same"


def test_identities_of_ours(alice: Person) -> None:
    assert "no identities" in alice("identity", "list").err
    made = alice("identity", "create", "alice", "--hide-name", "--json")
    assert made.exit_code == 0, made.err
    assert (made.json["name"], made.json["shows_name"], made.json["registrations"]) == ("alice", False, [])
    assert alice("identity", "create", "alice").exit_code == 6
    assert alice("identity", "show", "bob").exit_code == 5
    assert alice("identity", "create", "bob").exit_code == 0
    assert [each["name"] for each in alice("identity", "list", "--json").json] == ["alice", "bob"]
    alice("register", "alice")
    shown = alice("register", "bob", "--hide-name")
    assert shown.exit_code == 6
    assert "identity show bob" in shown.err
    assert alice.registry.url in alice("identity", "list").out
    assert alice("resolve", "alice", "--json").json["name"] is None


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 65])
def test_names_that_no_registry_takes(alice: Person, name: str) -> None:
    for words in (("register", name), ("resolve", name), ("identity", "create", name)):
        assert alice(*words).exit_code == 2
    assert not alice.keys.exists() or not list(alice.keys.glob("*.json"))


def test_a_handle_is_no_name_to_register(alice: Person) -> None:
    for words in (("register", "ab" * 32), ("identity", "create", "ab" * 32)):
        refused = alice(*words)
        assert refused.exit_code == 2
        assert "that is a handle" in refused.err


def test_which_registry(alice: Person) -> None:
    flags = ["--data-dir", str(alice.data_dir)]
    nowhere = invoke("registry", "nodes", *flags)
    assert nowhere.exit_code == 2
    assert "--url" in nowhere.err
    alice.keys.mkdir(mode=0o700, parents=True)
    names = alice.keys / "registries.toml"
    (alice.keys / "pepper").write_text(PEPPER.hex())
    (alice.keys / "pepper").chmod(0o600)
    names.write_text(f'[home]\nurl = "{alice.registry.url}"\npepper_file = "pepper"\n')
    for words in (["register", "alice"], ["resolve", "alice", "--url", "home"]):
        assert invoke("registry", *words, *flags).exit_code == 0
    by_url = invoke("registry", "resolve", "alice", "--url", alice.registry.url, *flags)
    assert by_url.exit_code == 0, by_url.err
    with names.open("a") as file:
        file.write('[other]\nurl = "https://b.example"\n')
    several = invoke("registry", "nodes", *flags)
    assert several.exit_code == 2
    assert "home, other" in several.err
    unknown = invoke("registry", "nodes", "--url", "hom", *flags)
    assert unknown.exit_code == 2
    assert "home, other" in unknown.err


def test_without_the_pepper(alice: Person) -> None:
    assert alice("register", "alice", pepper=False).exit_code == 2
    assert not alice.keys.exists()
    refused = alice("resolve", "alice", pepper=False)
    assert refused.exit_code == 2
    assert "--pepper-file" in refused.err


def test_plain_http_goes_to_this_machine_alone(alice: Person) -> None:
    refused = alice("check", "alice", url="http://10.255.255.1:8443")
    assert refused.exit_code == 2
    assert "--allow-http" in refused.err


def test_an_onion_without_tor(alice: Person, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[tor]\nmode = "off"\n')
    onion = f"http://{ONION}:8443"
    refused = invoke("registry", "nodes", "--url", onion, "--config", str(config))
    assert refused.exit_code == 3
    assert "--socks" in refused.err
    unreachable = invoke("registry", "nodes", "--url", onion, "--socks", "127.0.0.1:1")
    assert unreachable.exit_code == 3


def test_certificates_of_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path, trustme.KeyType.ECDSA)
    authority.demand()
    with SmallRegistry(tls=authority.server).in_a_thread() as registry:
        person = Person(tmp_path, registry)
        trusted = ["--ca", str(authority.ca)]
        shown = ["--cert", str(authority.certificate), "--key", str(authority.key)]
        assert person("register", "alice", *trusted, *shown).exit_code == 0
        assert person("resolve", "alice", *trusted, *shown).exit_code == 0
        unknown = person("resolve", "alice", *shown)
        assert unknown.exit_code == 3
        assert "--ca FILE" in unknown.err
        assert person("resolve", "alice", *trusted).exit_code == 3
        lonely = person("resolve", "alice", *trusted, "--key", str(authority.key))
        assert lonely.exit_code == 2
        names = person.keys / "registries.toml"
        names.write_text(
            f'[home]\nurl = "{registry.url}"\npepper_file = "{person.pepper}"\nca = "{authority.ca}"\n'
            f'cert = "{authority.certificate}"\nkey = "{authority.key}"\n'
        )
        assert invoke("registry", "resolve", "alice", "--data-dir", str(person.data_dir)).exit_code == 0


def test_an_onion_is_asked_through_the_named_socks_port(tmp_path: Path) -> None:
    with in_a_thread(FakeSocks) as socks:
        socks.reply = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"nodes":[]}'
        asked = invoke("registry", "nodes", "--url", f"http://{ONION}:8443", "--socks", str(socks.endpoint))
        assert asked.exit_code == 0, asked.err
        assert [(host, port) for _, host, port in socks.requests] == [(ONION, 8443)]


def test_proof_of_work_is_done(tmp_path: Path) -> None:
    with SmallRegistry(difficulty=8).in_a_thread() as registry:
        person = Person(tmp_path, registry)
        assert person("register", "alice").exit_code == 0
        assert person("resolve", "alice").exit_code == 0
        registry.difficulty = 255
        refused = person("resolve", "alice")
        assert refused.exit_code == 75
        assert "255 bits" in refused.err
        registry.always["/resolve"] = refusal(400, "POW_REQUIRED", "pow required")
        registry.difficulty = 4
        endless = person("resolve", "alice")
        assert endless.exit_code == 75
        assert "asks for another" in endless.err


def test_a_damaged_file_of_ours_is_told(alice: Person) -> None:
    alice("register", "alice")
    (alice.keys / f"{UserId.of('alice').hex}.json").write_text("{}")
    again = alice("register", "alice")
    assert again.exit_code == 0
    assert "was damaged" in again.err
