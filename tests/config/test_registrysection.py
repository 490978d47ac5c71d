"""`[registry]` of the agent's configuration: the tables of a registry's own file, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed import config
from enigma_fed.base.errors import ConfigError
from enigma_fed.registry.tables import AgentTables, EnvelopeKeyTable, EnvelopeTable, TlsTable

# Every table and key of the file that operators of registries have, under the agent's prefix.
PUBLISHED = (Path(__file__).parents[1] / "registry" / "published-registry.toml").read_text(encoding="utf-8")


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> config.Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, environ or {})


def test_a_node_hosts_no_registry_unless_it_is_told_to() -> None:
    registry = config.load(None, {}).settings.registry
    assert registry == AgentTables()
    assert (registry.enabled, registry.onion, registry.listen) == (False, False, "127.0.0.1:8443")


def test_it_takes_the_tables_of_a_registrys_own_file(tmp_path: Path) -> None:
    text = "[registry]\n" + PUBLISHED.replace("address = ", "listen = ").replace("\n[", "\n[registry.")
    registry = load(tmp_path, text).settings.registry
    assert registry.listen == "0.0.0.0:8443"
    assert registry.rate_limit.endpoints.resolve_rps == 3
    assert registry.tls == TlsTable(
        cert_pem_path="/etc/enigma/registry.cert", key_pem_path="/etc/enigma/registry.key"
    )
    assert registry.envelope.keys[0].kid_hex == "0001020304050607"
    assert registry.storage.kind == "sled"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("colour = 1\n", "registry.colour"),
        ('address = "127.0.0.1:8443"\n', "registry.address"),
        ("enabled = 1\n", "registry.enabled"),
        ('listen = "127.0.0.1"\n', "registry.listen"),
        ('listen = "localhost:8443"\n', "registry.listen"),
        ('onion_listen = "0.0.0.0:8444"\n', "registry.onion_listen"),
        ('onion_listen = "127.0.0.1:0"\n', "registry.onion_listen"),
        ("rate_limit = 1\n", "registry.rate_limit"),
        ("[registry.rate_limit]\nburst = 0\n", "registry.rate_limit.burst"),
        ("[registry.rate_limit]\ncolour = 1\n", "registry.rate_limit.colour"),
        ("[registry.rate_limit.endpoints]\nnodes_rps = nan\n", "registry.rate_limit.endpoints.nodes_rps"),
        ("[registry.envelope]\nkeys = [{ colour = 1 }]\n", "registry.envelope.keys"),
        ('[registry.storage]\nkind = "rocksdb"\n', "registry.storage.kind"),
    ],
)
def test_a_wrong_key_or_value_is_an_error_that_names_its_path(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[registry]\n{text}")
    assert names in caught.value.detail.split()[0].rstrip(":")


def test_the_environment_sets_every_kind_of_key() -> None:
    environ = {
        "ENABLED": "true",
        "ONION": "false",
        "LISTEN": "[::1]:0",
        "TRUSTED_PROXIES": "10.0.0.0/8, ::1,",
        "MAX_NODES": "12",
        "RATE_LIMIT__PER_IP_RPS": "2.5",
        "RATE_LIMIT__ENDPOINTS__SYNC_RPS": "7",
        "ENVELOPE__PEPPER_FILE": "/run/pepper",
        "POW__ENABLED": "true",
    }
    loaded = config.load(None, {f"ENIGMA_FED_REGISTRY__{name}": value for name, value in environ.items()})
    registry = loaded.settings.registry
    assert (registry.enabled, registry.onion, registry.listen) == (True, False, "[::1]:0")
    assert registry.trusted_proxies == ("10.0.0.0/8", "::1")
    assert registry.max_nodes == 12
    assert registry.rate_limit.per_ip_rps == 2.5
    assert registry.rate_limit.endpoints.sync_rps == 7
    assert registry.envelope == EnvelopeTable(pepper_file="/run/pepper")
    assert registry.pow.enabled
    assert loaded.origins["registry.pow.enabled"] == "environment ENIGMA_FED_REGISTRY__POW__ENABLED"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENABLED", "yes"),
        ("MAX_NODES", "many"),
        ("MAX_NODES", "1" * 16),
        ("RATE_LIMIT__PER_IP_RPS", "fast"),
        ("ENVELOPE__KEYS", "00"),
    ],
)
def test_a_variable_that_is_no_value_of_its_key_names_it(name: str, value: str) -> None:
    key = f"registry.{name.lower().replace('__', '.')}"
    with pytest.raises(ConfigError, match=f"^.*{key} in the environment is not right"):
        config.load(None, {f"ENIGMA_FED_REGISTRY__{name}": value})


def test_a_table_may_be_empty(tmp_path: Path) -> None:
    assert load(tmp_path, "[registry]\n[registry.pow]\n[registry.tls]\n").settings == config.Settings()


def test_the_environment_is_stronger_than_the_file_key_by_key(tmp_path: Path) -> None:
    text = "[registry]\nenabled = true\n[registry.pow]\nenabled = true\ndifficulty = 20\n"
    loaded = load(tmp_path, text, {"ENIGMA_FED_REGISTRY__POW__DIFFICULTY": "12"})
    assert (loaded.settings.registry.pow.enabled, loaded.settings.registry.pow.difficulty) == (True, 12)


def test_its_port_is_its_own_once_it_is_enabled(tmp_path: Path) -> None:
    text = '[registry]\nlisten = "127.0.0.1:8787"\n'
    load(tmp_path, text)
    with pytest.raises(ConfigError, match=r"rpc\.listen and registry\.listen are both 127\.0\.0\.1:8787"):
        load(tmp_path, text + "enabled = true\n")
    load(tmp_path, '[registry]\nlisten = ""\nenabled = true\n')


def test_value_finds_what_is_set_and_what_is_left_out(tmp_path: Path) -> None:
    text = '[registry.envelope]\nkeys = [{ kid_hex = "00" }]\n[registry.storage]\npath = "r"\n'
    settings = load(tmp_path, text).settings
    assert settings.value("registry.storage.path") == "r"
    assert settings.value("registry.tls.cert_pem_path") is None
    assert settings.value("registry.envelope.keys") == (EnvelopeKeyTable(kid_hex="00"),)


def test_what_is_described_is_what_there_is() -> None:
    docs = {doc.key: doc for doc in config.describe() if doc.key.startswith("registry.")}
    assert next(iter(docs)) == "registry.enabled"
    assert all(doc.meaning and doc.type for doc in docs.values())
    assert (docs["registry.rate_limit.burst"].least, docs["registry.rate_limit.burst"].most) == (1, 1_000_000)
    assert docs["registry.mode"].choices == ("http", "tls")
    assert docs["registry.peers"].type == "list of texts"
    assert docs["registry.envelope.keys"].type == "list of tables"
    assert [key for key, doc in docs.items() if doc.secret] == [
        "registry.envelope.pepper_hex",
        "registry.envelope.keys",
    ]
