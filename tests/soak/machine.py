"""A Debian machine in a container: booted by systemd, without any network but its own loopback."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import enigma_fed
from tests.support.prerequisites import missing

PACKAGES: Final = ("systemd-sysv", "libpam-systemd", "dbus", "python3", "tor", "util-linux")
PREFIX: Final = "/opt/enigma-fed"
PROGRAM: Final = f"{PREFIX}/bin/enigma-fed"
_SUITE: Final = "bookworm"
_PYTHON: Final = (3, 11)
"""That of the suite: the packages of this environment are copied into the machine."""
_SOURCE: Final = Path(enigma_fed.__file__).parents[1]
_BOOT: Final = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --system-call-filter=@clock \\
    --machine="$3" --directory="$2/root" --boot
"""
"""In a mount namespace of its own: changes lie beside the cached root, and nspawn gets a /run of its own."""
_TOO_LONG: Final = 120.0


class Machine:
    """A container with systemd as its first process; commands run in it through nsenter."""

    def __init__(self, root: Path, changes: Path) -> None:
        """`root` is never written; `changes` is an empty folder."""
        self._root = root
        self._changes = changes
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0
        for name in ("upper", "work", "root"):
            (changes / name).mkdir(parents=True)

    def boot(self) -> None:
        """Start it and wait until systemd has nothing more to start."""
        with (self._changes / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _BOOT, "boot", self._root, self._changes, "enigma-soak"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self._first = until(self._find_first, "the machine boots")
        until(
            lambda: (
                self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}
            ),
            "it is up",
        )

    def power_off(self) -> None:
        """Stop it in order."""
        if self._process is None:
            return
        if self._first:
            os.kill(self._first, signal.SIGRTMIN + 4)  # systemd(1): power off
        try:
            self._process.wait(_TOO_LONG)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process, self._first = None, 0

    def _find_first(self) -> int:
        """The container's first process: the child of nspawn, once it is systemd."""
        assert self._process is not None
        assert self._process.poll() is None, (self._changes / "console").read_text(errors="replace")[-2000:]
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        found = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"]
        return int(found[0]) if found else 0

    def run(self, *words: str, user: str | None = None, check: bool = True) -> str:
        """The output of a command in the machine, as root or as a user with all of that user's groups."""
        who = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root" if user is None else f"/home/{user}",
            **({} if user is None else {"XDG_RUNTIME_DIR": self._runtime_dir(user)}),
        }
        done = subprocess.run(
            ["nsenter", "--all", f"--target={self._first}", "--wd=/", *who, *words],
            capture_output=True,
            text=True,
            timeout=_TOO_LONG,
            check=False,
            env=environ,
        )
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _runtime_dir(self, user: str) -> str:
        return f"/run/user/{self.run('id', '--user', user).strip()}"

    def agent(self, *words: str, user: str | None = None) -> Any:
        """What a command of ours says with `--json`."""
        return json.loads(self.run(PROGRAM, "--json", *words, user=user))

    def write(self, path: str, text: str) -> None:
        """Put a file, readable for all, into the machine."""
        self.run(
            "sh",
            "-c",
            'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1" && chmod 644 "$1"',
            "sh",
            path,
            text,
        )

    def property(self, name: str, unit: str = "enigma-fed.service") -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def ready_at(self) -> float:
        """When the service became ready, on CLOCK_MONOTONIC, which is ours too; 0.0: it is not."""
        shown = self.run(
            "systemctl", "show", "--property=ActiveState,ActiveEnterTimestampMonotonic", "enigma-fed.service"
        )
        found = dict(line.split("=", 1) for line in shown.splitlines())
        return int(found["ActiveEnterTimestampMonotonic"]) / 1e6 if found["ActiveState"] == "active" else 0.0

    def wait_ready(self, since: float) -> float:
        """Wait until the service is ready anew; seconds from `since` (time.monotonic) to that moment."""
        return until(lambda: max(0.0, self.ready_at() - since), "the service is ready again")


def until(condition: Callable[[], Any], what: str) -> Any:
    """Look until `condition` gives something true, and return it."""
    deadline = time.monotonic() + _TOO_LONG
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {_TOO_LONG:.0f} s: {what}"
        time.sleep(0.1)
    return found


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A booted machine with this tree's program in /opt; powered off at the end."""
    _require()
    made = Machine(_base_root(), folder)
    _put_program(folder / "upper")
    try:
        made.boot()
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.power_off()


def _require() -> None:
    for program, package in (("mmdebstrap", "mmdebstrap"), ("systemd-nspawn", "systemd-container")):
        if shutil.which(program) is None:
            missing(f"the unit is booted in a container: sudo apt install {package}")
    if os.geteuid() != 0:
        missing("a container is booted by root: sudo make soak")
    if sys.version_info[:2] != _PYTHON:
        missing("the container has Debian 12's Python 3.11: use an environment with that version")


def _base_root() -> Path:
    """A Debian root with PACKAGES, made once (20 s) and kept in the cache folder."""
    name = hashlib.sha256(" ".join((_SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "enigma-fed", "machine")
    root = cache / name
    if not root.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        packages = f"--include={','.join(PACKAGES)}"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", packages, _SUITE, fresh], check=True)
        for unit in ("tor.service", "systemd-networkd-wait-online.service"):
            subprocess.run(["systemctl", f"--root={fresh}", "--quiet", "mask", unit], check=True)
        fresh.rename(root)
    return root


def _put_program(upper: Path) -> None:
    """What `pip install` into a venv in /opt would leave there: packages, the wheel's content, the script."""
    prefix = Path(f"{upper}{PREFIX}")
    site = prefix / "lib" / f"python{_PYTHON[0]}.{_PYTHON[1]}" / "site-packages"
    here = Path(next(path for path in sys.path if path.endswith("site-packages")))
    shutil.copytree(
        here,
        site,
        symlinks=True,
        ignore=shutil.ignore_patterns("_editable_impl_*", "__pycache__", "enigma_fed"),
    )
    shutil.copytree(_SOURCE / "enigma_fed", site / "enigma_fed", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_SOURCE / "systemd", site / "enigma_fed" / "systemd")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python3").symlink_to("/usr/bin/python3")
    (prefix / "pyvenv.cfg").write_text(
        "home = /usr/bin\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    script = prefix / "bin" / "enigma-fed"
    script.write_text(
        f"#!{PREFIX}/bin/python3\nimport sys\nfrom enigma_fed.cli.main import main\nsys.exit(main())\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
