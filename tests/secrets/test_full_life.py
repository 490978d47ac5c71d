"""Invariant 8 over a whole life of three homes: no secret of the run stands where it does not belong.

The three agents are processes that reach each other over loopback; one of them runs a real tor, with
a network of nobody's. They log everything, asyncio's debug mode included. Run it with -s for the figures.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secrets.life import Life, live, no_cores
from tests.support.secrets import found_in
from tests.support.tornet import NOBODYS_NETWORK, require_tor

pytestmark = [pytest.mark.tor, pytest.mark.timeout(300)]

# Commands that show codes because the owner asks for them, or shows them again what was typed.
SHOW_CODES = {("invite", "create"), ("invite", "list"), ("invite", "accept"), ("invite", "revoke")}
# Files in which a secret has its place: name -> beginnings of the names of the secrets.
PLACES = {
    "node.key": ("node",),
    "onion.key": ("onion",),
    "hs_ed25519_secret_key": ("onion", "public"),
    "public.key": ("public", "drawn"),
    "registry.key": ("registry", "drawn"),
    "index.key": ("index key",),
    "envelope.toml": ("envelope secret", "drawn"),
    "control_auth_cookie": ("control cookie",),
    "invites.json": ("code", "token"),
    "invites.json.bak": ("code", "token"),
}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The life, lived; the agents have ended, their files are there."""
    require_tor()
    folder = tmp_path_factory.mktemp("life")
    runtime = Path(tempfile.mkdtemp(prefix="ef-"))
    extra = folder / "nobody.torrc"
    extra.write_text(NOBODYS_NETWORK)
    lived = Life(folder, runtime)
    with pytest.MonkeyPatch.context() as patch, no_cores():
        for name in [name for name in os.environ if name.startswith("ENIGMA_FED_")]:
            patch.delenv(name)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        patch.setenv("ENIGMA_FED_DEBUG", "1")
        try:
            live(lived, f'torrc_extra = "{extra}"')
            yield lived
        finally:
            for house in lived.houses:
                house.stop()
            shutil.rmtree(runtime)


def logs_of(life: Life) -> dict[Path, bytes]:
    """What the agents printed, and every log that they or tor wrote."""
    printed = {house.output: house.output.read_bytes() for house in life.houses}
    return printed | {kept.path: kept.data for kept in life.kept if ".log" in kept.path.name}


def test_the_search_finds_every_form(life: Life) -> None:
    """The run was what it should be, and a search that finds nothing is one that could have."""
    names = {secret.name for secret in life.secrets}
    assert {"attic node key", "barn onion PEM", "attic control cookie", "attic 2 token"} <= names
    assert any("(32 bytes)" in name for name in names)
    for secret in life.secrets:
        assert found_in(b"x" + secret.forms[0] + b"y", life.secrets)
    key = (life.houses[0].data_dir / "identity/node.key").read_bytes()
    assert "attic node key" in found_in(key, life.secrets)
    assert "attic node PEM" in found_in(key, life.secrets)
    log = b"".join(logs_of(life).values())
    for said in (b"is confirmed on both sides", b"asyncio", b"is revoked", b"Fatal Python error"):
        assert said in log, said
    forms, size = sum(len(s.forms) for s in life.secrets), sum(len(kept.data) for kept in life.kept)
    print(
        f"\nsecrets: {len(life.secrets)} in {forms} forms; searched: {len(life.kept)} files and folders, "
        f"{size} bytes, {len(life.said)} commands, {len(life.titles)} of /proc, {len(log)} bytes of logs"
    )


def test_invariant_8_no_log_holds_a_secret_or_a_whole_onion_name(life: Life) -> None:
    for path, data in logs_of(life).items():
        assert found_in(data, life.secrets) == [], path
        assert [onion[:6] for onion in life.onions if onion[6:56].encode() in data] == [], path


def test_invariant_8_no_command_says_a_secret_that_was_not_asked_for(life: Life) -> None:
    codes = {secret.name for secret in life.secrets if secret.name.endswith((" code", " token"))}
    for said in life.said:
        allowed = codes if said.words[1:3] in SHOW_CODES else set()
        assert set(found_in(said.outcome.out.encode(), life.secrets)) <= allowed, said.title
        assert found_in(said.outcome.err.encode(), life.secrets) == [], said.title


def test_invariant_8_what_is_told_to_every_user_of_the_machine_names_nobody(life: Life) -> None:
    """No secret; no whole onion, no DID, no path; no name, neither an owner's nor a peer's own."""
    metrics = {title.split()[0]: text for title, text in life.told if "/metrics" in title}
    assert metrics.keys() == {"attic", "cellar", "barn"}
    assert all(b"enigma_fed_peer_liveness{" in text for text in metrics.values())
    named = (b"attic", b"cellar", b"barn", b"grandma", b"did:key:", b".onion", str(life.folder).encode())
    for title, text in life.told:
        assert found_in(text, life.secrets) == [], title
        assert [onion[:6] for onion in life.onions if onion[6:56].encode() in text] == [], title
        assert [name for name in named if name in text] == [], title


def test_invariant_8_no_process_shows_a_secret_in_its_title_or_environment(life: Life) -> None:
    assert {title.split()[0] for title, _ in life.titles} >= {"tor"}
    for title, data in life.titles:
        assert found_in(data, life.secrets) == [], title


def test_invariant_8_a_secret_stands_in_its_own_file_and_in_no_other(life: Life) -> None:
    for kept in life.kept:
        words = PLACES.get(kept.path.name, ())
        found = found_in(kept.data, life.secrets)
        assert [name for name in found if not any(word in name for word in words)] == [], kept.path


def test_invariant_8_nothing_with_a_secret_can_be_read_by_others(life: Life) -> None:
    holders = [kept for kept in life.kept if found_in(kept.data, life.secrets)]
    assert {kept.path.name for kept in holders} == set(PLACES)
    assert [kept.path for kept in holders if kept.open_to_others] == []
    # What stands in a folder can be read by others when the folder can, whatever its own mode.
    assert [kept.path for kept in life.kept if kept.open_to_others and kept.path.is_dir()] == []
