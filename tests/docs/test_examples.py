"""The examples are what the programs that read them take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from enigma_fed import config
from enigma_fed.base.errors import ConfigError
from enigma_fed.config import parse_listen
from enigma_fed.daemon.metricslist import FAMILIES
from enigma_fed.registry import configedit, configfile
from tests.support.prerequisites import missing

EXAMPLES = Path(__file__).parents[2] / "examples"
KNOWN = {family.full_name: family for family in FAMILIES}


def read(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    return [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]


def test_the_example_configuration_loads() -> None:
    loaded = config.load(EXAMPLES / "config.toml", {}, {})
    assert loaded.settings.node.name == "attic"


def test_the_example_of_a_registry_starts_with_fresh_secrets_only_and_has_every_key(tmp_path: Path) -> None:
    text = (EXAMPLES / "registry.toml").read_text(encoding="utf-8")
    path = tmp_path / "registry.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="everyone knows"):
        configfile.load(path, 0)
    path.write_text(configedit.with_fresh_secrets(text, os.urandom)[0], encoding="utf-8")
    assert configfile.load(path, 0).warnings == ()
    agents_own = {"enabled", "listen", "onion", "onion_listen"}
    for doc in config.describe():
        section, _, name = doc.key.rpartition(".")
        if section == "registry" and name in agents_own:
            continue
        if section.partition(".")[0] == "registry":
            assert re.search(rf"^(# )?{name} = ", text, re.MULTILINE), doc.key


def test_the_example_scrapes_where_the_agent_listens() -> None:
    found = read("prometheus.yml")
    [job] = found["scrape_configs"]
    assert job["static_configs"] == [{"targets": [config.Settings().admin.listen]}]
    assert parse_listen(job["static_configs"][0]["targets"][0])
    assert "metrics_path" not in job, "the default is /metrics"
    assert all((EXAMPLES / name).exists() for name in found["rule_files"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "annotations"}
    assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
    [(name, braces)] = re.findall(r"(enigma_fed_\w+)(?:\{(.*?)\})?", rule["expr"])
    labels = set(re.findall(r"(\w+)=", braces))
    labels |= set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert labels <= set(KNOWN[name].labels)


@pytest.mark.parametrize(("words", "name"), [(("config",), "prometheus.yml"), (("rules",), "alerts.yml")])
def test_prometheus_own_checker_takes_it(words: tuple[str, ...], name: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool; it is in the Debian package prometheus")
    subprocess.run([promtool, "check", *words, str(EXAMPLES / name)], check=True, capture_output=True)
