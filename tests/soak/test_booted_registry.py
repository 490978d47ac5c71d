"""A registry's own unit as systemd really runs it: installed as its head says, rotated, killed, stuck."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from enigma_fed.daemon import unitfiles
from tests.soak.machine import PROGRAM, Machine, machine, until

pytestmark = pytest.mark.timeout(900)

NAME = "enigma-fed-registry"
FOLDER = f"/var/lib/{NAME}"
CONFIG = f"{FOLDER}/registry.toml"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machine")) as made:
        made.run("useradd", "--create-home", "bob")
        made.write("/root/sysusers.conf", unitfiles.template(unitfiles.REGISTRY_SYSUSERS))
        made.run("systemd-sysusers", "/root/sysusers.conf")
        made.run("install", "-d", "-m", "0700", "-o", NAME, "-g", NAME, FOLDER)
        made.run("runuser", "-u", NAME, "--", PROGRAM, "registry", "init", "--config", CONFIG)
        made.run("sed", "-i", r"s/^\[rate_limit\]/&\nenabled = false/", CONFIG)
        words = [PROGRAM, "registry", "serve", "--config", CONFIG]
        made.write(f"/etc/systemd/system/{NAME}.service", unitfiles.unit(unitfiles.REGISTRY_UNIT, words))
        made.run("systemctl", "enable", "--now", NAME)
        yield made


def kids(box: Machine) -> list[Any]:
    """Names of the envelope keys that it tells."""
    url = "http://127.0.0.1:8443/envelope_pubkeys"
    ask = f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())"
    return [key["kid_hex"] for key in json.loads(box.run("python3", "-c", ask, user="bob"))]


def state(box: Machine, name: str) -> str:
    return box.property(name, f"{NAME}.service")


def test_it_answers_and_is_in_the_sandbox(box: Machine) -> None:
    assert len(kids(box)) == 1
    assert state(box, "StatusText") == "the registry answers at http://127.0.0.1:8443"
    shown = box.run("cat", f"/proc/{state(box, 'MainPID')}/status")
    found = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    assert found["NoNewPrivs"].strip() == "1"
    assert found["Seccomp"].strip() == "2"
    assert int(found["CapEff"], 16) == 0 == int(found["CapBnd"], 16)


def test_invariant_8_no_other_user_reads_its_folder(box: Machine) -> None:
    assert box.run("ls", FOLDER, user="bob", check=False) == ""
    assert box.run("sh", "-c", f"find {FOLDER} -type f ! -perm 600 ; find {FOLDER} ! -user {NAME}") == ""


def test_a_rotated_key_is_taken_over_without_a_restart_or_a_reload(box: Machine) -> None:
    before, [old] = state(box, "MainPID"), kids(box)
    begun = time.monotonic()
    box.run("runuser", "-u", NAME, "--", PROGRAM, "registry", "rotate-key", "--config", CONFIG)
    until(lambda: kids(box)[1:] == [old], "the new key is told")
    print(f"\nbooted registry: rotate-key, until it is told: {time.monotonic() - begun:.1f} s")
    assert state(box, "MainPID") == before


def test_root_rotates_the_key_and_the_file_stays_its_owners(box: Machine) -> None:
    box.run(PROGRAM, "registry", "rotate-key", "--config", CONFIG)
    assert box.run("stat", "-c", "%a %U %G", CONFIG).split() == ["600", NAME, NAME]
    assert box.run("find", FOLDER, "!", "-user", NAME) == "", "the lock's file too"
    until(lambda: len(kids(box)) == 3, "the newest key is told")


def test_reload_refuses_a_bad_file_and_serves_on(box: Machine) -> None:
    box.run("cp", "-p", CONFIG, "/root/kept.toml")
    box.run("sh", "-c", f"echo 'colour = 1' >> {CONFIG}")
    box.run("systemctl", "reload", NAME)
    until(lambda: "refused" in state(box, "StatusText"), "the bad file is refused")
    assert kids(box)
    box.run("cp", "-p", "/root/kept.toml", CONFIG)
    box.run("systemctl", "reload", NAME)
    until(lambda: "answers" in state(box, "StatusText"), "the good one is taken")


@pytest.mark.parametrize("number", ["KILL", "STOP"])
def test_killed_or_stuck_it_is_there_again(box: Machine, number: str) -> None:
    before = state(box, "MainPID")
    box.run("sh", "-c", f"kill -{number} {before}")
    until(
        lambda: state(box, "MainPID") not in {before, "0"} and state(box, "ActiveState") == "active", "again"
    )
    assert kids(box)


def test_a_configuration_that_a_person_must_mend_is_not_tried_again(box: Machine) -> None:
    box.run("systemctl", "stop", NAME)
    box.run("sh", "-c", f"echo 'colour = 1' >> {CONFIG}")
    box.run("systemctl", "start", NAME, check=False)
    until(lambda: state(box, "ActiveState") == "failed", "it gives up")
    assert state(box, "NRestarts") == "0"
    box.run("cp", "-p", "/root/kept.toml", CONFIG)
    box.run("systemctl", "start", NAME)
    assert len(kids(box)) == 3
