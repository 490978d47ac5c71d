"""The unit as systemd really runs it: installed, killed, stuck, reloaded, given a credential, removed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.soak.machine import PREFIX, PROGRAM, Machine, machine, until
from tests.support.tornet import NOBODYS_NETWORK

pytestmark = pytest.mark.timeout(900)

DATA = "/var/lib/enigma-fed"
CONFIG = "/etc/enigma-fed/config.toml"
EXTRA = "/etc/enigma-fed/torrc"
SETTINGS = f"""\
[node]
name = "attic"
[tor]
mode = "managed"
torrc_extra = "{EXTRA}"
[log]
level = "{{level}}"
"""


def say(what: str, seconds: float) -> None:
    """A figure for docs/RELIABILITY.md."""
    print(f"\nbooted unit: {what}: {seconds:.2f} s")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with the service installed; its tor knows a network of nobody, and there is no other."""
    with machine(tmp_path_factory.mktemp("machine")) as made:
        for name in ("ann", "bob"):
            made.run("useradd", "--create-home", name)
        made.write(EXTRA, NOBODYS_NETWORK)
        made.write(CONFIG, SETTINGS.format(level="info"))
        begun = time.monotonic()
        installed = made.agent("service", "install")
        say("service install, until ready", time.monotonic() - begun)
        assert installed["state"] == "active"
        yield made


@pytest.fixture(autouse=True)
def running(box: Machine) -> Iterator[None]:
    """Every test begins and ends with a service that is ready and sound settings."""
    yield
    box.write(CONFIG, SETTINGS.format(level="info"))
    box.run("systemctl", "restart", "enigma-fed")


def did(box: Machine) -> str:
    found: str = box.agent("id")["did"]
    return found


def pid(box: Machine) -> str:
    return box.property("MainPID")


def test_it_is_ready_with_its_stores_and_says_how_far_tor_is(box: Machine) -> None:
    state = box.agent("service", "status")
    assert (state["state"], state["enabled"], state["watchdog"]) == ("active", True, "30s")
    box.run("test", "-s", f"{DATA}/federation/nodes.json")
    until(lambda: "Tor is bootstrapping" in box.property("StatusText"), "Tor starts")
    assert box.run("stat", "-c", "%a %U %G", DATA).split() == ["700", "enigma-fed", "enigma-fed"]


def test_the_agent_and_its_tor_are_in_the_sandbox(box: Machine) -> None:
    tor = until(lambda: box.agent("status")["tor"]["pid"], "tor runs")
    for process in (pid(box), str(tor)):
        shown = box.run("cat", f"/proc/{process}/status")
        found = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
        assert found["NoNewPrivs"].strip() == "1"
        assert found["Seccomp"].strip() == "2"
        assert int(found["CapEff"], 16) == 0 == int(found["CapBnd"], 16)
    until(lambda: box.agent("status")["tor"]["version"], "the agent speaks to its tor")


def test_every_user_can_watch_it_and_is_told_of_both_processes_and_of_no_name(box: Machine) -> None:
    until(lambda: box.agent("status")["tor"]["pid"], "tor runs")
    ask = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8788{}').read().decode())"
    assert box.run("python3", "-c", ask.format("/healthz"), user="bob").strip() == "alive"
    told = box.run("python3", "-c", ask.format("/metrics"), user="bob")
    for process in ("agent", "tor"):
        assert f'enigma_fed_process_resident_bytes{{process="{process}"}} ' in told
    assert "enigma_fed_disk_free_bytes " in told
    assert "attic" not in told
    assert DATA not in told
    assert box.agent("status")["admin"] == "127.0.0.1:8788"


def test_the_agent_can_ask_the_kernel_for_the_clock(box: Machine) -> None:
    assert box.agent("status")["clock_synchronised"] is not None


def test_invariant_10_root_and_the_group_command_it_and_nobody_else(box: Machine) -> None:
    box.run("usermod", "-aG", "enigma-fed", "ann")
    assert box.agent("id", user="ann")["did"] == did(box)
    told = box.run(PROGRAM, "id", user="bob", check=False)
    assert told == ""
    connect = (
        "import socket; s = socket.socket(socket.AF_UNIX); print(s.connect_ex('/run/enigma-fed/agent.sock'))"
    )
    assert box.run("python3", "-c", connect, user="bob").strip() == "13"  # EACCES
    assert box.run("python3", "-c", connect, user="ann").strip() == "0"
    for folder in (DATA, "/run/enigma-fed"):
        assert box.run("ls", folder, user="bob", check=False) == ""
    assert box.run("ls", DATA, user="ann", check=False) == ""


