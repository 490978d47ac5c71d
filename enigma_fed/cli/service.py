"""`enigma-fed service …`: the agent under systemd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from enigma_fed.base.errors import EnigmaError, NotFound, UsageError
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Group

if TYPE_CHECKING:
    from enigma_fed.daemon.installing import Plan
    from enigma_fed.daemon.systemctl import Systemd
    from enigma_fed.wire.unitstate import UnitState

F = TypeVar("F", bound=Callable[..., Any])


def _scope(command: F) -> F:
    """`--system` and `--user`; neither: the machine's for root, else the user's own (see `_at_hand`)."""
    for name, text in (
        ("--user", "Your own service: no root needed, runs while you are logged in."),
        (
            "--system",
            "The machine's service; the default for root, and to look at where you have none of your own.",
        ),
    ):
        command = click.option(name, "scope", flag_value=name.removeprefix("--"), help=text)(command)
    return command


@click.group("service", cls=Group, examples=("sudo enigma-fed service install", "enigma-fed service status"))
def service() -> None:
    """Run the agent as a service of systemd."""


@service.command(
    "install",
    examples=(
        "sudo enigma-fed service install",
        "enigma-fed service install --user",
        "enigma-fed service install --system --dry-run",
    ),
)
@_scope
@click.option("--dry-run", is_flag=True, help="Show what would be written and run, and do nothing.")
def install(scope: str | None, dry_run: bool) -> None:
    """Install the agent as a service, start it, and start it with the machine from now on.

    Done again it replaces the unit and restarts the agent. The machine's service has its data in
    /var/lib/enigma-fed and its configuration in /etc/enigma-fed/config.toml; your own has the same
    as `enigma-fed run`.
    """
    from enigma_fed.cli import output
    from enigma_fed.daemon import installing

    systemd = _systemd(scope)
    if dry_run:
        _show_plan(_plan(systemd, checked=False))
        _tell_objection(systemd)
        return
    _require(systemd)
    plan = _plan(systemd, checked=True)
    with output.progress("waiting for the agent to be ready"):
        installing.install(systemd, plan)
    state = systemd.state()
    if current().json:
        output.data_json(state)
        return
    output.data(f"{state.unit} is {state.state}.")
    for line in _after_install(systemd):
        output.talk(line)


@service.command("status", examples=("enigma-fed service status", "enigma-fed service status --json"))
@_scope
def status(scope: str | None) -> int:
    """Say how the service is, and what to do next.

    Exit code 0 when it runs, 1 when it does not, 5 when it is not installed.
    """
    from enigma_fed.cli import output

    systemd = _systemd(_at_hand(scope))
    systemd.require()
    state = systemd.state()
    if not state.installed:
        raise NotFound("the service is not installed", hint=f"Install it: {_install_command(systemd)}")
    if current().json:
        output.data_json(state)
    else:
        output.details(_details(state))
        output.data(f"Next: {next_step(state, systemd.typed)}")
    return 0 if state.is_up else 1


@service.command("logs", examples=("enigma-fed service logs -n 20", "enigma-fed service logs --follow"))
@_scope
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=50,
    show_default=True,
    help="Last lines.",
)
def logs(scope: str | None, follow: bool, lines: int) -> int:
    """Show what the service, and systemd about it, wrote to the journal.

    With --json a line is one object as journald has it.
    """
    import subprocess

    systemd = _systemd(_at_hand(scope))
    systemd.require()
    return subprocess.call(systemd.journal(lines, follow=follow, json=current().json))


@service.command("uninstall", examples=("sudo enigma-fed service uninstall",))
@_scope
def uninstall(scope: str | None) -> None:
    """Stop the service and take it out. The data stays where it is."""
    from enigma_fed.cli import output
    from enigma_fed.daemon import installing

    systemd = _systemd(scope)
    _require(systemd)
    with output.progress("waiting for the agent to end"):
        removed = installing.uninstall(systemd, os.environ)
    data = _data_dir(systemd)
    if current().json:
        output.data_json({"removed": [str(path) for path in removed], "data_dir": str(data)})
        return
    output.data("\n".join(f"removed {path}" for path in removed))
    output.talk(
        f"The data stays in {data}: it is the home's identity and its peers. "
        "Whoever wants it gone removes that folder."
    )


def _systemd(scope: str | None) -> Systemd:
    from enigma_fed.daemon.systemctl import Systemd

    return Systemd(scope or ("system" if os.geteuid() == 0 else "user"))


def _at_hand(scope: str | None) -> str | None:
    """Whose service is looked at: where a user has none of his own, the machine's, if that is installed."""
    from enigma_fed.daemon import installing
    from enigma_fed.daemon.unitfiles import UNIT

    if scope is not None or (installing.user_units(os.environ) / UNIT).exists():
        return scope
    return "system" if (installing.SYSTEM_UNITS / UNIT).exists() else None


