"""The command line as a whole: cheap help, flags anywhere, exit codes, errors on standard error."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from enigma_fed import __version__
from tests.cli.fakes import all_commands, invoke

_PRINT_MODULES = (
    "import sys; from {module} import main; main({words}); print(*sorted(sys.modules), file=sys.stderr)"
)


def _modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_click_and_nothing_else() -> None:
    ours = _modules_after(_PRINT_MODULES.format(module="enigma_fed.cli.main", words=["--help"]))
    plain = _modules_after("import click, sys; print(*sorted(sys.modules), file=sys.stderr)")
    shown = _modules_after(
        "import click, sys; click.command()(lambda: None).main(['--help'], standalone_mode=False);"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    expected = {"enigma_fed", "enigma_fed.cli", "enigma_fed.cli.main", "enigma_fed.cli.groups"}
    assert {name for name in ours if name.startswith("enigma_fed")} == expected
    assert ours - plain - shown == expected


@pytest.mark.parametrize("words", [["invite", "create", "--help"], ["peer", "--help"], ["run", "--help"]])
def test_help_of_a_command_loads_no_room_but_base(words: list[str]) -> None:
    ours = _modules_after(_PRINT_MODULES.format(module="enigma_fed.cli.main", words=words))
    rooms = {name.split(".")[1] for name in ours if name.startswith("enigma_fed.")}
    assert rooms <= {"cli", "base"}
    assert not {"asyncio", "aiohttp", "stem", "rich", "msgspec", "nacl"} & ours


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    for name, command in all_commands():
        if " " not in name:
            assert command.name == name


def test_the_version() -> None:
    assert invoke("--version").out == f"enigma-fed {__version__}\n"


def test_the_module_runs_as_a_program() -> None:
    run = [sys.executable, "-m", "enigma_fed"]
    done = subprocess.run(
        [*run, "config", "show", "--config", "/nowhere.toml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "/nowhere.toml" in done.stderr
    wrong = subprocess.run([*run, "--json", "wrong"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, msgspec.json.decode(wrong.stderr)["error"]["code"]) == (2, "usage")