def test_after_kill_9_it_is_ready_again_with_the_same_data(box: Machine) -> None:
    before, old = did(box), pid(box)
    invite = box.agent("invite", "create")["id"]
    killed = time.monotonic()
    box.run("sh", "-c", f"kill -9 {old}")
    say("kill -9, until ready", box.wait_ready(killed))
    assert pid(box) != old
    assert did(box) == before
    assert invite in {entry["id"] for entry in box.agent("invite", "list")}


def test_a_stuck_agent_is_ended_by_the_watchdog_and_started_again(box: Machine) -> None:
    before, old = did(box), pid(box)
    stopped = time.monotonic()
    box.run("sh", "-c", f"kill -STOP {old}")
    say("SIGSTOP, until the watchdog has made it ready", box.wait_ready(stopped))
    assert pid(box) != old
    assert did(box) == before
    assert "watchdog" in box.run("journalctl", "--unit=enigma-fed.service", "--no-pager").lower()


def test_reload_takes_a_new_log_level_and_refuses_a_bad_one(box: Machine) -> None:
    before = pid(box)
    box.write(CONFIG, SETTINGS.format(level="loud"))
    box.run("systemctl", "reload", "enigma-fed")
    until(lambda: "refused" in box.property("StatusText"), "the bad settings are refused")
    box.write(CONFIG, SETTINGS.format(level="debug"))
    box.run("systemctl", "reload", "enigma-fed")
    until(lambda: "log.level" in journal(box, "now in force"), "the good ones are taken")
    assert (pid(box), box.property("ActiveState")) == (before, "active")


def test_reload_hands_tor_new_lines_and_keeps_the_old_ones_when_it_refuses_them(box: Machine) -> None:
    tor = until(lambda: box.agent("status")["tor"]["pid"], "tor runs")
    until(lambda: box.agent("status")["tor"]["version"], "the agent speaks to its tor")
    box.write(EXTRA, f"{NOBODYS_NETWORK}Nonsense 1\n")
    box.run("systemctl", "reload", "enigma-fed")
    until(lambda: "Nonsense" in box.property("StatusText"), "tor refuses the line")
    box.write(EXTRA, f"{NOBODYS_NETWORK}MaxCircuitDirtiness 700\n")
    box.run("systemctl", "reload", "enigma-fed")
    until(lambda: "MaxCircuitDirtiness 700" in box.run("cat", f"{DATA}/tor/torrc"), "tor gets the line")
    until(lambda: "other lines of tor.torrc_extra" in journal(box, "tor.torrc_extra"), "the log says so")
    assert box.agent("status")["tor"]["pid"] == tor
    box.write(EXTRA, NOBODYS_NETWORK)


def journal(box: Machine, words: str) -> str:
    lines = box.run("journalctl", "--unit=enigma-fed.service", "--no-pager", "--output=cat").splitlines()
    return "\n".join(line for line in lines if words in line)


def test_its_key_can_be_a_credential(box: Machine) -> None:
    before = did(box)
    key = f"{DATA}/identity/node.key"
    box.run("install", "-D", "-m", "0400", key, "/etc/credstore/enigma-fed.node.key")
    box.run("systemctl", "restart", "enigma-fed")
    assert f"remove the file {key}" in journal(box, "remove the file")
    box.run("rm", key)
    box.run("systemctl", "restart", "enigma-fed")
    assert did(box) == before
    hidden = "/run/credentials/enigma-fed.service/node.key"
    assert box.run("cat", hidden, user="ann", check=False) == ""
    box.run("systemctl", "stop", "enigma-fed")
    box.run("mv", "/etc/credstore/enigma-fed.node.key", "/root/kept")
    box.run("systemctl", "start", "enigma-fed", check=False)
    assert "credential" in journal(box, "enigma-fed: ")
    assert box.run("ls", f"{DATA}/identity").split() == ["node.did"]
    box.run("systemctl", "stop", "enigma-fed")
    box.run("install", "-m", "0600", "-o", "enigma-fed", "-g", "enigma-fed", "/root/kept", key)


def test_its_key_can_be_a_credential_sealed_to_the_machine(box: Machine) -> None:
    before = did(box)
    key, sealed = f"{DATA}/identity/node.key", "/etc/credstore.encrypted/enigma-fed.node.key"
    box.run("mkdir", "-p", "/etc/credstore.encrypted")
    box.run("systemd-creds", "encrypt", "--name=node.key", key, sealed)
    drop_in = "/etc/systemd/system/enigma-fed.service.d/sealed.conf"
    box.write(drop_in, "[Service]\nLoadCredentialEncrypted=node.key:enigma-fed.node.key\n")
    box.run("mv", key, "/root/kept")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "enigma-fed")
    assert did(box) == before
    box.run("sh", "-c", f"mv /root/kept {key}; rm {drop_in} {sealed}; systemctl daemon-reload")


