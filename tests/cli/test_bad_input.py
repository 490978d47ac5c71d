"""What bad input gets: a plain error naming the field, the exit code, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from enigma_fed.base import limits
from tests.cli.homes import Forger, Home, make_home, pack

FORGER = Forger()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path, "attic")


def assert_refused(home: Home, words: list[str], exit_code: int, says: str, typed: str | None = None) -> None:
    """The command fails with this code and these words, and the data folder stays as it was."""
    before = home.content()
    shown = home(*words, typed=typed)
    assert (shown.exit_code, shown.out) == (exit_code, ""), shown.err
    last = shown.err.splitlines()[-1]
    assert last.startswith("enigma-fed: ")
    assert says in last
    assert typed is None or typed[5:] not in shown.err or len(typed) < 10
    assert home.content() == before
    error = home(*words, "--json", typed=typed)
    assert error.exit_code == exit_code
    assert set(json.loads(error.err.splitlines()[-1])["error"]) == {"code", "message", "hint"}
    assert home.content() == before


MALFORMED = {
    "no prefix": ("hello", "it must start with fed1:"),
    "empty": ("fed1:", "not JSON"),
    "not base64url": ("fed1:!!!!", "base64url"),
    "padded": (f"{FORGER.signed()}==", "base64url"),
    "cut off": (FORGER.signed()[:-20], "not JSON"),
    "not JSON": (pack(b"hello"), "not JSON"),
    "not an object": (pack(b"[1]"), "code: "),
    "a member twice": (pack(b'{"did":"a","did":"b"}'), "member twice"),
    "no did": (FORGER.signed(did=None), "did: "),
    "no onion": (FORGER.signed(onion=None), "onion: "),
    "no pubkey": (FORGER.signed(pubkey=None), "pubkey: "),
    "no token": (FORGER.signed(token=None), "token: "),
    "no exp": (FORGER.signed(exp=None), "exp: "),
    "no iat": (FORGER.signed(iat=None), "iat: "),
    "another version": (FORGER.signed(v=2), "v: "),
    "an onion that is a URL": (FORGER.signed(onion="127.0.0.1:80/x?.onion"), "onion: "),
    "an onion with a wrong checksum": (FORGER.signed(onion="a" * 55 + "d.onion"), "onion: "),
    "an onion in upper case": (FORGER.signed(onion=str(FORGER.onion).upper()), "onion: "),
    "a version 2 onion": (FORGER.signed(onion="expyuzz4wqqyqhjn.onion"), "onion: "),
    "a did of another method": (FORGER.signed(did="did:web:example.org"), "did: "),
    "a key that is not the did's": (FORGER.signed(pubkey="00" * 32), "pubkey: "),
    "a key in upper case": (FORGER.signed(pubkey=FORGER.members["pubkey"].upper()), "pubkey: "),
    "a short token": (FORGER.signed(token="0f" * 15), "token: "),
    "an unknown scope": (FORGER.signed(scope="boss"), "scope: "),
    "a name with a line end": (FORGER.signed(name="a\nb"), "name: "),
    "a short signature": (pack({**FORGER.members, "sig": "AAAA"}), "sig: "),
    "lan that is no list": (FORGER.signed(lan="192.0.2.1:80"), "lan: "),
    "for that is no did": (FORGER.signed(**{"for": "me"}), "for: "),
    "exp before iat": (FORGER.signed(exp=FORGER.members["iat"]), "exp: "),
    "exp as a fraction": (FORGER.unsigned(exp=4102444800.0), "exp: "),
    "exp as text": (FORGER.signed(exp="tomorrow"), "exp: "),
}


@pytest.mark.parametrize(("code", "field"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_code(home: Home, code: str, field: str) -> None:
    for verb in ("accept", "inspect"):
        assert_refused(home, ["invite", verb, "-"], 2, field, typed=code)


def test_invariant_4_an_onion_that_is_no_onion_is_named_and_never_stored(home: Home) -> None:
    code = FORGER.signed(onion="127.0.0.1:80/x?.onion")
    assert_refused(home, ["invite", "accept", "-", "--allow-unsigned"], 2, "onion", typed=code)
    assert home("peer", "list", "--json").json == []


@pytest.mark.parametrize(
    "change",
    [{"exp": 4102444800}, {"scope": "trusted"}, {"name": "cellar2"}, {"token": "1f" * 16}, {"extra": 1}],
)
def test_a_tampered_code(home: Home, change: dict[str, object]) -> None:
    code = FORGER.tampered(**change)
    for words in (["accept", "-"], ["accept", "-", "--allow-unsigned"], ["inspect", "-"]):
        assert_refused(home, ["invite", *words], 2, "changed after it was signed", typed=code)


def test_an_expired_code_is_1(home: Home) -> None:
    code = FORGER.signed(iat=1_700_000_000, exp=1_700_003_600)
    assert_refused(home, ["invite", "accept", "-"], 1, "expired", typed=code)
    assert home("invite", "inspect", "-", "--json", typed=code).json["expired"] is True


def test_a_reused_code_is_6(home: Home) -> None:
    code = FORGER.signed()
    first = home("invite", "accept", "-", "--json", typed=code)
    assert (first.exit_code, first.json["stage"]) == (0, "accepted-here")
    assert_refused(home, ["invite", "accept", "-"], 6, "already", typed=code)


def test_an_unsigned_code_needs_the_owners_word(home: Home) -> None:
    code = FORGER.unsigned()
    assert_refused(home, ["invite", "accept", "-"], 2, "--allow-unsigned", typed=code)
    assert home("invite", "inspect", "-", "--json", typed=code).json["signed"] is False
    assert home("invite", "accept", "-", "--allow-unsigned", typed=code).exit_code == 0


def test_a_code_of_this_node_itself(home: Home) -> None:
    code = home("invite", "create", "--json").json["code"]
    assert_refused(home, ["invite", "accept", "-"], 2, "this node itself", typed=code)


@pytest.mark.parametrize("size", [limits.INVITE_BYTES, 10 * limits.INVITE_BYTES])
def test_an_oversized_code(home: Home, size: int) -> None:
    code = FORGER.signed(padding="x" * size)
    for verb in ("accept", "inspect"):
        assert_refused(home, ["invite", verb, "-"], 2, "too large", typed=code)


def test_a_code_for_another_node(home: Home) -> None:
    code = FORGER.signed(**{"for": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"})
    assert_refused(home, ["invite", "accept", "-"], 2, "another node", typed=code)


def test_an_invite_or_a_peer_that_is_not_there_is_5(home: Home) -> None:
    assert_refused(home, ["invite", "revoke", "00000000"], 5, "No such invite")
    for words in (["show", "nobody"], ["trust", "nobody", "trusted"], ["remove", "nobody"]):
        assert_refused(home, ["peer", *words], 5, "No such peer")


@pytest.mark.parametrize("name", ["", " ", "a\x1bb", "x" * 65, "a\u202eb"])
def test_a_name_that_cannot_be_used_makes_no_node(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "new", tmp_path / "new.toml")
    home.configure("")
    shown = home("init", "--name", name)
    assert shown.exit_code == 2
    assert "not allowed: name " in shown.err
    assert not home.data_dir.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[tor]\nmod = "off"\n', "tor.mod"),
        ('mode = "off"\n', "mode"),
        ("[nothing]\nx = 1\n", "nothing.x"),
        ("[federation]\npoll_interval = 1\n", "federation.poll_interval"),
        ('[federation]\npoll_interval = "60"\n', "federation.poll_interval"),
        ('[rpc]\nlisten = "0.0.0.0:8787"\n', "rpc.listen"),
        ("[tor\n", "TOML"),
    ],
)
def test_a_configuration_that_cannot_be_used(home: Home, text: str, says: str) -> None:
    home.configure(text)
    for words in (["status"], ["invite", "create"], ["run"], ["config", "show"]):
        assert_refused(home, words, 2, says)


def test_an_unknown_variable_of_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENIGMA_FED_TOR__MOD", "off")
    assert_refused(home, ["status"], 2, "tor.mod")


@pytest.mark.parametrize("name", ["identity/node.key", "tor/onion.key", "federation/nodes.json"])
def test_a_file_that_others_can_read_is_1(home: Home, name: str) -> None:
    (home.data_dir / name).chmod(0o644)
    for words in (["invite", "create"], ["run"]):
        assert_refused(home, words, 1, name)
    assert "chmod 600" in home("doctor").out


def test_a_folder_that_others_can_read_is_1(home: Home) -> None:
    (home.data_dir / "identity").chmod(0o755)
    assert_refused(home, ["invite", "create"], 1, "identity")


def _damaged(name: str) -> dict[str, bytes | None]:
    sound = {"version": 1, "rev": 1, "sum": "0" * 64}
    return {
        f"{name} gone": None,
        f"{name} empty": b"",
        f"{name} of another kind": b"[]",
        f"{name} not JSON": b"\x00\xff",
        f"{name} with a wrong sum": json.dumps(sound).encode(),
    }


@pytest.mark.parametrize("name", ["nodes.json", "invites.json"])
@pytest.mark.parametrize("case", ["gone", "empty", "of another kind", "not JSON", "with a wrong sum"])
def test_invariant_5_a_damaged_store_without_a_copy_is_7_and_stays_as_it_is(
    home: Home, name: str, case: str
) -> None:
    file = home.data_dir / "federation" / name
    content = _damaged(name)[f"{name} {case}"]
    file.with_name(f"{name}.bak").unlink()
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    for words in (["peer", "list"], ["invite", "create"], ["run"], ["doctor", "--accept-recovered"]):
        assert_refused(home, words, 7, name)


def test_invariant_5_a_truncated_store_is_read_from_its_copy_and_is_7(home: Home) -> None:
    file = home.data_dir / "federation" / "invites.json"
    assert home("invite", "create").exit_code == 0
    file.write_bytes(file.read_bytes()[:-30])
    before = home.content()
    shown = home("invite", "list", "--json")
    assert (shown.exit_code, len(shown.json)) == (7, 1)
    assert f"{home.hinted} doctor --accept-recovered" in shown.err
    assert home.content() == before


def test_a_store_of_a_newer_version_is_7(home: Home) -> None:
    file = home.data_dir / "federation" / "nodes.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 2}))
    for words in (["peer", "list"], ["invite", "create"], ["run"]):
        assert_refused(home, words, 7, "newer version")


def test_a_folder_without_a_node(tmp_path: Path) -> None:
    home = Home(tmp_path / "none", tmp_path / "none.toml")
    home.configure('[tor]\nmode = "off"\n')
    for words in (["id"], ["invite", "create"], ["peer", "list"]):
        shown = home(*words)
        assert (shown.exit_code, shown.out) == (1, "")
        assert f"{home.hinted} init" in shown.err
    assert not home.data_dir.exists()


def test_init_twice_is_6(home: Home) -> None:
    assert_refused(home, ["init"], 6, "already holds a node")


def test_a_change_while_another_command_holds_the_folder_waits_and_is_75(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from enigma_fed.storage.folderlock import FolderLock

    monkeypatch.setattr(limits, "LOCK_WAIT", 0.2)
    with FolderLock(home.data_dir) as lock:
        lock.acquire(1.0)
        assert_refused(home, ["invite", "create"], 75, "Another command")
        assert home("peer", "list").exit_code == 0
