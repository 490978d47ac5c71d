"""Writing a registry's configuration: fresh files load, edits keep what an owner wrote."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base.errors import ConfigError
from enigma_fed.registry import configedit, configfile

PUBLISHED = (Path(__file__).parent / "published-registry.toml").read_text(encoding="utf-8")
NOW = 1_800_000_000_000
DAY = 86_400_000


@pytest.fixture
def random() -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda size: hashlib.blake2b(bytes([next(numbers)]), digest_size=size).digest()


def no_file(before: str, kid: str, digits: str) -> str:
    raise AssertionError("the keys stand in the file itself")


def loaded(folder: Path, text: str, now_ms: int = NOW) -> configfile.Loaded:
    path = folder / "registry.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return configfile.load(path, now_ms)


def test_a_fresh_file_loads_and_has_secrets_of_its_own(tmp_path: Path, random: configedit.Random) -> None:
    first, second = (loaded(tmp_path, configedit.fresh(random)) for _ in range(2))
    assert first.warnings == ()
    assert first.settings.address == ("127.0.0.1", 8443)
    [one], [other] = first.settings.envelope.keys, second.settings.envelope.keys
    assert one.active
    assert one.kid != other.kid
    assert one.private_key != other.private_key
    assert first.settings.envelope.pepper != second.settings.envelope.pepper


def test_every_line_that_a_fresh_file_shows_as_an_example_is_right(
    random: configedit.Random, tmp_path: Path
) -> None:
    lines = configedit.fresh(random).splitlines()
    examples = [line.removeprefix("# ") if " = " in line or line == "# [tls]" else line for line in lines]
    settings = loaded(tmp_path, "\n".join(examples)).settings
    assert settings.mode == "tls"
    assert settings.trusted_proxies


def test_published_secrets_are_replaced_and_all_else_stays(tmp_path: Path, random: configedit.Random) -> None:
    text, replaced = configedit.with_fresh_secrets(PUBLISHED, random)
    assert replaced == ("envelope.pepper_hex", "envelope.keys[0]")
    before, after = tomllib.loads(PUBLISHED), tomllib.loads(text)
    for tables in (before, after):
        del tables["envelope"]
    assert before == after
    assert loaded(tmp_path, text).settings.address is not None
    assert configedit.with_fresh_secrets(text, random) == (text, ())


def test_a_secret_of_the_owners_own_is_not_touched(random: configedit.Random) -> None:
    text = configedit.fresh(random)
    zeros = text.replace(tomllib.loads(text)["envelope"]["pepper_hex"], "00" * 32)
    changed, replaced = configedit.with_fresh_secrets(zeros, random)
    assert replaced == ("envelope.pepper_hex",)
    assert tomllib.loads(changed)["envelope"]["keys"] == tomllib.loads(text)["envelope"]["keys"]


def test_the_next_key_comes_first_and_the_one_before_opens_for_a_while(
    tmp_path: Path, random: configedit.Random
) -> None:
    text = configedit.fresh(random)
    [old] = loaded(tmp_path, text).settings.envelope.keys
    changed, kid = configedit.rotated(text, random, NOW, 30 * DAY, no_file)
    envelope = loaded(tmp_path, changed).settings.envelope
    assert [key.kid for key in envelope.keys] == [bytes.fromhex(kid), old.kid]
    assert [key.active for key in envelope.keys] == [True, False]
    assert envelope.keys[1].private_key == old.private_key
    assert [key.not_after_ms for key in envelope.keys] == [None, NOW + 30 * DAY]
    assert envelope.pepper == loaded(tmp_path, text).settings.envelope.pepper


def test_keys_that_rest_or_end_sooner_keep_their_end(tmp_path: Path, random: configedit.Random) -> None:
    text, first = configedit.rotated(configedit.fresh(random), random, NOW, DAY, no_file)
    text, second = configedit.rotated(text, random, NOW, 9 * DAY, no_file)
    text = text.replace(
        f"not_after_epoch_ms = {NOW + 9 * DAY}", f"not_after_epoch_ms = {NOW + 2}, active = true"
    )
    text = text.replace(
        "active = false, not_after_epoch_ms = " + f"{NOW + 2}, ", f"not_after_epoch_ms = {NOW + 2}, "
    )
    text, third = configedit.rotated(text, random, NOW, 30 * DAY, no_file)
    keys = loaded(tmp_path, text).settings.envelope.keys
    assert [key.kid.hex() for key in keys[:3]] == [third, second, first]
    assert [key.not_after_ms for key in keys] == [None, NOW + 30 * DAY, NOW + 2, NOW + DAY]
    assert [key.active for key in keys] == [True, False, False, False]


ARRAYS = (
    "keys = [\n# the first\n{kid_hex = '00', x25519_private_key_hex = '11', active = true}, # in use\n]\n",
    "keys = [{kid_hex = '00', x25519_private_key_hex = '11', active = true}]\n",
    "[[envelope.keys]]\n# the first\nkid_hex = '00'\nx25519_private_key_hex = '11' # in use\nactive = true\n",
)  # fmt: skip


@pytest.mark.parametrize("keys", ARRAYS)
@pytest.mark.parametrize(("head", "path"), [("", ()), ("[registry]\nenabled = true\n", ("registry",))])
def test_comments_and_form_stay_in_either_kind_of_file(
    random: configedit.Random, keys: str, head: str, path: tuple[str, ...]
) -> None:
    prefix = "registry." if head else ""
    envelope = f"[{prefix}envelope] # sealed\npepper_hex = 'aa'\n" + keys.replace("[[", f"[[{prefix}")
    text = f"# mine\n{head}{envelope}[{prefix}storage]\nkind = 'memory' # for now\n"
    changed, kid = configedit.rotated(text, random, NOW, DAY, no_file)
    tables = tomllib.loads(changed)
    for name in path:
        tables = tables[name]
    first, old = tables["envelope"]["keys"]
    assert (first["kid_hex"], first["active"], len(first["x25519_private_key_hex"])) == (kid, True, 64)
    assert old == {
        "kid_hex": "00", "x25519_private_key_hex": "11", "active": False, "not_after_epoch_ms": NOW + DAY,
    }  # fmt: skip
    for comment in (
        "# mine",
        "# sealed",
        "# for now",
        *(part for part in ("# the first", "# in use") if part in text),
    ):
        assert comment in changed


def test_where_keys_lie_in_files_the_next_one_does_too(random: configedit.Random) -> None:
    keys = "keys = [{kid_hex = '00', x25519_private_key_file = 'k', active = true}]\n"
    text = "[envelope]\npepper_file = 'p'\n" + keys
    written: dict[str, str] = {}

    def write(before: str, kid: str, digits: str) -> str:
        assert before == "k"
        written[kid] = digits
        return f"{kid}.key"

    changed, kid = configedit.rotated(text, random, NOW, DAY, write)
    assert tomllib.loads(changed)["envelope"]["keys"][0] == {
        "kid_hex": kid, "x25519_private_key_file": f"{kid}.key", "active": True,
    }  # fmt: skip
    assert written[kid] not in changed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("envelope = [", "not TOML"),
        ("address = '127.0.0.1:1'\n", "no table"),
        ("envelope = 1\n", "no table"),
        ("[envelope]\npepper_hex = 'aa'\n", "no key"),
        ("[envelope]\nkeys = []\n", "no key"),
        ("[envelope]\nkeys = [1]\n", "no key"),
        ("[envelope]\nkeys = 1\n", "no key"),
    ],
)
def test_what_has_no_keys_is_not_rotated(random: configedit.Random, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        configedit.rotated(text, random, NOW, DAY, no_file)


def test_what_is_no_secret_at_all_is_left_for_the_reader_to_name(random: configedit.Random) -> None:
    text = "[envelope]\npepper_hex = 'aax'\nkeys = [{kid_hex = 1, x25519_private_key_hex = 2}]\n"
    assert configedit.with_fresh_secrets(text, random) == (text, ())