@pytest.mark.parametrize("code", [2, 7])
def test_what_a_person_must_mend_is_not_tried_again(box: Machine, code: int) -> None:
    nodes = f"{DATA}/federation/nodes.json"
    box.run("systemctl", "stop", "enigma-fed")
    if code == 2:
        box.write(CONFIG, "[tor]\nmode = 7\n")
    else:
        box.run("sh", "-c", f"cp -a {nodes} /root/nodes.json && mv {nodes}.bak /root/ && printf x >> {nodes}")
    box.run("systemctl", "reset-failed", "enigma-fed", check=False)
    box.run("systemctl", "start", "enigma-fed", check=False)
    state = json.loads(box.run(PROGRAM, "--json", "service", "status", check=False))
    assert (state["state"], state["exit_code"], state["restarts"]) == ("failed", code, 0)
    if code == 7:
        box.run(
            "sh",
            "-c",
            f"rm -f {nodes}* && cp -a /root/nodes.json {nodes} && cp -a /root/nodes.json.bak {nodes}.bak",
        )
    box.write(CONFIG, SETTINGS.format(level="info"))


def test_a_boot_brings_it_up_with_the_same_data(box: Machine) -> None:
    before = did(box)
    box.power_off()
    box.boot()
    until(box.ready_at, "the service starts with the machine")
    begun = int(box.run("systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value")) / 1e6
    say("boot, until ready", box.ready_at() - begun)
    started = int(box.property("InactiveExitTimestampMonotonic")) / 1e6
    say("start of the service, until ready", box.ready_at() - started)
    assert did(box) == before


def test_uninstall_keeps_the_data_and_install_takes_it_up_again(box: Machine) -> None:
    before = did(box)
    gone = box.agent("service", "uninstall")
    assert gone["data_dir"] == DATA
    assert box.property("LoadState") == "not-found"
    assert (
        box.run("sh", "-c", "ls -d /etc/systemd/system/enigma-fed* /etc/sysusers.d/enigma-fed*", check=False)
        == ""
    )
    box.run("test", "-s", f"{DATA}/identity/node.key")
    box.agent("service", "install")
    assert did(box) == before


def test_the_drop_in_for_a_system_tor_opens_files_of_its_group(box: Machine) -> None:
    """Also with a user table of the service's own, in which that group has no name."""
    box.write("/root/cookie", "secret")
    box.run("install", "-m", "0640", "-o", "root", "-g", "debian-tor", "/root/cookie", "/run/cookie")
    asked = ["systemd-run", "--quiet", "--pipe", "--wait"]
    for given in ("User=enigma-fed", "PrivateUsers=yes", "CapabilityBoundingSet=", "NoNewPrivileges=yes"):
        asked += ["--property", given]
    assert box.run(*asked, "cat", "/run/cookie", check=False) == ""
    group = box.property("SupplementaryGroups")
    assert group == "debian-tor"
    assert box.run(*asked, "--property", f"SupplementaryGroups={group}", "cat", "/run/cookie") == "secret"


def test_a_users_own_service_runs_without_a_session(box: Machine) -> None:
    box.run("loginctl", "enable-linger", "bob")
    until(
        lambda: box.run("systemctl", "--user", "is-active", "basic.target", user="bob", check=False),
        "bob's systemd",
    )
    config = "/home/bob/own.toml"
    box.write(config, SETTINGS.format(level="info") + '[rpc]\nlisten = ""\n')
    installed = box.agent("--config", config, "service", "install", "--user", user="bob")
    assert (installed["scope"], installed["state"]) == ("user", "active")
    own = box.agent("--config", config, "id", user="bob")
    assert own["data_dir"] == "/home/bob/.local/share/enigma-fed"
    assert own["did"] != did(box)
    until(lambda: box.agent("--config", config, "status", user="bob")["tor"]["version"], "its tor runs")
    old = box.agent("service", "status", "--user", user="bob")["pid"]
    box.run("sh", "-c", f"kill -9 {old}")
    again = until(lambda: _up_again(box, old), "it is started again")
    assert again["restarts"] == 1
    box.agent("--config", config, "service", "uninstall", "--user", user="bob")
    assert box.run("ls", "/home/bob/.config/systemd/user", user="bob").split() == []


def _up_again(box: Machine, old: int) -> dict[str, Any] | None:
    shown = box.run(PROGRAM, "--json", "service", "status", "--user", user="bob", check=False)
    state: dict[str, Any] = json.loads(shown)
    return state if state["state"] == "active" and state["pid"] != old else None


def test_a_program_in_a_home_is_refused(box: Machine) -> None:
    box.run("cp", "-a", PREFIX, "/home/bob/enigma-fed")
    box.run("sed", "-i", f"s#{PREFIX}#/home/bob/enigma-fed#", "/home/bob/enigma-fed/bin/enigma-fed")
    told = box.run("sh", "-c", "/home/bob/enigma-fed/bin/enigma-fed service install 2>&1", check=False)
    assert "the service does not see /home" in told
