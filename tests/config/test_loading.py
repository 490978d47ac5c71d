"""The configuration: strength of its sources, and plain errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed import config
from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.transports.tor.onionkey import OnionKey

ONION = f"{OnionKey(bytes(32)).address}"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_has_a_default() -> None:
    loaded = config.load(None, {})
    assert loaded.settings == config.Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.settings.rpc.listen == "127.0.0.1:8787"


def test_an_onion_made_elsewhere_needs_the_mode_that_has_one() -> None:
    with pytest.raises(ConfigError, match=r"tor\.onion needs tor\.mode"):
        config.load(None, {"ENIGMA_FED_TOR__ONION": ONION})
    loaded = config.load(None, {"ENIGMA_FED_TOR__ONION": ONION, "ENIGMA_FED_TOR__MODE": "socks"})
    assert loaded.settings.tor.onion == ONION


def test_a_flag_is_stronger_than_the_environment_than_the_file_than_the_default(tmp_path: Path) -> None:
    path = write(tmp_path, '[tor]\nmode = "off"\n[log]\nlevel = "debug"\n[node]\nname = "attic"\n')
    environ = {"ENIGMA_FED_LOG__LEVEL": "warning", "ENIGMA_FED_NODE__NAME": "cellar"}
    loaded = config.load(path, environ, {"node.name": "loft"})
    assert loaded.settings.tor.mode == "off"
    assert loaded.settings.log.level == "warning"
    assert loaded.settings.node.name == "loft"
    assert loaded.origins["tor.mode"] == f"file {path}"
    assert loaded.origins["log.level"] == "environment ENIGMA_FED_LOG__LEVEL"
    assert loaded.origins["node.name"] == "flag"
    assert loaded.origins["rpc.listen"] == "default"


def test_a_number_comes_from_the_environment_too() -> None:
    loaded = config.load(None, {"ENIGMA_FED_FEDERATION__POLL_INTERVAL": "5"})
    assert loaded.settings.federation.poll_interval == 5


def test_a_level_with_one_underscore_is_not_ignored() -> None:
    with pytest.raises(ConfigError, match="two underscores"):
        config.load(None, {"ENIGMA_FED_TOR_MODE": "off"})


def test_variables_that_say_where_things_are_are_no_keys() -> None:
    environ = {"ENIGMA_FED_DATA_DIR": "/d", "ENIGMA_FED_CONFIG": "/c", "ENIGMA_FED_DEBUG": "1"}
    assert config.load(None, environ).settings == config.Settings()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[tor]\ncolour = 1\n", "tor.colour"),
        ("[colour]\nmode = 1\n", "colour.mode"),
        ("mode = 1\n", "mode"),
        ("tor = 1\n", "tor"),
        ('[tor]\nmode = "detached"\n', "tor.mode"),
        ('[tor]\ncontrol = "192.0.2.1:9051"\n', "tor.control"),
        ('[tor]\nsocks = "unix:relative"\n', "tor.socks"),
        ('[tor]\nlisten = "127.0.0.1:0"\n', "tor.listen"),
        ('[tor]\nmode = "socks"\nonion = "example.onion"\n', "tor.onion"),
        ("[tor]\nmode = 1\n", "tor.mode"),
        ("[tor]\nmode = true\n", "tor.mode"),
        ('[tor]\nbinary = "tor"\n', "tor.binary"),
        ('[tor.mode]\nx = "y"\n', "tor.mode"),
        ("[federation]\npoll_interval = 4\n", "federation.poll_interval"),
        ("[federation]\npoll_interval = 60.0\n", "federation.poll_interval"),
        ("[federation]\npoll_interval = true\n", "federation.poll_interval"),
        ('[rpc]\nlisten = "0.0.0.0:80"\n', "rpc.listen"),
        ('[rpc]\nlisten = "127.0.0.1"\n', "rpc.listen"),
        ('[rpc]\nlisten = "127.0.0.1:65536"\n', "rpc.listen"),
        ('[rpc]\nlisten = "::1:80"\n', "rpc.listen"),
        ('[node]\nname = " x"\n', "node.name"),
        ('[node]\nname = "\\u001b"\n', "node.name"),
    ],
)
def test_a_wrong_key_or_value_is_an_error_that_names_its_path(tmp_path: Path, text: str, names: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, {})
    assert names in caught.value.detail
    assert str(path) in caught.value.detail
    assert caught.value.exit_code == 2


def test_streams_of_ours_leave_room_for_polls(tmp_path: Path) -> None:
    """limits.STREAMS_OUTBOUND_MAX: each takes one of limits.CONNECTIONS_OUTBOUND; 0 is none."""
    for fits in (0, limits.STREAMS_OUTBOUND_MAX):
        path = write(tmp_path, f"[federation]\nstreams = {fits}\n")
        assert config.load(path, {}).settings.federation.streams == fits
    path = write(tmp_path, f"[federation]\nstreams = {limits.STREAMS_OUTBOUND_MAX + 1}\n")
    with pytest.raises(ConfigError, match=r"federation\.streams"):
        config.load(path, {})
    assert limits.STREAMS_OUTBOUND_MAX + limits.POLLS_IN_FLIGHT < limits.CONNECTIONS_OUTBOUND


def test_a_wrong_variable_is_an_error_that_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"tor\.mod in the environment"):
        config.load(None, {"ENIGMA_FED_TOR__MOD": "off"})


@pytest.mark.parametrize("content", [b"[tor", b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_a_broken_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        config.load(path, {})


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        config.load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("text", "parts"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:8787", ("::1", 8787)), ("127.0.0.2:80", ("127.0.0.2", 80))],
)
def test_loopback_addresses_are_read(text: str, parts: tuple[str, int]) -> None:
    assert config.parse_listen(text) == parts


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:80", ":8787", "localhost:80", "attic.lan:80"],
)
def test_invariant_10_the_rpc_listens_for_this_machine_alone(text: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        config.load(None, {}, {"rpc.listen": text})
    with pytest.raises(ConfigError, match="loopback"):
        config.load(None, {}, {"admin.listen": text})


def test_value_finds_every_described_key() -> None:
    settings = config.Settings()
    assert {doc.key: settings.value(doc.key) for doc in config.describe()} == {
        doc.key: doc.default for doc in config.describe()
    }


@pytest.mark.parametrize(
    ("key", "port"), [("rpc.listen", 8787), ("admin.listen", 8788), ("tor.listen", 8786)]
)
def test_an_address_that_is_none_is_told_with_the_default_of_its_key(key: str, port: int) -> None:
    with pytest.raises(ConfigError, match=rf"such as 127\.0\.0\.1:{port}$"):
        config.load(None, {}, {key: str(port)})


def test_two_listeners_need_two_ports() -> None:
    with pytest.raises(ConfigError, match=r"rpc\.listen and admin\.listen are both 127\.0\.0\.1:8787"):
        config.load(None, {}, {"admin.listen": "127.0.0.1:8787"})
    for both in ("127.0.0.1:0", ""):
        config.load(None, {}, {"admin.listen": both, "rpc.listen": both})


def test_the_example_speaks_of_every_key_of_its_plain_sections() -> None:
    text = (Path(__file__).parents[2] / "examples/config.toml").read_text(encoding="utf-8")
    config.from_toml(text.encode(), "the example")
    for doc in config.describe():
        section, _, name = doc.key.partition(".")
        assert (
            section in ("tor", "clock", "registry") or f"\n{name} = " in text or f"\n# {name} = " in text
        ), doc.key
