"""Formats and decisions are pure: time, randomness and bytes come in as arguments."""

from __future__ import annotations

import ast

from tests.architecture.source import PACKAGE, Import, Module, modules, project_targets, report

_IO = "pure code does no I/O: its callers do"
_WAIT = "pure code never waits: its tests neither sleep nor open a socket"
_CLOCK = "the time comes in as an argument"
_CHANCE = "random bytes come in as an argument"
BANNED = {
    "asyncio": _WAIT,
    "threading": _WAIT,
    "concurrent": _WAIT,
    "aiohttp": _IO,
    "aiohttp_socks": _IO,
    "socket": _IO,
    "ssl": _IO,
    "sqlite3": _IO,
    "redis": _IO,
    "stem": _IO,
    "subprocess": _IO,
    "os": _IO,
    "pathlib": _IO,
    "tempfile": _IO,
    "psutil": _IO,
    "filelock": _IO,
    "time": _CLOCK,
    "random": _CHANCE,
    "secrets": _CHANCE,
    "uuid": _CHANCE,
    "nacl.utils": _CHANCE,
    "logging": "pure code returns or raises what there is to say",
}
BANNED_CALLS = {
    "open": _IO,
    "print": _IO,
    "input": _IO,
    "datetime.now": _CLOCK,
    "datetime.utcnow": _CLOCK,
    "datetime.today": _CLOCK,
    "date.today": _CLOCK,
}
PURE_ROOMS = {"wire"}
PURE_FILES = {"rules.py", "liveness.py", "schedule.py"}
PURE_PLACES = {
    "base/backoff.py",
    "base/lookalike.py",
    "base/ratelimit.py",
    "daemon/adminrules.py",
    "daemon/clocksteps.py",
    "daemon/readiness.py",
    "federation/accepting.py",
    "federation/decision.py",
    "federation/doubt.py",
    "federation/hashes.py",
    "federation/inviting.py",
    "federation/lookup.py",
    "federation/news.py",
    "federation/names.py",
    "federation/repair.py",
    "federation/statebudget.py",
    "federation/streamrules.py",
    "registry/clientaddress.py",
    "registry/limiter.py",
    "registry/noderules.py",
    "registry/pow.py",
    "registry/presence.py",
    "registry/atrest.py",
    "registry/blindindex.py",
    "registry/sledfolder.py",
    "registry/clientplace.py",
    "registry/clientrules.py",
    "rpc/challenge.py",
    "rpc/circuits.py",
    "rpc/freshness.py",
    "rpc/noncetable.py",
    "rpc/places.py",
    "state/receiving.py",
    "state/streamrules.py",
    "state/history.py",
    "transports/tor/controlwords.py",
    "transports/tor/endpoint.py",
    "transports/tor/modes.py",
    "transports/tor/repair.py",
    "transports/tor/versions.py",
}


def _is_pure(module: Module) -> bool:
    return module.room in PURE_ROOMS or module.path.name in PURE_FILES or module.place in PURE_PLACES


def _banned(imported: Import) -> str | None:
    return next((reason for name, reason in BANNED.items() if imported.is_of(name)), None)


def _call_name(node: ast.Call) -> str:
    parts = ast.unparse(node.func).split(".")
    return ".".join(parts[-2:])


def test_pure_modules_import_nothing_that_acts() -> None:
    report(
        [
            f"{PACKAGE}/{module.place}:{imported.line} imports {imported.name}: {reason}"
            for module in modules()
            if _is_pure(module)
            for imported in module.imports
            if (reason := _banned(imported)) is not None
        ]
    )


def test_pure_modules_import_only_modules_of_ours_that_do_not_act_either() -> None:
    known = {module.name: module for module in modules()}
    findings: list[str] = []
    for module in known.values():
        if not _is_pure(module):
            continue
        for target, imported in project_targets(module, known):
            acting = [i.name for i in target.imports if not i.for_types_only and _banned(i) is not None]
            if acting and not imported.for_types_only:
                where = f"{PACKAGE}/{module.place}:{imported.line}"
                findings.append(f"{where} imports {imported.name}, which imports {acting}")
    report(findings)


def test_pure_modules_call_nothing_that_acts() -> None:
    report(
        [
            f"{PACKAGE}/{module.place}:{node.lineno} calls {name}: {BANNED_CALLS[name]}"
            for module in modules()
            if _is_pure(module)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and (name := _call_name(node)) in BANNED_CALLS
        ]
    )


def test_pure_modules_hold_no_coroutines() -> None:
    report(
        [
            f"{PACKAGE}/{module.place}:{node.lineno} is async: {_WAIT}"
            for module in modules()
            if _is_pure(module)
            for node in ast.walk(module.tree)
            if isinstance(node, (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith))
        ]
    )
