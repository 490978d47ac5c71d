"""What a new configuration does to a running agent."""

from __future__ import annotations

from enigma_fed import config
from enigma_fed.config import Settings
from enigma_fed.daemon.reload import LIVE, REGISTRY_FIXED, TORRC_EXTRA, Unsettled, plan


def settings(**flags: config.Value) -> Settings:
    return config.load(None, {}, {key.replace("__", "."): value for key, value in flags.items()}).settings


def test_every_live_key_exists() -> None:
    assert {doc.key for doc in config.describe()} >= LIVE | {TORRC_EXTRA} | REGISTRY_FIXED


def test_live_keys_change_and_the_others_wait_with_their_old_value() -> None:
    running = settings(node__name="attic", log__level="info")
    wanted = settings(node__name="cellar", log__level="debug", federation__poll_interval=30)
    planned = plan(running, wanted, own_tor=False)
    assert planned.settings == settings(node__name="attic", log__level="debug", federation__poll_interval=30)
    assert planned.changed == ("federation.poll_interval", "log.level")
    assert planned.waiting == ("node.name",)
    assert planned.sentence == (
        "the configuration was read again; now in force: federation.poll_interval, log.level; "
        "waits for a restart: node.name"
    )


def test_what_waits_is_named_each_time_until_the_restart() -> None:
    running, wanted = settings(), settings(rpc__listen="127.0.0.1:1234")
    assert plan(plan(running, wanted, own_tor=False).settings, wanted, own_tor=False).waiting == (
        "rpc.listen",
    )


def test_without_a_difference_nothing_changes() -> None:
    planned = plan(settings(), settings(), own_tor=False)
    assert planned.settings == settings()
    assert planned.sentence == "the configuration was read again; nothing changed"


def test_the_lines_for_tor_change_at_once_where_the_tor_is_our_own() -> None:
    running, wanted = settings(), settings(tor__torrc_extra="/etc/enigma-fed/torrc")
    assert plan(running, wanted, own_tor=True).changed == ("tor.torrc_extra",)
    assert plan(running, wanted, own_tor=False).waiting == ("tor.torrc_extra",)


def test_a_hosted_registry_takes_over_what_it_can() -> None:
    hosted = {"registry__enabled": True, "registry__tls__cert_pem_path": "/etc/one.pem"}
    running = settings(**hosted)
    wanted = settings(
        **hosted
        | {
            "registry__onion": True,
            "registry__pow__enabled": True,
            "registry__storage__path": "/srv/registry",
        }
    )
    planned = plan(running, wanted, own_tor=False)
    assert planned.changed == ("registry.pow.enabled",)
    assert planned.waiting == ("registry.onion", "registry.storage.path")
    assert planned.settings == settings(**hosted, registry__pow__enabled=True)


def test_without_a_registry_its_settings_wait_for_the_start_that_makes_one() -> None:
    wanted = settings(registry__enabled=True, registry__pow__enabled=True)
    assert plan(settings(), wanted, own_tor=False).waiting == ("registry.enabled", "registry.pow.enabled")


def test_what_is_not_in_force_is_warned_of() -> None:
    assert Unsettled().warnings() == []
    assert Unsettled(("tor.mode", "rpc.listen"), "x is not a known key").warnings() == [
        "The changed configuration was refused, the old one is in force: x is not a known key.",
        "Changed settings wait for a restart of the agent: tor.mode, rpc.listen.",
    ]