def _require(systemd: Systemd) -> None:
    systemd.require()
    if systemd.scope == "system" and os.geteuid() != 0:
        raise UsageError(
            "the machine's service is root's to change", hint="Use sudo, or --user for a service of your own."
        )


def _plan(systemd: Systemd, *, checked: bool) -> Plan:
    from enigma_fed.daemon import installing, programcheck

    program = programcheck.find_program()
    flags = current().flags
    named = {"--config": flags.config, "--data-dir": flags.data_dir}
    if systemd.scope == "user":
        return installing.plan_user(systemd, _command_line(program, named), os.environ)
    if flags.data_dir is not None:
        raise UsageError(
            "the machine's service has its data in /var/lib/enigma-fed",
            hint="Leave --data-dir out, or use --user.",
        )
    if checked:
        programcheck.require_for_machine(programcheck.parts(program))
    return installing.plan_system(systemd, _command_line(program, named))


def _command_line(program: Path, named: dict[str, str | None]) -> Sequence[str]:
    given = [(name, str(Path(value).absolute())) for name, value in named.items() if value is not None]
    return (str(program), *(word for pair in given for word in pair), "run")


def _show_plan(plan: Plan) -> None:
    from enigma_fed.cli import output

    commands = [" ".join(words) for words in (*plan.prepare, *plan.restart)]
    if current().json:
        files = [{"path": str(path), "text": text} for path, text in plan.files]
        output.data_json({"files": files, "commands": commands})
        return
    for path, text in plan.files:
        output.data(f"# {path}\n{text}")
    output.data("\n".join(f"# run: {command}" for command in commands))


def _tell_objection(systemd: Systemd) -> None:
    """What would stop the installation that was shown."""
    from enigma_fed.cli import output

    try:
        _require(systemd)
        _plan(systemd, checked=True)
    except EnigmaError as error:
        output.advise(f"Note: as things are, this would be refused: {error.detail}. {error.hint}")


def _after_install(systemd: Systemd) -> Iterator[str]:
    import getpass

    from enigma_fed.daemon import installing

    yield f"Its data lies in {_data_dir(systemd)}."
    yield "Next: see how far Tor is: enigma-fed status"
    if systemd.scope == "user":
        if not installing.lingers(systemd, getpass.getuser()):
            yield "Next: let it run while you are logged out, too: sudo loginctl enable-linger $USER"
        return
    person = os.environ.get("SUDO_USER", "")
    if person not in {"", "root"}:
        yield f"Next: to command it without sudo: sudo usermod -aG enigma-fed {person}, then log in again"


def _data_dir(systemd: Systemd) -> Path:
    from enigma_fed.cli import wiring
    from enigma_fed.daemon.paths import SYSTEM_DATA_DIR

    return SYSTEM_DATA_DIR if systemd.scope == "system" else wiring.node_paths(current().flags).data_dir


def _install_command(systemd: Systemd) -> str:
    return (
        "enigma-fed service install --user" if systemd.scope == "user" else "sudo enigma-fed service install"
    )


def _details(state: UnitState) -> list[tuple[str, str]]:
    since = f" since {state.since}" if state.since else ""
    return [
        ("Service", f"{state.unit} ({state.scope})"),
        ("State", f"{state.state} ({state.detail}){since}"),
        ("Says", state.says),
        ("Main process", str(state.pid or "")),
        ("Restarts", str(state.restarts)),
        ("Watchdog", state.watchdog),
        ("Starts by itself", "yes" if state.enabled else "no"),
        ("Last end", "" if state.result == "success" else f"{state.result}, exit code {state.exit_code}"),
        ("Unit file", state.file),
    ]


def next_step(state: UnitState, systemctl: str) -> str:
    """What to do now; `systemctl` is the start of a command as a person types it."""
    from enigma_fed.daemon.paths import AS_THE_SERVICE

    logs = "enigma-fed service logs"
    if state.stale:
        return f"let systemd read the changed unit: {systemctl} daemon-reload"
    if state.is_up:
        return "see how the node is: enigma-fed status"
    if state.state == "failed" and state.exit_code == 2:
        return f"correct the configuration ({logs} names the key), then: {systemctl} restart {state.unit}"
    if state.state == "failed" and state.exit_code == 7:
        doctor = f"{AS_THE_SERVICE if state.scope == 'system' else 'enigma-fed'} doctor"
        return f"a file of the node is damaged, see which: {doctor}; then: {systemctl} restart {state.unit}"
    if state.state in {"failed", "activating"} and state.result != "success":
        return f"see why it does not stay up: {logs}"
    if state.state == "activating":
        return f"it starts; see how: {logs} --follow"
    return f"start it: {systemctl} start {state.unit}"
