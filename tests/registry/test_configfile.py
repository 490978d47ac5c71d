"""Reading a registry's configuration: what existing files hold, what is refused and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.base.limits import CONFIG_BYTES
from enigma_fed.registry import configfile
from enigma_fed.registry.configfile import Loaded
from enigma_fed.registry.settings import PowSettings, RegistrySettings

NOW = 1_800_000_000_000
PEPPER = bytes(range(1, 33)).hex()
KEY = bytes(range(50, 82)).hex()
SECRETS = f'[envelope]\npepper_hex = "{PEPPER}"\nkeys = [{{{{ kid_hex = "0001020304050607", {{}} }}}}]\n'
ENVELOPE = SECRETS.format(f'x25519_private_key_hex = "{KEY}", active = true')
# The example that clients' operators started from, as it was published.
PUBLISHED = (Path(__file__).parent / "published-registry.toml").read_text(encoding="utf-8")
PUBLISHED_PEPPER = "000102030405060708090a0b0c0d0e0f" * 2
PUBLISHED_KEY = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"

Load = Callable[[str], Loaded]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def from_text(text: str) -> Loaded:
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return configfile.load(path, NOW)

    return from_text


def test_pepper_and_a_key_are_all_that_a_file_needs(load: Load, tmp_path: Path) -> None:
    loaded = load(ENVELOPE)
    settings = loaded.settings
    assert settings == RegistrySettings(
        address=("127.0.0.1", 8443), envelope=settings.envelope, storage=settings.storage
    )
    assert settings.envelope.pepper.hex() == PEPPER
    assert [key.private_key.hex() for key in settings.envelope.keys] == [KEY]
    assert settings.storage.path == tmp_path / "registry_db"
    assert loaded.warnings == ()
    assert loaded.files == (tmp_path / "registry.toml",)


def test_the_published_example_loads_once_its_secrets_are_replaced(load: Load) -> None:
    loaded = load(PUBLISHED.replace(PUBLISHED_PEPPER, PEPPER).replace(PUBLISHED_KEY, KEY))
    settings = loaded.settings
    assert settings.address == ("0.0.0.0", 8443)
    assert (settings.mode, settings.allow_sync, settings.storage.kind) == ("tls", True, "sqlite")
    assert settings.tls is not None
    assert settings.tls.certificate == Path("/etc/enigma/registry.cert")
    assert settings.rate_limit.endpoints.check_user_rps == 10
    assert (settings.presence.ttl_seconds, settings.pow.enabled) == (300, False)
    [warning] = loaded.warnings
    assert "sled" in warning


@pytest.mark.parametrize("secret", [PUBLISHED_PEPPER, PUBLISHED_KEY])
def test_invariant_8_published_secrets_are_refused_with_the_command_that_replaces_them(
    load: Load, secret: str
) -> None:
    other = {PUBLISHED_PEPPER: PUBLISHED_KEY, PUBLISHED_KEY: PUBLISHED_PEPPER}[secret]
    with pytest.raises(ConfigError, match="everyone knows") as caught:
        load(PUBLISHED.replace(other, KEY))
    assert "enigma-fed registry init --config" in caught.value.hint
    assert secret not in str(caught.value)


@pytest.mark.parametrize("byte", ["00", "ff", "5a", "Ab"])
@pytest.mark.parametrize("replaced", [PEPPER, KEY])
def test_invariant_8_a_repeated_byte_is_no_secret(load: Load, byte: str, replaced: str) -> None:
    with pytest.raises(ConfigError, match="everyone knows"):
        load(ENVELOPE.replace(replaced, byte * 32))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("colour = 1\n", "colour in .*registry.toml is not a known key"),
        ("[rate_limit]\ncolour = 1\n", r"rate_limit\.colour in "),
        ("[rate_limit.endpoints]\nlogin_rps = 1\n", r"rate_limit\.endpoints\.login_rps in "),
        ("[presence]\nttl = 1\n", r"presence\.ttl in "),
        ("[pow]\nmax_solve_ms = 1500\nretry_attempts = 2\n", r"pow\.\w+ in "),
        ("[storage]\nkinds = 1\n", r"storage\.kinds in "),
        ("[tls]\ncert = 1\n", r"tls\.cert in "),
    ],
)
def test_an_unknown_key_is_named_with_its_path(load: Load, text: str, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        load(text + ENVELOPE)


def test_an_unknown_key_of_an_envelope_key_is_named_with_its_path(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"envelope\.keys\[0\]\.colour in .* is not a known key"):
        load(ENVELOPE.replace("active", "colour = 1, active"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('address = "localhost:8443"\n', "address in .* must be an IP address"),
        ('address = "127.0.0.1"\n', "address in .* must be an IP address"),
        ('address = "127.0.0.1:65536"\n', "port from 0 to 65535"),
        ('address = "127.0.0.1:-1"\n', "port from 0 to 65535"),
        ('address = "::1:8443"\n', "brackets"),
        ('mode = "https"\n', "mode in .* is not right"),
        ('mode = "tls"\n', 'tls in .* is missing, and mode is "tls"'),
        ('mode = 1\n', "mode in .* is not right"),
        ('trusted_proxies = ["10.0.0.1/8"]\n', "trusted_proxies in .*10.0.0.1/8"),
        ('trusted_proxies = ["proxy"]\n', "trusted_proxies in .*'proxy'"),
        ('peers = ["did:key:z6Mk"]\n', "peers in .* has a DID that is none"),
        ("max_nodes = -1\n", "max_nodes in .* is not right"),
        ("max_nodes = 1000001\n", "max_nodes in .* is not right"),
        ("allow_sync = 1\n", "allow_sync in .* is not right: expected true or false, got an integer"),
        ('max_nodes = "int"\n', "max_nodes in .*: expected an integer, got text"),
        ("trusted_proxies = 1\n", "trusted_proxies in .*: expected a list, got an integer"),
        ('[pow]\nenabled = "int"\n', "pow.enabled in .*: expected true or false, got text"),
        ("[rate_limit]\nburst = 0\n", r"rate_limit\.burst in .* is not right"),
        ("[rate_limit]\nenabled = false\nper_ip_rps = 0\n", r"rate_limit\.per_ip_rps in .* is not right"),
        ('[storage]\nkind = "rocksdb"\n', r"storage\.kind in .* is not right: it cannot be 'rocksdb'"),
        ('[storage]\npath = "a\\u0000b"\n', "a path in .* holds a zero byte"),
        ('[storage]\npath = " "\n', r"storage\.path in .* must name a folder"),
        ('[tls]\ncert_pem_path = "c.pem"\n', r"tls\.key_pem_path in .* is missing"),
        ('[tls]\nkey_pem_path = "k.pem"\n', r"tls\.cert_pem_path in .* is missing"),
        ("[pow]\nenabled = true\ndifficulty = 0\n", r"pow\.difficulty in .* from 1 to 30"),
        ("[pow]\nenabled = true\ndifficulty = 31\n", r"pow\.difficulty in .* from 1 to 30"),
        ("[pow]\nenabled = true\nttl_seconds = 0\n", r"pow\.ttl_seconds in .* from 1 to 3600"),
        ("[pow]\nenabled = true\nttl_seconds = 3601\n", r"pow\.ttl_seconds in .* from 1 to 3600"),
        ("address =\n", "is not TOML"),
        ("a = " + "[" * 2_000 + "\n", "is not TOML"),
        ('trusted_proxies = [' + '"10.0.0.1",' * 257 + "]\n", "trusted_proxies in .* is not right"),
        ('peers = [' + '"did",' * 4097 + "]\n", "peers in .* is not right"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_its_key(load: Load, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(text + ENVELOPE)


def test_numbers_of_a_proof_of_work_that_is_off_may_be_any_and_are_not_used(load: Load) -> None:
    for difficulty, ttl in ((99, 0), (0, 10**30)):
        off = load(f"[pow]\nenabled = false\ndifficulty = {difficulty}\nttl_seconds = {ttl}\n" + ENVELOPE)
        assert off.settings.pow == PowSettings()
    settings = load("[pow]\nenabled = true\ndifficulty = 30\nttl_seconds = 3600\n" + ENVELOPE).settings
    assert (settings.pow.difficulty, settings.pow.ttl_seconds) == (30, 3600)


def test_no_room_for_nodes_counts_as_room_for_one(load: Load) -> None:
    assert load("max_nodes = 0\n" + ENVELOPE).settings.max_nodes == 1


def test_proxies_are_addresses_and_networks_of_both_families(load: Load) -> None:
    text = 'trusted_proxies = ["10.0.0.0/8", " 192.0.2.1 ", "fd00::/8", "::1"]\n'
    assert load(text + ENVELOPE).settings.trusted_proxies == tuple(
        map(ip_network, ("10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1"))
    )


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.255.1.1:8443", "[::1]:8443"])
def test_without_a_certificate_loopback_is_served_by_http(load: Load, address: str) -> None:
    loaded = load(f'address = "{address}"\n' + ENVELOPE)
    assert (loaded.settings.mode, loaded.warnings) == ("http", ())
    assert loaded.settings.address is not None
    assert "[" not in loaded.settings.address[0]


@pytest.mark.parametrize("address", ["0.0.0.0:8443", "[::]:8443", "192.0.2.7:8443"])
def test_invariant_8_plain_http_for_other_machines_has_to_be_written_and_is_warned_of(
    load: Load, address: str
) -> None:
    with pytest.raises(ConfigError, match="open to other machines"):
        load(f'address = "{address}"\n' + ENVELOPE)
    loaded = load(f'address = "{address}"\nmode = "http"\n' + ENVELOPE)
    [warning] = loaded.warnings
    assert "NOT ENCRYPTED" in warning


def test_a_certificate_means_tls_and_paths_count_from_the_files_folder(load: Load, tmp_path: Path) -> None:
    text = (
        '[tls]\ncert_pem_path = "tls/c.pem"\nkey_pem_path = "../k.pem"\nclient_ca_pem_path = "/etc/ca.pem"\n'
    )
    settings = load(text + '[storage]\npath = "data/db"\n' + ENVELOPE).settings
    assert settings.mode == "tls"
    assert settings.tls is not None
    assert settings.tls.certificate == tmp_path / "tls" / "c.pem"
    assert settings.tls.key == tmp_path.parent / "k.pem"
    assert settings.tls.client_ca == Path("/etc/ca.pem")
    assert settings.storage.path == tmp_path / "data" / "db"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "envelope in .* is missing"),
        ('[envelope]\npepper_hex = "' + PEPPER + '"\n', "envelope.keys in .* must have a key"),
        ("[envelope]\n" + ENVELOPE.splitlines()[2], "pepper_hex in .* is missing, and so is pepper_file"),
        (ENVELOPE.replace(PEPPER, PEPPER[2:]), "pepper_hex in .* must be 64 hex digits"),
        (ENVELOPE.replace(PEPPER, "x" + PEPPER[1:]), "pepper_hex in .* must be 64 hex digits"),
        (ENVELOPE.replace(KEY, KEY + "00"), r"keys\[0\]\.x25519_private_key_hex in .* must be 64 hex digits"),
        (ENVELOPE.replace("0001020304050607", "00010203"), r"keys\[0\]\.kid_hex in .* must be 16 hex digits"),
        (ENVELOPE.replace("active = true", "active = false"), "has no key that is active"),
        (
            ENVELOPE.replace("active", "not_after_epoch_ms = -1, active"),
            "not_after_epoch_ms in .* is not right",
        ),
        (
            ENVELOPE.replace("active", f"not_after_epoch_ms = {2**63}, active"),
            "not_after_epoch_ms in .* is not",
        ),
        (
            ENVELOPE.replace('kid_hex = "0001020304050607",', ""),
            r"envelope\.keys\[0\]\.kid_hex in .* is missing",
        ),
        (SECRETS.format("active = true"), "x25519_private_key_hex in .* is missing, and so is"),
        (ENVELOPE.replace("active", 'x25519_private_key_file = "k", active'), "one is enough"),
    ],
)
def test_invariant_8_an_envelope_that_cannot_work_is_refused_and_no_secret_is_shown(
    load: Load, text: str, why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        load(text)
    assert PEPPER[2:] not in str(caught.value)
    assert KEY not in str(caught.value)


def keys(*entries: str) -> str:
    lines = [f'{{ x25519_private_key_hex = "{KEY}", {entry} }}' for entry in entries]
    return f'[envelope]\npepper_hex = "{PEPPER}"\nkeys = [{", ".join(lines)}]\n'


def test_an_expired_key_is_warned_of_and_no_obstacle_beside_another(load: Load) -> None:
    expired = f'kid_hex = "0000000000000001", active = true, not_after_epoch_ms = {NOW - 1}'
    last = f'kid_hex = "0000000000000002", active = true, not_after_epoch_ms = {NOW}'
    loaded = load(keys(expired, last))
    [warning] = loaded.warnings
    assert "envelope.keys[0]" in warning
    assert "expired" in warning
    active = loaded.settings.envelope.active_key(NOW)
    assert active is not None
    assert active.kid[-1] == 2
    with pytest.raises(ConfigError, match="has no key that is active and has not expired") as caught:
        load(keys(expired))
    assert "registry rotate-key" in caught.value.hint


def test_two_keys_with_one_name_are_refused_whatever_their_case(load: Load) -> None:
    with pytest.raises(ConfigError, match="one kid_hex twice"):
        load(keys('kid_hex = "00000000000000ab", active = true', 'kid_hex = "00000000000000AB"'))


def test_64_keys_are_taken_and_65_are_not(load: Load) -> None:
    entries = [f'kid_hex = "{number:016x}", active = true' for number in range(65)]
    assert len(load(keys(*entries[:64])).settings.envelope.keys) == 64
    with pytest.raises(ConfigError, match=r"envelope\.keys in .* is not right"):
        load(keys(*entries))


def test_secrets_may_lie_in_files_of_their_own(load: Load, tmp_path: Path) -> None:
    for name, content in (("pepper", PEPPER), ("key", KEY)):
        (tmp_path / name).write_text(content + "\n", encoding="ascii")
        (tmp_path / name).chmod(0o600)
    text = ENVELOPE.replace(f'pepper_hex = "{PEPPER}"', 'pepper_file = "pepper"')
    text = text.replace(f'x25519_private_key_hex = "{KEY}"', 'x25519_private_key_file = "key"')
    loaded = load(text)
    assert loaded.settings.envelope == load(ENVELOPE).settings.envelope
    assert loaded.files == (tmp_path / "registry.toml", tmp_path / "pepper", tmp_path / "key")


def test_invariant_8_a_file_of_a_secret_that_others_can_read_is_refused(load: Load, tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text(PEPPER, encoding="ascii")
    (tmp_path / "pepper").chmod(0o640)
    with pytest.raises(LooseModes) as caught:
        load(ENVELOPE.replace(f'pepper_hex = "{PEPPER}"', 'pepper_file = "pepper"'))
    assert caught.value.hint == f"It holds a secret. Run: chmod 600 {tmp_path / 'pepper'}"
    with pytest.raises(ConfigError, match="no such file"):
        load(ENVELOPE.replace(f'pepper_hex = "{PEPPER}"', 'pepper_file = "salt"'))


def test_a_file_with_secrets_that_others_can_read_is_warned_of(load: Load, tmp_path: Path) -> None:
    load(ENVELOPE)
    (tmp_path / "registry.toml").chmod(0o644)
    [warning] = configfile.load(tmp_path / "registry.toml", NOW).warnings
    assert "others can read it" in warning
    assert "chmod 600" in warning


def test_a_file_that_is_not_there_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing") as caught:
        configfile.load(tmp_path / "registry.toml", NOW)
    assert caught.value.hint == f"Make one: enigma-fed registry init --config {tmp_path / 'registry.toml'}"
    with pytest.raises(ConfigError, match="is a directory"):
        configfile.load(tmp_path, NOW)


def test_a_file_is_read_up_to_its_bound(load: Load) -> None:
    room = CONFIG_BYTES - len(ENVELOPE)
    load(ENVELOPE + "#" * room)
    with pytest.raises(ConfigError, match="larger than"):
        load(ENVELOPE + "#" * (room + 1))
